/**
 * NetworkPolicy (networking.k8s.io/v1) as the API's documentation defines it: a pod that no policy selects for a direction
 * takes everything in that direction; one that some policy selects takes only what a rule of one of them allows.
 */
import ipaddr from 'ipaddr.js';
import type { NetworkPolicy, Protocol } from '../facts/objects.ts';
import { firstMismatch, matchesLabels } from '../facts/selectors.ts';

export type Direction = 'ingress' | 'egress';

/** One side of a connection. */
export interface Party {
  /** null for an address outside of the cluster. */
  pod: {
    namespace: string;
    name: string;
    labels: Record<string, string>;
    namespaceLabels: Record<string, string>;
    hostNetwork: boolean;
    ports: { name: string; port: number; protocol: Protocol }[];
  } | null;
  addresses: string[];
}

export interface Rule {
  policy: NetworkPolicy;
  /** Index in `spec.ingress` or `spec.egress`. */
  index: number;
}

export interface Mismatch extends Rule {
  /** The first reason why the rule does not match. */
  reason: string;
  /** 0 where only the port differs, more the farther the rule is from matching. */
  far: number;
}

export interface Decision {
  /** `unknown` where the API leaves the answer to the network plug-in. */
  verdict: 'allowed' | 'denied' | 'unknown';
  /** The policies that select the pod in this direction. */
  isolating: NetworkPolicy[];
  /** The rule that allows it, where one does. */
  by: Rule | null;
  /** For a denial: the rules that come nearest, nearest first. */
  nearest: Mismatch[];
  why: string;
}

/** The directions that a policy isolates: as given, else Ingress always and Egress where it has egress rules (NetworkPolicySpec.policyTypes). */
export function directionsOf(policy: NetworkPolicy): Direction[] {
  const given = policy.spec.policyTypes;
  if (given.length > 0) return given.map((t) => t.toLowerCase() as Direction);
  return policy.spec.egress.length > 0 ? ['ingress', 'egress'] : ['ingress'];
}

type Peer = NetworkPolicy['spec']['ingress'][number]['from'][number];
type PortRule = NetworkPolicy['spec']['ingress'][number]['ports'][number];

function inside(address: string, cidr: string): boolean {
  if (!ipaddr.isValid(address) || !ipaddr.isValidCIDR(cidr)) return false;
  const a = ipaddr.parse(address);
  const [network, bits] = ipaddr.parseCIDR(cidr);
  return a.kind() === network.kind() && a.match(network, bits);
}

/** Why a peer does not match; undefined where it does. */
function peerMismatch(peer: Peer, other: Party, home: string): { reason: string; far: number } | undefined {
  if (peer.ipBlock) {
    const block = peer.ipBlock;
    const within = other.addresses.filter((a) => inside(a, block.cidr));
    if (within.length === 0) return { reason: `wants an address in ${block.cidr}, it is ${other.addresses.join(', ') || 'unknown'}`, far: 4 };
    const except = block.except.find((e) => within.some((a) => inside(a, e)));
    return except ? { reason: `${block.cidr} leaves out ${except}, where ${within[0]} lies`, far: 3 } : undefined;
  }
  if (!other.pod) return { reason: 'names pods, and this is an address outside of the cluster', far: 5 };
  if (peer.namespaceSelector) {
    const wrong = firstMismatch(peer.namespaceSelector, other.pod.namespaceLabels);
    if (wrong) return { reason: `namespace ${other.pod.namespace}: ${wrong}`, far: 2 };
  } else if (other.pod.namespace !== home) {
    return { reason: `names pods of namespace ${home} only, and it is in ${other.pod.namespace}`, far: 3 };
  }
  const wrong = peer.podSelector && firstMismatch(peer.podSelector, other.pod.labels);
  return wrong ? { reason: wrong, far: 1 } : undefined;
}

function portMatches(rule: PortRule, port: number, protocol: Protocol, receiver: Party): boolean {
  if (rule.protocol !== protocol) return false;
  if (rule.port === undefined) return true;
  if (typeof rule.port === 'number') return port >= rule.port && port <= (rule.endPort ?? rule.port);
  // A name means what the receiving pod says it does.
  return receiver.pod?.ports.some((p) => p.name === rule.port && p.protocol === protocol && p.port === port) ?? false;
}

const portText = (p: PortRule) => `${p.port ?? 'every port'}${p.endPort ? `-${p.endPort}` : ''}/${p.protocol}`;

/** May a connection go through, as far as the policies of one side and direction decide? `port` is the pod's own, after DNAT. */
export function decide(direction: Direction, self: Party, other: Party, port: number, protocol: Protocol, policies: readonly NetworkPolicy[]): Decision {
  const open = (why: string): Decision => ({ verdict: 'allowed', isolating: [], by: null, nearest: [], why });
  const own = self.pod;
  if (!own) return open('no policy applies to an address outside of the cluster');
  const isolating = policies.filter(
    (p) => p.metadata.namespace === own.namespace && directionsOf(p).includes(direction) && matchesLabels(p.spec.podSelector, own.labels),
  );
  if (isolating.length === 0) return open('no policy selects the pod');
  const isSelf = other.pod !== null && other.pod.namespace === own.namespace && other.pod.name === own.name && own.name !== '';
  if (isSelf) return { ...open('a pod always reaches itself'), isolating };
  if (own.hostNetwork)
    return { verdict: 'unknown', isolating, by: null, nearest: [], why: "the pod uses its node's network, where the plug-in decides whether policies apply" };

  const receiver = direction === 'ingress' ? self : other;
  const nearest: Mismatch[] = [];
  for (const policy of isolating) {
    const rules =
      direction === 'ingress'
        ? policy.spec.ingress.map((r) => ({ peers: r.from, ports: r.ports }))
        : policy.spec.egress.map((r) => ({ peers: r.to, ports: r.ports }));
    for (const [index, rule] of rules.entries()) {
      const peerReasons = rule.peers.map((p) => peerMismatch(p, other, policy.metadata.namespace));
      const peerFits = rule.peers.length === 0 || peerReasons.includes(undefined);
      const portFits = rule.ports.length === 0 || rule.ports.some((p) => portMatches(p, port, protocol, receiver));
      if (peerFits && portFits) return { verdict: 'allowed', isolating, by: { policy, index }, nearest: [], why: `policy ${policy.metadata.name} allows it` };
      if (peerFits)
        nearest.push({ policy, index, far: 0, reason: `allows ${rule.ports.map(portText).join(', ')}, the connection goes to ${port}/${protocol}` });
      else {
        const best = peerReasons.filter((r) => r !== undefined).toSorted((a, b) => a.far - b.far)[0];
        if (best) nearest.push({ policy, index, far: best.far + (portFits ? 0 : 1), reason: best.reason });
      }
    }
  }
  // The API leaves it to the plug-in how pods on a node's network are told apart from the node.
  if (other.pod?.hostNetwork)
    return { verdict: 'unknown', isolating, by: null, nearest, why: "the other pod uses its node's network, which selectors need not match" };
  return {
    verdict: 'denied',
    isolating,
    by: null,
    nearest: nearest.toSorted((a, b) => a.far - b.far),
    why: `no rule of ${isolating.map((p) => p.metadata.name).join(', ')} allows it`,
  };
}
