/** What a pod's own hosts file says of a Service's name: programs read it before they ask DNS (hosts(5), nsswitch.conf(5)). */
import type { Pod } from '../facts/objects.ts';

export interface Override {
  /** Its place in spec.hostAliases. */
  at: number;
  ip: string;
  /** Those of its names that are a form of the Service's. */
  hostnames: string[];
  /** The others, which an entry keeps. */
  rest: string[];
}

/** `shop` means the Service to clients of its own namespace only; `shop.prod`, `shop.prod.svc` and what begins with that, to all. */
function isFormOf(hostname: string, service: { namespace: string; name: string }, clientNamespace: string): boolean {
  const asked = hostname.toLowerCase().replace(/\.$/, '');
  const { namespace, name } = service;
  if (asked === name) return namespace === clientNamespace;
  return asked === `${name}.${namespace}` || asked === `${name}.${namespace}.svc` || asked.startsWith(`${name}.${namespace}.svc.`);
}

/** The entries of a client's `spec.hostAliases` with names of the Service (PodSpec, "hostAliases": they are put into its /etc/hosts). */
export const overridesOf = (client: Pod, service: { namespace: string; name: string }): Override[] =>
  (client.spec.hostAliases ?? []).flatMap(({ ip, hostnames }, at): Override[] => {
    const isForm = (h: string) => isFormOf(h, service, client.metadata.namespace);
    const own = hostnames.filter(isForm);
    return own.length > 0 ? [{ at, ip, hostnames: own, rest: hostnames.filter((h) => !isForm(h)) }] : [];
  });
