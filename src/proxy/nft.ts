/**
 * kube-proxy's tables of nftables: what `nft list` prints, as text or as JSON, becomes statements; these become rules.
 * What kube-proxy writes: kubernetes/kubernetes, pkg/proxy/nftables/proxier.go. Meaning of statements: nft(8).
 */
import { type Action, type Hook, type Mark, type Match, passedOver, rangeOf, type Rule, type Ruleset, type Wanted } from './rule.ts';

/** A part of a packet that a statement reads. */
export type Selector =
  | { of: 'saddr' | 'daddr' | 'protocol' | 'dport' | 'saddr-type' | 'daddr-type' | 'state' | 'status' | 'iif' | 'oif' }
  | { of: 'mark'; mask: number }
  | { of: 'random'; outOf: number }
  | { of: 'unknown'; text: string };

export interface Element {
  key: string[];
  verdict: Action | null;
}

/** Values written in place, or the name of a set or map. */
export type Values = string[] | { named: string };

export type Statement =
  | { says: 'match'; selector: Selector; not: boolean; values: Values }
  | { says: 'vmap'; selectors: Selector[]; elements: Element[] | { named: string } }
  | { says: 'act'; action: Action }
  | { says: 'unknown'; text: string };

interface NamedSet {
  elements: Element[];
  /** Seconds; null where its elements stay. */
  timeout: number | null;
  /** Filled by rules as packets come (nft names the flag `dynamic` in text, and only `timeout` in JSON). */
  dynamic: boolean;
}

const protocolNames: Record<string, string> = { '6': 'tcp', '17': 'udp', '132': 'sctp' };

function isIn(values: string[], selector: Selector): Match {
  switch (selector.of) {
    case 'saddr':
    case 'daddr': {
      const ranges = values.map((x) => rangeOf(x));
      if (ranges.some((r) => r === undefined)) break;
      return { asks: selector.of === 'saddr' ? 'source' : 'destination', ranges: ranges.filter((r) => r !== undefined) };
    }
    case 'protocol':
      return { asks: 'protocol', names: values.map((x) => protocolNames[x] ?? x) };
    case 'dport':
      return {
        asks: 'port',
        ranges: values.map((x) => {
          const [from = '0', to = from] = x.split('-');
          return [Number(from), Number(to)];
        }),
      };
    case 'saddr-type':
    case 'daddr-type':
      if (values.join() === 'local') return { asks: 'local', of: selector.of === 'saddr-type' ? 'source' : 'destination' };
      break;
    case 'state':
      return { asks: 'state', states: values };
    case 'status':
      // Before the rules have done anything, a new connection has no status yet.
      return { asks: 'state', states: [] };
    case 'mark':
      return { asks: 'mark', value: Number(values[0]) >>> 0, mask: selector.mask };
    case 'iif':
    case 'oif':
      if (values.length === 1) return { asks: 'interface', name: values[0] ?? '', of: selector.of === 'iif' ? 'in' : 'out' };
      break;
  }
  return { asks: 'unknown', text: `${selector.of} ${values.join(' ')}` };
}

interface NftTables {
  set(table: string, name: string, known: { timeout?: number; dynamic?: boolean }): void;
  element(table: string, name: string, element: Element): void;
  hook(table: string, chain: string, hook: Omit<Hook, 'chain'>, priority: number): void;
  /** Asked of each rule: whether its chain's rules are wanted. Those of others need not be read. */
  wants(table: string, chain: string): boolean;
  rule(table: string, chain: string, statements: Statement[], text: string): void;
  end(cutOff: string[]): { rules: Ruleset; missed: string[] };
}

/** The table of kube-proxy that packets of a family meet, as `FAMILY/NAME`. */
export const tableOf = (packets: readonly { address: string }[]): string => (packets[0]?.address.includes(':') ? 'ip6/kube-proxy' : 'ip/kube-proxy');

/** Collects what the packets can meet of kube-proxy's table. */
export function nftTables({ packets, likely }: Wanted): NftTables {
  const hosts = new Set(packets.flatMap((p) => [p.address, p.source]));
  const ports = new Set(packets.map((p) => String(p.port)));
  const sets = new Map<string, NamedSet>();
  const chains = new Map<string, Rule[]>();
  const hooks: { hook: Hook; priority: number }[] = [];
  const ledTo = new Set<string>();
  const passed = passedOver();
  let present = false;

  const setOf = (key: string): NamedSet => {
    const found = sets.get(key) ?? { elements: [], timeout: null, dynamic: false };
    sets.set(key, found);
    return found;
  };
  /** An action whose chain is named by its table as well. */
  const within = (table: string, action: Action): Action => {
    if (action.does !== 'jump' && action.does !== 'goto') return action;
    const chain = `${table}/${action.chain}`;
    if (!chains.has(chain)) {
      chains.set(chain, []);
      if (!likely(chain)) ledTo.add(chain);
    }
    return { does: action.does, chain };
  };

  /** A rule with a map has several results: each element becomes a rule of its own. */
  function expand(table: string, statements: Statement[], text: string): Rule[] {
    const matches: Match[] = [];
    const marks: Mark[] = [];
    const marked = () => (marks.length > 0 ? { marks } : {});
    for (const s of statements) {
      if (s.says === 'unknown') matches.push({ asks: 'unknown', text: s.text });
      else if (s.says === 'match') {
        const named = Array.isArray(s.values) ? null : sets.get(`${table}/${s.values.named}`);
        let match: Match;
        if (Array.isArray(s.values)) match = isIn(s.values, s.selector);
        else if (!named) match = { asks: 'unknown', text: `@${s.values.named}` };
        else if (named.dynamic) match = { asks: 'known-client', seconds: named.timeout ?? 0 };
        else
          match = isIn(
            named.elements.map((e) => e.key[0] ?? ''),
            s.selector,
          );
        matches.push(s.not ? { ...match, not: true } : match);
      } else if (s.says === 'vmap') {
        const elements = Array.isArray(s.elements) ? s.elements : (sets.get(`${table}/${s.elements.named}`)?.elements ?? []);
        const [first] = s.selectors;
        return elements.map(({ key, verdict }, i): Rule => {
          const one: Match[] =
            first?.of === 'random'
              ? // The rules are met one after the other, so each takes its share of what those before it left.
                [{ asks: 'chance', share: 1 / Math.max(1, first.outOf - i) }]
              : s.selectors.map((selector, at) => isIn([key[at] ?? ''], selector));
          return { matches: [...matches, ...one], ...marked(), action: verdict ? within(table, verdict) : { does: 'unknown' }, text };
        });
      } else if (s.action.does === 'mark') marks.push(s.action);
      else if (s.action.does !== 'nothing') return [{ matches, ...marked(), action: within(table, s.action), text }];
    }
    // What is not known may be the end of the rule, too.
    return [{ matches, ...marked(), action: { does: statements.some((s) => s.says === 'unknown') ? 'unknown' : 'nothing' }, text }];
  }

  return {
    set(table, name, known) {
      Object.assign(setOf(`${table}/${name}`), known);
    },
    element(table, name, element) {
      // Only what can mean one of the packets: their addresses, their ports.
      const host = element.key.find((k) => /[.:]/.test(k) && !k.includes('/'));
      if (host !== undefined && !hosts.has(host)) return;
      const port = element.key.length > 1 ? element.key.at(-1) : undefined;
      if (port !== undefined && !ports.has(port)) return;
      setOf(`${table}/${name}`).elements.push(element);
      if (element.verdict) within(table, element.verdict);
    },
    hook(table, chain, hook, priority) {
      hooks.push({ hook: { ...hook, chain: `${table}/${chain}` }, priority });
      if (!chains.has(`${table}/${chain}`)) chains.set(`${table}/${chain}`, []);
    },
    wants(table, chain) {
      const key = `${table}/${chain}`;
      const isWanted = chains.has(key) || likely(key);
      if (!isWanted) passed.add(key);
      return isWanted;
    },
    rule(table, chain, statements, text) {
      const key = `${table}/${chain}`;
      const rules = chains.get(key) ?? [];
      chains.set(key, rules);
      present = true;
      rules.push(...expand(table, statements, text));
    },
    end(cutOff) {
      const missed = [...ledTo].filter((c) => chains.get(c)?.length === 0 && passed.mayHave(c));
      return { rules: { chains, hooks: hooks.toSorted((a, b) => a.priority - b.priority).map((h) => h.hook), present, cutOff }, missed };
    },
  };
}

/** Names that nft gives to priorities of its families `ip` and `ip6` (nft(8), "priority"). */
const priorities: Record<string, number> = { raw: -300, mangle: -150, dstnat: -100, filter: 0, security: 50, srcnat: 100 };

/** `dstnat - 10` as a number. */
export function priorityOf(text: string): number {
  const [, name = '', sign, by] = /^\s*(-?\w+)(?:\s*([+-])\s*(\d+))?/.exec(text) ?? [];
  const base = priorities[name] ?? Number(name);
  return (Number.isNaN(base) ? 0 : base) + (by === undefined ? 0 : Number(by) * (sign === '-' ? -1 : 1));
}

/** `3h`, `1m40s` in seconds (nft(8), time values). */
export function secondsOf(text: string): number {
  const unit: Record<string, number> = { w: 604_800, d: 86_400, h: 3600, m: 60, s: 1, ms: 0.001 };
  return Array.from(text.matchAll(/(\d+)(ms|[wdhms])?/g)).reduce((sum, [, n, u]) => sum + Number(n) * (unit[u ?? 's'] ?? 1), 0);
}
