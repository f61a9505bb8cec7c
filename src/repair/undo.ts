/** The way back from a fix: what its objects were, written to a file before anything is changed. */
import { accessSync, closeSync, constants, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Change } from '../catalog/finding.ts';
import { CannotRun } from '../catalog/cannot-run.ts';
import type { Cluster, Failure } from '../cluster/index.ts';
import { resourceOf } from './send.ts';

const fields = v.nullable(v.record(v.string(), v.unknown()));
const entry = v.object({
  kind: v.string(),
  namespace: v.string(),
  name: v.string(),
  how: v.picklist(['patch', 'create', 'restart', 'roll-back']),
  /** Of the object that was changed or created; null where the fix had not created it yet. */
  uid: v.nullable(v.string()),
  /** The object's fields before; null where it did not exist. */
  before: fields,
  /** Its fields as the fix left it; absent where the run ended before that. */
  after: v.exactOptional(fields),
});
const undoFile = v.object({
  apiVersion: v.literal('k8s-doctor/v1'),
  kind: v.literal('Undo'),
  version: v.string(),
  /** ISO 8601. */
  madeAt: v.string(),
  context: v.string(),
  service: v.object({ namespace: v.string(), name: v.string() }),
  changes: v.array(entry),
});

export type UndoEntry = v.InferOutput<typeof entry>;
export type UndoFile = v.InferOutput<typeof undoFile>;
type Fields = Record<string, unknown>;

interface Raw {
  metadata?: { uid?: string; resourceVersion?: string; labels?: Record<string, string>; managedFields?: { manager?: string }[] };
  [key: string]: unknown;
}

/** What a fix may change of an object: everything that is not its identity or its status, and its labels. */
export function fieldsOf(object: unknown): Fields | null {
  if (typeof object !== 'object' || object === null) return null;
  const { apiVersion: _a, kind: _k, status: _s, metadata, ...rest } = object as Raw;
  return { ...rest, labels: metadata?.labels ?? {} };
}

/** Equal as JSON, whatever the order of the keys. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return false;
  const [x, y] = [a as Fields, b as Fields];
  const keys = Object.keys(x);
  return keys.length === Object.keys(y).length && keys.every((k) => Object.hasOwn(y, k) && isEqual(x[k], y[k]));
}

/** The file of a fix: in the folder where it runs, or among the temporary files where that is not writable. */
export function undoFileFor({ namespace, name }: { namespace: string; name: string }): string {
  const file = `k8s-doctor-undo-${namespace}-${name}-${new Date().toISOString().replace(/[-:]|\..*/g, '')}.json`;
  try {
    accessSync('.', constants.W_OK);
    return file;
  } catch {
    return join(tmpdir(), file);
  }
}

export const undoOf = (context: string, version: string, { namespace, name }: { namespace: string; name: string }, changes: UndoEntry[]): UndoFile => ({
  apiVersion: 'k8s-doctor/v1',
  kind: 'Undo',
  version,
  madeAt: new Date().toISOString(),
  context,
  service: { namespace, name },
  changes,
});

/** The entry for a change of an object as it was read. */
export const undoEntry = ({ kind, namespace, name, how }: Change, before: unknown): UndoEntry => ({
  kind,
  namespace,
  name,
  how,
  uid: (before as Raw | null)?.metadata?.uid ?? null,
  before: fieldsOf(before),
});

/** Writes the file so that it is whole even if the machine stops: beside it first, then in its place. Only its owner may read it. Throws CannotRun. */
export function saveUndo(file: string, undo: UndoFile): void {
  const beside = `${file}.part`;
  try {
    const handle = openSync(beside, 'w', 0o600);
    writeSync(handle, `${JSON.stringify(undo, null, 1)}\n`);
    fsyncSync(handle);
    closeSync(handle);
    renameSync(beside, file);
  } catch (error) {
    throw new CannotRun(
      `The undo file ${file} cannot be written (${(error as NodeJS.ErrnoException).code}), so nothing is changed; run it in a folder that is writable.`,
    );
  }
}

/** Reads an undo file. Throws CannotRun with what is wrong with it. */
export function readUndo(file: string): UndoFile {
  let raw: unknown;
  try {
    raw = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CannotRun(`The undo file ${file} cannot be read (${code ?? message}); check the path.`);
  }
  const read = v.safeParse(undoFile, raw, { abortEarly: true });
  if (!read.success) throw new CannotRun(`${file} is not an undo file, or is damaged (${v.getDotPath(read.issues[0]) ?? 'it'}: ${read.issues[0].message}).`);
  return read.output;
}

const escaped = (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1');

/** The JSON patch (RFC 6902) that gives an object its former fields. */
export function wayBack(now: Fields, before: Fields): object[] {
  const pathOf = (key: string) => (key === 'labels' ? '/metadata/labels' : `/${escaped(key)}`);
  const keys = [...new Set([...Object.keys(now), ...Object.keys(before)])].filter((k) => !isEqual(now[k], before[k]));
  return keys.map((key) => (Object.hasOwn(before, key) ? { op: 'add', path: pathOf(key), value: before[key] } : { op: 'remove', path: pathOf(key) }));
}

export type Restored =
  | { result: 'restored' | 'unchanged' | 'not-possible' }
  /** Something else is there now, or somebody changed it since; `why` says it. */
  | { result: 'changed-since'; why: string }
  | { result: 'failed'; failure: Failure };

const setByUs = (object: Raw) => object.metadata?.managedFields?.some((f) => f.manager === 'k8s-doctor') ?? false;

/** Takes one change back. With `force` also where somebody changed the object after the fix. */
export async function restore(cluster: Cluster, e: UndoEntry, force: boolean): Promise<Restored> {
  if (e.how === 'restart') return { result: 'not-possible' };
  const resource = resourceOf(e.kind);
  if (!resource) return { result: 'not-possible' };
  const namespace = e.namespace || undefined;
  const read = await cluster.get(resource, e.name, namespace);
  if (!read.ok) return { result: 'failed', failure: read.failure };
  const now = read.value as Raw | null;
  if (e.before === null) {
    if (now === null) return { result: 'unchanged' };
    // A run that was killed does not know the uid of what it created; the field manager shows whose it is.
    if (e.uid === null ? !setByUs(now) : now.metadata?.uid !== e.uid)
      return { result: 'changed-since', why: 'another object of this name is there, which k8s-doctor did not create' };
    const removed = await cluster.delete(resource, namespace, e.name, now.metadata?.uid ?? '');
    return removed.ok ? { result: 'restored' } : { result: 'failed', failure: removed.failure };
  }
  if (now === null) return { result: 'changed-since', why: 'it was deleted' };
  if (now.metadata?.uid !== e.uid) return { result: 'changed-since', why: 'it was deleted and created again' };
  const have = fieldsOf(now) ?? {};
  if (isEqual(have, e.before)) return { result: 'unchanged' };
  // A run that ended early may not have got to this object.
  if (!force && !e.after && !setByUs(now)) return { result: 'changed-since', why: 'the fix had not changed it; somebody else did' };
  if (!force && e.after && !isEqual(have, e.after)) return { result: 'changed-since', why: 'somebody changed it after the fix' };
  const unchanged = { op: 'test', path: '/metadata/resourceVersion', value: now.metadata?.resourceVersion };
  const back = await cluster.patch({ resource, namespace, name: e.name, type: 'json', body: [unchanged, ...wayBack(have, e.before)] }, false);
  return back.ok ? { result: 'restored' } : { result: 'failed', failure: back.failure };
}
