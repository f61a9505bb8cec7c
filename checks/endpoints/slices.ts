import type { EndpointSlice, Pod, Service } from '../../src/facts/objects.ts';
import { type Endpoint, endpointsOf, isGenerated, isReady, podsOf } from '../../src/facts/selectors.ts';
import { check, type Draft, judged, type ObjectRef, skip, unknown } from '../check.ts';
import { kubectl } from '../fix.ts';
import { plural, serviceRef, some } from '../format.ts';

type Found = Draft<'endpoints-missing' | 'endpoints-stale'>;

const checkController = [{ text: 'Check that kube-controller-manager runs: it creates EndpointSlices', command: 'kubectl -n kube-system get pods,leases' }];

/** Without a selector Kubernetes creates no endpoints (Service API, spec.selector). */
const noEndpoints = (object: ObjectRef): Found => ({
  code: 'endpoints-missing',
  severity: 'error',
  confidence: 'confirmed',
  scope: 'all',
  object,
  message: `Service "${object.name}" has no selector and no manually created endpoints`,
  evidence: [
    { source: 'service', text: 'spec.selector is empty: Kubernetes creates no endpoints' },
    { source: 'endpointslices', text: `none has the label kubernetes.io/service-name=${object.name}` },
  ],
  fix: [
    {
      text: `Add a selector to Service "${object.name}", or create an EndpointSlice with the label kubernetes.io/service-name=${object.name}`,
      command: kubectl(object.namespace, 'edit', 'service', object.name),
    },
  ],
});

/** Ready pods that are in no EndpointSlice. */
function missing(service: Service, own: readonly Pod[], addresses: ReadonlySet<string>, object: ObjectRef): Found[] {
  const absent = own.filter((p) => isReady(p) && !p.spec.hostNetwork && p.status.podIPs.length > 0 && !p.status.podIPs.some((i) => addresses.has(i.ip)));
  // A pod without the named port is left out by design; `endpoints/port-names` reports it.
  if (absent.length === 0 || service.spec.ports.some((p) => typeof p.targetPort === 'string')) return [];
  return [
    {
      code: addresses.size === 0 ? 'endpoints-missing' : 'endpoints-stale',
      severity: 'error',
      confidence: 'confirmed',
      scope: absent.length === own.length ? 'all' : 'part',
      object,
      message: `Service "${object.name}": ${plural(absent.length, 'ready pod')} (${some(absent.map((p) => p.metadata.name))}) ${absent.length === 1 ? 'is' : 'are'} in none of its EndpointSlices`,
      evidence: absent.slice(0, 5).map((p) => ({ source: 'pods', text: `${p.metadata.name} is ready at ${p.status.podIPs[0]?.ip}` })),
      fix: checkController,
      pods: absent.map((p) => p.metadata.name),
    },
  ];
}

/** Addresses in EndpointSlices that no pod has. */
function stale(endpoints: readonly Endpoint[], slices: readonly EndpointSlice[], known: ReadonlySet<string>, object: ObjectRef): Found[] {
  const written = slices.filter(isGenerated).map((s) => s.metadata.name);
  const generated = endpoints.filter((e) => written.includes(e.slice));
  const unknown = endpoints.filter((e) => e.ready && !known.has(e.address));
  const gone = unknown.filter((e) => generated.includes(e));
  const manual = unknown.filter((e) => !generated.includes(e));
  return [
    ...(gone.length > 0
      ? [
          {
            code: 'endpoints-stale' as const,
            severity: 'error' as const,
            confidence: 'confirmed' as const,
            scope: gone.length === generated.length ? ('all' as const) : ('part' as const),
            object,
            message: `Service "${object.name}": its EndpointSlices contain ${plural(gone.length, 'address', 'addresses')} of pods that no longer exist (${some(gone.map((e) => e.address))})`,
            evidence: gone.slice(0, 5).map((e) => ({ source: 'endpointslices', text: `${e.slice}: ${e.address} (${e.pod ?? 'no pod'})` })),
            fix: checkController,
          },
        ]
      : []),
    ...(manual.length > 0
      ? [
          {
            code: 'endpoints-stale' as const,
            severity: 'warning' as const,
            confidence: 'likely' as const,
            scope: 'part' as const,
            object,
            message: `Service "${object.name}": a manually created EndpointSlice adds ${some(manual.map((e) => e.address))} to the pods that the selector matches`,
            evidence: manual.slice(0, 5).map((e) => ({ source: 'endpointslices', text: `${e.slice}: ${e.address}` })),
            fix: [
              {
                text: 'Delete the EndpointSlice if it is not intended',
                command: `kubectl -n ${object.namespace} get endpointslices -l kubernetes.io/service-name=${object.name}`,
              },
            ],
          },
        ]
      : []),
  ];
}

export const slices = check({
  id: 'endpoints/slices',
  title: 'The EndpointSlices match the pods',
  needs: ['target', 'service', 'slices'],
  uses: ['pods'],
  codes: ['endpoints-missing', 'endpoints-stale'],
  run({ target, service, slices, pods }) {
    if (!service || service.spec.type === 'ExternalName') return skip('the Service has no endpoints of its own');
    const endpoints = endpointsOf(slices);
    const addresses = new Set(endpoints.map((e) => e.address));
    const object = serviceRef(target);
    if (Object.keys(service.spec.selector ?? {}).length === 0)
      return addresses.size > 0 ? judged([], plural(addresses.size, 'manually created address', 'manually created addresses')) : judged([noEndpoints(object)]);
    if (!pods.seen) return unknown(`${pods.what}: ${pods.why}`);
    const known = new Set(pods.value.flatMap((p) => p.status.podIPs.map((i) => i.ip)));
    return judged([...missing(service, podsOf(service, pods.value), addresses, object), ...stale(endpoints, slices, known, object)]);
  },
});
