import * as v from 'valibot';
import { hostPort } from './model.ts';
import { type Element, nftTables, priorityOf, secondsOf, tableOf, type Selector, type Statement, type Values } from './nft.ts';
import type { Action, Hook, RuleReader, Wanted } from './rule.ts';

type Json = unknown;
const record = (x: Json): Record<string, Json> => (typeof x === 'object' && x !== null && !Array.isArray(x) ? (x as Record<string, Json>) : {});
const text = (x: Json): string => (typeof x === 'string' || typeof x === 'number' ? String(x) : '');
const list = (x: Json): Json[] => (Array.isArray(x) ? (x as Json[]) : []);

function actionOf(name: string, body: Json): Action | null {
  switch (name) {
    case 'accept':
    case 'drop':
    case 'return':
    case 'reject':
    case 'masquerade':
      return { does: name };
    case 'continue':
      return { does: 'nothing' };
    case 'jump':
    case 'goto':
      return { does: name, chain: text(record(body)['target']) };
    case 'dnat': {
      const { addr, port } = record(body);
      if (typeof addr !== 'string') return { does: 'unknown' };
      const host = addr.includes(':') ? `[${addr}]` : addr;
      if (port === undefined) return { does: 'dnat', to: host };
      return typeof port === 'number' ? { does: 'dnat', to: `${host}:${port}` } : { does: 'unknown' };
    }
    default:
      return null;
  }
}

/** A translation to one of several addresses, drawn at random, as kube-proxy v1.37 writes it; null where it is another one. */
function randomDnatOf(body: Json): Statement | null {
  const { key, data } = record(record(record(body)['addr'])['map']);
  const selector = selectorOf(key);
  const elements = list(record(data)['set']).flatMap((e): Element[] => {
    const [index, to] = list(e);
    const [address, port] = list(record(to)['concat']);
    return typeof address === 'string' && typeof port === 'number' ? [{ key: [text(index)], verdict: { does: 'dnat', to: hostPort(address, port) } }] : [];
  });
  return selector.of === 'random' && elements.length === selector.outOf ? { says: 'vmap', selectors: [selector], elements } : null;
}

const verdictOf = (x: Json): Action => {
  const [entry] = Object.entries(record(x));
  return (entry && actionOf(entry[0], entry[1])) ?? { does: 'unknown' };
};

function selectorOf(left: Json): Selector {
  const { payload, meta, fib, ct, numgen, '&': masked } = record(left);
  const { protocol, field } = record(payload);
  const unknown: Selector = { of: 'unknown', text: JSON.stringify(left) };
  if (field === 'saddr' || field === 'daddr') return { of: field };
  if (field === 'dport') return { of: 'dport' };
  if (protocol === 'ip' && field === 'protocol') return { of: 'protocol' };
  switch (record(meta)['key']) {
    case 'l4proto':
      return { of: 'protocol' };
    case 'mark':
      return { of: 'mark', mask: 0xffffffff };
    case 'iifname':
      return { of: 'iif' };
    case 'oifname':
      return { of: 'oif' };
  }
  if (record(fib)['result'] === 'type') {
    const flags = list(record(fib)['flags']).join() || text(record(fib)['flags']);
    if (flags === 'saddr' || flags === 'daddr') return { of: `${flags}-type` };
  }
  if (record(ct)['key'] === 'state') return { of: 'state' };
  if (record(ct)['key'] === 'status') return { of: 'status' };
  if (record(numgen)['mode'] === 'random') return { of: 'random', outOf: Number(record(numgen)['mod']) };
  const [what, mask] = list(masked);
  if (record(record(what)['meta'])['key'] === 'mark') return { of: 'mark', mask: Number(mask) >>> 0 };
  return unknown;
}

function valueOf(x: Json): string {
  const { prefix, range, elem } = record(x);
  if (prefix) return `${text(record(prefix)['addr'])}/${text(record(prefix)['len'])}`;
  if (range) return list(range).map(text).join('-');
  if (elem) return valueOf(record(elem)['val']);
  return text(x);
}
function valuesOf(right: Json): Values {
  if (typeof right === 'string' && right.startsWith('@')) return { named: right.slice(1) };
  const { set } = record(right);
  return (set ? list(set) : Array.isArray(right) ? right : [right]).map(valueOf);
}

/** A key, which may be several values side by side and may carry a comment. */
function keyOf(x: Json): string[] {
  const { elem, concat } = record(x);
  if (elem) return keyOf(record(elem)['val']);
  return concat ? list(concat).map(valueOf) : [valueOf(x)];
}
const elementsOf = (x: Json): Element[] =>
  list(x).map((e) => (Array.isArray(e) ? { key: keyOf(e[0]), verdict: verdictOf(e[1]) } : { key: keyOf(e), verdict: null }));

function statementsOf(expression: Json): Statement[] {
  const [entry] = Object.entries(record(expression));
  if (!entry) return [];
  const [name, body] = entry;
  const inside = record(body);
  const drawn = name === 'dnat' ? randomDnatOf(body) : null;
  if (drawn) return [drawn];
  const action = actionOf(name, body);
  if (action) return [{ says: 'act', action }];
  switch (name) {
    // They count, log, or remember the client for later packets.
    case 'counter':
    case 'log':
    case 'set':
    case 'comment':
      return [];
    case 'match': {
      const not = inside['op'] === '!=';
      const { payload } = record(inside['left']);
      const { protocol, field } = record(payload);
      const implied: Statement[] =
        field === 'dport' && ['tcp', 'udp', 'sctp'].includes(text(protocol))
          ? [{ says: 'match', selector: { of: 'protocol' }, not: false, values: [text(protocol)] }]
          : [];
      return [...implied, { says: 'match', selector: selectorOf(inside['left']), not, values: valuesOf(inside['right']) }];
    }
    case 'vmap': {
      const { concat } = record(inside['key']);
      const data = inside['data'];
      return [
        {
          says: 'vmap',
          selectors: (concat ? list(concat) : [inside['key']]).map(selectorOf),
          elements: typeof data === 'string' ? { named: data.replace(/^@/, '') } : elementsOf(record(data)['set']),
        },
      ];
    }
    case 'mangle': {
      if (record(record(inside['key'])['meta'])['key'] !== 'mark') break;
      const [how] = Object.entries(record(inside['value']));
      const value = Number(how ? list(how[1])[1] : inside['value']) >>> 0;
      if (how?.[0] === '|') return [{ says: 'act', action: { does: 'mark', value, mask: value } }];
      if (how?.[0] === '^') return [{ says: 'act', action: { does: 'mark', value, mask: 0 } }];
      if (how?.[0] === '&') return [{ says: 'act', action: { does: 'mark', value: 0, mask: ~value >>> 0 } }];
      if (typeof inside['value'] === 'number') return [{ says: 'act', action: { does: 'mark', value, mask: 0xffffffff } }];
    }
  }
  return [{ says: 'unknown', text: JSON.stringify(expression) }];
}

const object = v.looseObject({ family: v.string(), table: v.optional(v.string(), ''), name: v.optional(v.string(), '') });
const listing = v.object({ nftables: v.array(v.record(v.string(), v.unknown())) });

/** Reads `nft -j list ruleset` (libnftables-json(5)). JSON that ends early can't be read in parts: nothing of it is then known. */
export function nftJsonReader(wanted: Wanted): RuleReader {
  const lines: string[] = [];
  return {
    line: (one) => void lines.push(one),
    end() {
      const tables = nftTables(wanted);
      const mine = tableOf(wanted.packets);
      let parsed: v.InferOutput<typeof listing>;
      try {
        parsed = v.parse(listing, JSON.parse(lines.join('\n')));
      } catch {
        return tables.end(['the JSON of nft']);
      }
      const each = (kinds: string[], use: (kind: string, table: string, item: v.InferOutput<typeof object> & Record<string, Json>) => void) => {
        for (const entry of parsed.nftables)
          for (const kind of kinds) {
            const item = v.safeParse(object, entry[kind]);
            if (item.success && `${item.output.family}/${item.output.table}` === mine) use(kind, mine, item.output);
          }
      };
      each(['set', 'map'], (_, table, item) => {
        const flags = list(item['flags']).map(text);
        const timeout = item['timeout'];
        tables.set(table, item.name, {
          dynamic: flags.some((f) => f === 'dynamic' || f === 'timeout'),
          ...(timeout !== undefined && { timeout: typeof timeout === 'number' ? timeout : secondsOf(text(timeout)) }),
        });
        for (const element of elementsOf(item['elem'])) tables.element(table, item.name, element);
      });
      each(['chain'], (_, table, item) => {
        const at = text(item['hook']);
        if (at) tables.hook(table, item.name, { at: at as Hook['at'], type: item['type'] === 'nat' ? 'nat' : 'filter' }, priorityOf(text(item['prio'])));
      });
      each(['rule'], (_, table, item) => {
        const chain = text(item['chain']);
        const expressions = list(item['expr']);
        if (tables.wants(table, chain)) tables.rule(table, chain, expressions.flatMap(statementsOf), JSON.stringify(expressions));
      });
      return tables.end([]);
    },
  };
}
