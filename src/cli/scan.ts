import { readFileSync } from 'node:fs';
import pLimit from 'p-limit';
import { inFront, pipeline } from '../../checks/pipeline.ts';
import { CannotRun } from '../catalog/cannot-run.ts';
import { knownCode } from '../catalog/known-code.ts';
import type { ConnectOptions } from '../cluster/index.ts';
import { contextsOf } from '../cluster/kubeconfig.ts';
import { clean } from '../report/clean.ts';
import type { Watched } from '../report/html-page.ts';
import { renderScan, scanFormats } from '../report/scan/render.ts';
import { readRules, type Rule } from '../scan/accepted.ts';
import type { Progress } from '../scan/inventory.ts';
import { changesSince, fromJson, merged, only, type Scan, scanOf, statusOf } from '../scan/scan.ts';
import { scanCluster, type ScanPlan } from '../scan/scan-cluster.ts';
import { parseShard } from '../scan/shard.ts';
import type { PodDefaults } from '../probes/pod-defaults.ts';
import { openCluster } from './open-cluster.ts';
import { probeServices } from './scan-probe.ts';
import type { WatchReport } from './scan-watch.ts';
import { exitStatus, isUnicode, type Output, parseOutputs, type Screen, watchOutputs, writeTexts } from './output.ts';

export interface ScanOptions extends ConnectOptions {
  version: string;
  allNamespaces: boolean;
  allContexts: boolean;
  output: string[];
  quiet: boolean;
  /** From what on the exit status is 1. */
  failOn: 'degraded' | 'faulty';
  /** Codes. */
  only: string[];
  /** A file of rules. */
  ignore: string | undefined;
  /** A file of an earlier scan. */
  since: string | undefined;
  shard: string | undefined;
  /** Files of scans. */
  merge: string[];
  /** Test connections of what the objects do not settle. */
  probe: boolean;
  /** Milliseconds within which tests are begun. */
  budgetMs: number;
  atOnce: number;
  image: string | undefined;
  /** Causes that the configuration accepts. */
  accepted: Rule[];
  pods?: PodDefaults | undefined;
  /** Go on, and report changes. */
  watch: boolean;
  /** Write changes into the cluster, as Events. */
  events: boolean;
  /** PORT or ADDRESS:PORT at which metrics are served. */
  metrics: string | undefined;
}

/** So many clusters are read at once. */
const clustersAtOnce = 4;

export function fileText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CannotRun(`The file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

/** Finds what is wrong with all Services. Answers the exit status of the worst. */
export async function scan(options: ScanOptions, screen: Screen): Promise<number> {
  const outputs = parseOutputs(options.output, scanFormats);
  const codes = options.only.flatMap((o) => o.split(',')).map(knownCode);
  const earlier = options.since === undefined ? undefined : fromJson(fileText(options.since), options.since);
  if (!(options.atOnce >= 1)) throw new CannotRun('--at-once needs a number from 1 on.');
  if (options.watch) {
    const { asLines, files, changes, add } = watchOutputs(outputs);
    const write = (found: Scan, to: typeof outputs, watched?: Watched) => writeScan(only(found, codes), to, earlier, options.allNamespaces, screen, watched);
    return watched(options, screen, {
      asLines,
      first: (found) => write(found, [{ format: 'text' }]),
      changed: add,
      files: (found, goesOn) => write(found, files, { goesOn, changes }),
    });
  }
  if (options.events || options.metrics !== undefined) throw new CannotRun('--events and --metrics go with --watch; add it.');
  const found = options.merge.length > 0 ? merged(options.merge.map((file) => fromJson(fileText(file), file))) : await scanAll(options, screen);
  const shown = only(found, codes);
  await writeScan(shown, outputs, earlier, options.allNamespaces, screen);
  const worst = statusOf(shown);
  // Degraded is good enough for --fail-on faulty, unless something could not be judged.
  if (worst === 'degraded' && options.failOn === 'faulty') return shown.services.some((s) => s.status === 'undecided') ? exitStatus.undecided : 0;
  return exitStatus[worst];
}

async function writeScan(
  found: Scan,
  outputs: readonly Output<(typeof scanFormats)[number]>[],
  earlier: Scan | undefined,
  isOfAll: boolean,
  screen: Screen,
  watched?: Watched,
): Promise<void> {
  const namespaces = isOfAll || new Set(found.services.map((s) => s.namespace)).size > 1;
  const changes = earlier && changesSince(earlier, found);
  const texts = await Promise.all(
    outputs.map(async ({ format, file }) => {
      const columns = file ? 120 : (screen.stdout.columns ?? 120);
      return {
        text: await renderScan(found, format, { unicode: isUnicode(screen.env), columns, namespaces, changes, watched }),
        ...(file !== undefined && { file }),
      };
    }),
  );
  await writeTexts(texts, screen);
}

const planFor = (options: ScanOptions): Omit<ScanPlan, 'namespace' | 'onProgress'> => ({
  pipeline,
  inFront,
  shard: options.shard === undefined ? undefined : parseShard(options.shard),
  accepted: options.ignore === undefined ? options.accepted : readRules(fileText(options.ignore), options.ignore),
});

async function watched(options: ScanOptions, screen: Screen, report: WatchReport): Promise<number> {
  if (options.allContexts || options.context?.includes(',')) throw new CannotRun('--watch follows one cluster; start one for each context.');
  if (options.merge.length > 0) throw new CannotRun('Files do not change; leave --watch out.');
  if (options.probe) throw new CannotRun('--watch reads objects only; leave --probe out.');
  return (await import('./scan-watch.ts')).watchScan(options, planFor(options), screen, report);
}

/** Reads the clusters that are asked for. One that does not answer is named; where none does, it throws. */
async function scanAll(options: ScanOptions, screen: Screen): Promise<Scan> {
  const startedAt = new Date().toISOString();
  const started = performance.now();
  const contexts = options.allContexts ? contextsOf(options, screen.env) : (options.context?.split(',') ?? [undefined]);
  const progress = options.quiet ? undefined : progressLine(process.stderr);
  const plan = planFor(options);
  const limit = pLimit(clustersAtOnce);
  const parts = await Promise.all(contexts.map((context) => limit(() => scanOne({ ...options, context }, plan, contexts.length > 1, screen, progress))));
  progress?.end();
  const [first] = parts;
  if (first && parts.every((p) => p.cluster.error !== null)) throw new CannotRun(parts.map((p) => p.cluster.error).join('\n'));
  return scanOf({
    version: options.version,
    startedAt,
    durationMs: Math.round(performance.now() - started),
    clusters: parts.map((p) => p.cluster),
    services: parts.flatMap((p) => p.services),
    missing: parts.flatMap((p) => p.missing),
  });
}

async function scanOne(
  options: ScanOptions,
  plan: Omit<ScanPlan, 'namespace' | 'onProgress'>,
  oneOfSeveral: boolean,
  screen: Screen,
  progress: ReturnType<typeof progressLine> | undefined,
): Promise<Pick<Scan, 'services' | 'missing'> & { cluster: Scan['clusters'][number] }> {
  let requests = () => 0;
  let context = options.context ?? '';
  try {
    const cluster = await openCluster(options, screen.env);
    try {
      requests = () => cluster.requests();
      context = cluster.context;
      const namespace = options.allNamespaces ? undefined : cluster.namespace;
      const found = await scanCluster(cluster, { ...plan, namespace, onProgress: (now) => progress?.show(context, now) });
      const { inventory, missing } = found;
      const annotationOf = (s: { namespace: string; name: string }) => inventory.find(s.namespace, s.name)?.metadata.accepted;
      const services = options.probe ? await probeServices(cluster, found.services, { ...options, accepted: plan.accepted }, annotationOf) : found.services;
      return { services, missing, cluster: { context, requests: requests(), error: null } };
    } finally {
      cluster.close();
    }
  } catch (error) {
    if (!(error instanceof CannotRun)) throw error;
    // The sentence alone says of which cluster it is only where there is one.
    if (!oneOfSeveral) throw error;
    return { services: [], missing: [], cluster: { context, requests: requests(), error: clean(error.message) } };
  }
}

/** What is listed so far and how much there is, in one line of a terminal. */
function progressLine(stream: NodeJS.WriteStream) {
  const known = new Map<string, Progress>();
  let drawn = 0;
  return {
    show(context: string, now: Progress): void {
      known.set(context, { ...now });
      if (!stream.isTTY || performance.now() - drawn < 100) return;
      drawn = performance.now();
      const sum = (of: (p: Progress) => number) => [...known.values()].reduce((total, p) => total + of(p), 0);
      const [listed, left] = [sum((p) => p.listed), sum((p) => p.remaining)];
      const share = listed + left > 0 ? ` (${Math.floor((100 * listed) / (listed + left))} %)` : '';
      stream.write(`\r\u001b[2K  ${listed} objects read${left > 0 ? `, ${left} to come` : ''}${share}`);
    },
    end(): void {
      if (stream.isTTY && known.size > 0) stream.write('\r\u001b[2K');
    },
  };
}
