/** Calico's selector expressions: `role == "api" && has(tier) || !(env in {"dev", "test"})` (reference/resources/networkpolicy, "Selectors"). */

type Labels = Record<string, string>;
/** Says whether labels are meant. `global` is true where the expression speaks of what is not a pod. */
export interface CalicoSelector {
  matches(labels: Labels): boolean;
  global: boolean;
}

/** The expression can't be read; the message says where. */
export class SelectorError extends Error {}

const token = /\s*(?:(==|!=|&&|\|\||!|\(|\)|\{|\}|,)|"([^"]*)"|'([^']*)'|(has|all|global)\s*\(\s*([A-Za-z0-9_./-]*)\s*\)|([A-Za-z0-9_./-]+))/y;

interface Token {
  kind: 'sign' | 'text' | 'call' | 'word' | 'end';
  text: string;
  argument: string;
}

function tokens(expression: string): Token[] {
  const found: Token[] = [];
  token.lastIndex = 0;
  let at = 0;
  while (expression.slice(at).trim() !== '') {
    token.lastIndex = at;
    const m = token.exec(expression);
    if (!m) throw new SelectorError(`cannot be read from "${expression.slice(at).trim().slice(0, 20)}"`);
    at = token.lastIndex;
    if (m[1] !== undefined) found.push({ kind: 'sign', text: m[1], argument: '' });
    else if (m[4] !== undefined) found.push({ kind: 'call', text: m[4], argument: m[5] ?? '' });
    else if (m[6] !== undefined) found.push({ kind: 'word', text: m[6], argument: '' });
    else found.push({ kind: 'text', text: m[2] ?? m[3] ?? '', argument: '' });
  }
  return [...found, { kind: 'end', text: '', argument: '' }];
}

/** Reads an expression; an empty one matches everything. Throws SelectorError. */
export function parseSelector(expression: string): CalicoSelector {
  const list = tokens(expression);
  if (list.length === 1) return { matches: () => true, global: false };
  let at = 0;
  let global = false;
  const peek = () => list[at] as Token;
  const isSign = (text: string) => peek().kind === 'sign' && peek().text === text;
  const expect = (text: string) => {
    if (!isSign(text)) throw new SelectorError(`wants "${text}" before "${peek().text}"`);
    at++;
  };
  const literal = () => {
    const t = peek();
    if (t.kind !== 'text') throw new SelectorError(`wants a quoted value before "${t.text}"`);
    at++;
    return t.text;
  };
  const word = (...words: string[]) => {
    const t = peek();
    if (t.kind !== 'word' || !words.includes(t.text)) return false;
    at++;
    return true;
  };
  function set(): string[] {
    expect('{');
    const values: string[] = [];
    while (!isSign('}')) {
      values.push(literal());
      if (!isSign(',')) break;
      at++;
    }
    expect('}');
    return values;
  }
  type Test = (labels: Labels) => boolean;
  const value = (labels: Labels, key: string) => (Object.hasOwn(labels, key) ? labels[key] : undefined);

  function comparison(key: string): Test {
    if (isSign('==') || isSign('!=')) {
      const equal = peek().text === '==';
      at++;
      const wanted = literal();
      return (l) => (value(l, key) === wanted) === equal;
    }
    if (word('contains')) {
      const wanted = literal();
      return (l) => value(l, key)?.includes(wanted) ?? false;
    }
    for (const [first, test] of [
      ['starts', (v: string, w: string) => v.startsWith(w)],
      ['ends', (v: string, w: string) => v.endsWith(w)],
    ] as const) {
      if (word(`${first}with`) || (word(first) && word('with'))) {
        const wanted = literal();
        return (l) => {
          const have = value(l, key);
          return have !== undefined && test(have, wanted);
        };
      }
    }
    if (word('in')) {
      const values = set();
      return (l) => values.includes(value(l, key) ?? '\0');
    }
    if (word('notin') || (word('not') && word('in'))) {
      const values = set();
      return (l) => !values.includes(value(l, key) ?? '\0');
    }
    throw new SelectorError(`wants an operator after "${key}"`);
  }

  function operation(): Test {
    if (isSign('!')) {
      at++;
      const test = operation();
      return (l) => !test(l);
    }
    if (isSign('(')) {
      at++;
      const test = either();
      expect(')');
      return test;
    }
    const t = peek();
    at++;
    if (t.kind === 'word') return comparison(t.text);
    if (t.kind === 'call') {
      if (t.text === 'all') return () => true;
      if (t.text === 'global') {
        global = true;
        return () => false;
      }
      if (t.argument === '') throw new SelectorError('has() wants the name of a label');
      return (l) => value(l, t.argument) !== undefined;
    }
    throw new SelectorError(t.kind === 'end' ? 'ends too early' : `has "${t.text}" where a label is wanted`);
  }
  function all(): Test {
    const tests = [operation()];
    while (isSign('&&')) {
      at++;
      tests.push(operation());
    }
    return (l) => tests.every((t) => t(l));
  }
  function either(): Test {
    const tests = [all()];
    while (isSign('||')) {
      at++;
      tests.push(all());
    }
    return (l) => tests.some((t) => t(l));
  }
  const matches = either();
  if (peek().kind !== 'end') throw new SelectorError(`has "${peek().text}" after its end`);
  return { matches, global };
}
