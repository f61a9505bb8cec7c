import pLimit from 'p-limit';
import { pipeline } from '../../checks/pipeline.ts';
import { CannotRun } from '../catalog/cannot-run.ts';
import { type Cluster, connect, type ConnectOptions, resources } from '../cluster/index.ts';
import { shared } from '../cluster/shared.ts';
import { reasoned } from '../verdict/judge.ts';
import type { Diagnosis } from '../diagnose/diagnosis.ts';
import { record } from '../diagnose/run.ts';
import { openJanitor } from '../probes/debug-pod.ts';
import { cleanDeep } from '../report/clean.ts';
import { scanText } from '../report/scan.ts';
import { exitStatus, isUnicode, parseOutputs, type Screen, writeAs } from './output.ts';
import { parseFrom } from './target.ts';

export interface ScanOptions extends ConnectOptions {
  allNamespaces: boolean;
  output: string[];
  version: string;
}

/** One Service in a scan. */
interface Scanned {
  namespace: string;
  name: string;
  type: string;
  ports: string[];
  /** Of the endpoints: `ready/all`. */
  endpoints: { ready: number; total: number };
  status: Diagnosis['verdict']['status'];
  summary: string;
  causes: string[];
}

/** So many diagnoses are judged at once. */
const atOnce = 8;

const worst: Diagnosis['verdict']['status'][] = ['faulty', 'degraded', 'undecided', 'healthy'];

/** Diagnoses every Service by its objects alone: no probe, each list read once. Answers the exit status of the worst. */
export async function scan(options: ScanOptions, screen: Screen): Promise<number> {
  const outputs = parseOutputs(options.output, ['text', 'json']);
  const cluster = await connect(options, screen.env);
  try {
    const namespace = options.allNamespaces ? undefined : cluster.namespace;
    const once = shared(cluster);
    const listed = await once.list(resources.services, { namespace });
    if (!listed.ok) throw new CannotRun(`The Services cannot be listed (${listed.failure.why}); check your rights and the cluster.`);
    const limit = pLimit(atOnce);
    const services = listed.value as { metadata: { namespace: string; name: string } }[];
    const found = await Promise.all(services.map((s) => limit(() => judged(once, s.metadata.namespace, s.metadata.name, options.version))));
    const all = cleanDeep(
      found.toSorted((a, b) => worst.indexOf(a.status) - worst.indexOf(b.status) || (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1)),
    );
    const text = (columns: number) =>
      scanText(all, { unicode: isUnicode(screen.env), columns, namespaces: options.allNamespaces, requests: cluster.requests() });
    const json = () => JSON.stringify({ apiVersion: 'k8s-doctor/v1', kind: 'Scan', services: all }, null, 2);
    await writeAs(outputs, { json, text: (toFile) => text(toFile ? 120 : (screen.stdout.columns ?? 120)) }, screen);
    return exitStatus[all[0]?.status ?? 'healthy'];
  } finally {
    cluster.close();
  }
}

export async function judged(cluster: Cluster, namespace: string, name: string, version: string): Promise<Scanned> {
  const context = {
    cluster,
    target: { namespace, name, from: parseFrom(undefined, namespace), probe: 'none' as const, nodes: 'client' as const, matrix: false },
    janitor: openJanitor(),
    signal: new AbortController().signal,
    image: undefined,
    nodeImage: undefined,
    owner: '',
  };
  const recording = await record(pipeline, context, version, () => {});
  const { verdict } = reasoned(pipeline, recording);
  const service = recording.facts.service.seen ? recording.facts.service.value : null;
  const slices = recording.facts.slices.seen ? recording.facts.slices.value : [];
  const endpoints = slices.flatMap((s) => s.endpoints ?? []);
  return {
    namespace,
    name,
    type: service?.spec.type ?? 'unknown',
    ports: (service?.spec.ports ?? []).map((p) => `${p.port}→${p.targetPort ?? p.port}${p.protocol === 'TCP' ? '' : `/${p.protocol}`}`),
    endpoints: { ready: endpoints.filter((e) => e.conditions?.ready ?? true).length, total: endpoints.length },
    status: verdict.status,
    summary: verdict.causes[0]?.message ?? verdict.summary,
    causes: verdict.causes.map((c) => c.code),
  };
}
