import { familiesOf } from '../../src/facts/selectors.ts';
import { check, judged, skip } from '../check.ts';
import { serviceRef } from '../format.ts';

const everyAddress = { IPv4: '0.0.0.0/0', IPv6: '::/0' };

export const sourceRanges = check({
  id: 'service/source-ranges',
  title: 'The load balancer accepts clients from every address',
  needs: ['target', 'service'],
  codes: ['source-ranges-deny'],
  run({ target, service }) {
    const ranges = service?.spec.loadBalancerSourceRanges?.map((r) => r.trim()) ?? [];
    if (ranges.length === 0 || service?.spec.type !== 'LoadBalancer' || target.from.kind !== 'external') return skip('no source ranges apply');
    if (familiesOf(service).every((family) => ranges.includes(everyAddress[family]))) return judged([], 'loadBalancerSourceRanges allow every address');
    return judged([
      {
        code: 'source-ranges-deny',
        severity: 'warning',
        confidence: 'possible',
        scope: 'part',
        object: serviceRef(target),
        message: `Service "${target.name}": its load balancer accepts clients from ${ranges.join(', ')} only`,
        evidence: [{ source: 'service', text: `spec.loadBalancerSourceRanges: ${ranges.join(', ')}` }],
        fix: [
          {
            text: `Add the client's address range to loadBalancerSourceRanges of Service "${target.name}"`,
            command: `kubectl -n ${target.namespace} edit service ${target.name}`,
          },
        ],
      },
    ]);
  },
});
