/**
 * The Corefile's grammar (coredns.io/manual/configuration; the lexer is Caddy's): server blocks, plugins with their blocks,
 * snippets, imports of snippets and of files. What CoreDNS would do with it is the checks' matter.
 */
import { matchesGlob } from './glob.ts';

export interface Directive {
  name: string;
  args: string[];
  line: number;
  block: Directive[];
}

export interface Server {
  /** Zones with their ports, as they were written: `.:53`, `cluster.local`. */
  keys: string[];
  plugins: Directive[];
  line: number;
}

export interface Corefile {
  servers: Server[];
  /** Imports whose files are not at hand. */
  unread: string[];
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
  /** A quoted brace is a word. */
  quoted: boolean;
}

/** Longer texts than this many characters are no Corefile: a ConfigMap holds at most 1 MiB. */
const maxLength = 1_048_576;
/** Imports may nest so deep; a snippet that imports itself would never end. */
const maxDepth = 20;
/** Expanding imports may make so many directives at most. */
const maxDirectives = 20_000;

/** The words of each line. Quotations may run over lines; `\"` is a quotation mark inside one. */
function tokens(text: string): Token[][] {
  if (text.length > maxLength) throw new CorefileError(1, 'it is too long');
  const lines: Token[][] = [];
  let current: Token[] = [];
  let at = 0;
  let line = 1;
  const end = () => {
    if (current.length > 0) lines.push(current);
    current = [];
  };
  while (at < text.length) {
    const c = text[at] as string;
    if (c === '\n') {
      end();
      line++;
      at++;
    } else if (/\s/.test(c)) at++;
    else if (c === '#') {
      const next = text.indexOf('\n', at);
      at = next < 0 ? text.length : next;
    } else if (c === '"') {
      const token: Token = { text: '', line, quoted: true };
      at++;
      for (;;) {
        if (at >= text.length) throw new CorefileError(token.line, 'a quotation is not closed');
        const q = text[at] as string;
        if (q === '\\' && text[at + 1] === '"') {
          token.text += '"';
          at += 2;
          continue;
        }
        at++;
        if (q === '"') break;
        if (q === '\n') line++;
        token.text += q;
      }
      current.push(token);
    } else {
      let stop = at;
      while (stop < text.length && !/\s/.test(text[stop] as string)) stop++;
      current.push({ text: text.slice(at, stop), line, quoted: false });
      at = stop;
    }
  }
  end();
  return lines;
}

const is = (token: Token | undefined, brace: '{' | '}') => token !== undefined && !token.quoted && token.text === brace;

interface Block {
  head: Token[];
  body: Directive[];
  line: number;
}

/** All lines as directives with their blocks; the outermost are server blocks, snippets and imports. */
function parseBlocks(text: string): Block[] {
  const top: Block[] = [];
  const open: Directive[] = [];
  let head: Token[] = [];
  let last = 1;
  for (const line of tokens(text)) {
    last = line[0]?.line ?? last;
    if (is(line[0], '}')) {
      if (line.length > 1) throw new CorefileError(last, 'something follows a closing brace');
      if (open.length === 0) throw new CorefileError(last, 'a closing brace without an opening one');
      open.pop();
      continue;
    }
    const stray = line.findIndex((t, i) => is(t, '}') || (is(t, '{') && i < line.length - 1));
    if (stray >= 0) throw new CorefileError(last, 'a brace must be at the end of its line, or alone on it');
    const opens = is(line.at(-1), '{');
    const words = opens ? line.slice(0, -1) : line;
    const parent = open.at(-1);
    if (parent) {
      if (words.length === 0) throw new CorefileError(last, 'a block without a name');
      const directive: Directive = { name: words[0]?.text ?? '', args: words.slice(1).map((t) => t.text), line: last, block: [] };
      parent.block.push(directive);
      if (opens) open.push(directive);
      if (open.length > maxDepth) throw new CorefileError(last, 'blocks are nested too deep');
      continue;
    }
    head.push(...words);
    const imports = head[0]?.text === 'import' && !head[0].quoted;
    if (!opens && !imports) continue;
    if (head.length === 0) throw new CorefileError(last, 'a server block without a zone');
    const root: Directive = { name: '', args: [], line: last, block: [] };
    top.push({ head, body: root.block, line: head[0]?.line ?? last });
    if (opens) open.push(root);
    head = [];
  }
  if (open.length > 0) throw new CorefileError(last, 'a block is not closed');
  if (head.length > 0) throw new CorefileError(head[0]?.line ?? last, `"${head.map((t) => t.text).join(' ')}" has no block`);
  return top;
}

/** `*` and `?` of an import's last part, as file names are matched. */
function matching(pattern: string, files: Record<string, string>): string[] {
  const name = pattern.split('/').at(-1) ?? '';
  return Object.keys(files)
    .filter((file) => matchesGlob(name, file))
    .toSorted();
}

/** Parses a Corefile and follows its imports: of its own snippets, and of `files` (a ConfigMap's, by name). Throws CorefileError. */
export function parseCorefile(text: string, files: Record<string, string> = {}): Corefile {
  const snippets = new Map<string, Directive[]>();
  const unread: string[] = [];
  let count = 0;
  const snippetName = (b: Block) => (b.head.length === 1 ? /^\((.+)\)$/.exec(b.head[0]?.text ?? '')?.[1] : undefined);

  function expand(list: readonly Directive[], depth: number): Directive[] {
    return list.flatMap((d): Directive[] => {
      if (++count > maxDirectives) throw new CorefileError(d.line, 'imports make it too long');
      if (d.name !== 'import') return [{ ...d, block: expand(d.block, depth) }];
      if (depth > maxDepth) throw new CorefileError(d.line, 'imports are nested too deep');
      const what = d.args[0] ?? '';
      const snippet = snippets.get(what);
      if (snippet) return expand(snippet, depth + 1);
      const found = matching(what, files);
      if (found.length === 0) unread.push(what);
      return found.flatMap((f) => expand(directives(files[f] ?? ''), depth + 1));
    });
  }
  /** A file of directives only, as one that is imported inside a server block. */
  const directives = (file: string): Directive[] => parseBlocks(`. {\n${file}\n}`).flatMap((b) => b.body);

  function servers(source: string, depth: number): Server[] {
    const blocks = parseBlocks(source);
    for (const b of blocks) {
      const name = snippetName(b);
      if (name !== undefined) snippets.set(name, b.body);
    }
    return blocks.flatMap((b): Server[] => {
      if (snippetName(b) !== undefined) return [];
      if (b.head[0]?.text === 'import') {
        if (depth > maxDepth) throw new CorefileError(b.line, 'imports are nested too deep');
        const what = b.head[1]?.text ?? '';
        if (snippets.has(what)) return [];
        const found = matching(what, files);
        if (found.length === 0) unread.push(what);
        return found.flatMap((f) => servers(files[f] ?? '', depth + 1));
      }
      const keys = b.head.flatMap((t) => t.text.split(',')).filter(Boolean);
      return [{ keys, plugins: expand(b.body, 0), line: b.line }];
    });
  }
  return { servers: servers(text, 0), unread };
}

const zoneOf = (key: string): string =>
  key
    .replace(/^[a-z]+:\/\//, '')
    .replace(/:\d+$/, '')
    .replace(/\.$/, '')
    .toLowerCase();

/** All plugins of a name, with the block of each. */
const pluginsCalled = (file: Corefile, name: string): { server: Server; plugin: Directive }[] =>
  file.servers.flatMap((server) => server.plugins.filter((p) => p.name === name).map((plugin) => ({ server, plugin })));

/** The zones that the kubernetes plugin answers for; undefined where no block has it. Without arguments it takes the block's own zones. */
export function kubernetesZones(file: Corefile): string[] | undefined {
  const found = pluginsCalled(file, 'kubernetes').map(({ server, plugin }) => (plugin.args.length > 0 ? plugin.args : server.keys.map(zoneOf)));
  return found.length > 0 ? found.flat() : undefined;
}

/** The server block that a name falls to: the one with the longest zone that holds it. */
export function serverFor(file: Corefile, name: string): Server | undefined {
  const wanted = name.replace(/\.$/, '').toLowerCase();
  const fits = (zone: string) => zone === '' || wanted === zone || wanted.endsWith(`.${zone}`);
  return file.servers
    .flatMap((server) => server.keys.map((k) => ({ server, zone: zoneOf(k) })))
    .filter(({ zone }) => fits(zone))
    .toSorted((a, b) => b.zone.length - a.zone.length)[0]?.server;
}

/** Where names that the cluster does not know are sent on to: addresses, or the file that names them. */
export const forwarders = (file: Corefile): { to: string[]; line: number }[] =>
  pluginsCalled(file, 'forward').map(({ plugin }) => ({ to: plugin.args.slice(1), line: plugin.line }));

/** The plugins that CoreDNS is built with as it is released (plugin.cfg, v1.14); a build of one's own may have more. */
const released =
  'acl any auto autopath azure bind bufsize cache cancel chaos clouddns debug dns64 dnssec dnstap erratic errors etcd file forward geoip grpc grpc_server header health hosts https https3 import k8s_external kubernetes loadbalance local log loop metadata minimal multisocket nomad nsid on pprof prometheus proxyproto quic ready reload rewrite root route53 secondary sign template timeouts tls trace transfer tsig view whoami';
export const releasedPlugins: readonly string[] = released.split(' ');

function parsedOrNull(text: string): Corefile | null {
  try {
    return parseCorefile(text);
  } catch (error) {
    if (error instanceof CorefileError) return null;
    throw error;
  }
}

/** A cluster has one Corefile, which every Service of a scan asks for. */
let last: { text: string; file: Corefile | null } | undefined;

/** null where there is no Corefile, or one that can't be read: for those who only want a hint from it. */
export function readCorefile(text: string | null | undefined): Corefile | null {
  if (text == null) return null;
  if (last?.text !== text) last = { text, file: parsedOrNull(text) };
  return last.file;
}

/** The cluster's domain, as far as CoreDNS's configuration shows it; `cluster.local` (the kubelet's default) where it does not. */
export function domainOf(corefile: string | null | undefined): string {
  const file = readCorefile(corefile);
  const zones = (file && kubernetesZones(file)) ?? [];
  return zones.map((z) => z.replace(/\.$/, '')).find((z) => z !== '' && !z.endsWith('.arpa')) ?? 'cluster.local';
}
