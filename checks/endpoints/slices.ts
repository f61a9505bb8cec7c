import { endpointsOf, isReady, podsOf } from '../../src/facts/selectors.ts';
import { check, type Draft, judged, skip } from '../check.ts';
import { plural, serviceRef, some } from '../format.ts';

const byController = 'endpointslice-controller.k8s.io';

export const slices = check({
  id: 'endpoints/slices',
  title: 'The EndpointSlices hold the pods that there are',
  needs: ['target', 'service', 'slices'],
  uses: ['pods'],
  codes: ['endpoints-missing', 'endpoints-stale'],
  run({ target, service, slices, pods }) {
    if (!service || service.spec.type === 'ExternalName') return skip('no endpoints belong to it');
    const endpoints = endpointsOf(slices);
    const addresses = new Set(endpoints.map((e) => e.address));
    const object = serviceRef(target);
    const hasSelector = Object.keys(service.spec.selector ?? {}).length > 0;
    if (!hasSelector) {
      if (addresses.size > 0) return judged(`${plural(addresses.size, 'address', 'addresses')}, written by hand`);
      return judged('', [
        {
          code: 'endpoints-missing',
          severity: 'error',
          confidence: 'confirmed',
          scope: 'all',
          object,
          message: `Service "${target.name}" has no selector, and nobody wrote endpoints for it`,
          evidence: [
            { source: 'service', text: 'spec.selector is empty: Kubernetes writes no endpoints' },
            { source: 'endpointslices', text: `none is labelled kubernetes.io/service-name=${target.name}` },
          ],
          fix: [
            {
              text: 'Give the Service a selector, or write an EndpointSlice labelled with its name',
              command: `kubectl -n ${target.namespace} edit service ${target.name}`,
            },
          ],
        },
      ]);
    }
    if (!pods.seen) return judged(plural(addresses.size, 'address', 'addresses'));

    const findings: Draft<'endpoints-missing' | 'endpoints-stale'>[] = [];
    const own = podsOf(service, pods.value);
    const known = new Set(pods.value.flatMap((p) => p.status.podIPs.map((i) => i.ip)));
    const generated = endpoints.filter(
      (e) => slices.find((s) => s.metadata.name === e.slice)?.metadata.labels['endpointslice.kubernetes.io/managed-by'] === byController,
    );
    const fix = [{ text: 'Check that the controller manager runs: it writes EndpointSlices', command: 'kubectl -n kube-system get pods,leases' }];

    const absent = own.filter((p) => isReady(p) && !p.spec.hostNetwork && p.status.podIPs.length > 0 && !p.status.podIPs.some((i) => addresses.has(i.ip)));
    const named = service.spec.ports.some((p) => typeof p.targetPort === 'string');
    // A pod without the named port is left out by design; `endpoints/port-names` speaks of that.
    if (absent.length > 0 && !named) {
      findings.push({
        code: addresses.size === 0 ? 'endpoints-missing' : 'endpoints-stale',
        severity: 'error',
        confidence: 'confirmed',
        scope: absent.length === own.length ? 'all' : 'part',
        object,
        message: `${plural(absent.length, 'ready pod')} of Service "${target.name}" (${some(absent.map((p) => p.metadata.name))}) ${absent.length === 1 ? 'is' : 'are'} in none of its EndpointSlices`,
        evidence: absent.slice(0, 5).map((p) => ({ source: 'pods', text: `${p.metadata.name} is ready at ${p.status.podIPs[0]?.ip}` })),
        fix,
        pods: absent.map((p) => p.metadata.name),
      });
    }
    const gone = generated.filter((e) => e.ready && !known.has(e.address));
    if (gone.length > 0) {
      findings.push({
        code: 'endpoints-stale',
        severity: 'error',
        confidence: 'confirmed',
        scope: gone.length === generated.length ? 'all' : 'part',
        object,
        message: `The EndpointSlices still hold ${plural(gone.length, 'address', 'addresses')} of pods that no longer exist (${some(gone.map((e) => e.address))})`,
        evidence: gone.slice(0, 5).map((e) => ({ source: 'endpointslices', text: `${e.slice}: ${e.address} (${e.pod ?? 'no pod'})` })),
        fix,
      });
    }
    const foreign = endpoints.filter((e) => !generated.includes(e) && e.ready && !known.has(e.address));
    if (foreign.length > 0) {
      findings.push({
        code: 'endpoints-stale',
        severity: 'warning',
        confidence: 'likely',
        scope: 'part',
        object,
        message: `A hand-written EndpointSlice adds ${some(foreign.map((e) => e.address))} beside the pods that the selector matches`,
        evidence: foreign.slice(0, 5).map((e) => ({ source: 'endpointslices', text: `${e.slice}: ${e.address}` })),
        fix: [
          { text: 'Remove it if it is not meant', command: `kubectl -n ${target.namespace} get endpointslices -l kubernetes.io/service-name=${target.name}` },
        ],
      });
    }
    return judged('', findings);
  },
});
