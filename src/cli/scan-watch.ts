/** `scan --watch`: the whole scan once, then a line for each Service whose state changes, until a signal ends it. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { CannotRun } from '../catalog/cannot-run.ts';
import { type Cluster, connect, resources } from '../cluster/index.ts';
import { clean, cleanDeep } from '../report/clean.ts';
import { asciiMarks, unicodeMarks, verdictMark } from '../report/view.ts';
import { byStatus } from '../scan/by-cause.ts';
import type { Inventory } from '../scan/inventory.ts';
import { keyOf, nameOf, type Scanned } from '../scan/judge.ts';
import { asJson, missingOf, type Scan, scanOf } from '../scan/scan.ts';
import { inventoryFor, type ScanPlan } from '../scan/scan-cluster.ts';
import { followStates, type StateChange, type States } from '../scan/states.ts';
import { exitStatus, isUnicode, type Screen } from './output.ts';
import type { ScanOptions } from './scan.ts';
import { onSignals } from './signals.ts';

/** How a watch is reported. */
export interface WatchReport {
  /** The screen gets one JSON object a line, for programs. */
  asLines: boolean;
  /** Prints the first scan as text. */
  first: (scan: Scan) => Promise<void>;
  /** Takes a line of text for each change. */
  changed: (line: string) => void;
  /** Writes the files that hold the newest state. */
  files: (scan: Scan, goesOn: boolean) => Promise<void>;
}

/** Follows one cluster. Ends by a signal, with the exit status of what is known then. */
export async function watchScan(options: ScanOptions, plan: Omit<ScanPlan, 'namespace' | 'onProgress'>, screen: Screen, report: WatchReport): Promise<number> {
  const ended = new AbortController();
  const off = onSignals(() => ended.abort());
  const cluster = await connect(options, screen.env);
  const started = performance.now();
  const startedAt = new Date().toISOString();
  let states: States | undefined;
  let server: http.Server | undefined;
  try {
    const whole: ScanPlan = { ...plan, namespace: options.allNamespaces ? undefined : cluster.namespace, onProgress: () => {} };
    const inventory = await inventoryFor(cluster, whole, ended.signal);
    const asText = textOf(screen);
    const current = (found: States, durationMs: number): Scan =>
      scanOf({
        version: options.version,
        startedAt,
        durationMs,
        clusters: [{ context: cluster.context, requests: cluster.requests(), error: null }],
        services: found.all(),
        missing: missingOf(inventory, cluster.context),
      });
    const sinceStart = () => Math.round(performance.now() - started);
    const reported = new Set<string>();
    await followStates(
      cluster,
      whole,
      inventory,
      ended.signal,
      async (found) => {
        states = found;
        const scanSeconds = (performance.now() - started) / 1000;
        if (options.metrics !== undefined) server = serveMetrics(options.metrics, options.version, cluster, found, scanSeconds);
        const first = current(found, sinceStart());
        if (report.asLines) screen.stdout.write(`${JSON.stringify(asJson(cleanDeep(first)))}\n`);
        else await report.first(first);
        await report.files(first, true);
      },
      async (changes) => {
        for (const change of changes) {
          const text = asText(change);
          screen.stdout.write(`${report.asLines ? jsonOf(change) : text}\n`);
          report.changed(text);
        }
        if (states) await report.files(current(states, sinceStart()), true);
        if (options.events) for (const change of changes) await recordEvent(cluster, inventory, change);
      },
      (what, why) => {
        const text = clean(`${what}: ${why}; it is tried again.`);
        if (!options.quiet && !reported.has(text)) process.stderr.write(`${text}\n`);
        reported.add(text);
      },
    );
    if (states) await report.files(current(states, sinceStart()), false);
  } finally {
    off();
    server?.close();
    server?.closeAllConnections();
    cluster.close();
  }
  const worst = (states?.all() ?? []).map((s) => s.status).toSorted(byStatus)[0];
  return exitStatus[worst ?? 'healthy'];
}

const codesOf = (s: Scanned | undefined): string => s?.causes.map((c) => c.code).join(', ') ?? '';

/** A change as one JSON object in a line, so that a program can read it as it comes. */
function jsonOf(change: StateChange): string {
  const { before, now } = cleanDeep(change);
  const { kind, namespace, name, context } = (now ?? before) as Scanned;
  return JSON.stringify({
    at: new Date().toISOString(),
    context,
    ...(kind !== 'Service' && { kind }),
    namespace,
    name,
    status: now?.status ?? 'gone',
    causes: now?.causes.map((c) => c.code) ?? [],
    before: before ? { status: before.status, causes: before.causes.map((c) => c.code) } : null,
    summary: now?.summary ?? '',
  });
}

/** A change as a line of text. */
function textOf(screen: Screen): (change: StateChange) => string {
  const marks = isUnicode(screen.env) ? unicodeMarks : asciiMarks;
  return (change) => {
    const { before, now } = cleanDeep(change);
    const time = new Date().toTimeString().slice(0, 8);
    if (!now) return `${time} ${marks.skip} ${keyOf(before as Scanned)} is gone`;
    const head = `${time} ${marks[verdictMark[now.status]]} ${keyOf(now)}`;
    if (now.status === 'healthy')
      return `${head}${before && before.status !== 'healthy' ? `: ${codesOf(before) || before.status} is gone` : ': no problem in its objects'}`;
    return `${head}: ${now.causes.length > 0 ? `${codesOf(now)}: ` : ''}${now.summary}`;
  };
}

/** Writes a change into the cluster as an Event of the Service (API reference, Event v1). */
async function recordEvent(cluster: Cluster, inventory: Inventory, { before, now }: StateChange): Promise<void> {
  if (!now || now.kind !== 'Service' || (!before && now.status === 'healthy')) return;
  const { metadata } = inventory.find(now.namespace, now.name) ?? {};
  if (!metadata) return;
  const at = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const isBad = now.status !== 'healthy';
  const code = now.causes[0]?.code ?? now.status;
  const event = {
    metadata: { generateName: `${now.name.slice(0, 40)}.`, namespace: now.namespace },
    involvedObject: { apiVersion: 'v1', kind: 'Service', namespace: now.namespace, name: now.name, uid: metadata.uid },
    type: isBad ? 'Warning' : 'Normal',
    reason: isBad ? code.replaceAll(/(?:^|-)([a-z0-9])/g, (_, c: string) => c.toUpperCase()) : 'Healthy',
    message: clean(isBad ? now.summary : `${codesOf(before) || before?.status} is gone`).slice(0, 1024),
    source: { component: 'k8s-doctor' },
    reportingComponent: 'k8s-doctor',
    reportingInstance: 'k8s-doctor',
    firstTimestamp: at,
    lastTimestamp: at,
    count: 1,
  };
  const made = await cluster.create(resources.events, now.namespace, event, false);
  if (!made.ok) process.stderr.write(`${clean(`No Event could be written for ${nameOf(now)} (${made.failure.why}).`)}\n`);
}

/** Answers /metrics, /healthz (alive) and /readyz (everything that changed was judged in the last minute). `where`: a port, or ADDRESS:PORT. */
function serveMetrics(where: string, version: string, cluster: Cluster, states: States, scanSeconds: number): http.Server {
  const [, host, port] = /^(?:(.*):)?(\d+)$/.exec(where) ?? [];
  if (port === undefined || Number(port) > 65535) throw new CannotRun(`--metrics "${where}" is no port; write PORT or ADDRESS:PORT.`);
  const server = http.createServer((request, response) => {
    if (request.url === '/healthz') return void response.end('ok\n');
    if (request.url === '/readyz') {
      const isFresh = Date.now() - states.settledAt() < 60_000;
      response.statusCode = isFresh ? 200 : 503;
      return void response.end(isFresh ? 'ok\n' : 'nothing was judged for a minute\n');
    }
    if (request.url !== '/metrics') {
      response.statusCode = 404;
      return void response.end('There are /metrics, /healthz and /readyz.\n');
    }
    void (async () => {
      const { metricsText } = await import('../report/scan/metrics.ts');
      const { judged, watches, troubles } = states.counts;
      const measured = {
        version,
        services: states.all(),
        scanSeconds,
        lastSuccess: states.settledAt() / 1000,
        requests: cluster.requests(),
        judged,
        watches,
        troubles,
      };
      const { contentType, text } = await metricsText(measured);
      response.setHeader('Content-Type', contentType);
      response.end(text);
    })();
  });
  server.on('error', (error: NodeJS.ErrnoException) => {
    process.stderr.write(`The metrics cannot be served at ${where} (${error.code}); choose another port.\n`);
  });
  server.listen(Number(port), host ?? '', () =>
    process.stderr.write(`metrics: http://${host ?? 'localhost'}:${(server.address() as AddressInfo).port}/metrics\n`),
  );
  return server;
}
