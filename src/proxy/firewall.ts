/** What a node's firewall (iptables) does with a packet that it passes on, or that is for the node itself. */
import type { Packet } from './model.ts';
import { inRange, type Match, type Rule } from './rule.ts';
import { parseRule } from './iptables.ts';

/** FORWARD for what a node passes on, INPUT for what is sent to itself. */
export type Chain = 'FORWARD' | 'INPUT';

/** Where a packet starts or ends: a pod, or what uses the network of its node. */
export interface Place {
  /** Null where it is none of the cluster, or not known. */
  node: string | null;
  hostNetwork: boolean;
}

/** The chains that packets meet on the nodes between two places. What stays on the network of one node is passed on by none. */
export function chainsBetween(from: Place, to: Place): Map<string, Chain> {
  if (from.hostNetwork && from.node === to.node) return new Map();
  // What a client sends from its node's own network is passed on by the other node only.
  return new Map<string, Chain>([
    ...(from.node === null || from.hostNetwork ? [] : [[from.node, 'FORWARD'] as const]),
    ...(to.node === null ? [] : [[to.node, to.hostNetwork ? 'INPUT' : 'FORWARD'] as const]),
  ]);
}

/** The chains on a packet's way, by table, in the order in which the kernel comes by them (Linux, netfilter hooks). */
const ways: Record<Chain, string[]> = {
  FORWARD: ['raw PREROUTING', 'mangle PREROUTING', 'mangle FORWARD', 'filter FORWARD', 'mangle POSTROUTING'],
  INPUT: ['raw PREROUTING', 'mangle PREROUTING', 'mangle INPUT', 'filter INPUT'],
};

/** A packet that opens a connection, comes from another node or pod, and carries no mark. */
export interface Filtered extends Pick<Packet, 'source' | 'address' | 'port' | 'protocol'> {
  chain: Chain;
}

export interface Passing {
  /** `unknown`: a rule that decides asks for something that is not known here, an interface or a set. */
  end: 'accept' | 'drop' | 'reject' | 'unknown';
  /** The rule that ends the packet's way, as iptables takes it (`-t TABLE` before it where that is not filter), or the policy of a chain. */
  by: string;
}

function meets(match: Match, packet: Filtered, isMarked: boolean): boolean | null {
  const is = (yes: boolean) => yes !== (match.not ?? false);
  switch (match.asks) {
    case 'source':
    case 'destination':
      return is(match.ranges.some((r) => inRange(match.asks === 'source' ? packet.source : packet.address, r.parsed)));
    case 'protocol':
      return is(match.names.some((n) => n === 'all' || n === packet.protocol.toLowerCase()));
    case 'port':
      return is(match.ranges.some(([from, to]) => packet.port >= from && packet.port <= to));
    case 'state':
      return is(match.states.includes('new'));
    case 'mark':
      return isMarked ? null : is(match.value === 0);
    case 'known-client':
      return is(false);
    case 'local':
      return is(match.of === 'destination' && packet.chain === 'INPUT');
    case 'interface':
      return match.name === 'lo' ? is(false) : null;
    case 'chance':
    case 'unknown':
      return null;
  }
}

/** All that must hold; null where it hangs on something that is not known. */
function isMet(rule: Rule, { packet, isMarked }: Walk): boolean | null {
  const each = rule.matches.map((m) => meets(m, packet, isMarked));
  return each.includes(false) ? false : each.includes(null) ? null : true;
}

/**
 * Chains in which Calico, Cilium, Antrea, kube-router and Weave carry out policies and their own plumbing. What a policy denies is judged
 * by its objects; the node does what it should.
 */
const ofPlugin = /^(cali-|CILIUM_|ANTREA-|WEAVE-|KUBE-(ROUTER|NWPLCY|POD-FW)-)/;

type End = Passing | 'through';

interface Walk {
  /** By table and name: `filter FORWARD`. */
  chains: ReadonlyMap<string, readonly Rule[]>;
  packet: Filtered;
  /** A rule has marked the packet, or may have. */
  isMarked: boolean;
  /** What became of the packet in a chain: rules may jump to it from many places. */
  ends: Map<string, End>;
}

function passed(chain: string, walk: Walk): End {
  const known = walk.ends.get(chain);
  if (known) return known;
  // Only damaged rules form a cycle.
  walk.ends.set(chain, { end: 'unknown', by: `chain ${chain} jumps to itself` });
  const { isMarked } = walk;
  const end = through(walk.chains.get(chain) ?? [], walk);
  if (isMarked === walk.isMarked) walk.ends.set(chain, end);
  else walk.ends.delete(chain);
  return end;
}

function through(rules: readonly Rule[], walk: Walk): End {
  // Where one rule may have ended the packet's way, what later ones do is not certain.
  let doubt: Passing | undefined;
  for (const rule of rules) {
    const met = isMet(rule, walk);
    if (met === false) continue;
    const end = endOf(rule, walk);
    if (end === 'through') continue;
    if (met && end === 'return') return doubt ?? 'through';
    if (met && end !== 'return' && end.end !== 'unknown') return doubt ?? end;
    doubt ??= { end: 'unknown', by: rule.text };
  }
  return doubt ?? 'through';
}

function endOf(rule: Rule, walk: Walk): End | 'return' {
  const { action } = rule;
  switch (action.does) {
    case 'accept':
    case 'drop':
    case 'reject':
      return { end: action.does, by: rule.text };
    case 'jump':
      return passed(action.chain, walk);
    case 'goto': {
      const end = passed(action.chain, walk);
      return end === 'through' ? 'return' : end;
    }
    case 'return':
      return 'return';
    case 'mark':
      // What a chain does with a marked packet may be something else.
      if (!walk.isMarked) walk.ends.clear();
      walk.isMarked = true;
      return 'through';
    case 'nothing':
      return 'through';
    default:
      return { end: 'unknown', by: rule.text };
  }
}

/** A rule of a table, with the chain to which it jumps named by its table as well. */
function ruleIn(table: string, chain: string, rest: string): Rule {
  const rule = parseRule(rest);
  const text = `${table === 'filter' ? '' : `-t ${table} `}-A ${chain} ${rest}`;
  const { action } = rule;
  if (action.does !== 'jump' && action.does !== 'goto') return { ...rule, text };
  return { ...rule, text, action: ofPlugin.test(action.chain) ? { does: 'unknown' } : { does: action.does, chain: `${table} ${action.chain}` } };
}

/**
 * Reads `iptables-save` or `ip6tables-save` (iptables-save(8)), and says what becomes of each packet. Chains that are not there are empty,
 * as those of a node without a firewall.
 */
export function firewallOf(lines: readonly string[]): (packet: Filtered) => Passing {
  const chains = new Map<string, Rule[]>();
  const policies = new Map<string, string>();
  let table = '';
  for (const line of lines) {
    if (line.startsWith('*')) table = line.slice(1).trim();
    const [, builtIn, policy] = /^:(\S+) ([A-Z]+)/.exec(line) ?? [];
    if (policy) policies.set(`${table} ${builtIn}`, policy);
    const [, chain = '', rest] = /^(?:\[\d+:\d+\] )?-A (\S+) ?(.*)$/.exec(line) ?? [];
    const name = `${table} ${chain}`;
    if (rest === undefined) continue;
    const rules = chains.get(name) ?? [];
    rules.push(ruleIn(table, chain, rest));
    chains.set(name, rules);
  }
  return (packet) => {
    const walk: Walk = { chains, packet, isMarked: false, ends: new Map() };
    const way = ways[packet.chain];
    const ends = way.map((at): Passing => {
      const end = passed(at, walk);
      const policy = policies.get(at) ?? 'ACCEPT';
      return end === 'through' ? { end: policy === 'DROP' ? 'drop' : 'accept', by: `policy ${policy} of chain ${at.replace('filter ', '')}` } : end;
    });
    // What is accepted in one table still has to pass the next.
    const stop = ends.find(({ end }) => end === 'drop' || end === 'reject') ?? ends.find(({ end }) => end === 'unknown');
    return stop ?? (ends[way.indexOf(`filter ${packet.chain}`)] as Passing);
  };
}
