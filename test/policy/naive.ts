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
/** A pod, or an address outside the cluster. */
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

interface AdminPeer {
  namespaces?: Selector;
  pods?: { namespaceSelector: Selector; podSelector: Selector };
  networks?: string[];
}
export interface RawAdminPolicy {
  apiVersion: string;
  kind: 'AdminNetworkPolicy' | 'BaselineAdminNetworkPolicy' | 'ClusterNetworkPolicy';
  metadata: { name: string };
  spec: {
    tier?: 'Admin' | 'Baseline';
    priority?: number;
    subject: AdminPeer;
    ingress?: RawAdminRule[];
    egress?: RawAdminRule[];
  };
}
export interface RawAdminRule {
  action: string;
  from?: AdminPeer[];
  to?: AdminPeer[];
  ports?: { portNumber?: { protocol: string; port: number }; portRange?: { protocol: string; start: number; end: number }; namedPort?: string }[];
  protocols?: Record<string, { destinationPort?: { number?: number; range?: { start: number; end: number } } } | string>[];
}

function adminPeerFits(peer: AdminPeer, other: RawParty): boolean {
  if (peer.networks) return peer.networks.some((n) => within(other.address, n));
  if (!isPod(other)) return false;
  if (peer.namespaces) return holds(peer.namespaces, other.namespaceLabels);
  return peer.pods !== undefined && holds(peer.pods.namespaceSelector, other.namespaceLabels) && holds(peer.pods.podSelector, other.labels);
}

function adminPortFits(rule: RawAdminRule, port: number, protocol: string, receiver: RawParty): boolean {
  const named = (name: unknown) => isPod(receiver) && receiver.ports.some((p) => p.name === name && p.port === port && p.protocol === protocol);
  if (rule.ports)
    return rule.ports.some((p) => {
      if (p.portNumber) return p.portNumber.protocol === protocol && p.portNumber.port === port;
      if (p.portRange) return p.portRange.protocol === protocol && port >= p.portRange.start && port <= p.portRange.end;
      return named(p.namedPort);
    });
  if (rule.protocols)
    return rule.protocols.some((p) => {
      if (p['destinationNamedPort'] !== undefined) return named(p['destinationNamedPort']);
      const own = p[protocol.toLowerCase()];
      if (own === undefined || typeof own === 'string') return false;
      const where = own.destinationPort;
      if (where === undefined) return true;
      return where.range ? port >= where.range.start && port <= where.range.end : port === where.number;
    });
  return true;
}

/** The first rule of these policies that matches, in the order of their priorities. */
function firstAction(
  direction: 'Ingress' | 'Egress',
  self: RawPod,
  other: RawParty,
  port: number,
  protocol: string,
  policies: readonly RawAdminPolicy[],
): string | undefined {
  for (const policy of policies.toSorted((a, b) => (a.spec.priority ?? 0) - (b.spec.priority ?? 0))) {
    if (!adminPeerFits(policy.spec.subject, self)) continue;
    for (const rule of (direction === 'Ingress' ? policy.spec.ingress : policy.spec.egress) ?? []) {
      const peers = (direction === 'Ingress' ? rule.from : rule.to) ?? [];
      if (peers.some((p) => adminPeerFits(p, other)) && adminPortFits(rule, port, protocol, direction === 'Ingress' ? self : other)) return rule.action;
    }
  }
  return undefined;
}

/** As `naive`, with the policies of the whole cluster that come before it and after it. */
export function naiveInTiers(
  direction: 'Ingress' | 'Egress',
  self: RawParty,
  other: RawParty,
  port: number,
  protocol: string,
  policies: readonly RawPolicy[],
  admin: readonly RawAdminPolicy[],
): boolean {
  if (!isPod(self)) return true;
  if (isPod(other) && other.namespace === self.namespace && other.name === self.name) return true;
  const baseline = (p: RawAdminPolicy) => p.kind === 'BaselineAdminNetworkPolicy' || p.spec.tier === 'Baseline';
  const first = firstAction(
    direction,
    self,
    other,
    port,
    protocol,
    admin.filter((p) => !baseline(p)),
  );
  if (first === 'Allow' || first === 'Accept') return true;
  if (first === 'Deny') return false;
  const types = (p: RawPolicy) => p.spec.policyTypes ?? ['Ingress', ...((p.spec.egress ?? []).length > 0 ? ['Egress'] : [])];
  const isolated = policies.some(
    (p) => p.metadata.namespace === self.namespace && holds(p.spec.podSelector ?? {}, self.labels) && types(p).includes(direction),
  );
  if (isolated) return naive(direction, self, other, port, protocol, policies);
  return firstAction(direction, self, other, port, protocol, admin.filter(baseline)) !== 'Deny';
}
