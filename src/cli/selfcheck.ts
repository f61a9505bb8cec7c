/** What a first run would need to know: whether the kubeconfig works, what its user may do, and so which ways of looking a diagnosis has. */
import { pipeline } from '../../checks/pipeline.ts';
import { type Skew, skewOf, skewText } from '../catalog/releases.ts';
import { type Cluster, connect, type ConnectOptions, type Result, resources } from '../cluster/index.ts';
import type { FactName } from '../facts/facts.ts';
import type { Access, Collector } from '../gather/collector.ts';
import { collectors } from '../gather/gather.ts';
import { chooseImage, deadlineS, debugName, manifest } from '../probes/debug-pod.ts';
import { type PodDefaults, withDefaults } from '../probes/pod-defaults.ts';
import { cleanDeep } from '../report/clean.ts';
import { wrap } from '../report/text.ts';
import { asciiMarks, unicodeMarks } from '../report/view.ts';
import { refusedCredentials, unreachable } from './live-run.ts';
import { owner } from './owner.ts';
import { isUnicode, parseOutputs, plainFormats, type Screen, writePlain } from './output.ts';

export interface SelfCheckOptions extends ConnectOptions {
  version: string;
  image: string | undefined;
  pods?: PodDefaults | undefined;
  output: string[];
}

type State = 'ok' | 'part' | 'missing' | 'unknown';
interface Row {
  id: string;
  title: string;
  state: State;
  text: string;
  /** Rights that are missing, as RBAC has them; without a namespace in the whole cluster. */
  missing?: { apiGroups: string[]; resources: string[]; verbs: string[]; namespace?: string }[];
}

interface Right {
  fact: FactName;
  group: string;
  resource: string;
  verb: string;
  namespace: string | undefined;
}

/** Each way of looking, with the rights that it uses. Those of the first are needed one by one, those of the others together. */
const ways: { id: string; title: string; needed: boolean; uses(c: Collector, a: Access): boolean }[] = [
  { id: 'objects', title: 'Objects', needed: true, uses: (c, a) => c.impact === 'read' && !a.only },
  { id: 'exec', title: "The client's own pod", needed: true, uses: (c, a) => c.fact === 'connections' && a.resource === 'pods/exec' },
  {
    id: 'debug-pod',
    title: 'Debug pod',
    needed: true,
    uses: (c, a) => c.fact === 'connections' && (a.probes?.includes('debug-pod') ?? a.resource === 'pods/log'),
  },
  {
    id: 'ephemeral',
    title: 'Ephemeral container (optional)',
    needed: false,
    uses: (c, a) => c.fact === 'connections' && (a.probes?.includes('ephemeral') ?? false),
  },
  { id: 'node-rules', title: 'Rules of the nodes', needed: true, uses: (c, a) => c.fact === 'nodeRules' && !a.only },
  { id: 'matrix', title: 'Every node (only --matrix)', needed: false, uses: (_, a) => a.only === 'matrix' },
];

const exitStatus = { ok: 0, part: 2, missing: 2, unknown: 2 } as const;

/** Answers 0 where a diagnosis has all its ways of looking, 2 where some are missing. Throws CannotRun where the API server does not answer. */
export async function selfcheck(options: SelfCheckOptions, screen: Screen): Promise<number> {
  const outputs = parseOutputs(options.output, plainFormats);
  const cluster = await connect(options, screen.env);
  try {
    const found = cleanDeep(await look(cluster, options));
    await writePlain(outputs, textOf(found, isUnicode(screen.env), screen.stdout.columns ?? 100), found, screen);
    const needed = new Set(ways.filter((w) => w.needed).map((w) => w.id));
    return Math.max(...found.ways.filter((w) => needed.has(w.id)).map((w) => exitStatus[w.state]));
  } finally {
    cluster.close();
  }
}

/** What `selfcheck -o json` prints; the shape is a promise: docs/contract.md. */
export interface SelfCheckJson {
  apiVersion: 'k8s-doctor/v1';
  kind: 'SelfCheck';
  version: string;
  context: string;
  /** The URL of the API server. */
  server: string;
  /** Null where the API server does not say. */
  user: string | null;
  namespace: string;
  kubernetes: { release: string; skew: Skew; latencyMs: number };
  ways: Row[];
  /** What a run would create, in words. */
  creates: string[];
}

async function look(cluster: Cluster, options: SelfCheckOptions): Promise<SelfCheckJson> {
  const started = performance.now();
  const release = await cluster.release();
  if (!release.ok) throw (release.failure.reason === 'unauthenticated' ? refusedCredentials : unreachable)(cluster.context, release.failure.why);
  const latencyMs = Math.round(performance.now() - started);
  const served = await cluster.apiVersions();
  const groups = served.ok ? new Set(served.value.map((v) => v.split('/')[0] ?? '')) : undefined;
  const [user, rows] = await Promise.all([userOf(cluster), Promise.all(ways.map((way) => judgeWay(cluster, groups, way)))]);
  const image = options.image ?? chooseImage(await imagesOf(cluster));
  const tried = await tryPod(cluster, image, options.pods);
  const known = rows.map((row) => (row.id === 'debug-pod' && row.state === 'ok' ? { ...row, ...tried } : row));
  return {
    apiVersion: 'k8s-doctor/v1',
    kind: 'SelfCheck',
    version: options.version,
    context: cluster.context,
    server: cluster.server,
    user,
    namespace: cluster.namespace,
    kubernetes: { release: release.value, skew: skewOf(release.value), latencyMs },
    ways: known,
    creates: [
      `at most one pod k8s-doctor-… in the namespace of the client (image ${image}, no rights, never ready, ends by itself after ${deadlineS} s), which is removed before the run ends`,
      'with --from pod/NAME nothing, where that pod has a shell',
      'with --probe none nothing',
    ],
  };
}

async function userOf(cluster: Cluster): Promise<string | null> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const answer = await cluster.create(resources.selfsubjectreviews, undefined, body, false);
  return answer.ok ? ((answer.value as { status?: { userInfo?: { username?: string } } }).status?.userInfo?.username ?? null) : null;
}

/** Names of images by node; none where nodes can't be listed. */
async function imagesOf(cluster: Cluster): Promise<string[][]> {
  const nodes = await cluster.list(resources.nodes, {});
  if (!nodes.ok) return [];
  return (nodes.value as { status?: { images?: { names?: string[] }[] } }[]).map((n) => (n.status?.images ?? []).flatMap((i) => i.names ?? []));
}

const places = (cluster: Cluster): Record<Access['scope'], string | undefined> => ({
  service: cluster.namespace,
  client: cluster.namespace,
  'kube-system': 'kube-system',
  cluster: undefined,
});

/** `groups`: the API groups that are served; undefined where that is not known. */
async function judgeWay(cluster: Cluster, groups: ReadonlySet<string> | undefined, { id, title, uses }: (typeof ways)[number]): Promise<Row> {
  const rights = collectors.flatMap((c) =>
    c.access
      .filter((a) => uses(c, a) && (a.apiGroup === '' || !groups || groups.has(a.apiGroup)))
      .flatMap((a) => a.verbs.map((verb): Right => ({ fact: c.fact, group: a.apiGroup, resource: a.resource, verb, namespace: places(cluster)[a.scope] }))),
  );
  const unique = [...Map.groupBy(rights, (r) => `${r.group}/${r.resource} ${r.verb} ${r.namespace ?? ''}`).values()];
  const answers = await Promise.all(unique.map(async (same) => ({ same, allowed: same[0] ? await may(cluster, same[0]) : null })));
  const refused = answers.filter((a) => a.allowed === false);
  const unknown = answers.filter((a) => a.allowed === null);
  const missing = refused.flatMap(({ same: [r] }) =>
    r ? [{ apiGroups: [r.group], resources: [r.resource], verbs: [r.verb], ...(r.namespace !== undefined && { namespace: r.namespace }) }] : [],
  );
  if (unknown.length > 0 && refused.length === 0) return { id, title, state: 'unknown', text: 'the API server does not say what you may do' };
  if (missing.length === 0) return { id, title, state: 'ok', text: `all ${unique.length} rights` };
  const facts = new Set(refused.flatMap(({ same }) => same.map((r) => r.fact)));
  const stages = id === 'objects' ? [...new Set(pipeline.filter((c) => c.needs.some((n) => facts.has(n))).map((c) => c.id.split('/')[0]))] : [];
  const state = id === 'objects' && missing.length < unique.length ? 'part' : 'missing';
  return {
    id,
    title,
    state,
    text: `${missing.length} of ${unique.length} rights are missing${stages.length > 0 ? `; without them checks of ${stages.join(', ')} say "unknown"` : ''}`,
    missing,
  };
}

/** Whether the user may do something; null where the API server does not say (SelfSubjectAccessReview). */
async function may(cluster: Cluster, right: Right): Promise<boolean | null> {
  const [resource, subresource] = right.resource.split('/');
  const attributes = {
    group: right.group,
    resource,
    verb: right.verb,
    ...(subresource && { subresource }),
    ...(right.namespace !== undefined && { namespace: right.namespace }),
  };
  const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes: attributes } };
  const answer: Result<unknown> = await cluster.create(resources.selfsubjectaccessreviews, undefined, body, false);
  return answer.ok ? ((answer.value as { status?: { allowed?: boolean } }).status?.allowed ?? false) : null;
}

/** Whether admission takes a debug pod: asked in a dry run, which creates nothing. */
async function tryPod(cluster: Cluster, image: string, defaults: PodDefaults | undefined): Promise<{ state: State; text: string }> {
  const pod = manifest(debugName(), { namespace: cluster.namespace, image, owner: owner(), script: 'true' });
  const answer = await cluster.create(resources.pods, cluster.namespace, defaults ? withDefaults(pod, defaults) : pod, true);
  return answer.ok
    ? { state: 'ok', text: `accepted in namespace ${cluster.namespace} by a dry run, image ${image}` }
    : { state: 'missing', text: `not accepted in namespace ${cluster.namespace} (${answer.failure.why})` };
}

function textOf(found: SelfCheckJson, unicode: boolean, columns: number): string {
  const marks = unicode ? unicodeMarks : asciiMarks;
  const mark: Record<State, string> = { ok: marks.pass, part: marks.warn, missing: marks.fail, unknown: marks.unknown };
  const width = Math.max(...found.ways.map((w) => w.title.length), 'API server'.length) + 2;
  const row = (state: State, title: string, text: string) => {
    const [first = '', ...more] = wrap(text, Math.max(40, Math.min(columns, 120) - width - 4));
    return [`  ${mark[state]} ${title.padEnd(width)}${first}`, ...more.map((line) => `    ${' '.repeat(width)}${line}`)];
  };
  const { kubernetes } = found;
  const rules = found.ways.flatMap((w) =>
    (w.missing ?? []).map(
      (m) =>
        `    ${m.verbs.join(',')} ${m.resources.join(',')}${m.apiGroups[0] ? `.${m.apiGroups[0]}` : ''} ${m.namespace === undefined ? 'in the whole cluster' : `in namespace ${m.namespace}`}`,
    ),
  );
  return [
    `k8s-doctor ${found.version}, context ${found.context}, namespace ${found.namespace}`,
    '',
    ...row('ok', 'API server', `${found.server}, ${kubernetes.release}, answered in ${kubernetes.latencyMs} ms`),
    ...row(kubernetes.skew === 'tested' ? 'ok' : 'unknown', 'Release', skewText[kubernetes.skew]),
    ...row(found.user === null ? 'unknown' : 'ok', 'You', found.user ?? 'the API server does not say who you are'),
    ...found.ways.flatMap((w) => row(w.state, w.title, w.text)),
    ...(rules.length > 0 ? ['', '  Missing (k8s-doctor rbac prints Roles with all of them):', ...new Set(rules)] : []),
    '',
    '  A run creates:',
    ...found.creates.flatMap((c) => wrap(c, Math.max(40, Math.min(columns, 120) - 6)).map((line, i) => `    ${i === 0 ? '- ' : '  '}${line}`)),
    '',
  ].join('\n');
}
