/** Hosts in Istio's configuration, and the Services that they mean (Istio reference, DestinationRule.host, VirtualService.hosts, Sidecar egress). */

export interface ServiceName {
  namespace: string;
  name: string;
}

/** The Service that a host means, seen from a namespace; undefined for a host that no Service has: another program's, or one of a ServiceEntry. */
export function serviceNamed(host: string, home: string): ServiceName | undefined {
  if (!host.includes('.')) return host === '*' ? undefined : { namespace: home, name: host };
  const [, name, namespace] = /^([^.*]+)\.([^.]+)\.svc\..+$/.exec(host) ?? [];
  return name !== undefined && namespace !== undefined ? { namespace, name } : undefined;
}

/** How exactly a host, which may begin with a wildcard, means a Service: the length of what matches; 0: not at all. */
export function meansService(host: string, home: string, service: ServiceName): number {
  const named = serviceNamed(host, home);
  if (named) return named.name === service.name && named.namespace === service.namespace ? 1000 : 0;
  if (host === '*') return 1;
  // Clusters whose domain is another one are few, and their wildcards seldom go that far.
  return host.startsWith('*.') && `${service.name}.${service.namespace}.svc.cluster.local`.endsWith(host.slice(1)) ? host.length : 0;
}

/** Whether an object of one namespace is visible in another (Istio reference, exportTo: none means everywhere). */
export const isExportedTo = (exportTo: readonly string[], from: string, to: string): boolean =>
  exportTo.length === 0 || exportTo.some((e) => e === '*' || e === to || (e === '.' && from === to));
