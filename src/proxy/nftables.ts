import { type Handling, notHandled, type ServiceAddress } from './model.ts';

/** IANA protocol numbers. */
const protocolNumbers = { TCP: 6, UDP: 17, SCTP: 132 };

/**
 * Reads kube-proxy's tables out of plain `nft list ruleset` for the asked addresses: the map `service-ips` leads an address to
 * a chain `service-…`, that through a vmap to `endpoint-…` chains, those to `dnat to`; `no-endpoint-services` rejects.
 */
export function readNftables(text: string, asked: readonly ServiceAddress[]): Handling[] {
  const blocks = new Map<string, string>();
  // Tables hold maps, sets and chains, each a block of its own; names of chains are unique within kube-proxy's tables.
  for (const match of text.matchAll(/^\s*(?:map|chain) (\S+) \{\n([\s\S]*?)^\t\}/gm))
    blocks.set(match[1] ?? '', (blocks.get(match[1] ?? '') ?? '') + (match[2] ?? ''));
  const elements = (map: string) => blocks.get(map) ?? '';
  const backendsOf = (chain: string, seen = new Set<string>()): string[] => {
    if (seen.has(chain)) return [];
    seen.add(chain);
    const body = blocks.get(chain) ?? '';
    const direct = [...body.matchAll(/dnat (?:ip6? )?to (\S+)/g)].map((m) => m[1] ?? '');
    const further = [...body.matchAll(/(?:goto|jump) ((?:endpoint|service|external)-\S+?)(?=[\s,}]|$)/gm)].flatMap((m) => backendsOf(m[1] ?? '', seen));
    return [...direct, ...further];
  };
  return asked.map(({ address, port, protocol }) => {
    // An nft that knows no protocol names writes their numbers; an element may carry a comment.
    const key = `${address.replaceAll('.', '\\.')} \\. (?:${protocol.toLowerCase()}|${protocolNumbers[protocol]}) \\. ${port}(?: comment "[^"]*")?`;
    const verdictIn = (map: string) => new RegExp(`(?:^|[\\s{,])${key}\\s*:\\s*(\\w+)\\s*([^\\s,}]*)`, 'm').exec(elements(map));
    const none = verdictIn('no-endpoint-services');
    if (none) return { verdict: none[2]?.startsWith('drop') || none[1] === 'drop' ? 'dropped' : 'rejected', backends: [] };
    const found = verdictIn('service-ips');
    return found ? { verdict: 'backends', backends: [...new Set(backendsOf(found[2] ?? ''))].toSorted() } : notHandled;
  });
}
