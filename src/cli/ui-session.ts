/** What the terminal UI reads: a live cluster or a recording. Every text from here is cleaned. */
import { stringify } from 'yaml';
import { inFront as frontChecks, pipeline, pipelineFor } from '../../checks/pipeline.ts';
import type { Change } from '../catalog/finding.ts';
import { CannotRun } from '../catalog/cannot-run.ts';
import { type Cluster, connect, type ConnectOptions, type Failure, resources } from '../cluster/index.ts';
import { diagnose } from '../diagnose/diagnose.ts';
import { reasoned, targetOf } from '../verdict/judge.ts';
import { started } from '../diagnose/progress.ts';
import type { Recording } from '../facts/capture.ts';
import type { Facts, Target } from '../facts/facts.ts';
import type { Service } from '../facts/objects.ts';
import { apply } from '../repair/apply.ts';
import { planOf } from '../repair/plan.ts';
import { tryChange } from '../repair/trial.ts';
import { saveUndo, undoFileFor, undoOf } from '../repair/undo.ts';
import { clean, cleanDeep, cleanLines } from '../report/clean.ts';
import type { Result, ServiceRow, Session } from '../tui/session.ts';
import { checkFolder, save } from './captures.ts';
import { frontTarget } from './front-target.ts';
import { refuse, type RunOptions, runLive } from './live-run.ts';
import { type Inventory, takeInventory } from '../scan/inventory.ts';
import { judgeFronts } from '../scan/fronts.ts';
import { judgeService, keyOf, type Scanned, type ScannedKind } from '../scan/judge.ts';
import { parseFrom } from './target.ts';
import { takenBack } from './undo.ts';

/** The diagnosis with its facts and the changes of its fixes. */
export function resultOf(recording: Recording): Result {
  const checks = pipelineFor(targetOf(recording.facts));
  const { reports, verdict } = reasoned(checks, recording.facts);
  const fixes = [...reports.flatMap((r) => r.findings.flatMap((f) => f.fix)), ...planOf(checks, recording.facts, verdict).map((s) => s.fix)];
  return {
    diagnosis: cleanDeep(diagnose(checks, recording)),
    facts: cleanDeep(recording.facts, cleanLines),
    requests: recording.requests,
    changes: Object.fromEntries(fixes.flatMap((f) => (f.command !== undefined && f.changes ? [[clean(f.command), f.changes] as const] : []))),
  };
}

function captured(recording: Recording | null, file: string): string {
  if (recording === null) throw new CannotRun('There is nothing to write yet.');
  checkFolder(file);
  save(recording, file);
  return `written to ${clean(file)}`;
}

/** A recording, which can only be inspected. */
export function replaySession(recording: Recording): Session {
  const none = () => Promise.reject(new CannotRun('A recording has no cluster to ask.'));
  return {
    context: 'recording',
    contexts: [],
    isReplay: true,
    blank: started(pipeline),
    run: () => Promise.resolve(resultOf(recording)),
    tryFix(changes: readonly Change[]) {
      const lines = changes.flatMap((c) => [`${c.how} ${c.kind} ${c.name}`, ...(c.how === 'patch' ? stringify(c.body).trimEnd().split('\n') : [])]);
      const message = "a recording: it can't be tried here; it would make these changes";
      return Promise.resolve({ accepted: false, message, lines: lines.map((l) => ({ mark: '+' as const, text: clean(l) })) });
    },
    makeFix: none,
    undoFix: none,
    capture: (file) => captured(recording, file),
    useContext: none,
    namespaces: none,
    services: none,
    judge: none,
  };
}

export interface LiveSession extends Session {
  /** Why things that a run created could not be removed. */
  left: string[];
  /** What the last run saw. */
  last(): Recording | null;
  close(): void;
}

interface Listed {
  metadata: { namespace: string; name: string; labels?: Record<string, string> };
}

const notListed = ({ plural }: { plural: string }, { why }: Failure) => new CannotRun(`${plural} cannot be listed (${clean(why)}).`);

/** A live cluster. `base`: the options of each run besides the Service and the client. */
export function liveSession(
  first: Cluster,
  options: RunOptions & ConnectOptions,
  base: Omit<Target, 'namespace' | 'name' | 'from'>,
  env: NodeJS.ProcessEnv,
): LiveSession {
  let cluster = first;
  /** Of the list that is shown. */
  let inventory: Inventory | null = null;
  let fronts = new Map<string, Scanned>();
  let last: Recording | null = null;
  let undoFile: string | null = null;
  const left: string[] = [];
  return {
    get context() {
      return clean(cluster.context);
    },
    get contexts() {
      return cluster.contexts;
    },
    isReplay: false,
    blank: started(pipeline),
    left,
    last: () => last,
    close: () => cluster.close(),

    async run(asked, { onEvent, consent, signal }) {
      const { front: kind, namespace, name } = asked;
      const found = kind ? await frontTarget(cluster, { kind, namespace, name }, { ...base, from: asked.from, timeoutMs: options.timeoutMs }) : undefined;
      const target: Target = found?.target ?? { ...base, namespace, name, from: parseFrom(asked.from, namespace) };
      const recording = await runLive(
        cluster,
        target,
        { ...options, ...found?.known },
        {
          onEvent: (event) => onEvent(cleanDeep(event)),
          onLeft: (why) => left.push(why),
          consent: consent && ((q) => consent(clean(q))),
          signal,
        },
      );
      refuse(recording.facts, cluster.context);
      // An aborted run is incomplete: the one before it stays on the screen.
      if (!signal.aborted) last = recording;
      return resultOf(recording);
    },

    async tryFix(changes) {
      const tried = await Promise.all(changes.map((change) => tryChange(cluster, change)));
      const refusal = tried.find((t) => t.refusal)?.refusal;
      if (refusal) return { accepted: false, message: clean(`refused: ${refusal.why}`), lines: [] };
      const lines = tried.flatMap((t) => t.lines).map((l) => ({ mark: l.mark, text: clean(l.text) }));
      return { accepted: true, message: 'the API server accepts it (dry run: nothing was changed)', lines };
    },

    async makeFix({ namespace, name }, changes) {
      const trials = await Promise.all(changes.map((change) => tryChange(cluster, change)));
      const refused = trials.find((t) => t.refusal);
      if (refused) throw new CannotRun(`Not changed: ${clean(refused.refusal?.why ?? '')}.`);
      const reverter = trials.flatMap((t) => t.owners).find((o) => o.reverts);
      if (reverter) throw new CannotRun(`Not changed: ${clean(reverter.name)} would put it back; change it there.`);
      const file = undoFileFor({ namespace, name });
      const done = await apply(cluster, trials, [], (entries) => saveUndo(file, undoOf(cluster.context, options.version, { namespace, name }, entries)));
      undoFile = file;
      if (done.result === 'applied') return `changed; u takes it back, or: k8s-doctor fix --undo ${file}`;
      throw new CannotRun(
        done.result === 'failed' ? `Not changed: ${clean(done.failure.why)}.` : 'Not changed: somebody else changed it since it was read; run again (r).',
      );
    },

    async undoFix() {
      if (undoFile === null) throw new CannotRun('Nothing was changed in this session.');
      const done = await takenBack(cluster, undoFile, false);
      undoFile = null;
      return done.replaceAll('\n', '; ');
    },

    capture: (file) => captured(last, file),

    async useContext(context) {
      const next = await connect({ ...options, context, namespace: undefined, beforeAsking: null }, env);
      cluster.close();
      cluster = next;
      inventory = null;
    },

    async namespaces() {
      const found = await cluster.list(resources.namespaces, {});
      if (found.ok) return (found.value as Listed[]).map((n) => clean(n.metadata.name)).toSorted((a, b) => (a < b ? -1 : 1));
      if (found.failure.reason === 'forbidden') return [cluster.namespace];
      throw notListed(resources.namespaces, found.failure);
    },

    async services(namespace) {
      // Read again: a person opens a list because things change.
      const found = await takeInventory(cluster, [namespace ?? undefined], new AbortController().signal);
      if (!found.seen) throw new CannotRun(`services cannot be listed (${clean(found.why)}).`);
      inventory = found.value;
      const inFront = await judgeFronts(frontChecks, found.value, cluster.context, new AbortController().signal);
      fronts = new Map(inFront.map((s) => [keyOf(s), s]));
      return cleanDeep([...found.value.services().map((s) => rowOf(s, found.value.factsOf(s).slices)), ...inFront.map(frontRowOf)]);
    },

    async judge(row) {
      const front = fronts.get(keyOf({ kind: row.type as ScannedKind, namespace: row.namespace, name: row.name }));
      if (row.front && front) return { status: front.status, summary: clean(front.summary) };
      const service = inventory?.find(row.namespace, row.name);
      if (!inventory || !service) throw new CannotRun(`Service ${row.namespace}/${row.name} is not in the list any more.`);
      const { status, summary } = judgeService(pipeline, inventory, service, cluster.context);
      return { status, summary: clean(summary) };
    },
  };
}

const frontRowOf = ({ kind, namespace, name, ports }: Scanned): ServiceRow => ({
  front: kind === 'Ingress' ? 'ingress' : 'route',
  namespace,
  name,
  type: kind,
  ports: ports.join(' '),
  endpoints: null,
});

function rowOf({ metadata, spec }: Service, slices: Facts['slices']): ServiceRow {
  const endpoints = slices.seen ? slices.value.flatMap((s) => s.endpoints) : null;
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    type: spec.clusterIP === 'None' ? 'Headless' : spec.type,
    ports: spec.ports.map((p) => `${p.port}→${p.targetPort ?? p.port}`).join(' '),
    endpoints: endpoints ? { ready: endpoints.filter((e) => e.conditions?.ready ?? true).length, total: endpoints.length } : null,
  };
}
