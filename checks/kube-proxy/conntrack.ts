import { endpointsOf } from '../../src/facts/selectors.ts';
import { check, type Draft, judged, skip, unknown } from '../check.ts';
import { serviceRef, some } from '../format.ts';
import { kubectl } from '../fix.ts';
import { onNode } from '../on-node.ts';
import { clientNode, restartOn } from './nodes.ts';

/** Shares of the table in use: from `full` on, new connections begin to fail. */
const near = 0.8;
const full = 0.95;

/** A node's connection tracking table: whether it has room, and whether its UDP entries have endpoints that exist. */
export const conntrack = check({
  id: 'kube-proxy/conntrack',
  title: 'Connection tracking has room and no entries of removed endpoints',
  needs: ['target', 'service', 'slices', 'conntrack'],
  uses: ['client', 'connections', 'proxyPods'],
  codes: ['conntrack-full', 'conntrack-stale'],
  run({ target, service, slices, conntrack: tables, client, connections, proxyPods }) {
    if (!service) return skip('the Service is not known');
    const here = clientNode(client, connections);
    const findings: Draft<'conntrack-full' | 'conntrack-stale'>[] = [];
    const endpoints = new Set(endpointsOf(slices).map((e) => e.address));
    const rooms: string[] = [];
    for (const [node, fact] of Object.entries(tables)) {
      if (!fact.seen) continue;
      const { count, max, udp } = fact.value;
      const used = max > 0 ? count / max : 0;
      rooms.push(`${node} ${count} of ${max}`);
      if (used >= near)
        findings.push({
          code: 'conntrack-full',
          severity: used >= full ? 'error' : 'warning',
          confidence: 'likely',
          scope: here === null || here === node ? 'all' : 'part',
          object: { kind: 'Node', namespace: '', name: node },
          message: `Node ${node}: its connection tracking table is ${used >= full ? 'full' : 'nearly full'} (${count} of ${max} entries)${used >= full ? ', so new connections fail there' : '; when it is full, new connections fail there'}`,
          evidence: [{ source: `nf_conntrack on ${node}`, text: `nf_conntrack_count ${count}, nf_conntrack_max ${max}` }],
          fix: [
            { text: 'Find the program that opens so many connections', command: onNode(node, proxyPods, 'conntrack', '-S') },
            {
              text: "Raise conntrack.maxPerCore in kube-proxy's ConfigMap, then restart it",
              command: kubectl('kube-system', 'edit', 'configmap', 'kube-proxy'),
            },
          ],
        });
      const lost = udp.filter((e) => !endpoints.has(e.backend));
      if (lost.length > 0)
        findings.push({
          code: 'conntrack-stale',
          severity: 'warning',
          confidence: 'confirmed',
          scope: 'part',
          object: serviceRef(target),
          message: `Node ${node}: packets of open UDP sockets to Service "${target.name}" still go to ${some(lost.map((e) => e.backend))}, which ${lost.length === 1 ? 'is not an endpoint' : 'are no endpoints'}`,
          evidence: lost.slice(0, 4).map((e) => ({ source: `conntrack on ${node}`, text: `${e.to} → ${e.backend}` })),
          fix: [
            {
              text: `Delete the entries on ${node}; the next packet gets a new one`,
              command: onNode(node, proxyPods, 'conntrack', '-D', '-p', 'udp', '--reply-src', lost[0]?.backend ?? ''),
            },
            ...restartOn([node], proxyPods),
          ],
        });
    }
    if (rooms.length === 0) return unknown("no node's connection tracking table could be read");
    return judged(findings, `connection tracking has room: ${some(rooms)}`);
  },
});
