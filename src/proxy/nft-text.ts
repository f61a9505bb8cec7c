import { hostPort } from './model.ts';
import { type Element, nftTables, priorityOf, secondsOf, tableOf, type Selector, type Statement, type Values } from './nft.ts';
import type { Action, Hook, RuleReader, Wanted } from './rule.ts';

const tokenPattern = /"((?:[^"\\]|\\.)*)"|([{},])|([^\s{},"]+)/g;

/** The words of a line; a quoted one without its quotes. */
function cursor(line: string) {
  const words = Array.from(line.matchAll(tokenPattern), (m) => m[1] ?? m[2] ?? m[3] ?? '');
  let at = 0;
  return {
    next: (ahead = 0) => words[at + ahead] ?? '',
    take: () => words[at++] ?? '',
    /** Takes the words where they come next. */
    took(...wanted: string[]): boolean {
      const met = wanted.every((w, i) => words[at + i] === w);
      if (met) at += wanted.length;
      return met;
    },
    rest: () => words.slice(at).join(' '),
    done: () => at >= words.length,
    mark: () => at,
    back: (to: number) => (at = to),
  };
}
type Cursor = ReturnType<typeof cursor>;

/**
 * Takes a translation to one of several addresses, drawn at random; null where none comes next. kube-proxy v1.37 writes it
 * `dnat ip addr . port to numgen random mod 2 map { 0 : 10.0.3.2 . 80, … }`, and nft lists it with or without `addr . port`.
 */
function takeRandomDnat(c: Cursor): Statement | null {
  const at = c.mark();
  const isDnat = c.took('dnat') && (c.took('ip6') || c.took('ip'));
  if (isDnat) c.took('addr', '.', 'port');
  if (!isDnat || !c.took('to', 'numgen', 'random', 'mod')) {
    c.back(at);
    return null;
  }
  const outOf = Number(c.take());
  const elements: Element[] = [];
  if (c.took('map', '{')) {
    while (!c.done() && !c.took('}')) {
      const [key, colon, address, dot, port] = [c.take(), c.take(), c.take(), c.take(), c.take()];
      if (colon !== ':' || dot !== '.' || !/^\d+$/.test(port)) break;
      elements.push({ key: [key], verdict: { does: 'dnat', to: hostPort(address, Number(port)) } });
      c.took(',');
    }
  }
  if (elements.length === outOf) return { says: 'vmap', selectors: [{ of: 'random', outOf }], elements };
  c.back(at);
  return null;
}

/** Takes one verdict or end of a rule; null where none comes next. */
function takeAction(c: Cursor): Action | null {
  const word = c.next();
  if (word === 'accept' || word === 'drop' || word === 'return') return c.take(), { does: word };
  if (word === 'continue') return c.take(), { does: 'nothing' };
  if (word === 'jump' || word === 'goto') return c.take(), { does: word, chain: c.take() };
  if (word === 'reject') {
    c.take();
    // `with icmp type …` is only the form of the answer to the client.
    if (c.took('with')) while (!c.done() && c.next() !== 'comment') c.take();
    return { does: 'reject' };
  }
  if (word === 'masquerade') {
    c.take();
    while (['random', 'fully-random', 'persistent'].includes(c.next())) c.take();
    return { does: 'masquerade' };
  }
  if (word === 'dnat') {
    c.take();
    if (c.next() === 'ip' || c.next() === 'ip6') c.take();
    if (!c.took('to')) return { does: 'unknown' };
    const to = c.take();
    return /^[[\]\w.:]+$/.test(to) && /[.:]/.test(to) && !to.includes('-') && ['', 'comment'].includes(c.next()) ? { does: 'dnat', to } : { does: 'unknown' };
  }
  return null;
}

/** Takes the part of the packet that a statement reads; null where the words name no known part. */
function takeSelector(c: Cursor): Selector | null {
  for (const ip of ['ip', 'ip6']) {
    if (c.took(ip, 'saddr')) return { of: 'saddr' };
    if (c.took(ip, 'daddr')) return { of: 'daddr' };
    if (c.took(ip, 'protocol') || c.took(ip, 'nexthdr')) return { of: 'protocol' };
  }
  if (c.took('meta', 'l4proto')) return { of: 'protocol' };
  for (const transport of ['th', 'tcp', 'udp', 'sctp']) if (c.took(transport, 'dport')) return { of: 'dport' };
  if (c.took('fib', 'daddr', 'type')) return { of: 'daddr-type' };
  if (c.took('fib', 'saddr', 'type')) return { of: 'saddr-type' };
  if (c.took('ct', 'state')) return { of: 'state' };
  if (c.took('ct', 'status')) return { of: 'status' };
  if (c.took('iifname') || c.took('meta', 'iifname')) return { of: 'iif' };
  if (c.took('oifname') || c.took('meta', 'oifname')) return { of: 'oif' };
  return null;
}

/** The protocol that a port's selector names by itself: `tcp dport 80`. */
const impliedProtocol = (word: string): Statement[] =>
  ['tcp', 'udp', 'sctp'].includes(word) ? [{ says: 'match', selector: { of: 'protocol' }, not: false, values: [word] }] : [];

function takeValues(c: Cursor): Values {
  if (c.next().startsWith('@')) return { named: c.take().slice(1) };
  const values: string[] = [];
  if (c.took('{')) {
    while (!c.done() && !c.took('}')) {
      const word = c.take();
      if (word !== ',') values.push(word);
    }
    return values;
  }
  values.push(c.take());
  // `ct state established,related` comes as words with commas between.
  while (c.took(',')) values.push(c.take());
  return values;
}

/** Takes `KEY : VERDICT`, the key being words with dots between. `null` where the words end. */
function takeElement(c: Cursor): Element | null {
  const key: string[] = [];
  while (!c.done() && ![':', ',', '}'].includes(c.next())) {
    if (c.took('comment') || c.took('timeout') || c.took('expires')) c.take();
    else if (c.took('counter', 'packets')) for (let i = 0; i < 3; i++) c.take();
    else if (!c.took('.')) key.push(c.take());
  }
  if (key.length === 0) return null;
  const verdict = c.took(':') ? (takeAction(c) ?? { does: 'unknown' as const }) : null;
  while (!c.done() && ![',', '}'].includes(c.next())) c.take();
  c.took(',');
  return { key, verdict };
}

function takeMark(c: Cursor): Statement | null {
  const start = c.mark();
  c.took('meta');
  if (!c.took('mark')) return c.back(start), null;
  if (c.took('set')) {
    c.took('meta');
    const same = c.took('mark');
    const how = same ? c.take() : 'set';
    const value = Number(c.take()) >>> 0;
    if (how === '|' || how === 'or') return { says: 'act', action: { does: 'mark', value, mask: value } };
    if (how === '^' || how === 'xor') return { says: 'act', action: { does: 'mark', value, mask: 0 } };
    if (how === '&' || how === 'and') return { says: 'act', action: { does: 'mark', value: 0, mask: ~value >>> 0 } };
    return { says: 'act', action: { does: 'mark', value, mask: 0xffffffff } };
  }
  const mask = c.took('&') || c.took('and') ? Number(c.take()) >>> 0 : 0xffffffff;
  const not = c.took('!=');
  if (!not) c.took('==');
  return { says: 'match', selector: { of: 'mark', mask }, not, values: takeValues(c) };
}

/** Takes the options of a log statement, each with its value (nft(8), "LOG STATEMENT"): it changes nothing for a packet. */
function skipLog(c: Cursor): void {
  while (['prefix', 'level', 'group', 'snaplen', 'queue-threshold', 'flags'].includes(c.next())) {
    const isFlags = c.take() === 'flags';
    const value = c.take();
    // `flags tcp sequence,options`
    if (isFlags && ['tcp', 'ip'].includes(value)) takeValues(c);
  }
}

/** Reads one rule of a chain, as `nft list` writes it. What it does not know is kept as unknown. */
function parseStatements(line: string): Statement[] {
  const c = cursor(line);
  const found: Statement[] = [];
  while (!c.done()) {
    if (c.took('comment')) {
      c.take();
      continue;
    }
    if (c.took('counter')) {
      if (c.took('packets')) for (let i = 0; i < 3; i++) c.take();
      continue;
    }
    if (c.took('log')) {
      skipLog(c);
      continue;
    }
    // Remembers the client for later packets; changes nothing for this one.
    if (c.took('update') || c.took('add')) {
      while (!c.done() && !c.took('}')) c.take();
      continue;
    }
    const mark = takeMark(c);
    if (mark) {
      found.push(mark);
      continue;
    }
    const drawn = takeRandomDnat(c);
    if (drawn) {
      found.push(drawn);
      continue;
    }
    const action = takeAction(c);
    if (action) {
      found.push({ says: 'act', action });
      continue;
    }
    if (c.took('numgen', 'random', 'mod')) {
      const outOf = Number(c.take());
      if (c.took('vmap', '{')) {
        found.push({ says: 'vmap', selectors: [{ of: 'random', outOf }], elements: takeElements(c) });
        continue;
      }
    }
    const word = c.next();
    const selector = takeSelector(c);
    if (!selector) return [...found, { says: 'unknown', text: c.rest() }];
    const selectors = [selector];
    while (c.took('.')) selectors.push(takeSelector(c) ?? { of: 'unknown', text: c.take() });
    if (c.took('vmap')) {
      found.push({ says: 'vmap', selectors, elements: c.next().startsWith('@') ? { named: c.take().slice(1) } : (c.take(), takeElements(c)) });
      continue;
    }
    if (selectors.length > 1) return [...found, { says: 'unknown', text: `${word} ${c.rest()}` }];
    if (selector.of === 'dport') found.push(...impliedProtocol(word));
    const not = c.took('!=');
    if (!not) c.took('==');
    found.push({ says: 'match', selector, not, values: takeValues(c) });
  }
  return found;
}

function takeElements(c: Cursor): Element[] {
  const elements: Element[] = [];
  for (let element = takeElement(c); element; element = takeElement(c)) elements.push(element);
  c.took('}');
  return elements;
}

const typeLine = /^type (filter|nat|route) hook (\w+) (?:device \S+ )?priority ([^;]+);/;
const isPoint = (text: string): text is Hook['at'] => ['prerouting', 'input', 'forward', 'output', 'postrouting'].includes(text);

/** Reads `nft list ruleset`, or `nft list table`, line by line. Of the tables, only kube-proxy's own are read. */
export function nftReader(wanted: Wanted): RuleReader {
  const tables = nftTables(wanted);
  const mine = tableOf(wanted.packets);
  const cutOff: string[] = [];
  let table: string | null = null;
  let block: { kind: 'set' | 'chain' | 'other'; name: string } | null = null;
  let inElements = false;

  const elementsOf = (text: string, name: string) => {
    const c = cursor(text);
    for (let element = takeElement(c); element; element = takeElement(c)) tables.element(mine, name, element);
  };

  return {
    line(raw) {
      const opened = /^table (\S+ \S+) \{/.exec(raw);
      if (opened) {
        if (table) cutOff.push(`table ${table.replace('/', ' ')}`);
        [table, block, inElements] = [opened[1]?.replace(' ', '/') ?? '', null, false];
        return;
      }
      if (raw.startsWith('}')) return void (table = null);
      if (table !== mine) return;
      const line = raw.trim();
      if (!block) {
        const named = /^(set|map|chain) (\S+) \{/.exec(line);
        if (named) block = { kind: named[1] === 'chain' ? 'chain' : 'set', name: named[2] ?? '' };
        else if (line.endsWith('{')) block = { kind: 'other', name: '' };
        return;
      }
      const { kind, name } = block;
      if (kind === 'set' && inElements) {
        elementsOf(line, name);
        if (line.endsWith('}')) inElements = false;
      } else if (line === '}') block = null;
      else if (kind === 'set') {
        if (line.startsWith('elements = {')) {
          elementsOf(line.slice('elements = {'.length), name);
          inElements = !line.endsWith('}');
        } else if (line.startsWith('flags ')) tables.set(table, name, { dynamic: /\b(dynamic|timeout)\b/.test(line) });
        else if (line.startsWith('timeout ')) tables.set(table, name, { timeout: secondsOf(line) });
        else if (line.startsWith('type ')) tables.set(table, name, {});
      } else if (kind === 'chain') {
        const hook = typeLine.exec(line);
        if (hook) {
          const [, type, at = '', priority = ''] = hook;
          if (isPoint(at)) tables.hook(table, name, { at, type: type === 'nat' ? 'nat' : 'filter' }, priorityOf(priority));
        } else if (line !== '' && !line.startsWith('comment "') && tables.wants(table, name)) tables.rule(table, name, parseStatements(line), line);
      }
    },
    end() {
      if (table) cutOff.push(`table ${table.replace('/', ' ')}`);
      return tables.end(cutOff);
    },
  };
}
