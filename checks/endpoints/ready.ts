import { endpointsOf, podsOf, portsAsked, targetsOf } from '../../src/facts/selectors.ts';
import { check, judged, skip } from '../check.ts';
import { plural, serviceRef, some } from '../format.ts';

export const ready = check({
  id: 'endpoints/ready',
  title: 'Each Service port has a ready endpoint',
  needs: ['target', 'service', 'slices'],
  uses: ['pods'],
  codes: ['no-ready-endpoints'],
  run({ target, service, slices, pods }) {
    if (!service || service.spec.type === 'ExternalName') return skip('the Service has no endpoints of its own');
    const endpoints = endpointsOf(slices);
    const own = pods.seen ? podsOf(service, pods.value) : [];
    const ports = portsAsked(service, target.port) ?? [];
    const empty = ports.filter((p) => targetsOf(p, endpoints).length === 0);
    const addresses = new Set(endpoints.map((e) => e.address));
    const readyAddresses = new Set(endpoints.filter((e) => e.ready).map((e) => e.address));
    const zones = new Set(slices.flatMap((s) => s.endpoints.map((e) => e.zone ?? '')).filter(Boolean));
    const summary = `${readyAddresses.size} ready of ${plural(addresses.size, 'endpoint')}${zones.size > 1 ? ` in ${zones.size} zones` : ''}`;
    if (empty.length === 0) return judged([], summary);
    return judged(
      [
        {
          code: 'no-ready-endpoints',
          severity: 'error',
          confidence: 'confirmed',
          scope: empty.length === ports.length ? 'all' : 'part',
          object: serviceRef(target),
          message:
            addresses.size === 0
              ? `Service "${target.name}" has no endpoints`
              : `Service "${target.name}" has no ready endpoint for port ${some(empty.map((p) => p.name || String(p.port)))}`,
          evidence: [{ source: 'endpointslices', text: summary }],
          fix: [],
          ...(own.length > 0 && { pods: own.map((p) => p.metadata.name) }),
        },
      ],
      summary,
    );
  },
});
