/** Finds, merges and checks kubeconfigs as kubectl does, and keeps what the chosen context needs. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { delimiter, dirname, resolve } from 'node:path';
import * as v from 'valibot';
import { parseDocument } from 'yaml';
import { CannotRun } from '../catalog/cannot-run.ts';
import { nearest } from '../catalog/nearest-names.ts';

/** Options that choose and change credentials, with kubectl's names. */
export interface KubeOptions {
  kubeconfig?: string | undefined;
  context?: string | undefined;
  cluster?: string | undefined;
  user?: string | undefined;
}

const text = v.nullish(v.string());
const flag = v.nullish(v.boolean());

const cluster = v.object({
  server: v.string(),
  'certificate-authority': text,
  'certificate-authority-data': text,
  'insecure-skip-tls-verify': flag,
  'tls-server-name': text,
  'proxy-url': text,
  extensions: v.nullish(v.array(v.object({ name: v.string(), extension: v.unknown() }))),
});

const exec = v.object({
  apiVersion: text,
  command: v.string(),
  args: v.nullish(v.array(v.string())),
  env: v.nullish(v.array(v.object({ name: v.string(), value: v.string() }))),
  installHint: text,
  provideClusterInfo: flag,
  interactiveMode: v.nullish(v.picklist(['Never', 'IfAvailable', 'Always'])),
});

const user = v.object({
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  'client-key-data': text,
  token: text,
  tokenFile: text,
  username: text,
  password: text,
  as: text,
  'as-uid': text,
  'as-groups': v.nullish(v.array(v.string())),
  'as-user-extra': v.nullish(v.record(v.string(), v.array(v.string()))),
  'auth-provider': v.nullish(v.object({ name: v.string(), config: v.nullish(v.record(v.string(), v.string())) })),
  exec: v.nullish(exec),
});

const context = v.object({ cluster: v.string(), user: text, namespace: text });

export type KubeCluster = v.InferOutput<typeof cluster>;
export type KubeUser = v.InferOutput<typeof user>;
export type ExecPlugin = v.InferOutput<typeof exec>;

/** What the chosen context says; paths in it are absolute. Field names are the kubeconfig's own (client.config.k8s.io/v1). */
export interface Chosen {
  context: string;
  /** The names of all contexts. */
  contexts: readonly string[];
  namespace: string | undefined;
  cluster: KubeCluster & { name: string };
  user: KubeUser & { name: string; file: string };
}

/** An entry of a list, and the file that it is from. Only the chosen ones are read: a broken neighbour does no harm. */
interface Entry {
  name: string;
  body: unknown;
  file: string;
}

interface File {
  contexts: Entry[];
  clusters: Entry[];
  users: Entry[];
  current: string;
}

const lists = { contexts: 'context', clusters: 'cluster', users: 'user' } as const;

function loadFile(file: string): File {
  let written: string;
  try {
    written = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CannotRun(`The kubeconfig ${file} cannot be read (${(error as NodeJS.ErrnoException).code}); check KUBECONFIG or give --kubeconfig.`);
  }
  const invalid = (why: string) => new CannotRun(`The kubeconfig ${file} is not valid (${why}); repair it or give --kubeconfig.`);
  const document = parseDocument(written);
  const [mistake] = document.errors;
  const because = (error: Error) => invalid((error.message.split('\n')[0] ?? '').replace(/:$/, ''));
  if (mistake) throw because(mistake);
  let whole: unknown;
  try {
    whole = document.toJS();
  } catch (error) {
    // Aliases are resolved last: one that names nothing, or too many of them.
    throw because(error as Error);
  }
  if (whole === null) return { contexts: [], clusters: [], users: [], current: '' };
  if (typeof whole !== 'object' || Array.isArray(whole)) throw invalid('it is no mapping');
  const fields = whole as Record<string, unknown>;
  const entries = (list: keyof typeof lists): Entry[] => {
    const items = fields[list] ?? [];
    if (!Array.isArray(items)) throw invalid(`${list} is no list`);
    return items.flatMap((item: Record<string, unknown> | null) =>
      typeof item?.['name'] === 'string' ? [{ name: item['name'], body: item[lists[list]], file }] : [],
    );
  };
  const current = fields['current-context'];
  return { contexts: entries('contexts'), clusters: entries('clusters'), users: entries('users'), current: typeof current === 'string' ? current : '' };
}

/**
 * Merges kubeconfig files as kubectl does: the first file to name a cluster, user, context or current-context wins
 * (Kubernetes documentation, "Organizing Cluster Access Using kubeconfig Files"). Missing files of a list are passed over.
 */
function merge(files: readonly string[]): File {
  const present = files.length === 1 ? files : files.filter((f) => exists(f));
  if (present.length === 0) throw new CannotRun(`None of the kubeconfig files ${files.join(', ')} exists; check KUBECONFIG or give --kubeconfig.`);
  const loaded = present.map(loadFile);
  return {
    contexts: loaded.flatMap((f) => f.contexts),
    clusters: loaded.flatMap((f) => f.clusters),
    users: loaded.flatMap((f) => f.users),
    current: loaded.map((f) => f.current).find(Boolean) ?? '',
  };
}

function exists(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

const podFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The service account of the pod that this program runs in (Kubernetes documentation, "Accessing the Kubernetes API from a Pod"). */
function inPod(env: NodeJS.ProcessEnv): Chosen {
  const host = env['KUBERNETES_SERVICE_HOST'] ?? '';
  const namespace = exists(`${podFolder}/namespace`) ? readFileSync(`${podFolder}/namespace`, 'utf8').trim() : undefined;
  return {
    context: 'inCluster',
    contexts: ['inCluster'],
    namespace,
    cluster: {
      name: 'inCluster',
      server: `https://${host.includes(':') ? `[${host}]` : host}:${env['KUBERNETES_SERVICE_PORT'] ?? '443'}`,
      'certificate-authority': `${podFolder}/ca.crt`,
    },
    user: { name: 'inCluster', file: podFolder, tokenFile: `${podFolder}/token` },
  };
}

/** `--kubeconfig`, then KUBECONFIG (a list), then ~/.kube/config; undefined where a pod's service account is all there is. */
function kubeconfigFiles(options: KubeOptions, env: NodeJS.ProcessEnv): File | undefined {
  const home = env['HOME'] ?? env['USERPROFILE'];
  const standard = home ? resolve(home, '.kube/config') : undefined;
  if (options.kubeconfig) return merge([options.kubeconfig]);
  if (env['KUBECONFIG']) return merge(env['KUBECONFIG'].split(delimiter).filter(Boolean));
  if (standard && exists(standard)) return merge([standard]);
  if (env['KUBERNETES_SERVICE_HOST'] && exists(`${podFolder}/token`)) return undefined;
  throw new CannotRun(
    'No kubeconfig was found (KUBECONFIG is not set, ~/.kube/config does not exist); set KUBECONFIG or give --kubeconfig, or try "k8s-doctor demo".',
  );
}

/**
 * Finds the credentials. Throws CannotRun, with the field that is wrong and the next step, where there are none or where what was asked for
 * is not in them.
 */
export function loadKubeConfig(options: KubeOptions, env: NodeJS.ProcessEnv): Chosen {
  const files = kubeconfigFiles(options, env);
  return files ? choose(files, options) : inPod(env);
}

/** The names of all contexts. Throws CannotRun where there is no kubeconfig. */
export function contextsOf(options: KubeOptions, env: NodeJS.ProcessEnv): string[] {
  const files = kubeconfigFiles(options, env);
  return files ? names(files.contexts) : [inPod(env).context];
}

const named = (entries: readonly Entry[], name: string) => entries.find((e) => e.name === name);
const names = (entries: readonly Entry[]) => [...new Set(entries.map((e) => e.name))];

function choose(files: File, options: KubeOptions): Chosen {
  const contexts = names(files.contexts);
  const current = options.context ?? files.current;
  if (!current && contexts.length > 0) throw new CannotRun(`The kubeconfig names no current-context; give --context (one of: ${contexts.join(', ')}).`);
  const entry = named(files.contexts, current);
  if (!entry) {
    const near = current ? nearest(current, contexts) : undefined;
    throw new CannotRun(
      `The context "${current}" is not in the kubeconfig${near ? `; did you mean "${near}"?` : contexts.length ? `; it has: ${contexts.join(', ')}.` : ', which has none.'}`,
    );
  }
  const said = read(context, entry, 'context');
  const found = (kind: 'cluster' | 'user', name: string, entries: readonly Entry[]): Entry => {
    const one = named(entries, name);
    if (one) return one;
    throw new CannotRun(
      `The context "${current}" names the ${kind} "${name}", which is not in the kubeconfig (it has: ${names(entries).join(', ') || 'none'}).`,
    );
  };
  const clusterEntry = found('cluster', options.cluster ?? said.cluster, files.clusters);
  const userName = options.user ?? said.user;
  // A context without a user is one without credentials: a proxy in front may add them.
  const userEntry = userName ? found('user', userName, files.users) : { name: '', body: {}, file: entry.file };
  return {
    context: current,
    contexts,
    namespace: said.namespace || undefined,
    cluster: usableCluster(read(cluster, clusterEntry, 'cluster'), clusterEntry),
    user: usableUser(read(user, { ...userEntry, body: userEntry.body ?? {} }, 'user'), userEntry),
  };
}

/** Throws CannotRun that names the field, with its file. */
function wrong(field: string, kind: string, { name, file }: Entry, why: string, todo = 'correct it'): CannotRun {
  return new CannotRun(`"${field}" of ${kind} "${name}" in the kubeconfig ${file} ${why}; ${todo}.`);
}

function read<S extends v.GenericSchema>(schema: S, entry: Entry, kind: 'context' | 'cluster' | 'user'): v.InferOutput<S> {
  if (entry.body === undefined || entry.body === null) throw wrong(kind, 'entry', entry, 'is not there', 'add it');
  const seen = v.safeParse(schema, entry.body);
  if (seen.success) return seen.output;
  const [issue] = seen.issues;
  const field = v.getDotPath(issue) ?? kind;
  throw issue.received === 'undefined'
    ? wrong(field, kind, entry, 'is not there', 'add it')
    : wrong(field, kind, entry, `is ${issue.received}, not ${issue.expected ?? 'what it should be'}`);
}

const schemes = /^(https?|socks5h?):$/;

function usableCluster(read: KubeCluster, entry: Entry): Chosen['cluster'] {
  const bad = (field: string, why: string) => wrong(field, 'cluster', entry, why);
  if (!URL.canParse(read.server) || !/^https?:$/.test(new URL(read.server).protocol)) throw bad('server', `is not a URL of http or https ("${read.server}")`);
  const proxy = read['proxy-url'];
  if (proxy && !(URL.canParse(proxy) && schemes.test(new URL(proxy).protocol))) throw bad('proxy-url', 'is not a URL of http, https or socks5');
  return { ...read, ...pem('certificate-authority', 'cluster', read, entry, (bytes) => new X509Certificate(bytes), 'certificate'), name: entry.name };
}

function usableUser(read: KubeUser, entry: Entry): Chosen['user'] {
  const absolute = (file: string) => resolve(dirname(entry.file), file);
  const checked = {
    ...read,
    ...pem('client-certificate', 'user', read, entry, (bytes) => new X509Certificate(bytes), 'certificate'),
    ...pem('client-key', 'user', read, entry, (bytes) => createPrivateKey(bytes), 'private key'),
    name: entry.name,
    file: entry.file,
  };
  const certificate = bytesOf('client-certificate', checked);
  const key = bytesOf('client-key', checked);
  if (certificate && !key) throw wrong('client-key', 'user', entry, 'is not there, though there is a client-certificate', 'add it');
  if (key && !certificate) throw wrong('client-certificate', 'user', entry, 'is not there, though there is a client-key', 'add it');
  if (certificate && key && !new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)))
    throw wrong('client-key', 'user', entry, 'does not belong to its client-certificate');
  if (read.tokenFile) checked.tokenFile = absolute(read.tokenFile);
  // A command with a slash is a path beside the kubeconfig; without one it is looked up in PATH (client-go, ExecConfig.Command).
  if (read.exec && /[/\\]/.test(read.exec.command)) checked.exec = { ...read.exec, command: absolute(read.exec.command) };
  return checked;
}

type Pem = 'certificate-authority' | 'client-certificate' | 'client-key';
type WithPem = Partial<Record<Pem | `${Pem}-data`, string | null | undefined>>;

/** The bytes of a certificate or a key, which a file or the field itself holds: the field wins, as in client-go. */
export function bytesOf(field: Pem, entry: WithPem): Buffer | undefined {
  const data = entry[`${field}-data`];
  if (data) return Buffer.from(data, 'base64');
  const file = entry[field];
  return file ? readFileSync(file) : undefined;
}

/** The field of a certificate or key with an absolute path, once it was seen to hold one. */
function pem(field: Pem, kind: string, read: WithPem, entry: Entry, parse: (bytes: Buffer) => unknown, holds: string): WithPem {
  const data = read[`${field}-data`];
  const path = read[field];
  const file = path && !data ? resolve(dirname(entry.file), path) : undefined;
  let bytes: Buffer | undefined;
  try {
    bytes = bytesOf(field, { [`${field}-data`]: data, [field]: file });
  } catch (error) {
    throw wrong(field, kind, entry, `names ${file}, which cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  try {
    if (bytes) parse(bytes);
  } catch {
    throw wrong(data ? `${field}-data` : field, kind, entry, `holds no ${holds} in PEM form`);
  }
  return file ? { [field]: file } : {};
}
