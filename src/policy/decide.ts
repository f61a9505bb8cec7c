import {
  type Answer,
  type Connection,
  type Direction,
  isMiss,
  maybe,
  type Memory,
  newMemory,
  no,
  type Party,
  peersMatch,
  type PodSide,
  type Policy,
  recall,
  remember,
  type Rule,
  type Tier,
  tiers,
  yes,
} from './rule.ts';

export type Verdict = 'allowed' | 'denied' | 'unknown';

export interface Decision {
  /** `unknown` where the API leaves the answer to the plug-in, or where a part that could decide was not judged. */
  verdict: Verdict;
  /** The policies that select the pod for this direction, in the order in which they are asked. */
  selecting: readonly Policy[];
  /** The rule that decides, where one does; of an unknown one, the rule that leaves it open. */
  by: { policy: Policy; rule: Rule } | null;
  why: string;
}

/** Policies in the order in which they are asked. */
export interface PolicySet {
  all: readonly Policy[];
  places: ReadonlyMap<Policy, number>;
  /** Each tier's policies; those of one group have the same order, and the API does not say which comes first. */
  tiers: readonly { tier: Tier; groups: readonly (readonly Policy[])[] }[];
}

/** Puts policies in order. Tiers that are named and not given come last, as Calico has it. */
export function policySet(all: readonly Policy[], ownTiers: readonly Tier[] = []): PolicySet {
  const known = new Map<string, Tier>([...ownTiers, ...Object.values(tiers)].map((t) => [t.name, t]));
  for (const p of all) if (!known.has(p.tier)) known.set(p.tier, { name: p.tier, order: Number.POSITIVE_INFINITY, end: 'deny' });
  const byTier = Map.groupBy(all, (p) => p.tier);
  const inOrder = [...byTier].flatMap(([name, own]) => {
    const tier = known.get(name);
    if (!tier) return [];
    const sorted = own.toSorted((a, b) => a.order - b.order || (a.tie < b.tie ? -1 : a.tie > b.tie ? 1 : 0));
    const groups: Policy[][] = [];
    for (const policy of sorted) {
      const last = groups.at(-1);
      if (last?.[0] && last[0].order === policy.order && last[0].tie === policy.tie) last.push(policy);
      else groups.push([policy]);
    }
    return [{ tier, groups }];
  });
  return {
    all,
    places: new Map(all.map((p, i) => [p, i])),
    tiers: inOrder.toSorted((a, b) => a.tier.order - b.tier.order || (a.tier.name < b.tier.name ? -1 : 1)),
  };
}

interface Selected {
  policy: Policy;
  rules: readonly Rule[];
  surely: boolean;
}
interface Applying {
  tiers: { tier: Tier; groups: Selected[][] }[];
  all: readonly Policy[];
  /** Why a connection is denied that no rule decides. */
  closed: string;
  /** By connection: how it went with each party of the world, by index, for any pod to which just these policies apply. */
  verdicts: Map<string, Memory>;
}

interface Remembered {
  byPod: WeakMap<PodSide, Record<Direction, Applying | undefined>>;
  /** Pods that the same policies select, surely, and that have the same ports, share one. */
  shared: Map<string, Applying>;
}
const remembered = new WeakMap<PolicySet, Remembered>();

/** The policies that select a pod for a direction, by tier and group. */
function applyingTo(set: PolicySet, direction: Direction, pod: PodSide): Applying {
  let known = remembered.get(set);
  if (!known) remembered.set(set, (known = { byPod: new WeakMap(), shared: new Map() }));
  let own = known.byPod.get(pod);
  if (!own) known.byPod.set(pod, (own = { ingress: undefined, egress: undefined }));
  return (own[direction] ??= select(set, direction, pod, known.shared));
}

function select(set: PolicySet, direction: Direction, pod: PodSide, shared: Map<string, Applying>): Applying {
  const key: (number | string)[] = [direction, JSON.stringify(pod.ports)];
  const byTier = set.tiers.flatMap(({ tier, groups }) => {
    const selected = groups.flatMap((group) => {
      const found = group.flatMap((policy): Selected[] => {
        const rules = policy[direction];
        const selects = rules !== null && policy.selects(pod);
        if (!rules || !selects) return [];
        key.push(set.places.get(policy) ?? -1, selects === true ? '' : '?');
        return [{ policy, rules, surely: selects === true }];
      });
      return found.length > 0 ? [found] : [];
    });
    return selected.length > 0 ? [{ tier, groups: selected }] : [];
  });
  const name = key.join(' ');
  const same = shared.get(name);
  if (same) return same;
  const all = byTier.flatMap((t) => t.groups.flatMap((g) => g.map((x) => x.policy)));
  const isolating = all.filter((p) => p.isolates[direction]).map((p) => p.name);
  const applying = { tiers: byTier, all, closed: `no rule of ${isolating.join(', ')} allows it`, verdicts: new Map<string, Memory>() };
  shared.set(name, applying);
  return applying;
}

/** Does a rule match? Its ports and its peers must both; the peers first, since their answers are remembered. */
function ruleMatches(rule: Rule, other: Party, connection: Connection, receiver: Party): Answer {
  const peers = peersMatch(rule, other);
  if (peers === no || (rule.ports !== null && !rule.ports.match(connection, receiver))) return no;
  return rule.unjudged.length > 0 ? maybe : peers;
}

type Found = { policy: Policy; rule: Rule } | null;
/** What may become of the connection so far, with the rule that makes it so. */
interface Possible {
  allow: Found | undefined;
  deny: Found | undefined;
  maybe: Found | undefined;
}

interface Asked {
  /** The group surely ends the tier. */
  ended: boolean;
  /** A rule may pass the connection on to the next tier. */
  passes: boolean;
  /** Policies that may select the pod, and if they do, surely decide. */
  answering: Policy[];
}

/** What a group's policies make of it: each by its first rule that matches. */
function askGroup(group: readonly Selected[], possible: Possible, other: Party, connection: Connection, receiver: Party): Asked {
  let ended = false;
  let passes = false;
  const answering: Policy[] = [];
  for (const { policy, rules, surely } of group) {
    for (const rule of rules) {
      const match = ruleMatches(rule, other, connection, receiver);
      if (match === no) continue;
      const found = { policy, rule };
      if (rule.action === 'Pass') passes = true;
      else if (rule.action === 'Allow') possible.allow ??= found;
      else possible.deny ??= found;
      if (match === yes && surely) {
        ended = true;
        break;
      }
      possible.maybe ??= found;
      if (match === yes) {
        answering.push(policy);
        break;
      }
    }
  }
  return { ended, passes, answering };
}

const isSame = (a: PodSide, b: PodSide | null): boolean => b !== null && a.namespace === b.namespace && a.name === b.name && a.name !== '';

/**
 * "Traffic to and from the node where a Pod is running is always allowed" (concepts/network-policies). A pod on that node's
 * network is the node to most plug-ins, and a pod to others.
 */
function ownNode(pod: PodSide, other: Party): true | 'maybe' | false {
  if (pod.node === null) return other.node !== null ? 'maybe' : false;
  if (other.node) return other.node.name === pod.node;
  return other.pod?.hostNetwork && other.pod.node === pod.node ? 'maybe' : false;
}

export const ruleText = (found: { policy: Policy; rule: Rule }): string => `${found.policy.kind} ${found.policy.name}, ${found.rule.field}`;

function whyOpen(direction: Direction, possible: Possible, pod: PodSide, other: Party): string {
  const found = possible.maybe;
  if (!found && possible.allow && possible.deny) return `${ruleText(possible.allow)} and ${ruleText(possible.deny)} have the same priority and disagree`;
  if (found && found.rule.unjudged.length > 0) return `${ruleText(found)} has parts that were not judged: ${found.rule.unjudged.join(', ')}`;
  if (pod.hostNetwork) return "the pod uses its node's network, where the plug-in decides whether policies apply";
  if (other.pod?.hostNetwork) return `the ${direction === 'ingress' ? 'client' : 'server'} uses its node's network, which selectors need not match`;
  if (other.node) return 'the plug-in decides whether the node that the pod runs on is treated like other nodes';
  if (found && other.addresses.length === 0) return `${ruleText(found)} names addresses, and that of the other side is not known`;
  if (found) return `${ruleText(found)} names what no object that was read shows`;
  return 'what selects the pod is not known for certain';
}

/** May a connection go through, as far as the policies of one side and direction decide? */
export function decide(direction: Direction, self: Party, other: Party, connection: Connection, set: PolicySet): Decision {
  const pod = self.pod;
  const open = (why: string, selecting: readonly Policy[] = []): Decision => ({ verdict: 'allowed', selecting, by: null, why });
  if (!pod) return open(self.node ? 'no policy applies to a node' : 'no policy applies to an address outside the cluster');
  const applying = applyingTo(set, direction, pod);
  const selecting = applying.all;
  if (selecting.length === 0) return open('no policy selects the pod');
  if (isSame(pod, other.pod)) return open('a pod always reaches itself', selecting);

  const receiver = direction === 'ingress' ? self : other;
  const possible: Possible = { allow: undefined, deny: undefined, maybe: undefined };
  const near = ownNode(pod, other);
  let reached = true;
  for (const { tier, groups } of applying.tiers) {
    if (!reached) break;
    // The exception is NetworkPolicy's; kinds of the whole cluster come before it.
    if (tier.name === tiers.default.name && near) {
      possible.allow ??= null;
      if (near === true) {
        reached = false;
        break;
      }
    }
    let ended = false;
    let passes = false;
    const answering: Policy[] = [];
    for (const group of groups) {
      const asked = askGroup(group, possible, other, connection, receiver);
      passes ||= asked.passes;
      answering.push(...asked.answering);
      ended = asked.ended;
      if (ended) break;
    }
    if (!ended) {
      // NetworkPolicies that may select a pod do so together (it is on its node's network): one that allows is enough.
      const allowing = answering.some((p) => p.kind === 'NetworkPolicy');
      const isolating = groups
        .flat()
        .filter((s) => s.policy.isolates[direction] && !answering.includes(s.policy) && !(allowing && !s.surely && s.policy.kind === 'NetworkPolicy'));
      if (tier.end === 'next' || isolating.length === 0) passes = true;
      else {
        possible.deny ??= null;
        passes ||= !isolating.some((s) => s.surely);
      }
    }
    reached = passes;
  }
  if (reached) possible.allow ??= null;

  const { allow, deny } = possible;
  if (allow !== undefined && deny !== undefined)
    return { verdict: 'unknown', selecting, by: possible.maybe ?? allow ?? deny, why: whyOpen(direction, possible, pod, other) };
  if (deny !== undefined) {
    return { verdict: 'denied', selecting, by: deny, why: deny ? `${ruleText(deny)} denies it` : applying.closed };
  }
  if (allow) return { verdict: 'allowed', selecting, by: allow, why: `${ruleText(allow)} allows it` };
  return open(near ? 'a pod and its own node always reach each other' : 'no rule that selects the pod denies it', selecting);
}

const verdicts: readonly Verdict[] = ['allowed', 'denied', 'unknown'];

/** The verdict of `decide` alone, remembered: for asking about very many pairs. */
export function verdictOf(direction: Direction, self: Party, other: Party, connection: Connection, set: PolicySet): Verdict {
  const pod = self.pod;
  const ask = () => decide(direction, self, other, connection, set).verdict;
  if (!pod || other.index === undefined || isSame(pod, other.pod) || ownNode(pod, other)) return ask();
  const applying = applyingTo(set, direction, pod);
  if (applying.all.length === 0) return 'allowed';
  const key = `${connection.port}/${connection.protocol}`;
  let memory = applying.verdicts.get(key);
  if (!memory) applying.verdicts.set(key, (memory = newMemory()));
  const before = recall(memory, other.index);
  if (before) return verdicts[before - 1] as Verdict;
  const verdict = ask();
  remember(memory, other.index, verdicts.indexOf(verdict) + 1);
  return verdict;
}

/** The verdict alone, of both sides together. */
export const both = (egress: Verdict, ingress: Verdict): Verdict =>
  egress === 'denied' || ingress === 'denied' ? 'denied' : egress === 'unknown' || ingress === 'unknown' ? 'unknown' : 'allowed';

export interface NearMiss {
  policy: Policy;
  rule: Rule;
  /** The first reason why the rule does not match. */
  reason: string;
  far: number;
}

/** For a denial: the rules that would allow it, with the first reason why each does not match, nearest first. */
export function nearMisses(direction: Direction, self: Party, other: Party, connection: Connection, decision: Decision): NearMiss[] {
  const receiver = direction === 'ingress' ? self : other;
  return decision.selecting
    .flatMap((policy) =>
      (policy[direction] ?? [])
        .filter((rule) => rule.action === 'Allow')
        .flatMap((rule): NearMiss[] => {
          const ports = rule.ports === null || rule.ports.match(connection, receiver);
          const found = rule.peers === null ? [] : rule.peers.map((peer) => peer(other));
          const misses = found.filter(isMiss).toSorted((a, b) => a.far - b.far);
          // Who is meant counts for more than on which port: a rule for the right client is nearer.
          const best = rule.peers?.length === 0 ? { far: 5, reason: () => 'names nobody' } : misses[0];
          if (best && misses.length === found.length) return [{ policy, rule, reason: best.reason(other), far: best.far + (ports ? 0 : 1) }];
          if (ports) return [];
          return [{ policy, rule, reason: `${rule.ports?.text}, the connection goes to ${connection.port}/${connection.protocol}`, far: 0 }];
        }),
    )
    .toSorted((a, b) => a.far - b.far);
}
