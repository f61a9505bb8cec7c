/** Changes made for real: each after the undo file holds what was there, and only where the object is still as it was read. */
import type { Change } from '../catalog/finding.ts';
import type { Cluster, Failure, Result } from '../cluster/index.ts';
import { ok } from '../cluster/failure.ts';
import { resourceOf, send } from './send.ts';
import type { Trial } from './trial.ts';
import { fieldsOf, isEqual, undoEntry, type UndoEntry } from './undo.ts';

export type Applied =
  | { result: 'applied' }
  /** An object is not as it was when the change was shown. */
  | { result: 'changed-since'; change: Change }
  | { result: 'failed'; change: Change; failure: Failure };

/** A status that a controller writes in between gives the object another version; so often the change is sent again. */
const attempts = 5;

const versionOf = (object: unknown): string | undefined => (object as { metadata?: { resourceVersion?: string } } | null)?.metadata?.resourceVersion;

/** HTTP 409, or a `test` of a JSON patch that failed. */
const isConflict = (f: Failure): boolean => f.status === 409 || (f.status === 422 && /test/.test(f.why));

async function applyOne(cluster: Cluster, { change, before }: Trial): Promise<Result<unknown> | 'changed-since'> {
  const resource = resourceOf(change.kind);
  for (let attempt = 1; ; attempt++) {
    if (change.how === 'create' || !resource) return send(cluster, change, { dryRun: false });
    const now = await cluster.get(resource, change.name, change.namespace || undefined);
    if (!now.ok) return now;
    if (change.how === 'restart') return now.value === null ? ok(null) : send(cluster, change, { dryRun: false });
    if (!isEqual(fieldsOf(now.value), fieldsOf(before))) return 'changed-since';
    const resourceVersion = versionOf(now.value);
    const sent = await send(cluster, change, { dryRun: false, ...(resourceVersion !== undefined && { resourceVersion }) });
    if (sent.ok || !isConflict(sent.failure) || attempt === attempts) return sent;
  }
}

/**
 * Makes the changes in their order and stops at the first that fails. `remember` is called before anything is changed, and after each
 * change, with all entries of the undo file.
 */
export async function apply(
  cluster: Cluster,
  trials: readonly Trial[],
  before: readonly UndoEntry[],
  remember: (entries: UndoEntry[]) => void,
): Promise<Applied & { entries: UndoEntry[] }> {
  let entries = [...before, ...trials.map((t) => undoEntry(t.change, t.before))];
  remember(entries);
  for (const [i, trial] of trials.entries()) {
    const { change } = trial;
    // Two changes of one object: the second meets what the first left.
    const earlier = trials
      .slice(0, i)
      .findLastIndex((t) => t.change.kind === change.kind && t.change.name === change.name && t.change.namespace === change.namespace);
    const met =
      earlier < 0
        ? trial
        : {
            ...trial,
            before: { ...(trial.before as object), ...entries[before.length + earlier]?.after, metadata: (trial.before as { metadata?: object }).metadata },
          };
    const sent = await applyOne(cluster, met);
    if (sent === 'changed-since' || !sent.ok) {
      // What was not changed is not to be restored.
      entries = entries.slice(0, before.length + i);
      remember(entries);
      return sent === 'changed-since' ? { result: 'changed-since', change, entries } : { result: 'failed', change, failure: sent.failure, entries };
    }
    const created = change.how === 'create' ? (sent.value as { metadata?: { uid?: string } }).metadata?.uid : undefined;
    entries = entries.map((e, k) => (k === before.length + i ? { ...e, ...(created !== undefined && { uid: created }), after: fieldsOf(sent.value) } : e));
    remember(entries);
  }
  return { result: 'applied', entries };
}
