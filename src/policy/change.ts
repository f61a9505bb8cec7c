/** The change of NetworkPolicies that lets connections through and the fewest others; each proposal is tried on the evaluator first. */
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
  /** The policy as it would be. */
  policy: NetworkPolicy;
  /** A JSON patch (RFC 6902) of the policy; null where it is a new one. */
  patch: { op: 'add'; path: string; value: unknown }[] | null;
  /** Whom it lets through, in words: `pods with role=api, port 8080/TCP`. */
  opens: string;
  /** True where every connection asked about would be allowed then. */
  whole: boolean;
  /** Other connections that it allows, as far as the pods are known: `batch → web-1`. */
  others: string[];
}

export interface Wanted {
  direction: Direction;
  denied: readonly Denied[];
  /** The policies that deny the connections, nearest first. */
  candidates: readonly NetworkPolicy[];
  set: PolicySet;
  /** Labels of the other side where it is more than one pod: a Service's selector. */
  labels?: Labels | undefined;
  /** The pods whose policies deny: their labels, and the name that a policy of their own would have. */
  own?: { labels: Labels; name: string } | undefined;
  /** Pods that are known, to see whom else a change would let through. */
  known?: readonly Party[];
}

type Peer = NetworkPolicy['spec']['ingress'][number]['from'][number];
type Port = { port: number; protocol: Protocol };
type Labels = Record<string, string>;

/** The ports of some connections, each once. */
export const portsOf = (connections: readonly { connection: Connection }[]): Port[] => [
  ...new Map(connections.map(({ connection: { port, protocol } }) => [`${port}/${protocol}`, { port, protocol }])).values(),
];

/** One address as the block that holds nothing else. */
export const blockOf = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`;

const selectorOf = (matchLabels: Labels) => ({ matchLabels, matchExpressions: [] });
const nameSelector = (namespace: string) => selectorOf({ 'kubernetes.io/metadata.name': namespace });

/** The other side of a connection in words. A pod without a name means any pod of its namespace. */
function peerFor(other: Party, home: string, labels: Labels | undefined): Peer | undefined {
  if (!other.pod) {
    const address = other.addresses[0];
    return address === undefined ? undefined : { ipBlock: { cidr: blockOf(address), except: [] } };
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

/** The policies after a draft. */
function setAfter(set: PolicySet, { changed, patch }: Draft): PolicySet {
  const { namespace, name } = changed.metadata;
  const isIt = (p: PolicySet['all'][number]) => p.kind === 'NetworkPolicy' && p.namespace === namespace && p.name === name;
  const all = patch === null ? [...set.all, fromNetworkPolicy(changed)] : set.all.map((p) => (isIt(p) ? fromNetworkPolicy(changed) : p));
  return policySet(
    all,
    set.tiers.map((t) => t.tier),
  );
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

/** One more port, or one more peer, in a rule that has some. */
function* corrections(policy: NetworkPolicy, direction: Direction, other: Party, ports: readonly Port[]): Generator<Draft> {
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
}

/** One more rule, for no more than this peer and these ports. */
function ownRule(policy: NetworkPolicy, direction: Direction, plain: Peer, ports: readonly Port[]): Draft {
  const rule = { [peersKey[direction]]: [written(plain)], ports };
  return {
    changed: withRules(policy, direction, (all) => all.push({ peers: [plain], ports: [...ports] })),
    patch: [
      rulesOf(policy, direction).length === 0
        ? { op: 'add', path: `/spec/${direction}`, value: [rule] }
        : { op: 'add', path: `/spec/${direction}/-`, value: rule },
    ],
    opens: `${peerText(plain, policy.metadata.namespace)}, ${portsText(ports)}`,
  };
}

/** A name that an object may have (RFC 1123 label) and no policy of the namespace has yet. */
function freeName(wanted: string, namespace: string, set: PolicySet): string {
  const name = wanted
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 58)
    .replace(/^-+|-+$/g, '');
  const taken = new Set(set.all.filter((p) => p.namespace === namespace).map((p) => p.name));
  return [name, ...Array.from({ length: 20 }, (_, i) => `${name}-${i + 2}`)].find((n) => !taken.has(n)) ?? name;
}

/** A policy of its own for the denied pods. undefined where it would close a pod that no policy closes now. */
function ownPolicy({ direction, denied, set, own, known = [] }: Wanted, plain: Peer, ports: readonly Port[]): Draft | undefined {
  const [first] = denied;
  const namespace = first?.self.pod?.namespace;
  if (!first || namespace === undefined || !own || Object.keys(own.labels).length === 0) return undefined;
  const selector = selectorOf(own.labels);
  const isClosed = (self: Party) => decide(direction, self, first.other, first.connection, set).selecting.some((p) => p.isolates[direction]);
  const selected = [...denied.map((d) => d.self), ...known].filter((p) => p.pod?.namespace === namespace && !firstMismatch(selector, p.pod.labels));
  if (denied.some((d) => !selected.includes(d.self)) || !selected.every(isClosed)) return undefined;
  const isIngress = direction === 'ingress';
  return {
    changed: {
      metadata: { name: freeName(own.name, namespace, set), namespace, uid: undefined, labels: {}, ownerReferences: [], owners: [], history: [] },
      spec: {
        podSelector: selector,
        policyTypes: [isIngress ? 'Ingress' : 'Egress'],
        ingress: isIngress ? [{ from: [plain], ports: [...ports] }] : [],
        egress: isIngress ? [] : [{ to: [plain], ports: [...ports] }],
      },
    },
    patch: null,
    opens: `${peerText(plain, namespace)}, ${portsText(ports)}`,
  };
}

/** All drafts, the most natural first: a rule that is nearly right, a policy of their own for the pods, a rule in a policy that selects others too. */
function* drafts(wanted: Wanted, ports: readonly Port[]): Generator<Draft> {
  const { direction, candidates, denied, labels } = wanted;
  const other = denied[0]?.other;
  if (!other) return;
  for (const policy of candidates) yield* corrections(policy, direction, other, ports);
  const plain = (home: string) => peerFor(other, home, labels);
  const isOfAll = (p: NetworkPolicy) => Object.keys(p.spec.podSelector.matchLabels).length + p.spec.podSelector.matchExpressions.length === 0;
  const rules = (some: readonly NetworkPolicy[]) =>
    some.flatMap((policy) => {
      const peer = plain(policy.metadata.namespace);
      return peer ? [ownRule(policy, direction, peer, ports)] : [];
    });
  yield* rules(candidates.filter((p) => !isOfAll(p)));
  const peer = plain(denied[0]?.self.pod?.namespace ?? '');
  const own = peer && ownPolicy(wanted, peer, ports);
  if (own) yield own;
  yield* rules(candidates.filter(isOfAll));
}

/** With more kinds of pods than this, a sample shows whom a change lets through. */
const maxKinds = 40;

/** One pod for each set of labels: policies treat pods with the same labels alike, apart from their addresses. */
const kindsOf = (parties: readonly Party[]): Party[] =>
  [...new Map(parties.map((p) => [JSON.stringify([p.pod?.namespace, p.pod?.labels, p.pod?.hostNetwork, p.pod?.ports]), p])).values()].slice(0, maxKinds);

const nameOf = (p: Party): string => p.pod?.name || p.node?.name || p.addresses[0] || 'outside the cluster';
const isSamePod = (a: Party, b: Party) => a.pod?.name === b.pod?.name && a.pod?.namespace === b.pod?.namespace && a.node?.name === b.node?.name;

/** The connections that nobody asked for and that would be allowed, on the same ports. */
function othersLet({ direction, denied, set, known = [] }: Wanted, after: PolicySet): string[] {
  const asked = (self: Party, other: Party) =>
    denied.some((d) => isSamePod(d.self, self)) &&
    denied.some((d) => isSamePod(d.other, other) || (d.other.pod?.name === '' && d.other.pod.namespace === other.pod?.namespace));
  const selves = kindsOf([...known, ...denied.map((d) => d.self)]);
  const others = kindsOf([...known, ...denied.map((d) => d.other)]);
  const connections = portsOf(denied);
  const found = selves.flatMap((self) =>
    others.flatMap((other) => {
      if (!self.pod || isSamePod(self, other) || asked(self, other)) return [];
      const isLet = connections.some(
        (c) => decide(direction, self, other, c, set).verdict === 'denied' && decide(direction, self, other, c, after).verdict === 'allowed',
      );
      return isLet ? [direction === 'ingress' ? `${nameOf(other)} → ${nameOf(self)}` : `${nameOf(self)} → ${nameOf(other)}`] : [];
    }),
  );
  return [...new Set(found)];
}

/**
 * Proposes the change that lets the fewest others through; of equal ones the first. undefined where no NetworkPolicy can allow it: a
 * rule of another kind denies it, or the other side can't be named.
 */
export function smallestChange(wanted: Wanted): Change | undefined {
  const { direction, denied, set } = wanted;
  const ports = portsOf(denied);
  let part: Change | undefined;
  let best: Change | undefined;
  for (const draft of drafts(wanted, ports)) {
    const after = setAfter(set, draft);
    const allowed = denied.map((d) => decide(direction, d.self, d.other, d.connection, after).verdict === 'allowed');
    if (!allowed[0]) continue;
    const change: Change = { policy: draft.changed, patch: draft.patch, opens: draft.opens, whole: allowed.every(Boolean), others: othersLet(wanted, after) };
    if (!change.whole) part ??= change;
    else if (!best || change.others.length < best.others.length) best = change;
    if (best?.others.length === 0) return best;
  }
  return best ?? part;
}

/** The policy as it is written in a manifest. */
export function manifestOf(policy: NetworkPolicy): object {
  const { podSelector, policyTypes, ingress, egress } = policy.spec;
  const plainSelector = { ...(Object.keys(podSelector.matchLabels).length > 0 && { matchLabels: podSelector.matchLabels }) };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: policy.metadata.name, namespace: policy.metadata.namespace },
    spec: {
      podSelector: plainSelector,
      policyTypes,
      ...(ingress.length > 0 && { ingress: ingress.map((r) => ({ from: r.from.map(written), ports: r.ports })) }),
      ...(egress.length > 0 && { egress: egress.map((r) => ({ to: r.to.map(written), ports: r.ports })) }),
    },
  };
}
