/**
 * Policies of every kind in one form. Each kind's own file translates its objects into this; `decide.ts` knows only this.
 */
import ipaddr from 'ipaddr.js';
import type { LabelSelector, Protocol } from '../facts/objects.ts';
import { firstMismatch, matchesLabels } from '../facts/selectors.ts';

export type Direction = 'ingress' | 'egress';

export interface PodSide {
  namespace: string;
  /** Empty where any pod of the namespace is meant. */
  name: string;
  labels: Record<string, string>;
  namespaceLabels: Record<string, string>;
  hostNetwork: boolean;
  /** null where it is not known. */
  node: string | null;
  ports: { name: string; port: number; protocol: Protocol }[];
}

/** One side of a connection: a pod, a node, or an address outside the cluster. */
export interface Party {
  pod: PodSide | null;
  node: { name: string; labels: Record<string, string> } | null;
  /** Empty where they are not known: a workload's template, a client somewhere outside. */
  addresses: string[];
  /** Place in its world, for what is remembered of it; absent for a party that was made up for one question. */
  index?: number;
}

/** One connection, as the receiving pod sees it: `port` is the pod's own, after DNAT. */
export interface Connection {
  port: number;
  protocol: Protocol;
}

/** Why a party is not meant: in words only when asked, since most reasons are never read. `far` grows with the distance from a match. */
export interface Miss {
  far: number;
  reason: (other: Party) => string;
}

/** true: matches; `maybe`: the API, or what is known, leaves it open. */
export type Match = true | 'maybe' | Miss;

export const isMiss = (m: Match): m is Miss => typeof m === 'object';

/** Says whether a party is meant, and if not, why. */
export type Peer = (other: Party) => Match;

/** A small number for each party of a world, by its index; 0: not asked yet. */
export interface Memory {
  known: Uint8Array;
}
const nothing = new Uint8Array(0);
export const newMemory = (): Memory => ({ known: nothing });
export const recall = (memory: Memory, index: number): number => memory.known[index] ?? 0;
export function remember(memory: Memory, index: number, value: number): void {
  if (index >= memory.known.length) {
    const larger = new Uint8Array(Math.max(64, index * 2));
    larger.set(memory.known);
    memory.known = larger;
  }
  memory.known[index] = value;
}

/** Says whether a port is meant; `receiver` is the pod whose port it is. */
export interface Ports {
  match(connection: Connection, receiver: Party): boolean;
  /** `allows 80/TCP, http/TCP` */
  text: string;
}

export interface Rule {
  /** Its field: `ingress[0]`, `egressDeny[2]`. */
  field: string;
  index: number;
  action: 'Allow' | 'Deny' | 'Pass';
  /** Any of them; null: everyone. */
  peers: readonly Peer[] | null;
  /** null: every port of every protocol. */
  ports: Ports | null;
  /** Parts of it that were not judged: where it would match but for them, it may match. */
  unjudged: readonly string[];
  memory: Memory;
}

/** How the peers of a rule answer. */
export const no = 1;
export const maybe = 2;
export const yes = 3;
export type Answer = typeof no | typeof maybe | typeof yes;

function askPeers(peers: readonly Peer[] | null, other: Party): Answer {
  if (peers === null) return yes;
  let found: Answer = no;
  for (const peer of peers) {
    const match = peer(other);
    if (match === true) return yes;
    if (match === 'maybe') found = maybe;
  }
  return found;
}

/** Do the peers of a rule mean a party? They are OR'ed. Asked once for each party of a world. */
export function peersMatch(rule: Rule, other: Party): Answer {
  const { index } = other;
  if (index === undefined) return askPeers(rule.peers, other);
  const before = recall(rule.memory, index);
  if (before) return before as Answer;
  const found = askPeers(rule.peers, other);
  remember(rule.memory, index, found);
  return found;
}

export interface Policy {
  kind: string;
  /** Empty for kinds of the whole cluster. */
  namespace: string;
  name: string;
  tier: string;
  /** Lower comes first within the tier. */
  order: number;
  /** Breaks ties of `order`; where it is the same too, the API does not say which policy comes first. */
  tie: string;
  selects(pod: PodSide): true | 'maybe' | false;
  /** null: it says nothing of this direction. */
  ingress: readonly Rule[] | null;
  egress: readonly Rule[] | null;
  /** Where no rule matches, is the rest denied to the pods it selects? As far as its tier does so at all. */
  isolates: Record<Direction, boolean>;
}

/** Tiers are asked in their order; `end` is what becomes of a connection that a tier selects and no rule of it decides. */
export interface Tier {
  name: string;
  order: number;
  end: 'deny' | 'next';
}

/** Calico's numbers, so that its own tiers fit between. */
export const tiers = {
  admin: { name: 'admin', order: 1000, end: 'next' },
  default: { name: 'default', order: 1_000_000, end: 'deny' },
  baseline: { name: 'baseline', order: 10_000_000, end: 'next' },
} as const satisfies Record<string, Tier>;

export type Selector = Pick<LabelSelector, 'matchLabels' | 'matchExpressions'>;

/** Remembers what was parsed: the same addresses and ranges are compared again and again. */
function parsedOnce<T>(parse: (text: string) => T): (text: string) => T | null {
  const known = new Map<string, T | null>();
  return (text) => {
    let found = known.get(text);
    if (found === undefined) {
      try {
        found = parse(text);
      } catch {
        // Not one: it is in no range, or holds nothing.
        found = null;
      }
      if (known.size > 100_000) known.clear();
      known.set(text, found);
    }
    return found;
  };
}
const addressOf = parsedOnce((text) => ipaddr.parse(text));
const rangeOf = parsedOnce((text) => ipaddr.parseCIDR(text));

/** True where an address lies in a range; false where either is none. */
export function inside(address: string, cidr: string): boolean {
  const range = rangeOf(cidr);
  const a = addressOf(address);
  return range !== null && a !== null && a.kind() === range[0].kind() && a.match(range[0], range[1]);
}

const addressesOf = (other: Party) => other.addresses.join(', ');

/** An address range with exceptions. For a party without a known address only the whole range can be judged. */
export function blockPeer(cidr: string, except: readonly string[]): Peer {
  const whole = cidr.endsWith('/0') && except.length === 0;
  const apart: Miss = { far: 4, reason: (other) => `wants an address in ${cidr}, it is ${addressesOf(other)}` };
  const inHole: Miss = {
    far: 3,
    reason: (other) => `names ${cidr} without ${except.find((e) => other.addresses.some((a) => inside(a, e)))}, where ${addressesOf(other)} lies`,
  };
  return (other) => {
    if (other.addresses.length === 0) return whole ? true : 'maybe';
    const within = other.addresses.filter((a) => inside(a, cidr));
    if (within.length === 0) return apart;
    return except.some((e) => within.some((a) => inside(a, e))) ? inHole : true;
  };
}

/** Pods by labels, of namespaces by labels. `hostNetwork` says what such pods are to the kind of policy. */
export function podsPeer(namespaces: Selector | { home: string }, pods: Selector, hostNetwork: 'maybe' | 'never'): Peer {
  const home = 'home' in namespaces ? namespaces.home : null;
  const selector = 'home' in namespaces ? {} : namespaces;
  const noPod: Miss = { far: 5, reason: ({ node }) => `names pods, and this is ${node ? `node ${node.name}` : 'an address outside the cluster'}` };
  const elsewhere: Miss = { far: 3, reason: ({ pod }) => `names pods of namespace ${home} only, and it is in ${pod?.namespace}` };
  const otherNamespace: Miss = { far: 2, reason: ({ pod }) => `${firstMismatch(selector, pod?.namespaceLabels ?? {})} on namespace ${pod?.namespace}` };
  const otherLabels: Miss = { far: 1, reason: ({ pod }) => firstMismatch(pods, pod?.labels ?? {}) ?? '' };
  const onNode: Miss = { far: 2, reason: () => "it uses its node's network, and such pods are never meant" };
  return ({ pod }) => {
    if (!pod) return noPod;
    if (home !== null && pod.namespace !== home) return elsewhere;
    if (home === null && !matchesLabels(selector, pod.namespaceLabels)) return otherNamespace;
    if (!matchesLabels(pods, pod.labels)) return otherLabels;
    if (!pod.hostNetwork) return true;
    return hostNetwork === 'maybe' ? 'maybe' : onNode;
  };
}

/** One number or range of ports, or a name, which means what the receiving pod says it does. */
export interface PortItem {
  protocol: Protocol | 'ANY';
  port?: number | string | undefined;
  endPort?: number | undefined;
}

const itemText = (p: PortItem) => `${p.port ?? 'every port'}${p.endPort ? `-${p.endPort}` : ''}/${p.protocol}`;

function itemMatches(item: PortItem, { port, protocol }: Connection, receiver: Party): boolean {
  if (item.protocol !== 'ANY' && item.protocol !== protocol) return false;
  if (item.port === undefined) return true;
  if (typeof item.port === 'number') return port >= item.port && port <= (item.endPort ?? item.port);
  return receiver.pod?.ports.some((p) => p.name === item.port && p.protocol === protocol && p.port === port) ?? false;
}

/** The items are OR'ed. */
export const portItems = (items: readonly PortItem[]): Ports => ({
  text: `allows ${items.map(itemText).join(', ')}`,
  match(connection, receiver) {
    for (const item of items) if (itemMatches(item, connection, receiver)) return true;
    return false;
  },
});
