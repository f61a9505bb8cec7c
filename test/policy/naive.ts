/**
 * A second evaluator of networking.k8s.io/v1, written to be obvious rather than quick, and sharing nothing with the first:
 * raw objects with their defaults left out, addresses as numbers, every sentence of the API's documentation a line of its own.
 */

interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}
interface Peer {
  podSelector?: Selector;
  namespaceSelector?: Selector;
  ipBlock?: { cidr: string; except?: string[] };
}
interface Port {
  protocol?: string;
  port?: number | string;
  endPort?: number;
}
export interface RawPolicy {
  metadata: { name: string; namespace: string };
  spec: { podSelector?: Selector; policyTypes?: string[]; ingress?: { from?: Peer[]; ports?: Port[] }[]; egress?: { to?: Peer[]; ports?: Port[] }[] };
}
export interface RawPod {
  namespace: string;
  name: string;
  labels: Record<string, string>;
  namespaceLabels: Record<string, string>;
  address: string;
  ports: { name: string; port: number; protocol: string }[];
}
/** A pod, or an address outside of the cluster. */
export type RawParty = RawPod | { address: string };

const isPod = (p: RawParty): p is RawPod => 'labels' in p;

function holds(selector: Selector, labels: Record<string, string>): boolean {
  for (const key of Object.keys(selector.matchLabels ?? {})) if (labels[key] !== selector.matchLabels?.[key]) return false;
  for (const e of selector.matchExpressions ?? []) {
    const there = Object.keys(labels).includes(e.key);
    if (e.operator === 'Exists' && !there) return false;
    if (e.operator === 'DoesNotExist' && there) return false;
    if (e.operator === 'In' && !(there && e.values?.includes(labels[e.key] as string))) return false;
    if (e.operator === 'NotIn' && there && e.values?.includes(labels[e.key] as string)) return false;
  }
  return true;
}

/** An IPv4 address as a number. */
const number = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

function within(address: string, cidr: string): boolean {
  const [network = '', bits = '0'] = cidr.split('/');
  const size = 2 ** (32 - Number(bits));
  const start = Math.floor(number(network) / size) * size;
  return number(address) >= start && number(address) < start + size;
}

function peerFits(peer: Peer, other: RawParty, home: string): boolean {
  if (peer.ipBlock) return within(other.address, peer.ipBlock.cidr) && !(peer.ipBlock.except ?? []).some((e) => within(other.address, e));
  if (!isPod(other)) return false;
  const inNamespace = peer.namespaceSelector ? holds(peer.namespaceSelector, other.namespaceLabels) : other.namespace === home;
  return inNamespace && (peer.podSelector ? holds(peer.podSelector, other.labels) : true);
}

function portFits(rule: Port, port: number, protocol: string, receiver: RawParty): boolean {
  if ((rule.protocol ?? 'TCP') !== protocol) return false;
  if (rule.port === undefined) return true;
  if (typeof rule.port === 'string') return isPod(receiver) && receiver.ports.some((p) => p.name === rule.port && p.protocol === protocol && p.port === port);
  return rule.endPort === undefined ? port === rule.port : port >= rule.port && port <= rule.endPort;
}

/** True where the policies of `self`'s side let a connection between the two through. */
export function naive(
  direction: 'Ingress' | 'Egress',
  self: RawParty,
  other: RawParty,
  port: number,
  protocol: string,
  policies: readonly RawPolicy[],
): boolean {
  if (!isPod(self)) return true;
  if (isPod(other) && other.namespace === self.namespace && other.name === self.name) return true;
  let isolated = false;
  for (const { metadata, spec } of policies) {
    if (metadata.namespace !== self.namespace) continue;
    if (!holds(spec.podSelector ?? {}, self.labels)) continue;
    const types = spec.policyTypes ?? ['Ingress', ...((spec.egress ?? []).length > 0 ? ['Egress'] : [])];
    if (!types.includes(direction)) continue;
    isolated = true;
    const rules =
      direction === 'Ingress'
        ? (spec.ingress ?? []).map((r) => ({ peers: r.from, ports: r.ports }))
        : (spec.egress ?? []).map((r) => ({ peers: r.to, ports: r.ports }));
    for (const rule of rules) {
      const anyPeer = (rule.peers ?? []).length === 0 || (rule.peers ?? []).some((p) => peerFits(p, other, metadata.namespace));
      const anyPort = (rule.ports ?? []).length === 0 || (rule.ports ?? []).some((p) => portFits(p, port, protocol, direction === 'Ingress' ? self : other));
      if (anyPeer && anyPort) return true;
    }
  }
  return !isolated;
}
