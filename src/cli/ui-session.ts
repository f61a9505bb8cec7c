/** What the terminal UI reads: a live cluster or a recording. Every text from here is cleaned. */
import { structuredPatch } from 'diff';
import { stringify } from 'yaml';
import { pipeline } from '../../checks/pipeline.ts';
import type { Patch } from '../catalog/finding.ts';
import { CannotRun } from '../catalog/cannot-run.ts';
import { type Cluster, connect, type ConnectOptions, type Failure, resources } from '../cluster/index.ts';
import { shared } from '../cluster/shared.ts';
import { diagnose, reasoned } from '../diagnose/diagnose.ts';
import { started } from '../diagnose/progress.ts';
import type { Recording } from '../facts/capture.ts';
import type { Target } from '../facts/facts.ts';
import { resourceOf } from '../gather/dry-run.ts';
import { clean, cleanDeep, cleanLines } from '../report/clean.ts';
import type { Result, ServiceRow, Session, Trial } from '../tui/session.ts';
import { checkFolder, save } from './captures.ts';
import { refuse, type RunOptions, runLive } from './live-run.ts';
import { judged } from './scan.ts';
import { parseFrom } from './target.ts';

/** The diagnosis with its facts and patches. */
export function resultOf(recording: Recording): Result {
  const fixes = reasoned(pipeline, recording).reports.flatMap((r) => r.findings.flatMap((f) => f.fix));
  return {
    diagnosis: cleanDeep(diagnose(pipeline, recording)),
    facts: cleanDeep(recording.facts, cleanLines),
    requests: recording.requests,
    patches: Object.fromEntries(fixes.flatMap((f) => (f.command !== undefined && f.patch ? [[clean(f.command), f.patch] as const] : []))),
  };
}

function captured(recording: Recording | null, file: string): string {
  if (recording === null) throw new CannotRun('There is nothing to write yet.');
  checkFolder(file);
  save(recording, file);
  return `written to ${clean(file)}`;
}

/** Fields that a diff leaves out: bookkeeping, and values that can be secret. */
const hidden = new Set(['managedFields', 'resourceVersion', 'generation', 'env', 'envFrom', 'annotations', 'uid', 'creationTimestamp', 'status']);
const shownPart = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(shownPart)
    : value && typeof value === 'object'
      ? Object.fromEntries(Object.entries(value).flatMap(([k, x]) => (hidden.has(k) ? [] : [[k, shownPart(x)]])))
      : value;
const yamlOf = (value: unknown) => stringify(shownPart(value), { lineWidth: 0 });

function diffOf(before: unknown, after: unknown): Trial['lines'] {
  const { hunks } = structuredPatch('', '', yamlOf(before), yamlOf(after), '', '', { context: 4 });
  return hunks.flatMap((h, i): Trial['lines'] => [
    ...(i > 0 ? [{ mark: ' ', text: '…' } as const] : []),
    ...h.lines.map((l): Trial['lines'][number] => ({ mark: l[0] === '+' || l[0] === '-' ? l[0] : ' ', text: clean(l.slice(1)) || ' ' })),
  ]);
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
    tryFix(patch: Patch) {
      const lines = stringify(patch.body).trimEnd().split('\n');
      const message = `a recording: it can't be tried here; it would patch ${patch.kind} ${patch.name} (${patch.type}) with`;
      return Promise.resolve({ accepted: false, message: clean(message), lines: lines.map((l) => ({ mark: '+' as const, text: clean(l) })) });
    },
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
  let once = shared(cluster);
  let last: Recording | null = null;
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
      const target: Target = { ...base, namespace: asked.namespace, name: asked.name, from: parseFrom(asked.from, asked.namespace) };
      const recording = await runLive(cluster, target, options, {
        onEvent: (event) => onEvent(cleanDeep(event)),
        onLeft: (why) => left.push(why),
        consent: consent && ((q) => consent(clean(q))),
        signal,
      });
      refuse(recording.facts, cluster.context);
      // An aborted run is incomplete: the one before it stays on the screen.
      if (!signal.aborted) last = recording;
      return resultOf(recording);
    },

    async tryFix({ kind, namespace, name, type, body }) {
      const resource = resourceOf(kind);
      if (!resource) throw new CannotRun(`${kind} is no kind that can be tried here.`);
      const [before, after] = await Promise.all([cluster.get(resource, name, namespace), cluster.dryRun({ resource, namespace, name, type, body })]);
      if (!after.ok) return { accepted: false, message: clean(`refused: ${after.failure.why}`), lines: [] };
      return {
        accepted: true,
        message: 'the API server accepts it (dry run: nothing was changed)',
        lines: before.ok ? diffOf(before.value, after.value) : [],
      };
    },

    capture: (file) => captured(last, file),

    async useContext(context) {
      const next = await connect({ ...options, context, namespace: undefined }, env);
      cluster.close();
      cluster = next;
      once = shared(cluster);
    },

    async namespaces() {
      once = shared(cluster);
      const found = await once.list(resources.namespaces, {});
      if (found.ok) return (found.value as Listed[]).map((n) => clean(n.metadata.name)).toSorted((a, b) => (a < b ? -1 : 1));
      if (found.failure.reason === 'forbidden') return [cluster.namespace];
      throw notListed(resources.namespaces, found.failure);
    },

    async services(namespace) {
      // Read again: a person opens a list because things change.
      once = shared(cluster);
      const where = namespace ?? undefined;
      const [services, slices] = await Promise.all([
        once.list(resources.services, { namespace: where }),
        once.list(resources.endpointslices, { namespace: where }),
      ]);
      if (!services.ok) throw notListed(resources.services, services.failure);
      const byService = Map.groupBy(
        (slices.ok ? slices.value : []) as Slice[],
        (s) => `${s.metadata.namespace}/${s.metadata.labels?.['kubernetes.io/service-name'] ?? ''}`,
      );
      const own = (s: Listed) => byService.get(`${s.metadata.namespace}/${s.metadata.name}`) ?? [];
      return cleanDeep((services.value as ListedService[]).map((s) => rowOf(s, slices.ok ? own(s) : null)));
    },

    async judge(row) {
      const { status, summary } = await judged(once, row.namespace, row.name, options.version);
      return { status, summary: clean(summary) };
    },
  };
}

interface ListedService extends Listed {
  spec?: { type?: string; clusterIP?: string; ports?: { port: number; targetPort?: number | string; protocol?: string }[] };
}
interface Slice extends Listed {
  endpoints?: { conditions?: { ready?: boolean } }[] | null;
}

function rowOf({ metadata, spec }: ListedService, slices: readonly Slice[] | null): ServiceRow {
  const endpoints = slices?.flatMap((s) => s.endpoints ?? []);
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    type: spec?.clusterIP === 'None' ? 'Headless' : (spec?.type ?? 'ClusterIP'),
    ports: (spec?.ports ?? []).map((p) => `${p.port}→${p.targetPort ?? p.port}`).join(' '),
    endpoints: endpoints ? { ready: endpoints.filter((e) => e.conditions?.ready ?? true).length, total: endpoints.length } : null,
  };
}
