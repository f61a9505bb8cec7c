/** One cluster, from its lists to the Services that are not right. */
import type { Check } from '../../checks/check.ts';
import { CannotRun } from '../catalog/cannot-run.ts';
import type { Cluster } from '../cluster/index.ts';
import { type Rule, withoutAccepted } from './accepted.ts';
import { type Inventory, type Progress, takeInventory } from './inventory.ts';
import { judgeService, type Scanned } from './judge.ts';
import { type Missing, missingOf } from './scan.ts';
import { namespacesIn, type Shard } from './shard.ts';
import { everywhere, type Scope } from './store.ts';

/** Milliseconds for all lists of a cluster. */
const listsTimeoutMs = 300_000;

export interface ScanPlan {
  pipeline: readonly Check[];
  version: string;
  /** Absent: all namespaces. */
  namespace: string | undefined;
  shard: Shard | undefined;
  accepted: readonly Rule[];
  onProgress(progress: Progress): void;
}

export const scopesOf = async (cluster: Cluster, { namespace, shard }: Pick<ScanPlan, 'namespace' | 'shard'>, signal: AbortSignal): Promise<Scope[]> =>
  shard ? namespacesIn(cluster, shard, signal) : [namespace ?? everywhere];

/** Judges one Service, and keeps what is accepted apart. */
export function judged(
  { pipeline, version, accepted }: ScanPlan,
  inventory: Inventory,
  context: string,
  service: ReturnType<Inventory['services']>[number],
): Scanned {
  return withoutAccepted(judgeService(pipeline, inventory, service, context, version), accepted, service.metadata.accepted);
}

/** Scans a cluster by its objects alone. Throws CannotRun where its Services cannot be listed. */
export async function scanCluster(cluster: Cluster, plan: ScanPlan): Promise<{ inventory: Inventory; services: Scanned[]; missing: Missing[] }> {
  const signal = AbortSignal.timeout(listsTimeoutMs);
  const inventory = await takeInventory(cluster, await scopesOf(cluster, plan, signal), signal, plan.onProgress);
  if (!inventory.seen) throw new CannotRun(`The Services cannot be listed (${inventory.why}); check your rights and the cluster.`);
  const { context } = cluster;
  return {
    inventory: inventory.value,
    services: inventory.value.services().map((service) => judged(plan, inventory.value, context, service)),
    missing: missingOf(inventory.value, context),
  };
}
