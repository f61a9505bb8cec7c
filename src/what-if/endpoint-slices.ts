/** The EndpointSlices of a Service as its controller writes them (kubernetes/kubernetes v1.35, pkg/controller/endpointslice, and k8s.io/endpointslice). */
import type { EndpointSlice, Pod, Service, ServicePort } from '../facts/objects.ts';
import { byController, endpointsOf, familyOf, isFinished, isGenerated, isReady, lasting, selects } from '../facts/selectors.ts';

/** The number of a Service port on a pod; undefined where no container has a port of that name. */
function numberOn(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target;
  // Sidecars count, too (pkg/api/v1/pod FindPort).
  return lasting(pod.spec)
    .flatMap((c) => c.ports)
    .find((p) => p.name === target && p.protocol === port.protocol)?.containerPort;
}

const portsOn = (pod: Pod, service: Service): EndpointSlice['ports'] =>
  service.spec.ports.flatMap((p) => {
    const port = numberOn(pod, p);
    return port === undefined ? [] : [{ name: p.name, protocol: p.protocol, port }];
  });

function slice(service: Service, addressType: string, index: number, ports: EndpointSlice['ports'], pods: readonly Pod[]): EndpointSlice {
  return {
    metadata: {
      name: `${service.metadata.name}-${addressType.toLowerCase()}-${index}`,
      namespace: service.metadata.namespace,
      uid: undefined,
      labels: { 'kubernetes.io/service-name': service.metadata.name, ...byController },
      ownerReferences: [],
    },
    addressType,
    ports,
    endpoints: pods.map((p) => {
      const terminating = p.metadata.deletionTimestamp != null;
      const isServing = isReady(p);
      return {
        addresses: p.status.podIPs
          .map((i) => i.ip)
          .filter((ip) => familyOf(ip) === addressType)
          .slice(0, 1),
        conditions: { ready: service.spec.publishNotReadyAddresses || (isServing && !terminating), serving: isServing, terminating },
        nodeName: p.spec.nodeName ?? null,
        zone: null,
        targetRef: { kind: 'Pod', name: p.metadata.name, namespace: p.metadata.namespace, uid: p.metadata.uid },
        hints: null,
      };
    }),
  };
}

/** The slices of a Service with a selector: of each family, pods with the same ports together. Slices that people or other controllers wrote stay. */
export function slicesFor(service: Service, pods: readonly Pod[], before: readonly EndpointSlice[]): EndpointSlice[] {
  const foreign = before.filter((s) => !isGenerated(s));
  if (Object.keys(service.spec.selector ?? {}).length === 0 || service.spec.type === 'ExternalName') return [...before];
  const own = pods.filter((p) => selects(service.spec.selector, p.metadata.labels) && !isFinished(p));
  const families = service.spec.ipFamilies.length > 0 ? service.spec.ipFamilies : ['IPv4'];
  const made = families.flatMap((family) => {
    const here = own.filter((p) => p.status.podIPs.some((i) => familyOf(i.ip) === family));
    const groups = [...Map.groupBy(here, (p) => JSON.stringify(portsOn(p, service))).values()];
    return groups.map((members, i) => slice(service, family, i, portsOn(members[0] as Pod, service), members));
  });
  return [...foreign, ...made];
}

const keysOf = (slices: readonly EndpointSlice[]): string =>
  endpointsOf(slices)
    .map((e) => [e.address, e.port, e.portName, e.protocol, e.ready].join(' '))
    .toSorted()
    .join('\n');

/** Whether slices are what their controller would write: where they are not, it does not follow, and would not follow a change either. */
export const isFollowed = (service: Service, pods: readonly Pod[], slices: readonly EndpointSlice[]): boolean =>
  keysOf(slicesFor(service, pods, slices)) === keysOf(slices);
