import { check, type Evidence, judged, skip } from '../check.ts';
import { familyOf, splitTarget } from '../../src/facts/selectors.ts';
import { overFamilyOf, probeEvidence, serviceRef, some } from '../format.ts';
import { kubectl } from '../fix.ts';

/** Connections that open and then transport nothing: small packets arrive, full-size packets are lost without a message to the sender. */
export const payload = check({
  id: 'path/payload',
  title: 'Packets of full size reach the endpoints',
  needs: ['target', 'connections'],
  codes: ['mtu-blackhole'],
  run({ target, connections }) {
    const { list, from, node } = connections;
    const direct = list.filter((c) => c.hop === 'endpoint' && c.kind === 'tcp');
    if (direct.length === 0) return skip('there is no endpoint to connect to over TCP');
    // Where small packets are lost too, size is not the cause.
    const open = new Set(direct.filter((c) => c.outcome === 'answered').map((c) => c.target));
    const tried = list.filter((c) => c.hop === 'payload' && open.has(c.target));
    if (tried.length === 0) return skip(open.size === 0 ? 'no endpoint answers' : 'no tool at hand could send more than a packet holds');
    const lost = tried.filter((c) => c.outcome === 'timed-out');
    const [first] = lost;
    if (!first) return judged([], 'packets of full size arrive');
    // RFC 4443, section 3.2; RFC 792: "fragmentation needed and DF set".
    const message = [...new Set(lost.map((c) => (familyOf(splitTarget(c.target).address) === 'IPv6' ? 'ICMPv6 type 2' : 'ICMP type 3 code 4')))].join(' and ');
    const whereTo = [...new Set(lost.map((c) => c.node ?? c.target))];
    const evidence = tried.slice(0, 6).map((c): Evidence => {
      const pod = c.pod ? ` (pod ${c.pod})` : '';
      return { source: 'probe', text: `${from} → ${c.target}${pod}  8 KB sent: ${c.outcome === 'timed-out' ? c.detail : 'all of it was acknowledged'}` };
    });
    return judged([
      {
        code: 'mtu-blackhole',
        severity: 'error',
        confidence: 'confirmed',
        scope: lost.length === tried.length ? 'all' : 'part',
        object: serviceRef(target),
        message: `Connections ${node ? `from ${node} ` : ''}to ${some(whereTo)} open${overFamilyOf(lost, tried)}, but full-size packets are lost: a link between has a smaller MTU, and its ICMP message does not arrive`,
        evidence: [
          ...evidence,
          ...direct
            .filter((c) => lost.some((l) => l.target === c.target))
            .slice(0, 2)
            .map((c) => probeEvidence(from, c)),
        ],
        fix: [
          {
            text: 'Compare the MTU of the pod, of its veth, and of the links between the nodes',
            command: `ip -o link   # on ${[node, ...whereTo].filter(Boolean).join(' and ')}`,
          },
          {
            text: `Set the network plug-in's MTU to the smallest link's MTU minus its own headers, and allow ${message}`,
            command: kubectl('kube-system', 'get', 'configmaps'),
          },
        ],
      },
    ]);
  },
});
