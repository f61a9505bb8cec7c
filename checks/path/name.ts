import { isHeadless } from '../../src/facts/selectors.ts';
import { check, judged, skip, unknown } from '../check.ts';
import { outcomeText, probeEvidence, serviceRef } from '../words.ts';

export const name = check({
  id: 'path/name',
  title: 'The name resolves for the client',
  needs: ['target', 'service', 'connections'],
  codes: ['name-not-resolving'],
  run({ target, service, connections }) {
    if (!service) return skip('the Service does not exist');
    const looked = connections.list.find((c) => c.hop === 'name');
    if (!looked) return unknown('no tool at hand could look the name up');
    const expected = service.spec.clusterIPs;
    const resolves = looked.outcome === 'answered';
    // Another address than the Service's is as bad as none.
    const right = service.spec.type === 'ExternalName' || isHeadless(service) || looked.answers.some((a) => expected.includes(a));
    if (resolves && right) return judged(`${looked.target} → ${looked.answers.join(', ')}`);
    return judged('', [
      {
        code: 'name-not-resolving',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'all',
        object: serviceRef(target),
        message: resolves
          ? `The name ${looked.target} leads to ${looked.answers.join(', ')}, not to ${expected.join(', ')}`
          : `The name ${looked.target} does not resolve for the client: ${outcomeText(looked.outcome)}`,
        evidence: [
          probeEvidence(connections.from, looked),
          ...(looked.detail ? [{ source: 'probe', text: looked.detail }] : []),
          ...(connections.resolvConf ? [{ source: 'resolv.conf', text: connections.resolvConf.trim().replace(/\s*\n\s*/g, '; ') }] : []),
        ],
        fix: [],
      },
    ]);
  },
});
