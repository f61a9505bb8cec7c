import { check, type Evidence, judged, skip } from '../check.ts';
import { probeEvidence, serviceRef, some } from '../format.ts';
import { kubectl } from '../fix.ts';

/** Connections that open and then carry nothing: small packets pass, those of full size get lost, and nobody tells the sender. */
export const payload = check({
  id: 'path/payload',
  title: 'Packets of full size get to the endpoints',
  needs: ['target', 'connections'],
  codes: ['mtu-blackhole'],
  run({ target, connections }) {
    const { list, from, node } = connections;
    const direct = list.filter((c) => c.hop === 'endpoint' && c.kind === 'tcp');
    if (direct.length === 0) return skip('there is no endpoint to connect to over TCP');
    // Where not even a small packet passes, size is not the matter.
    const open = new Set(direct.filter((c) => c.outcome === 'answered').map((c) => c.target));
    const tried = list.filter((c) => c.hop === 'payload' && open.has(c.target));
    if (tried.length === 0) return skip(open.size === 0 ? 'no endpoint answers' : 'no tool at hand could send more than a packet holds');
    const lost = tried.filter((c) => c.outcome === 'timed-out');
    const [first] = lost;
    if (!first) return judged('packets of full size pass');
    const whereTo = [...new Set(lost.map((c) => c.node ?? c.target))];
    const evidence = tried.slice(0, 6).map((c): Evidence => {
      const pod = c.pod ? ` (pod ${c.pod})` : '';
      return { source: 'probe', text: `${from} → ${c.target}${pod}  8 KB sent: ${c.outcome === 'timed-out' ? c.detail : 'all of it was acknowledged'}` };
    });
    return judged('', [
      {
        code: 'mtu-blackhole',
        severity: 'error',
        confidence: 'confirmed',
        scope: lost.length === tried.length ? 'all' : 'part',
        object: serviceRef(target),
        message: `Connections ${node ? `from ${node} ` : ''}to ${some(whereTo)} open, but packets of full size get lost: some link on the way has a smaller MTU, and the ICMP that would say so does not arrive`,
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
            text: "Set the network plug-in's MTU to that of the smallest link, less its own headers, and let ICMP type 3 code 4 pass",
            command: kubectl('kube-system', 'get', 'configmaps'),
          },
        ],
      },
    ]);
  },
});
