import { backendsOf, type Handling, notHandled, type Packet } from './model.ts';
import { type Action, type Hook, hostOf, inRange, type Mark, type Match, type Range, type Rule, type Ruleset } from './rule.ts';

/** A share of the packets that take one way through the rules. */
interface Way {
  share: number;
  mark: number;
  /** True where a rule that could not be read may have changed the mark. */
  markInDoubt: boolean;
  affinitySeconds: number | null;
}
type End = Way & { by: 'through' | 'accept' | 'drop' | 'reject' | 'masquerade' | 'dnat'; to?: string; chain?: string; rule?: string };

interface Walk {
  rules: Ruleset;
  packet: Packet;
  unread: Set<string>;
  /** Ranges that chains for loadBalancerSourceRanges asked for. */
  firewall: Map<string, Range>;
  /** The chains that the packet is in, outermost first. */
  path: string[];
  /** What became of all packets that entered a chain in one state: rules that jump to it from many places would take as many walks. */
  ends: Map<string, readonly End[]>;
  /** Whether a chain does nothing but set marks. */
  marksOnly: Map<string, boolean>;
}

/** Only damaged rules form a cycle; the kernel itself allows 16 levels. */
const maxDepth = 32;

const answer = (yes: boolean, match: Match): boolean => yes !== (match.not ?? false);

/** Whether a packet meets a match: a share of all packets between 0 and 1, or null where that is unknown. */
function share(match: Match, { packet }: Walk, way: Way): number | null {
  const is = (yes: boolean) => (answer(yes, match) ? 1 : 0);
  switch (match.asks) {
    case 'source':
      return is(match.ranges.some((r) => inRange(packet.source, r.parsed)));
    case 'destination':
      return is(match.ranges.some((r) => inRange(packet.address, r.parsed)));
    case 'protocol':
      return is(match.names.includes(packet.protocol.toLowerCase()));
    case 'port':
      return is(match.ranges.some(([from, to]) => packet.port >= from && packet.port <= to));
    case 'local':
      return is(match.of === 'source' ? packet.origin === 'node' : packet.toNode);
    case 'chance':
      return match.not ? 1 - match.share : match.share;
    case 'mark':
      return way.markInDoubt ? null : is((way.mark & match.mask) >>> 0 === match.value >>> 0);
    case 'known-client':
      return is(false);
    case 'state':
      return is(match.states.includes('new'));
    case 'interface':
      // What leaves the node itself, or comes back over its loopback, is the only thing that is known.
      return match.name === 'lo' && match.of === 'in' ? is(packet.origin === 'node' && packet.toNode) : null;
    case 'unknown':
      return null;
  }
}

function merged(ways: Way[]): Way[] {
  const found = new Map<string, Way>();
  for (const way of ways) {
    const key = stateOf(way);
    const like = found.get(key);
    if (like) like.share += way.share;
    else found.set(key, { ...way });
  }
  return [...found.values()];
}

const marked = (way: Way, { mask, value }: Mark): Way => ({ ...way, mark: ((way.mark & ~mask) ^ value) >>> 0 });

function act(action: Action, walk: Walk, way: Way): End[] {
  switch (action.does) {
    case 'jump':
    case 'goto':
      return through(action.chain, walk, way);
    case 'return':
    case 'nothing':
    case 'unknown':
      return [{ ...way, by: 'through' }];
    case 'mark':
      return [{ ...marked(way, action), by: 'through' }];
    case 'dnat':
      return [{ ...way, by: 'dnat', to: action.to }];
    default:
      return [{ ...way, by: action.does }];
  }
}

/** In what ways differ, but for their share. */
const stateOf = ({ mark, markInDoubt, affinitySeconds }: Way): string => `${mark} ${markInDoubt} ${affinitySeconds}`;

/** All ends of the packets that enter a chain. Those that come out at its end, or return, are `through`. */
function through(chain: string, walk: Walk, start: Way): End[] {
  const rules = walk.rules.chains.get(chain);
  const isCycle = walk.path.includes(chain);
  if (!rules || isCycle || walk.path.length > maxDepth) {
    if (rules) walk.unread.add(isCycle ? `chain ${chain} jumps to itself` : `chain ${chain} is more than ${maxDepth} levels deep`);
    return [{ ...start, by: 'through' }];
  }
  const key = `${chain} ${stateOf(start)}`;
  let ends = walk.ends.get(key);
  if (!ends) {
    walk.path.push(chain);
    walk.ends.set(key, (ends = passed(chain, rules, walk, { ...start, share: 1 })));
    walk.path.pop();
  }
  return ends.map((end) => ({ ...end, share: end.share * start.share }));
}

function passed(chain: string, rules: readonly Rule[], walk: Walk, start: Way): End[] {
  const ends: End[] = [];
  let here: Way[] = [start];
  for (const rule of rules) {
    noteRanges(chain, rule, walk);
    const next: Way[] = [];
    for (const way of here) {
      const { met, missed } = meet(rule, walk, way);
      if (missed) next.push(missed);
      if (!met) continue;
      const out = act(rule.action, walk, (rule.marks ?? []).reduce(marked, met));
      const leaves = rule.action.does === 'goto' || rule.action.does === 'return';
      for (const end of out) {
        if (end.by !== 'through' || leaves) ends.push({ chain, rule: rule.text, ...end });
        else next.push(end);
      }
      if (rule.action.does === 'unknown') walk.unread.add(rule.text);
    }
    here = next.length > 1 ? merged(next) : next;
    if (here.length === 0) break;
  }
  return [...ends, ...here.map((w): End => ({ ...w, by: 'through' }))];
}

/** Parts the packets at a rule into those that meet it and those that don't. */
function meet(rule: Rule, walk: Walk, way: Way): { met?: Way; missed?: Way } {
  let portion = 1;
  let doubt = false;
  for (const match of rule.matches) {
    // Such a rule is for returning clients; it shows how long they are remembered.
    if (match.asks === 'known-client' && !match.not) return { missed: { ...way, affinitySeconds: match.seconds } };
    const part = share(match, walk, way);
    if (part === 0) return { missed: way };
    if (part === null) doubt = true;
    else portion *= part;
  }
  if (!doubt) {
    const met = { ...way, share: way.share * portion };
    return portion === 1 ? { met } : { met, missed: { ...way, share: way.share * (1 - portion) } };
  }
  if (changesNothingButMarks(rule.action, walk)) return { missed: rule.action.does === 'nothing' && !rule.marks ? way : { ...way, markInDoubt: true } };
  walk.unread.add(rule.text);
  return { missed: way };
}

function changesNothingButMarks(action: Action, walk: Walk, depth = 0): boolean {
  if (action.does === 'mark' || action.does === 'nothing') return true;
  if (action.does !== 'jump' || depth > maxDepth) return false;
  const known = walk.marksOnly.get(action.chain);
  if (known !== undefined) return known;
  // Until it is known; so a chain that jumps to itself does more.
  walk.marksOnly.set(action.chain, false);
  const all = (walk.rules.chains.get(action.chain) ?? []).every((r) => changesNothingButMarks(r.action, walk, depth + 1));
  walk.marksOnly.set(action.chain, all);
  return all;
}

/** kube-proxy gives each Service with loadBalancerSourceRanges a chain of its own for them. */
function noteRanges(chain: string, rule: Rule, walk: Walk): void {
  if (!/\/(KUBE-FW-|firewall-)/.test(chain)) return;
  for (const match of rule.matches) if (match.asks === 'source') for (const range of match.ranges) walk.firewall.set(range.text, range);
}

const hooksAt = (rules: Ruleset, at: Hook['at'], type?: Hook['type']) => rules.hooks.filter((h) => h.at === at && (!type || h.type === type));

/** Where the packet meets the rules, in order (Linux, netfilter hooks). */
function pointsOf({ origin, toNode }: Packet): Hook['at'][] {
  if (origin === 'node') return toNode ? ['output', 'input'] : ['output'];
  return ['prerouting', toNode ? 'input' : 'forward'];
}

/** The first end of each packet: DNAT to a backend, dropped or rejected, or neither. */
function decide(walk: Walk): End[] {
  const ended: End[] = [];
  let going: Way[] = [{ share: 1, mark: 0, markInDoubt: false, affinitySeconds: null }];
  for (const at of pointsOf(walk.packet)) {
    for (const hook of hooksAt(walk.rules, at)) {
      const next: Way[] = [];
      for (const way of going)
        for (const end of through(hook.chain, walk, way)) {
          if (end.by === 'through' || end.by === 'accept' || end.by === 'masquerade') next.push(end);
          else ended.push(end);
        }
      going = merged(next);
    }
  }
  return [...ended, ...going.map((w): End => ({ ...w, by: 'through' }))];
}

function isMasqueraded(walk: Walk, way: Way): boolean | null {
  if (way.markInDoubt) return null;
  return hooksAt(walk.rules, 'postrouting', 'nat').some((h) => through(h.chain, walk, { ...way, share: 1 }).some((e) => e.by === 'masquerade'));
}

/** Of nftables: packets to addresses of Services that no map has (pkg/proxy/nftables/proxier.go, clusterIPsCheckChain). */
const catchAll = /\/cluster-ips-check$/;

/** kube-proxy's chains of iptables, and all of its table of nftables. */
const own = /^(?:ip6?\/kube-proxy\/|\w+\/KUBE-)/;
const foreignOf = (ends: readonly End[]): string[] => [
  ...new Set(ends.flatMap((e) => (e.rule === undefined || own.test(e.chain ?? '') ? [] : [`${e.chain}: ${e.rule}`]))),
];

/** One answer of many: what all say, or null where they differ. */
function oneOf<T>(values: T[]): T | null {
  const [first] = values;
  return values.length > 0 && values.every((x) => x === first) ? (first as T) : null;
}

function handlingFrom(walk: Walk): Handling {
  const ends = decide(walk);
  const forwarded = ends.filter((e) => e.by === 'dnat');
  const unread = [...walk.unread];
  if (forwarded.length === 0) {
    const worst = ends.find((e) => e.by === 'drop') ?? ends.find((e) => e.by === 'reject');
    if (!worst) return { ...notHandled, unread };
    const foreign = foreignOf([worst]);
    return { ...notHandled, verdict: worst.by === 'drop' ? 'dropped' : 'rejected', byDefault: catchAll.test(worst.chain ?? ''), foreign, unread };
  }
  return {
    verdict: 'backends',
    byDefault: false,
    backends: backendsOf(forwarded.map((e) => [e.to ?? '', e.share] as const)),
    masquerade: oneOf(forwarded.map((e) => isMasqueraded(walk, e))),
    affinitySeconds: oneOf(forwarded.map((e) => e.affinitySeconds)),
    sourceRanges: [],
    foreign: foreignOf(forwarded),
    unread,
  };
}

/** What the rules do with a packet that opens a connection, of a client that was not there before. */
export function handle(rules: Ruleset, packet: Packet): Handling {
  const walkFrom = (source: string): Walk => ({
    rules,
    packet: { ...packet, source },
    unread: new Set(),
    firewall: new Map(),
    path: [],
    ends: new Map(),
    marksOnly: new Map(),
  });
  const walk = walkFrom(packet.source);
  const found = handlingFrom(walk);
  if (found.verdict === 'backends') return found;
  // Those who are let in come from one of the ranges that the rules asked for.
  const inside = [...walk.firewall.values()]
    .filter((range) => hostOf(range) !== packet.address)
    .map((range) => ({ range, found: handlingFrom(walkFrom(range.parsed[0].toString())) }))
    .filter((i) => i.found.verdict === 'backends');
  const [first] = inside;
  return first ? { ...first.found, sourceRanges: inside.map((i) => i.range.text).toSorted() } : found;
}
