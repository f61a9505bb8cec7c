/** Which pods a mesh has taken in, and which of their ports bypass it. */
import type { MeshPod } from '../facts/mesh.ts';
import type { Pod } from '../facts/objects.ts';
import { inside } from '../policy/rule.ts';

/** Istio's root namespace, whose policies apply to the whole mesh, as its installation names it by default (MeshConfig.rootNamespace). */
export const rootNamespace = 'istio-system';

export type Membership = 'istio-sidecar' | 'istio-ambient' | 'linkerd';

/** Null: the pod is outside every mesh. */
export function membershipOf(pod: Pick<MeshPod, 'containers' | 'proxySettings'>): Membership | null {
  if (pod.containers.includes('istio-proxy')) return 'istio-sidecar';
  if (pod.containers.includes('linkerd-proxy')) return 'linkerd';
  return pod.proxySettings['ambient.istio.io/redirection'] === 'enabled' ? 'istio-ambient' : null;
}

const sidecars = ['istio-proxy', 'linkerd-proxy'];

/** Whether a pod has a sidecar, which takes connections for its programs. */
export const hasSidecar = ({ spec }: Pick<Pod, 'spec'>): boolean => [...spec.containers, ...spec.initContainers].some((c) => sidecars.includes(c.name));

/** Ports on which sidecars listen (Istio documentation, "Ports used by Istio"; Linkerd, "Proxy configuration"). */
export const sidecarPorts: readonly number[] = [15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090, 4140, 4143, 4190, 4191];

export const proxyText: Record<Membership, string> = {
  'istio-sidecar': 'an Istio sidecar',
  'istio-ambient': "Istio's ambient mode",
  linkerd: 'a Linkerd proxy',
};

/** A list of ports in an annotation: `80,443`, `4000-4010`, `*`. */
const hasPort = (list: string, port: number): boolean =>
  list.split(',').some((entry) => {
    const [from = '', to = from] = entry.trim().split('-');
    return from === '*' || (from !== '' && port >= Number(from) && port <= Number(to));
  });

/** A range, or `*` for all of them. */
const hasAddress = (list: string, address: string): boolean =>
  list.split(',').some((range) => range.trim() === '*' || (range !== '' && inside(address, range.trim())));

/** Ports that Istio's own agent serves, which are never sent through the proxy (Istio documentation, "Ports used by Istio"). */
const ofAgent = [15020, 15021, 15090];

/** The annotation by which packets to a port of a pod bypass its proxy, or null. `port` is the pod's own. */
export function inboundBypass(pod: MeshPod, port: number): string | null {
  const on = (key: (typeof pod.proxySettings)[string]) => pod.proxySettings[key];
  const excluded = on('traffic.sidecar.istio.io/excludeInboundPorts');
  const included = on('traffic.sidecar.istio.io/includeInboundPorts');
  const skipped = on('config.linkerd.io/skip-inbound-ports');
  const member = membershipOf(pod);
  if (member === 'istio-sidecar') {
    if (ofAgent.includes(port)) return "Istio's agent";
    if (excluded !== undefined && hasPort(excluded, port)) return 'traffic.sidecar.istio.io/excludeInboundPorts';
    if (included !== undefined && !hasPort(included, port)) return 'traffic.sidecar.istio.io/includeInboundPorts';
  }
  return member === 'linkerd' && skipped !== undefined && hasPort(skipped, port) ? 'config.linkerd.io/skip-inbound-ports' : null;
}

/** The annotation by which packets of a pod to an address bypass its proxy, or null. Rules in the pod see them before kube-proxy's do: the Service's own port and address. */
export function outboundBypass(pod: MeshPod, address: string, port: number): string | null {
  const on = (key: string) => pod.proxySettings[key];
  const member = membershipOf(pod);
  if (member === 'linkerd') {
    const skipped = on('config.linkerd.io/skip-outbound-ports');
    return skipped !== undefined && hasPort(skipped, port) ? 'config.linkerd.io/skip-outbound-ports' : null;
  }
  if (member !== 'istio-sidecar') return null;
  const ports = on('traffic.sidecar.istio.io/excludeOutboundPorts');
  const ranges = on('traffic.sidecar.istio.io/excludeOutboundIPRanges');
  const only = on('traffic.sidecar.istio.io/includeOutboundIPRanges');
  // A port that is included is sent through the proxy whatever its address is.
  const isIncluded = hasPort(on('traffic.sidecar.istio.io/includeOutboundPorts') ?? '', port);
  if (ports !== undefined && hasPort(ports, port)) return 'traffic.sidecar.istio.io/excludeOutboundPorts';
  if (ranges !== undefined && hasAddress(ranges, address)) return 'traffic.sidecar.istio.io/excludeOutboundIPRanges';
  return only !== undefined && !isIncluded && !hasAddress(only, address) ? 'traffic.sidecar.istio.io/includeOutboundIPRanges' : null;
}
