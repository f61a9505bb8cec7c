import { readFileSync } from 'node:fs';
import { opening } from '../../checks/network-policy/opening.ts';
import * as v from 'valibot';
import { parse } from 'yaml';
import { CannotRun } from '../catalog/cannot-run.ts';
import type { ConnectOptions } from '../cluster/index.ts';
import { matchesLabels, ownLabels } from '../facts/selectors.ts';
import { smallestChange } from '../policy/change.ts';
import { type Decision, nearMisses, type NearMiss, type Verdict } from '../policy/decide.ts';
import { matrixOf } from '../policy/matrix.ts';
import type { Connection, Party } from '../policy/rule.ts';
import { byAddress, type Reach, reach, type World } from '../policy/world.ts';
import { clean, cleanLines } from '../report/clean.ts';
import { matrixHtml } from '../report/matrix-html.ts';
import { matrixText, type MatrixView } from '../report/matrix.ts';
import { isUnicode, type Output, parseOutputs, type Screen, writeAs } from './output.ts';
import { parseParty, partyOf, podCalled, type Receiver, receivers } from './reach-parties.ts';
import { fromCapture, fromCluster, fromManifests, type Known } from './reach-objects.ts';

export interface ReachOptions extends Omit<ConnectOptions, 'namespace'> {
  from: string | undefined;
  to: string | undefined;
  port: string | undefined;
  protocol: Connection['protocol'];
  manifests: string | undefined;
  replay: string | undefined;
  test: string | undefined;
  matrix: boolean;
  /** Of parties that are named without one; for a matrix, several with commas between them. */
  namespace: string | undefined;
  allNamespaces: boolean;
  output: string[];
}

/** Exit status: 0 allowed, 1 denied, 2 unknown. */
const statusOf: Record<Verdict, number> = { allowed: 0, denied: 1, unknown: 2 };

/** Says whether policies let a connection through, holds a list of expectations against them, or draws who may talk to whom. Answers the exit status. */
export async function reachCommand(options: ReachOptions, screen: Screen): Promise<number> {
  const sources = [options.manifests !== undefined && '-f', options.replay !== undefined && '--replay'].filter(Boolean);
  if (sources.length > 1) throw new CannotRun(`${sources.join(' and ')} both name what to judge by; give one of them.`);
  if (options.matrix && (options.from !== undefined || options.to !== undefined))
    throw new CannotRun('--matrix judges every pair of pods; leave --from and --to out.');
  // An unknown format is reported before anything is read.
  if (options.matrix && options.test === undefined) {
    const outputs = parseOutputs(options.output, ['text', 'json', 'html']);
    return matrix(await load(options, screen.env, 'matrix'), options, outputs, screen);
  }
  const outputs = parseOutputs(options.output, ['text', 'json']);
  if (options.test !== undefined) return expected(await load(options, screen.env, 'test'), options.test, outputs, screen);
  const { json, text } = await judgeReach(options, screen.env);
  await writeAs(outputs, { text: () => text, json: () => JSON.stringify(json, null, 2) }, screen);
  return statusOf[json.verdict];
}

type Loaded = Known & { namespace: string; from?: string; to?: string };

async function load(options: ReachOptions, env: NodeJS.ProcessEnv, mode: 'pair' | 'matrix' | 'test'): Promise<Loaded> {
  const namespace = options.namespace ?? 'default';
  if (options.manifests !== undefined) return { ...fromManifests(options.manifests), namespace };
  if (options.replay !== undefined) {
    const { recording, ...known } = fromCapture(options.replay);
    const target = recording.facts.target.seen ? recording.facts.target.value : undefined;
    const client = recording.facts.client.seen ? recording.facts.client.value : undefined;
    const home = target?.namespace ?? namespace;
    const from =
      client?.kind === 'pod'
        ? `${client.namespace}/pod/${client.name}`
        : client?.kind === 'node'
          ? `node/${client.name}`
          : client?.kind === 'external'
            ? 'external'
            : `namespace/${client?.namespace ?? home}`;
    return { ...known, namespace: options.namespace ?? home, from, ...(target && { to: `${target.namespace}/svc/${target.name}` }) };
  }
  const { namespace: asked, ...connection } = options;
  return fromCluster({ ...connection, namespace: mode === 'pair' ? asked : undefined }, env, (home) => {
    const places = options.allNamespaces ? undefined : (asked ?? home).split(',');
    if (mode === 'matrix') return { who: [], namespaces: places };
    if (mode === 'test') return { who: [], namespaces: undefined };
    return { who: [parseParty('from', options.from, home), parseParty('to', options.to, home)], namespaces: undefined };
  });
}

/** How one direction was decided. */
interface Explained {
  verdict: Verdict;
  why: string;
  /** The policies that select this side. */
  policies: string[];
  /** The rule that decided; `rule` counts from 1. */
  by: { policy: string; kind: string; rule: number; field: string } | null;
  /** The rules that would have allowed it but for one thing. */
  nearest: { policy: string; kind: string; rule: number; field: string; reason: string }[];
}

/** What `reach -o json` prints; the shape is a promise: docs/contract.md. */
export interface ReachJson {
  apiVersion: 'k8s-doctor/v1';
  kind: 'Reach';
  verdict: Verdict;
  port: number;
  protocol: Connection['protocol'];
  egress: Explained;
  ingress: Explained;
  receivers: { name: string; port: number; protocol: Connection['protocol']; verdict: Verdict }[];
  changes: ProposedChange[];
  /** What was not seen, and may allow or deny. */
  missing: string[];
}

/** What `reach --test -o json` prints. */
export interface ReachTestJson {
  apiVersion: 'k8s-doctor/v1';
  kind: 'ReachTest';
  passed: number;
  failed: number;
  failures: { from: Side; to: Side; port: number; protocol: Connection['protocol']; allowed: boolean; verdict: Verdict; egress: string; ingress: string }[];
}

/** What `reach --matrix -o json` prints. */
export interface ReachMatrixJson {
  apiVersion: 'k8s-doctor/v1';
  kind: 'ReachMatrix';
  /** In words. */
  ports: string;
  pairs: MatrixView['pairs'];
  groups: MatrixView['groups'];
  /** From (row) to (column), in the order of `groups`. */
  cells: MatrixView['cells'];
  missing: string[];
}

const explained = (d: Decision, nearest: readonly NearMiss[]): Explained => ({
  verdict: d.verdict,
  why: d.why,
  policies: d.selecting.map((p) => p.name),
  by: d.by && { policy: d.by.policy.name, kind: d.by.policy.kind, rule: d.by.rule.index + 1, field: d.by.rule.field },
  nearest: nearest.map((m) => ({ policy: m.policy.name, kind: m.policy.kind, rule: m.rule.index + 1, field: m.rule.field, reason: m.reason })),
});

const lines = (direction: string, d: Decision, nearest: readonly NearMiss[]): string[] => [
  `  ${direction.padEnd(8)} ${d.verdict}: ${d.why}`,
  ...nearest.slice(0, 3).map((m) => `           ${m.policy.name}, rule ${m.rule.index + 1}: ${m.reason}`),
];

interface Answer extends Receiver {
  result: Reach;
}

/** The nearest rules of a direction that is not allowed. */
function explain(from: Party, { party: to, connection, result }: Answer) {
  const near = (direction: 'egress' | 'ingress') => {
    const [self, other] = direction === 'egress' ? [from, to] : [to, from];
    return result[direction].verdict === 'allowed' ? [] : nearMisses(direction, self, other, connection, result[direction]);
  };
  return { egress: near('egress'), ingress: near('ingress') };
}

interface ProposedChange {
  opens: string;
  command: string;
}

/** For each direction that denies: the smallest change of a NetworkPolicy that would allow all of it. */
function changesFor(world: World, from: Party, answers: readonly Answer[]): ProposedChange[] {
  return (['egress', 'ingress'] as const).flatMap((direction): ProposedChange[] => {
    const denied = answers
      .filter((a) => a.result[direction].verdict === 'denied')
      .map(({ party, connection }) => ({ connection, ...(direction === 'egress' ? { self: from, other: party } : { self: party, other: from }) }));
    const selecting = new Set(answers.flatMap((a) => a.result[direction].selecting.map((p) => `${p.namespace}/${p.name}`)));
    const candidates = world.networkPolicies.filter((p) => selecting.has(`${p.metadata.namespace}/${p.metadata.name}`));
    const [first] = denied;
    const own = first?.self.pod
      ? { labels: ownLabels(first.self.pod.labels), name: `allow-${from.pod?.name ?? 'client'}-to-${answers[0]?.party.pod?.name ?? 'pod'}` }
      : undefined;
    const change = smallestChange({ direction, denied, candidates, set: world.policies, own, known: world.pods });
    if (!change) return [];
    const { command = '' } = opening('it', direction, change);
    return [{ opens: change.opens, command }];
  });
}

/** Several receivers: denied where one is, since a Service's requests go to any of them. */
const overall = (verdicts: readonly Verdict[]): Verdict => (verdicts.includes('denied') ? 'denied' : verdicts.includes('unknown') ? 'unknown' : 'allowed');

/** Judges one connection, for a person and as JSON. Throws CannotRun where there is nothing to judge. */
function answerFor(known: Loaded, options: ReachOptions): { json: ReachJson; text: string } {
  const names = { from: options.from ?? known.from, to: options.to ?? known.to };
  const from = partyOf(known.world, parseParty('from', names.from, known.namespace));
  const asked = receivers(known.world, known.objects, parseParty('to', names.to, known.namespace), options.port, options.protocol);
  const answers = asked.map((r): Answer => ({ ...r, result: reach(known.world.policies, from, r.party, r.connection) }));
  const blind = [...known.missing, ...known.world.unread.map((u) => `${u.object} (${u.path.join('.')}: ${u.why})`)];
  // What was not seen may allow or deny.
  const verdict = blind.length > 0 ? 'unknown' : overall(answers.map((a) => a.result.verdict));
  const first = answers.find((a) => a.result.verdict === verdict) ?? answers[0];
  if (!first) throw new CannotRun(`"${names.to ?? ''}" has no pod; there is nothing to judge.`);
  const why = explain(from, first);
  const changes = verdict === 'denied' ? changesFor(known.world, from, answers) : [];
  const ports = [...new Set(answers.map((a) => `${a.connection.port}/${a.connection.protocol}`))].join(', ');
  const json: ReachJson = {
    apiVersion: 'k8s-doctor/v1',
    kind: 'Reach',
    verdict,
    port: first.connection.port,
    protocol: first.connection.protocol,
    egress: explained(first.result.egress, why.egress),
    ingress: explained(first.result.ingress, why.ingress),
    receivers: answers.map((a) => ({ name: a.name, port: a.connection.port, protocol: a.connection.protocol, verdict: a.result.verdict })),
    changes,
    missing: blind,
  };
  const part = answers.filter((a) => a.result.verdict === first.result.verdict).length;
  const text = [
    `${names.from} → ${names.to}, ${ports}: ${verdict}${answers.length > 1 && part < answers.length ? ` (${part} of ${answers.length} pods ${first.result.verdict}, such as ${first.name})` : ''}`,
    ...lines('egress', first.result.egress, why.egress),
    ...lines('ingress', first.result.ingress, why.ingress),
    ...changes.map((c) => `  change   allow ${c.opens}: ${c.command}`),
    ...blind.map((b) => `  not seen ${b}`),
  ].join('\n');
  return { json, text: cleanLines(text) };
}

/** One connection, judged by the objects that the options name. */
export const judgeReach = async (options: ReachOptions, env: NodeJS.ProcessEnv) => answerFor(await load(options, env, 'pair'), options);

const side = v.union([v.strictObject({ namespace: v.string(), pod: v.string() }), v.strictObject({ ip: v.string() })], 'wants {namespace, pod} or {ip}');
const expectations = v.array(
  v.object({ from: side, to: side, port: v.number(), protocol: v.optional(v.picklist(['TCP', 'UDP', 'SCTP']), 'TCP'), allowed: v.boolean() }),
  'wants a list of {from, to, port, protocol, allowed}',
);
type Side = { namespace: string; pod: string } | { ip: string };

function readExpectations(file: string): v.InferOutput<typeof expectations> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CannotRun(`The test file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}); check the path.`);
  }
  let raw: unknown;
  try {
    // JSON first: it is many times quicker to read, and YAML holds it.
    raw = file.endsWith('.json') ? JSON.parse(text) : parse(text, { logLevel: 'error' });
  } catch (error) {
    throw new CannotRun(`The test file ${file} cannot be read: ${(error as Error).message.split('\n')[0]}.`);
  }
  const read = v.safeParse(expectations, raw, { abortEarly: true });
  if (read.success) return read.output;
  throw new CannotRun(`The test file ${file}, ${v.getDotPath(read.issues[0]) ?? 'the whole'}: ${read.issues[0].message}.`);
}

async function expected(known: Loaded, file: string, outputs: readonly Output<'text' | 'json'>[], screen: Screen): Promise<number> {
  const { world } = known;
  const find = (s: Side): Party => ('ip' in s ? byAddress(world, s.ip) : podCalled(world, s.namespace, s.pod));
  const textOf = (s: Side) => ('ip' in s ? s.ip : `${s.namespace}/${s.pod}`);
  const tests = readExpectations(file);
  const failures = tests.flatMap((t) => {
    const result = reach(world.policies, find(t.from), find(t.to), { port: t.port, protocol: t.protocol });
    if (result.verdict === (t.allowed ? 'allowed' : 'denied')) return [];
    return [{ ...t, verdict: result.verdict, egress: result.egress.why, ingress: result.ingress.why }];
  });
  const passed = tests.length - failures.length;
  const json = (): ReachTestJson => ({ apiVersion: 'k8s-doctor/v1', kind: 'ReachTest', passed, failed: failures.length, failures });
  const text = () =>
    [
      ...failures.map(
        (f) =>
          `✗ ${textOf(f.from)} → ${textOf(f.to)}, ${f.port}/${f.protocol}: expected ${f.allowed ? 'allowed' : 'denied'}, is ${f.verdict}\n    egress: ${f.egress}\n    ingress: ${f.ingress}`,
      ),
      ...known.missing.map((m) => `not seen: ${m}`),
      `${passed} passed, ${failures.length} failed`,
    ].join('\n');
  await writeAs(outputs, { text: () => cleanLines(text()), json: () => JSON.stringify(json(), null, 2) }, screen);
  if (failures.length > 0) return 1;
  return known.missing.length > 0 ? 2 : 0;
}

/** On which ports a pod is asked: the one that was named, or all that it declares. */
function portsAsked(options: ReachOptions): (to: Party) => Connection[] {
  const { port, protocol } = options;
  if (port === undefined)
    return (to) => [...new Map((to.pod?.ports ?? []).map((p) => [`${p.port}/${p.protocol}`, { port: p.port, protocol: p.protocol }])).values()];
  const number = Number(port);
  if (Number.isInteger(number) && number >= 1 && number <= 65_535) return () => [{ port: number, protocol }];
  return (to) => (to.pod?.ports ?? []).filter((p) => p.name === port && p.protocol === protocol).map((p) => ({ port: p.port, protocol }));
}

async function matrix(known: Loaded, options: ReachOptions, outputs: readonly Output<'text' | 'json' | 'html'>[], screen: Screen): Promise<number> {
  const wanted = options.allNamespaces ? undefined : (options.namespace ?? known.namespace).split(',');
  const inside = known.world.pods.filter((p) => wanted === undefined || wanted.includes(p.pod?.namespace ?? ''));
  const live = inside.filter((p) => p.addresses.length > 0);
  // A workload's template represents its pods only where none of them exists.
  const standsFor = (p: Party) =>
    live.some((l) => l.pod?.namespace === p.pod?.namespace && matchesLabels({ matchLabels: p.pod?.labels ?? {} }, l.pod?.labels ?? {}));
  const parties = inside.filter((p) => p.addresses.length > 0 || !standsFor(p));
  if (parties.length === 0)
    throw new CannotRun(
      `There are no pods in ${wanted ? `namespace ${wanted.join(', ')}` : 'any namespace'} among the objects at hand; name others with -n, or give -A.`,
    );
  const portsOf = portsAsked(options);
  const found = matrixOf(known.world.policies, parties, portsOf);
  const view = viewOf(known, parties, found, portsOf, options);
  const texts = {
    text: () => matrixText(view, { unicode: isUnicode(screen.env), columns: screen.stdout.columns ?? 100 }),
    json: () =>
      JSON.stringify(
        {
          apiVersion: 'k8s-doctor/v1',
          kind: 'ReachMatrix',
          ports: view.ports,
          pairs: found.pairs,
          groups: view.groups,
          cells: found.cells,
          missing: view.missing,
        } satisfies ReachMatrixJson,
        null,
        2,
      ),
    html: () => matrixHtml(view),
  };
  await writeAs(outputs, texts, screen);
  return known.missing.length > 0 ? 2 : 0;
}

/** So many reasons are written out at most; a larger picture goes without. */
const maxReasons = 10_000;

function viewOf(
  known: Loaded,
  parties: readonly Party[],
  found: ReturnType<typeof matrixOf>,
  portsOf: (to: Party) => Connection[],
  options: ReachOptions,
): MatrixView {
  const reason = (a: number, b: number): string => {
    const [row, column] = [found.groups[a], found.groups[b]];
    const from = parties[row?.members[0] ?? -1];
    const to = parties[(a === b ? column?.members[1] : column?.members[0]) ?? -1];
    const connection = to && portsOf(to)[0];
    if (!from || !to || !connection || found.cells[a]?.[b] === 'allowed') return '';
    const { egress, ingress } = reach(known.world.policies, from, to, connection);
    return [egress.verdict === 'allowed' ? '' : `egress: ${egress.why}`, ingress.verdict === 'allowed' ? '' : `ingress: ${ingress.why}`]
      .filter(Boolean)
      .join('; ');
  };
  const few = found.groups.length ** 2 <= maxReasons;
  return {
    title: `Who may talk to whom${options.allNamespaces ? '' : `: ${options.namespace ?? known.namespace}`}`,
    ports: options.port === undefined ? 'the ports that each pod declares' : `port ${options.port}/${options.protocol}`,
    groups: found.groups.map((g) => ({ namespace: clean(g.namespace), name: clean(g.name), pods: g.members.map((i) => clean(parties[i]?.pod?.name ?? '')) })),
    cells: found.cells,
    pairs: found.pairs,
    missing: known.missing.map(clean),
    reason: few ? (a, b) => clean(reason(a, b)) : () => '',
  };
}
