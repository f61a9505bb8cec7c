import type { Connection } from '../../src/facts/facts.ts';
import { connectionKey, familyOf, isGood, isHeadless, splitTarget } from '../../src/facts/selectors.ts';
import { check, judged, skip, unknown } from '../check.ts';
import { outcomeText, overFamilyOf, plural, probeEvidence, serviceRef } from '../format.ts';
import { kubectl } from '../fix.ts';

const familyIn = (c: Connection) => familyOf(splitTarget(c.target).address);

export const virtualIp = check({
  id: 'path/virtual-ip',
  title: 'The virtual IP answers the client',
  needs: ['target', 'service', 'connections'],
  codes: ['virtual-ip-failing'],
  run({ target, service, connections }) {
    if (!service || isHeadless(service) || service.spec.type === 'ExternalName') return skip('the Service has no virtual IP');
    if (target.from.kind === 'external') return skip('the client is outside the cluster');
    const tried = connections.list.filter((c) => c.hop === 'virtual-ip');
    if (tried.length === 0) return unknown('no tool at hand could connect to the virtual IP');
    const failing = tried.filter((c) => !isGood(c));
    const first = failing[0];
    if (!first)
      return judged([], `${tried.map((c) => c.target).join(', ')} ${tried.every((c) => c.outcome === 'no-answer') ? 'did not refuse (UDP)' : 'answered'}`);
    const isOfFailing = (c: Connection) => failing.some((f) => f.servicePort === c.servicePort && familyIn(f) === familyIn(c));
    const direct = connections.list.filter((c) => c.hop === 'endpoint' && isOfFailing(c));
    const answering = direct.filter((c) => c.outcome === 'answered');
    return judged([
      {
        code: 'virtual-ip-failing',
        severity: 'error',
        confidence: 'confirmed',
        scope: failing.length === tried.length ? 'all' : 'part',
        object: serviceRef(target),
        message: `Service "${target.name}": connections to its virtual IP ${first.target} fail${overFamilyOf(failing, tried)} (${outcomeText(first.outcome)})${answering.length > 0 ? `, while ${answering.length === direct.length ? "each endpoint answers directly: the rules on the client's node are wrong" : `${answering.length} of ${plural(direct.length, 'endpoint')} answered directly`}` : ''}`,
        evidence: [...failing.slice(0, 3), ...answering.slice(0, 2)].map((c) => probeEvidence(connections.from, c)),
        fix: [
          { text: "Check kube-proxy, or the program that replaces it, on the client's node", command: kubectl('kube-system', 'get', 'pods', '-o', 'wide') },
        ],
        failed: failing.map(connectionKey),
      },
    ]);
  },
});
