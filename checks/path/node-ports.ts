import type { Connection } from '../../src/facts/facts.ts';
import { connectionKey, endpointsOf, familyOf, isGood, portsAsked, splitTarget, targetsOf } from '../../src/facts/selectors.ts';
import { check, judged, skip } from '../check.ts';
import { outcomeText, overFamilyOf, plural, probeEvidence, serviceRef, some } from '../format.ts';
import { onNode } from '../on-node.ts';
import { outsideKubernetes } from '../platform.ts';

/** Each node's port, tried from another node. */
export const nodePorts = check({
  id: 'path/node-ports',
  title: 'The node ports answer from outside',
  needs: ['target', 'service', 'slices', 'connections'],
  uses: ['proxyPods', 'nodes'],
  codes: ['node-port-failing'],
  run({ target, service, slices, connections, proxyPods, nodes }) {
    if (!service || target.from.kind !== 'external') return skip('the client is inside the cluster');
    const tried = connections.list.filter((c) => c.hop === 'node-port');
    if (tried.length === 0) return skip('no node port was tried');
    // With externalTrafficPolicy Local a node without an endpoint drops packets by design.
    const local = service.spec.externalTrafficPolicy === 'Local';
    const endpoints = endpointsOf(slices);
    const ports = portsAsked(service, target.port) ?? [];
    const serves = (c: Connection) => !local || ports.some((p) => p.port === c.servicePort && targetsOf(p, endpoints).some((e) => e.node === c.node));
    const due = tried.filter(serves);
    const failing = due.filter((c) => !isGood(c));
    const closed = tried.filter((c) => !serves(c) && !isGood(c));
    const shut = [...new Set(closed.map((c) => c.node ?? c.target))];
    const note =
      closed.length > 0
        ? `; ${some(shut)} ${shut.length === 1 ? 'has' : 'have'} no endpoint and ${shut.length === 1 ? 'drops' : 'drop'} packets (externalTrafficPolicy Local)`
        : '';
    const [first] = failing;
    if (!first) return judged([], `${due.length} of ${plural(due.length, 'node port')} answered${note}`);
    const iptables = familyOf(splitTarget(first.target).address) === 'IPv6' ? 'ip6tables' : 'iptables';
    return judged([
      {
        code: 'node-port-failing',
        severity: 'error',
        confidence: 'confirmed',
        scope: failing.length === due.length ? 'all' : 'part',
        object: serviceRef(target),
        message: `Service "${target.name}": the node port fails on ${some([...new Set(failing.map((c) => c.node ?? c.target))])}${overFamilyOf(failing, due)} (${outcomeText(first.outcome)})${note}`,
        evidence: [...failing.slice(0, 3), ...due.filter(isGood).slice(0, 2)].map((c) => probeEvidence(connections.from, c)),
        fix: [
          {
            text: `No object closes it: list the firewall rules of ${first.node ?? 'the node'} for port ${first.target.split(':').at(-1)}, and delete the one that drops it (${iptables} -D in the place of -A); the port answers at once then`,
            command: onNode(first.node ?? '', proxyPods, `${iptables}-save`),
          },
          ...outsideKubernetes(nodes),
        ],
        failed: failing.map(connectionKey),
      },
    ]);
  },
});
