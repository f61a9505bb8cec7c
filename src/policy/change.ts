/** The smallest change of a NetworkPolicy that would let connections through; each proposal is tried on the evaluator first. */
import type { NetworkPolicy, Protocol } from '../facts/objects.ts';
import { firstMismatch, ownLabels } from '../facts/selectors.ts';
import { decide, policySet, type PolicySet } from './decide.ts';
import { fromNetworkPolicy } from './network-policy.ts';
import type { Connection, Direction, Party, PodSide } from './rule.ts';

/** A connection that is denied, seen from the pod whose policies deny it. */
export interface Denied {
  self: Party;
  other: Party;
  connection: Connection;
}

export interface Change {
  policy: NetworkPolicy;
  /** A JSON patch (RFC 6902) of the policy. */
  patch: { op: 'add'; path: string; value: unknown }[];
  /** Whom it lets through, in words: `pods with role=api, port 8080/TCP`. */
  opens: string;
  /** True where every connection asked about would be allowed then. */
  whole: boolean;
}

type Peer = NetworkPolicy['spec']['ingress'][number]['from'][number];
type Port = { port: number; protocol: Protocol };
type Labels = Record<string, string>;

const selectorOf = (matchLabels: Labels) => ({ matchLabels, matchExpressions: [] });
const nameSelector = (namespace: string) => selectorOf({ 'kubernetes.io/metadata.name': namespace });

/** The other side of a connection in words. A pod without a name means any pod of its namespace. */
function peerFor(other: Party, home: string, labels: Labels | undefined): Peer | undefined {
  if (!other.pod) {
    const address = other.addresses[0];
    return address === undefined ? undefined : { ipBlock: { cidr: `${address}/${address.includes(':') ? 128 : 32}`, except: [] } };
  }
  const own = labels ?? ownLabels(other.pod.labels);
  return {
    ...(other.pod.namespace !== home && { namespaceSelector: nameSelector(other.pod.namespace) }),
    podSelector: selectorOf(other.pod.name === '' ? {} : own),
  };
}

/** A peer that is already there, with the labels that are wrong in it put right; undefined where that does not make it match. */
function corrected(peer: Peer, pod: PodSide, home: string): Peer | undefined {
  if (!peer.podSelector || pod.name === '') return undefined;
  const matchLabels = Object.fromEntries(
    Object.entries(peer.podSelector.matchLabels ?? {}).map(([k, x]) => [k, Object.hasOwn(pod.labels, k) ? (pod.labels[k] ?? x) : x]),
  );
  const podSelector = { ...peer.podSelector, matchLabels };
  if (Object.keys(matchLabels).length === 0 || firstMismatch(podSelector, pod.labels)) return undefined;
  const other = pod.namespace !== home && (!peer.namespaceSelector || firstMismatch(peer.namespaceSelector, pod.namespaceLabels));
  const namespaceSelector = other ? nameSelector(pod.namespace) : peer.namespaceSelector;
  return { ...(namespaceSelector && { namespaceSelector }), podSelector };
}

const peersKey = { ingress: 'from', egress: 'to' } as const;

interface Draft {
  changed: NetworkPolicy;
  patch: Change['patch'];
  opens: string;
}

/** Empty lists say nothing, and are not written. */
function written(peer: Peer): unknown {
  const plain = (s: Peer['podSelector']) =>
    s && {
      ...(Object.keys(s.matchLabels ?? {}).length > 0 && { matchLabels: s.matchLabels }),
      ...(s.matchExpressions?.length && { matchExpressions: s.matchExpressions }),
    };
  if (peer.ipBlock) return { ipBlock: { cidr: peer.ipBlock.cidr } };
  return {
    ...(peer.namespaceSelector && { namespaceSelector: plain(peer.namespaceSelector) }),
    ...(peer.podSelector && { podSelector: plain(peer.podSelector) }),
  };
}

function peerText(peer: Peer, home: string): string {
  if (peer.ipBlock) return peer.ipBlock.cidr;
  const labels = Object.entries(peer.podSelector?.matchLabels ?? {}).map(([k, x]) => `${k}=${x}`);
  const where = peer.namespaceSelector?.matchLabels?.['kubernetes.io/metadata.name'];
  return `${labels.length > 0 ? `pods with ${labels.join(', ')}` : 'all pods'}${where ? ` of namespace ${where}` : peer.namespaceSelector ? '' : ` of namespace ${home}`}`;
}
const portsText = (ports: readonly Port[]) => `port ${ports.map((p) => `${p.port}/${p.protocol}`).join(', ')}`;

/** The list of one direction's rules, with one form for both. */
function withRules(
  policy: NetworkPolicy,
  direction: Direction,
  change: (rules: { peers: Peer[]; ports: NetworkPolicy['spec']['ingress'][number]['ports'] }[]) => void,
): NetworkPolicy {
  const rules =
    direction === 'ingress'
      ? policy.spec.ingress.map((r) => ({ peers: [...r.from], ports: [...r.ports] }))
      : policy.spec.egress.map((r) => ({ peers: [...r.to], ports: [...r.ports] }));
  change(rules);
  return {
    ...policy,
    spec: {
      ...policy.spec,
      ...(direction === 'ingress'
        ? { ingress: rules.map((r) => ({ from: r.peers, ports: r.ports })) }
        : { egress: rules.map((r) => ({ to: r.peers, ports: r.ports })) }),
    },
  };
}

const rulesOf = (policy: NetworkPolicy, direction: Direction): { peers: readonly Peer[]; ports: readonly unknown[] }[] =>
  direction === 'ingress'
    ? policy.spec.ingress.map((r) => ({ peers: r.from, ports: r.ports }))
    : policy.spec.egress.map((r) => ({ peers: r.to, ports: r.ports }));

/** One more port, or one more peer, in a rule that has some; or a rule of its own. The smallest first. */
function* drafts(policy: NetworkPolicy, direction: Direction, other: Party, ports: readonly Port[], labels: Labels | undefined): Generator<Draft> {
  const home = policy.metadata.namespace;
  const rules = rulesOf(policy, direction);
  for (const [i, rule] of rules.entries()) {
    if (rule.ports.length === 0 || rule.peers.length === 0) continue;
    yield {
      changed: withRules(policy, direction, (all) => all[i]?.ports.push(...ports)),
      patch: ports.map((value) => ({ op: 'add', path: `/spec/${direction}/${i}/ports/-`, value })),
      opens: `${portsText(ports)} to those that rule ${i + 1} already names`,
    };
  }
  const plain = peerFor(other, home, labels);
  for (const [i, rule] of rules.entries()) {
    for (const near of rule.peers) {
      const peer = (other.pod && corrected(near, other.pod, home)) ?? undefined;
      if (!peer) continue;
      yield {
        changed: withRules(policy, direction, (all) => all[i]?.peers.push(peer)),
        patch: [{ op: 'add', path: `/spec/${direction}/${i}/${peersKey[direction]}/-`, value: written(peer) }],
        opens: `${peerText(peer, home)} in rule ${i + 1}`,
      };
    }
  }
  if (!plain) return;
  const rule = { [peersKey[direction]]: [written(plain)], ports };
  yield {
    changed: withRules(policy, direction, (all) => all.push({ peers: [plain], ports: [...ports] })),
    patch: [rules.length === 0 ? { op: 'add', path: `/spec/${direction}`, value: [rule] } : { op: 'add', path: `/spec/${direction}/-`, value: rule }],
    opens: `${peerText(plain, home)}, ${portsText(ports)}`,
  };
}

/**
 * Proposes a change of one of the `candidates`, the policies that deny the connections, nearest first. `labels` name the
 * other side where it is more than one pod (a Service's selector). undefined where no NetworkPolicy can allow it: a rule of
 * another kind denies it, or the other side can't be named.
 */
export function smallestChange(
  direction: Direction,
  denied: readonly Denied[],
  candidates: readonly NetworkPolicy[],
  set: PolicySet,
  labels?: Labels,
): Change | undefined {
  const first = denied[0];
  if (!first) return undefined;
  const ports = [...new Map(denied.map(({ connection: c }) => [`${c.port}/${c.protocol}`, { port: c.port, protocol: c.protocol }])).values()];
  let part: Change | undefined;
  for (const policy of candidates) {
    for (const { changed, patch, opens } of drafts(policy, direction, first.other, ports, labels)) {
      const after = policySet(
        set.all.map((p) =>
          p.kind === 'NetworkPolicy' && p.namespace === policy.metadata.namespace && p.name === policy.metadata.name ? fromNetworkPolicy(changed) : p,
        ),
        set.tiers.map((t) => t.tier),
      );
      const allowed = denied.map((d) => decide(direction, d.self, d.other, d.connection, after).verdict === 'allowed');
      const change = { policy, patch, opens, whole: allowed.every(Boolean) };
      if (change.whole) return change;
      if (allowed[0]) part ??= change;
    }
  }
  return part;
}
