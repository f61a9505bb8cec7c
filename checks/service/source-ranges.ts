import { check, judged, skip } from '../check.ts';
import { serviceRef } from '../format.ts';

export const sourceRanges = check({
  id: 'service/source-ranges',
  title: 'The load balancer takes connections from everywhere',
  needs: ['target', 'service'],
  codes: ['source-ranges-deny'],
  run({ target, service }) {
    const ranges = service?.spec.loadBalancerSourceRanges ?? [];
    if (ranges.length === 0 || service?.spec.type !== 'LoadBalancer' || target.from.kind !== 'external') return skip('no source ranges apply');
    if (ranges.includes('0.0.0.0/0')) return judged('source ranges allow everyone');
    return judged('', [
      {
        code: 'source-ranges-deny',
        severity: 'warning',
        confidence: 'possible',
        scope: 'part',
        object: serviceRef(target),
        message: `Only clients in ${ranges.join(', ')} are let through the load balancer`,
        evidence: [{ source: 'service', text: `spec.loadBalancerSourceRanges: ${ranges.join(', ')}` }],
        fix: [{ text: "Add the client's address range", command: `kubectl -n ${target.namespace} edit service ${target.name}` }],
      },
    ]);
  },
});
