/** What is known of each Service while a cluster is watched: only those that a change can concern are judged again. */
import { setImmediate } from 'node:timers/promises';
import type { Cluster } from '../cluster/index.ts';
import type { Service } from '../facts/objects.ts';
import { affectedBy } from './affected.ts';
import type { Inventory } from './inventory.ts';
import { keyOf, nameOf, type Scanned } from './judge.ts';
import { pause } from './pause.ts';
import { judged, judgedFronts, type ScanPlan } from './scan-cluster.ts';
import { follow } from './watch.ts';

/** Milliseconds between a change and the judgement: what belongs together comes within it. */
const settleMs = 500;
/** Milliseconds between two readings of the cluster's own parts, where something of them changes. */
const clusterPauseMs = 2000;
/** ConfigMaps are not watched, so they are read so often, in milliseconds; CoreDNS itself reads its own only every half a minute. */
const clusterAgainMs = 30_000;
/** So many Services are judged before others have a turn. */
const atOnce = 50;

/** A Service whose state is another than before. */
export interface StateChange {
  before: Scanned | undefined;
  /** Undefined: the Service is gone. */
  now: Scanned | undefined;
}

export interface States {
  /** Everything that is known now. */
  all(): Scanned[];
  readonly counts: { judged: number; watches: number; troubles: number };
  /** Milliseconds since 1970 of the last moment at which all was judged that had changed. */
  settledAt(): number;
}

const signature = (s: Scanned): string => JSON.stringify([s.status, s.causes.map((c) => c.code), s.ignored]);

/** Follows the cluster until `signal` aborts. `onChanges` is given what is different, at most every half a second. */
export async function followStates(
  cluster: Cluster,
  plan: ScanPlan,
  inventory: Inventory,
  signal: AbortSignal,
  onStart: (states: States) => Promise<void>,
  onChanges: (changes: StateChange[]) => Promise<void>,
  onTrouble: (what: string, why: string) => void,
): Promise<void> {
  const known = new Map<string, Scanned>();
  const counts = { judged: 0, watches: 0, troubles: 0 };
  let settledAt = Date.now();
  let waiting = new Map<string, Service>();
  let gone = new Set<string>();
  let clusterWaits = false;
  let frontsWait = false;
  let clusterReadAt = Date.now();
  const key = ({ metadata }: Service) => nameOf(metadata);
  const judge = (service: Service): Scanned => {
    counts.judged++;
    return judged(plan, inventory, cluster.context, service);
  };
  for (const service of inventory.services()) known.set(key(service), judge(service));
  for (const front of await judgedFronts(plan, inventory, cluster.context, signal)) known.set(keyOf(front), front);
  await onStart({ all: () => [...known.values()], counts, settledAt: () => settledAt });

  const following = follow(inventory, cluster, signal, {
    onChange(change) {
      const { services, cluster: isCluster, fronts } = affectedBy(change, inventory, (s) => known.get(key(s))?.status === 'healthy');
      for (const service of services) waiting.set(key(service), service);
      if (change.kind.resource === inventory.kinds.services.resource && !change.now && change.former) gone.add(nameOf(change.former.metadata));
      clusterWaits ||= isCluster;
      frontsWait ||= fronts;
    },
    onTrouble(what, why) {
      counts.troubles++;
      onTrouble(what, why);
    },
    onWatch: () => void counts.watches++,
  });

  /** Judges what has changed since the last time. */
  async function settle(): Promise<StateChange[]> {
    const sinceRead = Date.now() - clusterReadAt;
    if (sinceRead >= clusterAgainMs || (clusterWaits && sinceRead >= clusterPauseMs)) {
      clusterWaits = false;
      clusterReadAt = Date.now();
      if (await inventory.readCluster(signal)) for (const service of inventory.services()) waiting.set(key(service), service);
    }
    const [asked, lost] = [waiting, gone];
    [waiting, gone] = [new Map(), new Set()];
    const changes: StateChange[] = [];
    for (const name of lost) {
      const before = known.get(name);
      if (!before || inventory.find(before.namespace, before.name)) continue;
      known.delete(name);
      changes.push({ before, now: undefined });
    }
    let count = 0;
    for (const name of asked.keys()) {
      const [namespace = '', own = ''] = name.split('/');
      const service = inventory.find(namespace, own);
      if (!service) continue;
      const before = known.get(name);
      const now = judge(service);
      known.set(name, now);
      if (!before || signature(before) !== signature(now)) changes.push({ before, now });
      if (++count % atOnce === 0) await setImmediate();
    }
    return [...changes, ...(await settleFronts())];
  }

  /** What is in front of Services is judged together: each rule competes with the others. */
  async function settleFronts(): Promise<StateChange[]> {
    if (!frontsWait) return [];
    frontsWait = false;
    const now = new Map((await judgedFronts(plan, inventory, cluster.context, signal)).map((s) => [keyOf(s), s]));
    const before = new Map([...known].filter(([, s]) => s.kind !== 'Service'));
    counts.judged += now.size;
    for (const name of before.keys()) if (!now.has(name)) known.delete(name);
    for (const [name, s] of now) known.set(name, s);
    return [...new Set([...before.keys(), ...now.keys()])].flatMap((name) => {
      const [old, recent] = [before.get(name), now.get(name)];
      return old && recent && signature(old) === signature(recent) ? [] : [{ before: old, now: recent }];
    });
  }

  while (!signal.aborted) {
    await pause(settleMs, signal);
    if (signal.aborted) break;
    const changes = await settle();
    if (changes.length > 0) await onChanges(changes);
    settledAt = Date.now();
  }
  await following;
}
