import { hostOf, type Action, type Hook, type Match, passedOver, rangeOf, type Rule, type RuleReader, type Wanted } from './rule.ts';

/** Where the kernel comes by the built-in chains, by priority (Linux, netfilter hooks: raw -300, mangle -150, nat -100, filter 0). */
const hooks: Hook[] = [
  ...['raw', 'mangle'].flatMap((table): Hook[] => [
    { at: 'prerouting', type: 'filter', chain: `${table}/PREROUTING` },
    { at: 'output', type: 'filter', chain: `${table}/OUTPUT` },
  ]),
  { at: 'prerouting', type: 'nat', chain: 'nat/PREROUTING' },
  { at: 'output', type: 'nat', chain: 'nat/OUTPUT' },
  { at: 'input', type: 'filter', chain: 'filter/INPUT' },
  { at: 'forward', type: 'filter', chain: 'filter/FORWARD' },
  { at: 'output', type: 'filter', chain: 'filter/OUTPUT' },
  { at: 'postrouting', type: 'nat', chain: 'nat/POSTROUTING' },
];
/** Chains of which only what is kube-proxy's own is followed: the rest is the firewall's and the network plug-in's business. */
const partly = new Set(hooks.map((h) => h.chain).filter((c) => c !== 'nat/PREROUTING' && c !== 'nat/OUTPUT'));

/** Targets that are no chains. */
const targets: Record<string, Action['does']> = {
  ACCEPT: 'accept',
  DROP: 'drop',
  REJECT: 'reject',
  RETURN: 'return',
  MASQUERADE: 'masquerade',
  SNAT: 'masquerade',
  ...Object.fromEntries(
    [
      'LOG',
      'NFLOG',
      'ULOG',
      'TRACE',
      'CONNMARK',
      'CONNSECMARK',
      'SECMARK',
      'TCPMSS',
      'NOTRACK',
      'CT',
      'CLASSIFY',
      'SET',
      'TOS',
      'DSCP',
      'TTL',
      'HL',
      'CHECKSUM',
      'AUDIT',
    ].map((t) => [t, 'nothing']),
  ),
  ...Object.fromEntries(['REDIRECT', 'NETMAP', 'NFQUEUE', 'QUEUE', 'TPROXY', 'SYNPROXY', 'STEAL', 'TEE'].map((t) => [t, 'unknown'])),
};

const wordPattern = /"((?:[^"\\]|\\.)*)"|(\S+)/g;
/** The words of a rule; a quoted one without its quotes. */
export const wordsOf = (text: string): string[] => Array.from(text.matchAll(wordPattern), (m) => m[1]?.replace(/\\(.)/g, '$1') ?? m[2] ?? '');

const maskOf = (text: string | undefined): [number, number] => {
  const [value = '0', mask = '0xffffffff'] = (text ?? '').split('/');
  return [Number(value) >>> 0, Number(mask) >>> 0];
};
const portsOf = (text: string): [number, number][] =>
  text.split(',').map((p) => {
    const [from = '0', to = from] = p.split(':');
    return [Number(from || 0), Number(to || 65535)];
  });

/** The end of a rule, from its target and the options behind it. */
function actionOf(target: string, options: string[], goto: boolean): Action {
  const after = (name: string) => options[options.indexOf(name) + 1];
  if (target === 'DNAT') {
    const to = options.includes('--to-destination') ? (after('--to-destination') ?? '') : '';
    // A range of addresses or ports, which kube-proxy does not write, can mean any of them.
    return to === '' || to.includes('-') ? { does: 'unknown' } : { does: 'dnat', to };
  }
  if (target === 'MARK') {
    const name = options.find((o) => o.startsWith('--'));
    const [value, mask] = maskOf(after(name ?? ''));
    switch (name) {
      case '--set-xmark':
        return { does: 'mark', value, mask };
      case '--set-mark':
        return { does: 'mark', value, mask: (mask | value) >>> 0 };
      case '--or-mark':
        return { does: 'mark', value, mask: value };
      case '--xor-mark':
        return { does: 'mark', value, mask: 0 };
      case '--and-mark':
        return { does: 'mark', value: 0, mask: ~value >>> 0 };
      default:
        return { does: 'unknown' };
    }
  }
  const does = targets[target];
  if (does) return { does } as Action;
  return { does: goto ? 'goto' : 'jump', chain: target };
}

/** Options that say nothing about which packets are meant: what they belong to, how it is kept, how a reject is worded. */
const idle = new Set(['--reap', '--rsource', '--rdest', '--set', '--rttl']);
const idleWithValue = new Set(['-m', '--comment', '--name', '--mask', '--nfacct-name', '--mode', '--packet', '--hitcount']);

/** One rule, without `-A CHAIN`. */
export function parseRule(text: string): Rule {
  const words = wordsOf(text);
  const matches: Match[] = [];
  let not = false;
  let action: Action = { does: 'nothing' };
  const is = (match: Match) => {
    matches.push(not ? { ...match, not } : match);
    not = false;
  };
  const unknown = (words_: string[]) => is({ asks: 'unknown', text: words_.join(' ') });
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    const next = words[i + 1] ?? '';
    const takes = () => i++;
    if (word === '!') {
      not = true;
    } else if (word === '-j' || word === '-g') {
      action = actionOf(next, words.slice(i + 2), word === '-g');
      break;
    } else if (idle.has(word)) {
      not = false;
    } else if (idleWithValue.has(word)) {
      takes();
    } else if (word === '-s' || word === '-d') {
      takes();
      const ranges = next.split(',').map((x) => rangeOf(x));
      const asks = word === '-s' ? 'source' : 'destination';
      if (ranges.every((r) => r !== undefined)) is({ asks, ranges });
      else unknown([word, next]);
    } else if (word === '-p') {
      takes();
      is({ asks: 'protocol', names: [next] });
    } else if (word === '--dport' || word === '--dports') {
      takes();
      is({ asks: 'port', ranges: portsOf(next) });
    } else if (word === '--dst-type' || word === '--src-type') {
      takes();
      if (next === 'LOCAL') is({ asks: 'local', of: word === '--dst-type' ? 'destination' : 'source' });
      else unknown([word, next]);
    } else if (word === '--probability') {
      takes();
      is({ asks: 'chance', share: Number(next) });
    } else if (word === '--every') {
      takes();
      is({ asks: 'chance', share: 1 / Math.max(1, Number(next)) });
    } else if (word === '--mark') {
      takes();
      const [value, mask] = maskOf(next);
      is({ asks: 'mark', value, mask });
    } else if (word === '--rcheck' || word === '--update') {
      const seconds = words.indexOf('--seconds');
      is({ asks: 'known-client', seconds: seconds < 0 ? 0 : Number(words[seconds + 1]) });
    } else if (word === '--seconds') {
      takes();
    } else if (word === '--ctstate' || word === '--state') {
      takes();
      is({ asks: 'state', states: next.toLowerCase().split(',') });
    } else if (word === '-i' || word === '-o') {
      takes();
      is({ asks: 'interface', name: next, of: word === '-i' ? 'in' : 'out' });
    } else if (word.startsWith('-')) {
      // An option of an extension that is not known here; its values end at the next option.
      let end = i + 1;
      while (end < words.length && !/^(-|!$)/.test(words[end] ?? '')) end++;
      unknown(words.slice(i, end));
      i = end - 1;
    }
  }
  return { matches, action, text };
}

/** The value of an option, unless it is turned round. */
function plain(line: string, option: string): string | undefined {
  const at = line.indexOf(` ${option} `);
  if (at < 0 || line[at - 1] === '!') return undefined;
  const from = at + option.length + 2;
  const end = line.indexOf(' ', from);
  return end < 0 ? line.slice(from) : line.slice(from, end);
}

/**
 * Reads `iptables-save` or `ip6tables-save`, of the legacy or the nft variant, line by line. Of the chains, it keeps those
 * that the wanted packets can come to; of their rules, those that can mean one of them. So what is kept does not grow with
 * the Services of others. Form: iptables-save(8); what kube-proxy writes: kubernetes/kubernetes, pkg/proxy/iptables/proxier.go.
 */
export function iptablesReader({ packets, likely }: Wanted): RuleReader {
  const addresses = new Set(packets.map((p) => p.address));
  const ports = new Set(packets.map((p) => String(p.port)));
  const chains = new Map<string, Rule[]>(hooks.map((h) => [h.chain, []]));
  const ledTo = new Set<string>();
  const passed = passedOver();
  const cutOff: string[] = [];
  let table: string | null = null;
  let present = false;

  /** Whether a rule can mean one of the packets, without parsing all of it. */
  const canMatch = (line: string): boolean => {
    const to = plain(line, '-d');
    if (to !== undefined && !addresses.has(to)) {
      const host = /^(.*)\/(32|128)$/.exec(to)?.[1];
      if (host !== undefined ? !addresses.has(host) : !to.includes('/')) return false;
    }
    const port = plain(line, '--dport');
    return port === undefined || port.includes(':') || ports.has(port);
  };

  const keep = (name: string, rest: string) => {
    const known = chains.get(name) ?? (likely(name) ? [] : undefined);
    if (!known) {
      passed.add(name);
      return;
    }
    chains.set(name, known);
    if (!canMatch(` ${rest}`)) return;
    const rule = parseRule(rest);
    const jumpsTo = rule.action.does === 'jump' || rule.action.does === 'goto' ? rule.action.chain : null;
    if (partly.has(name) && !jumpsTo?.startsWith('KUBE-')) {
      const named = rule.matches.some((m) => m.asks === 'destination' && !m.not && m.ranges.some((r) => addresses.has(hostOf(r) ?? '')));
      if (!named) return;
    }
    if (jumpsTo !== null) {
      const to = `${table}/${jumpsTo}`;
      rule.action = { does: rule.action.does as 'jump' | 'goto', chain: to };
      if (!chains.has(to)) {
        chains.set(to, []);
        if (!likely(to)) ledTo.add(to);
      }
    }
    known.push(rule);
  };

  return {
    line(text) {
      if (text.startsWith('*')) {
        if (table) cutOff.push(`table ${table}`);
        table = text.slice(1).trim();
      } else if (text.startsWith('COMMIT')) table = null;
      else if (table) {
        const from = text.startsWith('[') ? text.indexOf('] ') + 2 : 0;
        if (!text.startsWith('-A ', from)) return;
        const end = text.indexOf(' ', from + 3);
        if (end < 0) return;
        const chain = text.slice(from + 3, end);
        if (chain === 'KUBE-SERVICES' && table === 'nat') present = true;
        keep(`${table}/${chain}`, text.slice(end + 1));
      }
    },
    end() {
      if (table) cutOff.push(`table ${table}`);
      const missed = [...ledTo].filter((c) => chains.get(c)?.length === 0 && passed.mayHave(c));
      return { rules: { chains, hooks, present, cutOff }, missed };
    },
  };
}
