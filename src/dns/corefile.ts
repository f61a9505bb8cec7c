/** Reads as much of a Corefile as says which zones CoreDNS serves from Kubernetes, and where it forwards the rest. */
export interface Corefile {
  /** Server blocks, with the plugins in each. */
  servers: { keys: string[]; plugins: { name: string; args: string[]; line: number }[] }[];
}

/** A place where the text is not a Corefile, with its line, counted from 1. */
export class CorefileError extends Error {
  readonly line: number;
  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

interface Token {
  text: string;
  line: number;
}

function tokens(text: string): Token[][] {
  const lines: Token[][] = [];
  let open: Token | undefined;
  for (const [i, raw] of text.split('\n').entries()) {
    const line: Token[] = [];
    let rest = raw;
    while (rest.length > 0 || open) {
      if (open) {
        const end = rest.indexOf('"');
        open.text += end < 0 ? `${rest}\n` : rest.slice(0, end);
        if (end < 0) break;
        line.push(open);
        open = undefined;
        rest = rest.slice(end + 1);
        continue;
      }
      const space = /^\s+/.exec(rest);
      if (space) rest = rest.slice(space[0].length);
      else if (rest.startsWith('#')) break;
      else if (rest.startsWith('"')) {
        open = { text: '', line: i + 1 };
        rest = rest.slice(1);
      } else {
        const word = /^\S+/.exec(rest)?.[0] ?? '';
        line.push({ text: word, line: i + 1 });
        rest = rest.slice(word.length);
      }
    }
    if (line.length > 0) lines.push(line);
  }
  if (open) throw new CorefileError(open.line, 'a quotation is not closed');
  return lines;
}

/** Parses server blocks, their plugins and nested blocks (grammar: coredns.io/manual/configuration). Throws CorefileError. */
export function parseCorefile(text: string): Corefile {
  const servers: Corefile['servers'] = [];
  let depth = 0;
  let keys: string[] = [];
  let last = 1;
  for (const line of tokens(text)) {
    const words = line.map((t) => t.text);
    const at = line[0]?.line ?? 0;
    last = at;
    const opens = words.at(-1) === '{';
    if (words[0] === '}') {
      if (words.length > 1) throw new CorefileError(at, 'something follows a closing brace');
      depth--;
      if (depth < 0) throw new CorefileError(at, 'a closing brace without an opening one');
      continue;
    }
    if (depth === 0) {
      keys.push(
        ...words
          .filter((w) => w !== '{')
          .flatMap((w) => w.split(','))
          .filter(Boolean),
      );
      if (opens) {
        servers.push({ keys, plugins: [] });
        keys = [];
        depth = 1;
      } else if (keys[0] === 'import') keys = [];
      continue;
    }
    if (depth === 1) servers.at(-1)?.plugins.push({ name: words[0] ?? '', args: words.slice(1).filter((w) => w !== '{'), line: at });
    if (opens) depth++;
  }
  if (depth > 0) throw new CorefileError(last, 'a block is not closed');
  if (keys.length > 0) throw new CorefileError(last, `"${keys.join(' ')}" has no block`);
  return { servers };
}

/** The zones that the kubernetes plugin answers for; undefined where no block has it. Without arguments it takes the block's own zones. */
export function kubernetesZones(file: Corefile): string[] | undefined {
  const found = file.servers.flatMap((s) =>
    s.plugins.filter((p) => p.name === 'kubernetes').map((p) => (p.args.length > 0 ? p.args : s.keys.map((k) => k.replace(/:\d+$/, '')))),
  );
  return found.length > 0 ? found.flat() : undefined;
}

/** The cluster's domain, as far as CoreDNS's configuration shows it; `cluster.local` (the kubelet's default) where it does not. */
export function domainOf(corefile: string | null | undefined): string {
  const usual = 'cluster.local';
  try {
    const zones = kubernetesZones(parseCorefile(corefile ?? '')) ?? [];
    return zones.map((z) => z.replace(/\.$/, '')).find((z) => z !== '' && !z.endsWith('.arpa')) ?? usual;
  } catch (error) {
    if (error instanceof CorefileError) return usual;
    throw error;
  }
}
