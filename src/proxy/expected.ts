/**
 * What a node should do with a Service's packets, by the API's objects only.
 * Source: kubernetes/kubernetes v1.35, pkg/proxy/topology.go (CategorizeEndpoints) and serviceport.go.
 */
import ipaddr from 'ipaddr.js';
import type { EndpointSlice, Node, Pod, Service, ServicePort } from '../facts/objects.ts';
import { familyOf, isHeadless } from '../facts/selectors.ts';
import { hostPort, type Origin, type ServiceAddress } from './model.ts';

/** A node as the proxies know it. */
export interface ProxyNode {
  name: string;
  /** Empty where it has none; null where it is not known. */
  zone: string | null;
  /** Its own addresses; NodePorts are open on them. */
  addresses: string[];
}

/** A node as its proxy knows it. Without the Node object its address is that of its kube-proxy, and its zone is not known. */
export const proxyNodeOf = (name: string, node: Node | undefined, proxy: Pod | undefined): ProxyNode => ({
  name,
  zone: node ? (node.metadata.labels['topology.kubernetes.io/zone'] ?? '') : null,
  addresses: node ? node.status.addresses.filter((a) => a.type === 'InternalIP').map((a) => a.address) : proxy?.status.hostIP ? [proxy.status.hostIP] : [],
});

/** One address of a Service port. */
export interface ServiceEnd extends ServiceAddress {
  kind: 'cluster-ip' | 'external-ip' | 'load-balancer-ip' | 'node-port';
  servicePort: ServicePort;
}

export interface Expected {
  verdict: 'backends' | 'rejected' | 'dropped';
  backends: string[];
  affinitySeconds: number | null;
  /** Empty: everybody may connect. */
  sourceRanges: string[];
}

/** kube-proxy leaves out Services that carry one of these labels (pkg/proxy/config, and k8s.io/api/core/v1 IsHeadlessService). */
export const excludingLabels = ['service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless'];

/** Whether a proxy has anything to do for a Service: it has a virtual IP, and no label takes it away. */
export const isProxied = (service: Service): boolean =>
  !isHeadless(service) &&
  service.spec.type !== 'ExternalName' &&
  service.spec.clusterIPs.length > 0 &&
  service.spec.ports.length > 0 &&
  !excludingLabels.some((l) => service.metadata.labels[l] !== undefined);

/** The addresses on which a node must answer for a Service; empty where no proxy handles it. */
export function endsOf(service: Service, ports: readonly ServicePort[], node: ProxyNode): ServiceEnd[] {
  if (!isProxied(service)) return [];
  const families = new Set(service.spec.clusterIPs.map(familyOf));
  const balanced = service.status.loadBalancer.ingress.flatMap((i) => (i.ip && i.ipMode !== 'Proxy' ? [i.ip] : []));
  return ports.flatMap((servicePort): ServiceEnd[] => {
    const { port, protocol, nodePort } = servicePort;
    const on = (kind: ServiceEnd['kind'], addresses: readonly string[], number: number) =>
      addresses.filter((a) => families.has(familyOf(a))).map((address): ServiceEnd => ({ kind, address, port: number, protocol, servicePort }));
    return [
      ...on('cluster-ip', service.spec.clusterIPs, port),
      ...on('external-ip', service.spec.externalIPs, port),
      ...on('load-balancer-ip', balanced, port),
      ...(nodePort ? on('node-port', node.addresses, nodePort) : []),
    ];
  });
}

interface Candidate {
  to: string;
  node: string | null;
  ready: boolean;
  terminating: boolean;
  zones: string[];
  nodes: string[];
}

/** The endpoints of a Service port, of one family. Proxies use the first address of an endpoint (discovery.k8s.io/v1, Endpoint.addresses). */
function candidates(slices: readonly EndpointSlice[], port: ServicePort, family: string): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices)
    for (const p of slice.ports) {
      if ((p.name ?? '') !== port.name || (p.protocol ?? 'TCP') !== port.protocol || p.port == null) continue;
      for (const e of slice.endpoints) {
        const [address] = e.addresses;
        if (address === undefined || familyOf(address) !== family) continue;
        const to = hostPort(address, p.port);
        const { ready, serving, terminating } = e.conditions;
        found.set(to, {
          to,
          node: e.nodeName ?? null,
          ready: ready ?? true,
          terminating: (serving ?? ready ?? true) && (terminating ?? false),
          zones: (e.hints?.forZones ?? []).map((z) => z.name),
          nodes: (e.hints?.forNodes ?? []).map((n) => n.name),
        });
      }
    }
  return [...found.values()];
}

/** Ready endpoints; where there are none, those that still serve while they terminate (KEP-1669). */
const usable = (all: readonly Candidate[]): Candidate[] => {
  const ready = all.filter((e) => e.ready);
  return ready.length > 0 ? ready : all.filter((e) => e.terminating);
};

/** Keeps to the node or the zone where the hints of all ready endpoints allow it (KEP-2433, KEP-3015). null: the zone is not known. */
function near(ready: readonly Candidate[], node: ProxyNode): readonly Candidate[] | null {
  if (ready.length === 0) return ready;
  if (ready.every((e) => e.nodes.length > 0)) {
    const here = ready.filter((e) => e.nodes.includes(node.name));
    if (here.length > 0) return here;
  }
  if (ready.every((e) => e.zones.length > 0)) {
    const { zone } = node;
    if (zone === null) return null;
    const here = ready.filter((e) => e.zones.includes(zone));
    if (here.length > 0) return here;
  }
  return ready;
}

/**
 * What a node should do with a new connection to one address of a Service. null where proxies differ, or where it
 * depends on how they are set up: nothing can be said to be wrong there.
 */
export function expected(service: Service, slices: readonly EndpointSlice[], end: ServiceEnd, node: ProxyNode, origin: Origin): Expected | null {
  const all = candidates(slices, end.servicePort, familyOf(end.address));
  const ready = all.filter((e) => e.ready);
  const cluster = ready.length > 0 ? near(ready, node) : usable(all);
  const local = usable(all.filter((e) => e.node === node.name));
  const affinitySeconds = service.spec.sessionAffinity === 'ClientIP' ? (service.spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800) : null;
  const forward = (to: readonly Candidate[] | null, sourceRanges: string[] = []): Expected | null =>
    to === null
      ? null
      : to.length === 0
        ? { verdict: usable(all).length === 0 ? 'rejected' : 'dropped', backends: [], affinitySeconds: null, sourceRanges: [] }
        : { verdict: 'backends', backends: to.map((e) => e.to).toSorted(), affinitySeconds, sourceRanges };
  if (end.kind === 'cluster-ip') return forward(service.spec.internalTrafficPolicy === 'Local' ? local : cluster);

  const ranges =
    end.kind === 'load-balancer-ip'
      ? service.spec.loadBalancerSourceRanges.map((r) => r.trim()).filter((r) => ipaddr.isValidCIDR(r) && familyOf(r) === familyOf(end.address))
      : [];
  const limited = ranges.some((r) => r.endsWith('/0')) ? [] : ranges.toSorted();
  // From inside, an address of the outside is a short cut that kube-proxy takes in ways that depend on its settings.
  if (origin !== 'outside') return limited.length > 0 || usable(all).length === 0 ? null : forward(cluster);
  return forward(service.spec.externalTrafficPolicy === 'Local' ? local : cluster, usable(all).length > 0 ? limited : []);
}
