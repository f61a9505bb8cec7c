import { endpointsOf } from '../../src/facts/selectors.ts';
import { check, type Draft, judged, skip, unknown } from '../check.ts';
import { serviceRef, some } from '../format.ts';
import { kubectl } from '../fix.ts';
import { clientNode, restartOn } from './nodes.ts';

/** Shares of the table in use: from `full` on, new connections begin to fail. */
const near = 0.8;
const full = 0.95;

/** A node's table of connections: whether it has room, and whether entries of UDP lead to endpoints that exist. */
export const conntrack = check({
  id: 'kube-proxy/conntrack',
  title: 'Connection tracking has room, and leads to endpoints that exist',
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
          message: `The connection table of node ${node} is ${used >= full ? 'full' : 'nearly full'} (${count} of ${max}): new connections fail there`,
          evidence: [{ source: `nf_conntrack on ${node}`, text: `nf_conntrack_count ${count}, nf_conntrack_max ${max}` }],
          fix: [
            { text: 'Find what opens so many connections', command: kubectl('kube-system', 'exec', 'ds/kube-proxy', '--', 'conntrack', '-S') },
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
          message: `Clients on node ${node} that keep a UDP socket open to Service "${target.name}" are still led to ${some(lost.map((e) => e.backend))}, which is no endpoint of it`,
          evidence: lost.slice(0, 4).map((e) => ({ source: `conntrack on ${node}`, text: `${e.to} → ${e.backend}` })),
          fix: [
            {
              text: 'Drop the entries; the next packet is led anew',
              command: kubectl('kube-system', 'exec', 'ds/kube-proxy', '--', 'conntrack', '-D', '-p', 'udp', '--reply-src', lost[0]?.backend ?? ''),
            },
            ...restartOn(node, proxyPods),
          ],
        });
    }
    if (rooms.length === 0) return unknown("no node's connection table could be read");
    return judged(`room for more: ${some(rooms)}`, findings);
  },
});
