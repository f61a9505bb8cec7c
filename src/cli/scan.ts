import { pipeline } from '../../checks/pipeline.ts';
import { CannotRun } from '../catalog/cannot-run.ts';
import { connect, type ConnectOptions } from '../cluster/index.ts';
import { cleanDeep } from '../report/clean.ts';
import { scanText } from '../report/scan.ts';
import { byCause, byStatus } from '../scan/by-cause.ts';
import { takeInventory } from '../scan/inventory.ts';
import { judgeService, type Scanned } from '../scan/judge.ts';
import { exitStatus, isUnicode, parseOutputs, type Screen, writeAs } from './output.ts';

/** Milliseconds for all lists of a cluster. */
const scanTimeoutMs = 120_000;

export interface ScanOptions extends ConnectOptions {
  allNamespaces: boolean;
  output: string[];
  version: string;
}

/** Diagnoses every Service by its objects alone: no probe, each list read once. Answers the exit status of the worst. */
export async function scan(options: ScanOptions, screen: Screen): Promise<number> {
  const outputs = parseOutputs(options.output, ['text', 'json']);
  const cluster = await connect(options, screen.env);
  try {
    const namespace = options.allNamespaces ? undefined : cluster.namespace;
    const inventory = await takeInventory(cluster, namespace, AbortSignal.timeout(scanTimeoutMs));
    if (!inventory.seen) throw new CannotRun(`The Services cannot be listed (${inventory.why}); check your rights and the cluster.`);
    const nameOf = (x: Scanned) => `${x.namespace}/${x.name}`;
    const all = cleanDeep(
      inventory.value
        .services()
        .map((service) => judgeService(pipeline, inventory.value, service, options.version))
        .toSorted((x, y) => byStatus(x.status, y.status) || (nameOf(x) < nameOf(y) ? -1 : 1)),
    );
    const text = (columns: number) =>
      scanText(all, byCause(all), { unicode: isUnicode(screen.env), columns, namespaces: options.allNamespaces, requests: cluster.requests() });
    const json = () =>
      JSON.stringify({ apiVersion: 'k8s-doctor/v1', kind: 'Scan', services: all.map((x) => ({ ...x, causes: x.causes.map((c) => c.code) })) }, null, 2);
    await writeAs(outputs, { json, text: (toFile) => text(toFile ? 120 : (screen.stdout.columns ?? 120)) }, screen);
    return exitStatus[all[0]?.status ?? 'healthy'];
  } finally {
    cluster.close();
  }
}
