/** Completion that knows the cluster. It answers within a moment or not at all, and never with an error: a person is typing. */
import { codes } from '../catalog/codes.ts';
import { type Cluster, connect, type Resource, resources } from '../cluster/index.ts';
import { contextsOf } from '../cluster/kubeconfig.ts';
import { formats } from '../report/render.ts';
import { keepAnswer, keptAnswer } from './completion-cache.ts';
import { shippedFolders } from './shipped.ts';
import { workloads } from './target.ts';

/** Milliseconds from the start of the program to the answer. */
const limitMs = 150;
/** Milliseconds for an answer that only the next tab will show. */
const laterMs = 5000;

/** Options that take a value, whose next word is that value. */
const valued =
  /^(-n|-o|--(namespace|context|cluster|user|kubeconfig|as|as-group|request-timeout|from|to|port|probe|image|node-image|nodes|timeout|ui|capture|replay|since|output|only|host|path|http|fail-on|protocol))$/;
const clientKinds = ['pod/', 'deploy/', 'sts/', 'ds/', 'namespace/', 'node/', 'external'];

interface Typed {
  command: string | undefined;
  /** The words that are no options, behind the command. */
  names: string[];
  options: Record<string, string>;
  /** The option whose value is typed now. */
  option: string | undefined;
  /** What is typed of the last word. */
  last: string;
}

function read(words: readonly string[]): Typed {
  const typed: Typed = { command: undefined, names: [], options: {}, option: undefined, last: words.at(-1) ?? '' };
  const before = words.slice(0, -1);
  for (let i = 0; i < before.length; i++) {
    const word = before[i] ?? '';
    const [name = '', value] = word.startsWith('--') ? word.split('=', 2) : [word];
    if (!word.startsWith('-') && typed.command === undefined) typed.command = word;
    else if (!word.startsWith('-')) typed.names.push(word);
    else if (value !== undefined) typed.options[name] = value;
    else if (valued.test(name) && i + 1 < before.length) typed.options[name] = before[++i] ?? '';
    else if (valued.test(name)) typed.option = name;
  }
  return typed;
}

type Known = (cluster: Cluster, signal: AbortSignal) => Promise<string[]>;

const namesIn = async (cluster: Cluster, resource: Resource, namespace: string | undefined, signal: AbortSignal): Promise<string[]> => {
  const listed = await cluster.list(resource, { namespace, signal });
  if (!listed.ok) throw new Error(listed.failure.why);
  return (listed.value as { metadata: { name: string } }[]).map((x) => x.metadata.name);
};

/** Names in the namespace at hand, or behind `NAMESPACE/`. */
const placed =
  (last: string, resource: Resource): Known =>
  async (cluster, signal) => {
    const [namespace, rest] = last.includes('/') ? [last.split('/')[0] ?? '', true] : [cluster.namespace, false];
    const names = await namesIn(cluster, resource, namespace, signal);
    return rest ? names.map((n) => `${namespace}/${n}`) : names;
  };

/** Parties as `--from` names them. */
function parties(last: string): Known | string[] {
  const parts = last.split('/');
  if (parts.length === 1) return clientKinds;
  const [kind = '', place] = parts.length > 2 ? [parts[1], parts[0]] : [parts[0]];
  const prefix = parts.slice(0, -1).join('/');
  const resource = kind === 'pod' ? resources.pods : kind === 'node' ? resources.nodes : kind === 'namespace' ? resources.namespaces : undefined;
  const plural = workloads[kind];
  const workload = plural === undefined ? undefined : Object.values(resources).find((r) => r.plural === plural);
  const wanted = resource ?? workload;
  if (!wanted) return [];
  return async (cluster, signal) => {
    const namespace = kind === 'node' || kind === 'namespace' ? undefined : (place ?? cluster.namespace);
    return (await namesIn(cluster, wanted, namespace, signal)).map((n) => `${prefix}/${n}`);
  };
}

const portsOf =
  (name: string | undefined): Known =>
  async (cluster, signal) => {
    if (name === undefined) return [];
    const [own = '', namespace = cluster.namespace] = name.split('/').toReversed();
    const found = await cluster.get(resources.services, own, namespace, signal);
    if (!found.ok) throw new Error(found.failure.why);
    const ports = (found.value as { spec?: { ports?: { port: number; name?: string }[] } } | null)?.spec?.ports ?? [];
    return ports.flatMap((p) => [...(p.name ? [p.name] : []), String(p.port)]);
  };

/** What the parser itself knows to follow: commands, options, and the choices of an option. */
async function fromHelp({ command, option, last }: Typed, version: string): Promise<string[]> {
  const { helpOf } = await import('./commands.ts');
  const help = await helpOf(command, version);
  if (command === undefined && !last.startsWith('-')) return [...help.matchAll(/^ +k8s-doctor ([a-z]+)/gm)].map((m) => m[1] ?? '');
  if (option === undefined) return last.startsWith('-') ? [...help.matchAll(/^ +(?:-\w, )?(--[a-z][a-z-]*)/gm)].map((m) => m[1] ?? '') : [];
  const own = help.slice(help.indexOf(` ${option} `)).split(/\n +(?:-\w, )?--/)[0] ?? '';
  return [...(/\[choices: ([^\]]*)\]/.exec(own.replace(/\s+/g, ' '))?.[1] ?? '').matchAll(/"([^"]+)"/g)].map((m) => m[1] ?? '');
}

const incidents = () => shippedFolders('demo/incidents/');

/** Where the values of what is typed come from; undefined: the parser knows its own. */
function sourceOf({ command, names, option, options, last }: Typed, env: NodeJS.ProcessEnv): Known | string[] | undefined {
  if (option === '-n' || option === '--namespace') return (cluster, signal) => namesIn(cluster, resources.namespaces, undefined, signal);
  if (option === '--context') return contextsOf({ kubeconfig: options['--kubeconfig'] }, env);
  if (option === '--from' || option === '--to') return parties(last);
  if (option === '--port') return portsOf(names[0]);
  if (option === '--only') return Object.keys(codes);
  if (option === '-o' || option === '--output') return [...formats];
  if (option !== undefined || last.startsWith('-') || names.length > 0) return undefined;
  if (command === 'svc' || command === 'fix') return placed(last, resources.services);
  if (command === 'ingress') return placed(last, resources.ingresses);
  if (command === 'route') return placed(last, resources.httproutes);
  if (command === 'apiservice') return (cluster, signal) => namesIn(cluster, resources.apiservices, undefined, signal);
  if (command === 'webhook')
    return async (cluster, signal) => {
      const kinds = [resources.validatingwebhookconfigurations, resources.mutatingwebhookconfigurations];
      return (await Promise.all(kinds.map((kind) => namesIn(cluster, kind, undefined, signal)))).flat();
    };
  if (command === 'explain') return Object.keys(codes);
  if (command === 'demo') return incidents();
  return undefined;
}

/** What can follow the words, the last of which is being typed. `askLater` begins a process that calls `learn` with them: the answer came too late. */
export async function complete(words: readonly string[], version: string, env: NodeJS.ProcessEnv, askLater: () => void): Promise<string[]> {
  const typed = read(words);
  try {
    const source = sourceOf(typed, env);
    const inTime = async (known: Known) => (await asked(known, words, env, Math.floor(limitMs - performance.now()))) ?? tooLate();
    const tooLate = () => {
      askLater();
      return keptAnswer(questionOf(words), env);
    };
    const found = source === undefined ? await fromHelp(typed, version) : Array.isArray(source) ? source : await inTime(source);
    return [...new Set(found)].filter((word) => word.startsWith(typed.last) && /^[\w./:-]+$/.test(word)).toSorted((a, b) => (a < b ? -1 : 1));
  } catch {
    // A person is typing: no list is better than a message in the middle of the line.
    return [];
  }
}

/** Asks the cluster what can follow the words, for the next tab. */
export async function learn(words: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const source = sourceOf(read(words), env);
  if (typeof source === 'function') await asked(source, words, env, laterMs);
}

/** What is asked is the same whatever is typed of a name. */
const questionOf = (words: readonly string[]): string[] => [...words.slice(0, -1), words.at(-1)?.replace(/[^/]*$/, '') ?? ''];

/** The cluster's answer, which is kept for the next tab; undefined where none came in time. */
async function asked(source: Known, words: readonly string[], env: NodeJS.ProcessEnv, leftMs: number): Promise<string[] | undefined> {
  if (leftMs <= 0) return undefined;
  const {
    '-n': n,
    '--namespace': namespace = n,
    '--context': context,
    '--cluster': name,
    '--user': user,
    '--kubeconfig': kubeconfig,
    '--as': as,
  } = read(words).options;
  const signal = AbortSignal.timeout(leftMs);
  // A credential plug-in may not ask: the terminal belongs to the shell.
  const cluster = await connect({ namespace, context, cluster: name, user, kubeconfig, as, requestTimeoutMs: leftMs, beforeAsking: null }, env);
  try {
    const found = await source(cluster, signal);
    keepAnswer(questionOf(words), found, env);
    return found;
  } catch {
    // It did not answer in time, or does not say.
    return undefined;
  } finally {
    cluster.close();
  }
}
