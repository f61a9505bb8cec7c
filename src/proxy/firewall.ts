/** What a node's firewall does with a packet: chain FORWARD of iptables' filter table for those that it passes on, INPUT for its own. */
import type { Packet } from './model.ts';
import { inRange, type Match, type Rule } from './rule.ts';
import { parseRule } from './iptables.ts';

export type Chain = 'FORWARD' | 'INPUT';

/** A packet that opens a connection, comes from another node or pod, and carries no mark. */
export interface Filtered extends Pick<Packet, 'source' | 'address' | 'port' | 'protocol'> {
  chain: Chain;
}

export interface Passing {
  /** `unknown`: a rule that decides asks for something that is not known here, an interface or a set. */
  end: 'accept' | 'drop' | 'reject' | 'unknown';
  /** The rule that ends the packet's way, or the policy of the chain. */
  by: string;
}

function meets(match: Match, packet: Filtered): boolean | null {
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
      return is(match.value === 0);
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
function isMet(rule: Rule, packet: Filtered): boolean | null {
  const each = rule.matches.map((m) => meets(m, packet));
  return each.includes(false) ? false : each.includes(null) ? null : true;
}

/**
 * Chains in which Calico, Cilium, Antrea, kube-router and Weave carry out policies and their own plumbing. What a policy denies is judged
 * by its objects, and is no fault of the node.
 */
const ofPlugin = /^(cali-|CILIUM_|ANTREA-|WEAVE-|KUBE-(ROUTER|NWPLCY|POD-FW)-)/;

type End = Passing | 'through';

interface Walk {
  chains: ReadonlyMap<string, readonly Rule[]>;
  packet: Filtered;
  /** What became of the packet in a chain: rules may jump to it from many places. */
  ends: Map<string, End>;
}

function passed(chain: string, walk: Walk): End {
  const known = walk.ends.get(chain);
  if (known) return known;
  // Only damaged rules form a cycle.
  walk.ends.set(chain, { end: 'unknown', by: `chain ${chain} jumps to itself` });
  const end = through(walk.chains.get(chain) ?? [], walk);
  walk.ends.set(chain, end);
  return end;
}

function through(rules: readonly Rule[], walk: Walk): End {
  // Where one rule may have ended the packet's way, what later ones do is not certain.
  let doubt: Passing | undefined;
  for (const rule of rules) {
    const met = isMet(rule, walk.packet);
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
  if ((action.does === 'jump' || action.does === 'goto') && ofPlugin.test(action.chain)) return { end: 'unknown', by: rule.text };
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
    case 'nothing':
      return 'through';
    default:
      return { end: 'unknown', by: rule.text };
  }
}

/**
 * Reads the filter table of `iptables-save` or `ip6tables-save` (iptables-save(8)), and says what becomes of each packet. Chains that are
 * not there are empty, as those of a node without a firewall.
 */
export function firewallOf(listing: string): (packet: Filtered) => Passing {
  const chains = new Map<string, Rule[]>();
  const policies: Record<Chain, string> = { FORWARD: 'ACCEPT', INPUT: 'ACCEPT' };
  let table = '';
  for (const line of listing.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1).trim();
    if (table !== 'filter') continue;
    const [, builtIn, policy] = /^:(FORWARD|INPUT) (\S+)/.exec(line) ?? [];
    if (policy) policies[builtIn as Chain] = policy;
    const [, chain = '', rest] = /^(?:\[\d+:\d+\] )?-A (\S+) ?(.*)$/.exec(line) ?? [];
    if (rest !== undefined) chains.set(chain, [...(chains.get(chain) ?? []), parseRule(rest)]);
  }
  return (packet) => {
    const end = passed(packet.chain, { chains, packet, ends: new Map() });
    const policy = policies[packet.chain];
    return end === 'through' ? { end: policy === 'DROP' ? 'drop' : 'accept', by: `policy ${policy} of chain ${packet.chain}` } : end;
  };
}
