/** Keeps an inventory as the cluster is: each list is watched from its version on, and read again where the API server has forgotten it. */
import type { Cluster } from '../cluster/index.ts';
import type { Change } from './affected.ts';
import { type Inventory, listInto } from './inventory.ts';
import { everyKind, type Kind, listOptions } from './kinds.ts';
import { pause } from './pause.ts';
import type { Named, Scope } from './store.ts';

/** Milliseconds before the next attempt: it doubles from the first to the last. */
const firstPauseMs = 500;
const lastPauseMs = 4000;
/** A list that may be read and not watched is read again so often, in milliseconds. */
const readAgainMs = 30_000;

export interface Follower {
  onChange(change: Change): void;
  /** A watch that could not go on, in one sentence; it is tried again. */
  onTrouble(what: string, why: string): void;
  /** Watches that were begun. */
  onWatch(): void;
}

/** Follows all lists until `signal` aborts. */
export const follow = (inventory: Inventory, cluster: Cluster, signal: AbortSignal, follower: Follower): Promise<void[]> =>
  Promise.all(everyKind(inventory.kinds).flatMap((kind) => kind.scopes.map((scope) => followOne(inventory, cluster, kind, scope, signal, follower))));

async function followOne(inventory: Inventory, cluster: Cluster, kind: Kind, scope: Scope, signal: AbortSignal, follower: Follower): Promise<void> {
  const versions = () => inventory.versions.get(kind);
  let pauseMs = firstPauseMs;
  while (!signal.aborted) {
    let version = versions()?.get(scope);
    if (version === undefined) {
      const listed = await readAgain(inventory, cluster, kind, scope, signal, follower);
      if (!listed.ok) {
        follower.onTrouble(listed.failure.what, listed.failure.why);
        await pause(listed.failure.reason === 'not-found' || listed.failure.reason === 'forbidden' ? readAgainMs : pauseMs, signal);
        pauseMs = Math.min(pauseMs * 2, lastPauseMs);
      }
      continue;
    }
    follower.onWatch();
    const ended = await cluster.watch(kind.resource, { ...listOptions(kind, scope, signal), version }, ({ type, object }) => {
      pauseMs = firstPauseMs;
      version = object.metadata.resourceVersion;
      versions()?.set(scope, version);
      if (type === 'BOOKMARK') return;
      const item = kind.read(object);
      if (!item.seen) return follower.onTrouble(item.what, item.why);
      const { namespace, name } = item.value.metadata;
      if (type === 'DELETED') {
        const former = inventory.remove(kind, namespace, name);
        if (former) follower.onChange({ kind, former, now: undefined });
        return;
      }
      const former = inventory.put(kind, item.value);
      if (former !== 'same') follower.onChange({ kind, former, now: item.value });
    });
    if (ended.ok || signal.aborted) continue;
    const { failure } = ended;
    if (failure.status === 410) versions()?.delete(scope);
    else {
      follower.onTrouble(failure.what, failure.why);
      const mayNot = failure.reason === 'forbidden';
      // Nobody reports what changes then, so it is looked for.
      if (mayNot) versions()?.delete(scope);
      await pause(mayNot ? readAgainMs : pauseMs, signal);
      pauseMs = Math.min(pauseMs * 2, lastPauseMs);
    }
  }
}

/** Reads a list again, and reports what is different, also what is gone. */
async function readAgain(
  inventory: Inventory,
  cluster: Cluster,
  kind: Kind,
  scope: Scope,
  signal: AbortSignal,
  { onChange }: Follower,
): ReturnType<typeof listInto> {
  const held = scope === undefined ? kind.store.all() : kind.store.in(scope);
  const key = ({ metadata }: Named) => `${metadata.namespace}/${metadata.name}`;
  const gone = new Map((held.seen ? held.value : []).map((item) => [key(item), item]));
  const ran = await listInto(inventory, cluster, kind, scope, signal, undefined, (item, former) => {
    gone.delete(key(item));
    if (former !== 'same') onChange({ kind, former, now: item });
  });
  if (!ran.ok) {
    // What was read before is the best that is known.
    if (held.seen) kind.store.listed(scope);
    return ran;
  }
  for (const { metadata } of gone.values()) {
    const former = inventory.remove(kind, metadata.namespace, metadata.name);
    if (former) onChange({ kind, former, now: undefined });
  }
  return ran;
}
