import { type Handling, notHandled, type ServiceAddress } from './model.ts';

interface Rule {
  text: string;
  target: string;
}

const option = (rule: string, name: string) => new RegExp(`(?:^|\\s)${name} (\\S+)`).exec(rule)?.[1];

/**
 * Reads kube-proxy's rules out of `iptables-save` (legacy or nft variant) for the asked addresses.
 * Chains: KUBE-SERVICES leads a virtual address to KUBE-SVC-… (or KUBE-SVL-… for local-only), that to KUBE-SEP-…, that to a DNAT.
 * Addresses without endpoints stand in KUBE-SERVICES of the filter table, with a REJECT.
 */
export function readIptables(text: string, asked: readonly ServiceAddress[]): Handling[] {
  const chains = new Map<string, Rule[]>();
  for (const line of text.split('\n')) {
    const match = /^-A (KUBE-\S+) (.*)$/.exec(line);
    if (!match) continue;
    const [, chain = '', rule = ''] = match;
    const rules = chains.get(chain) ?? [];
    rules.push({ text: rule, target: option(rule, '-[jg]') ?? '' });
    chains.set(chain, rules);
  }
  const backendsOf = (chain: string, seen = new Set<string>()): string[] => {
    if (seen.has(chain)) return [];
    seen.add(chain);
    return (chains.get(chain) ?? []).flatMap((r) =>
      r.target === 'DNAT' ? [option(r.text, '--to-destination') ?? ''] : /^KUBE-(SVC|SVL|SEP)-/.test(r.target) ? backendsOf(r.target, seen) : [],
    );
  };
  return asked.map(({ address, port, protocol }) => {
    const matching = (chains.get('KUBE-SERVICES') ?? []).filter(
      (r) =>
        option(r.text, '-d')?.replace(/\/(32|128)$/, '') === address &&
        option(r.text, '-p')?.toUpperCase() === protocol &&
        option(r.text, '--dport') === String(port),
    );
    if (matching.some((r) => r.target === 'REJECT')) return { verdict: 'rejected', backends: [] };
    if (matching.some((r) => r.target === 'DROP')) return { verdict: 'dropped', backends: [] };
    const chain = matching.find((r) => /^KUBE-(SVC|SVL)-/.test(r.target));
    return chain ? { verdict: 'backends', backends: [...new Set(backendsOf(chain.target))].toSorted() } : notHandled;
  });
}
