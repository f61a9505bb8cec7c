/** What a pod's own hosts file says of a Service's name: programs read it before they ask DNS (hosts(5), nsswitch.conf(5)). */
import { type Fact, valueOf } from '../facts/fact.ts';
import type { EndpointSlice, Pod, Service } from '../facts/objects.ts';
import { endpointsOf } from '../facts/selectors.ts';

export interface Override {
  /** Its place in spec.hostAliases. */
  at: number;
  ip: string;
  /** Those of its names that are a form of the Service's. */
  hostnames: string[];
  /** The others, which an entry keeps. */
  rest: string[];
  /** Its address is one of the Service's. */
  isOwn: boolean;
}

/** `shop` means the Service to clients of its own namespace only; `shop.prod`, `shop.prod.svc` and what begins with that, to all. */
function isFormOf(hostname: string, service: { namespace: string; name: string }, clientNamespace: string): boolean {
  const asked = hostname.toLowerCase().replace(/\.$/, '');
  const { namespace, name } = service;
  if (asked === name) return namespace === clientNamespace;
  return asked === `${name}.${namespace}` || asked === `${name}.${namespace}.svc` || asked.startsWith(`${name}.${namespace}.svc.`);
}

/** What the Service can be reached at: its own addresses, and those of its endpoints. */
const addressesOf = ({ spec, status }: Service, slices: Fact<EndpointSlice[]>): string[] => [
  ...spec.clusterIPs,
  ...spec.externalIPs,
  ...status.loadBalancer.ingress.flatMap((i) => i.ip ?? []),
  ...endpointsOf(valueOf(slices) ?? []).map((e) => e.address),
];

/** The entries of a client's `spec.hostAliases` with names of the Service (PodSpec, "hostAliases": they are put into its /etc/hosts). */
export function overridesOf(client: Pod, service: Service, slices: Fact<EndpointSlice[]>): Override[] {
  const isForm = (h: string) => isFormOf(h, service.metadata, client.metadata.namespace);
  const right = addressesOf(service, slices);
  return (client.spec.hostAliases ?? []).flatMap(({ ip, hostnames }, at): Override[] => {
    const own = hostnames.filter(isForm);
    return own.length > 0 ? [{ at, ip, hostnames: own, rest: hostnames.filter((h) => !isForm(h)), isOwn: right.includes(ip) }] : [];
  });
}
