/** One cluster, from its lists to the Services that are not right. */
import type { Check } from '../../checks/check.ts';
import { CannotRun } from '../catalog/cannot-run.ts';
import type { Cluster } from '../cluster/index.ts';
import { type Rule, withoutAccepted } from './accepted.ts';
import { judgeFronts } from './fronts.ts';
import { type Inventory, type Progress, takeInventory } from './inventory.ts';
import { judgeService, type Scanned } from './judge.ts';
import { type Missing, missingOf } from './scan.ts';
import { namespacesIn, type Shard } from './shard.ts';
import { everywhere, type Scope } from './store.ts';

/** Milliseconds for all lists of a cluster. */
const listsTimeoutMs = 300_000;

export interface ScanPlan {
  pipeline: readonly Check[];
  /** The checks of what is in front of Services. */
  inFront: readonly Check[];
  /** Absent: all namespaces. */
  namespace: string | undefined;
  shard: Shard | undefined;
  accepted: readonly Rule[];
  onProgress(progress: Progress): void;
  /** Ends it before its time. */
  signal?: AbortSignal;
}

/** Judges one Service, and keeps what is accepted apart. */
export function judged({ pipeline, accepted }: ScanPlan, inventory: Inventory, context: string, service: ReturnType<Inventory['services']>[number]): Scanned {
  return withoutAccepted(judgeService(pipeline, inventory, service, context), accepted, service.metadata.accepted);
}

/** Judges everything in front of Services, and keeps what is accepted apart. */
export async function judgedFronts({ inFront, accepted }: ScanPlan, inventory: Inventory, context: string, signal: AbortSignal): Promise<Scanned[]> {
  const all = await judgeFronts(inFront, inventory, context, signal);
  return all.map((s) => withoutAccepted(s, accepted, undefined));
}

/** Reads what the plan is about. Throws CannotRun where the Services cannot be listed. */
export async function inventoryFor(cluster: Cluster, plan: ScanPlan, signal: AbortSignal): Promise<Inventory> {
  const { shard, namespace } = plan;
  const scopes: Scope[] = shard ? await namespacesIn(cluster, shard, signal) : [namespace ?? everywhere];
  const inventory = await takeInventory(cluster, scopes, signal, plan.onProgress);
  if (!inventory.seen) throw new CannotRun(`The Services cannot be listed (${inventory.why}); check your rights and the cluster.`);
  return inventory.value;
}

/** Scans a cluster by its objects alone. Throws CannotRun where its Services cannot be listed. */
export async function scanCluster(cluster: Cluster, plan: ScanPlan): Promise<{ inventory: Inventory; services: Scanned[]; missing: Missing[] }> {
  const overdue = AbortSignal.timeout(listsTimeoutMs);
  const signal = plan.signal ? AbortSignal.any([plan.signal, overdue]) : overdue;
  const inventory = await inventoryFor(cluster, plan, signal);
  const { context } = cluster;
  const services = inventory.services().map((service) => judged(plan, inventory, context, service));
  const fronts = await judgedFronts(plan, inventory, context, signal);
  return { inventory, services: [...services, ...fronts], missing: missingOf(inventory, context) };
}
