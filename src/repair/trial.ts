/** What a change would do to an object, as a diff of its fields. */
import { structuredPatch } from 'diff';
import { stringify } from 'yaml';
import type { Change } from '../catalog/finding.ts';
import type { Cluster, Failure } from '../cluster/index.ts';
import { type Owner, ownersOf } from '../facts/tracked.ts';
import { resourceOf, send } from './send.ts';

export interface DiffLine {
  mark: '+' | '-' | ' ';
  text: string;
}

/** Fields that a diff leaves out: bookkeeping, and values that can be secret. */
const hidden = new Set(['managedFields', 'resourceVersion', 'generation', 'env', 'envFrom', 'annotations', 'uid', 'creationTimestamp', 'status']);
const shownPart = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(shownPart)
    : value && typeof value === 'object'
      ? Object.fromEntries(Object.entries(value).flatMap(([k, x]) => (hidden.has(k) ? [] : [[k, shownPart(x)]])))
      : value;
const yamlOf = (value: unknown) => (value == null ? '' : stringify(shownPart(value), { lineWidth: 0 }));

/** The lines that differ between two states of an object, with a few around them; null is an object that is not there. */
export function diffOf(before: unknown, after: unknown): DiffLine[] {
  const { hunks } = structuredPatch('', '', yamlOf(before), yamlOf(after), '', '', { context: 4 });
  return hunks.flatMap((h, i): DiffLine[] => [
    ...(i > 0 ? [{ mark: ' ', text: '…' } as const] : []),
    ...h.lines.filter((l) => !l.startsWith('\\')).map((l): DiffLine => ({ mark: l[0] === '+' || l[0] === '-' ? l[0] : ' ', text: l.slice(1) || ' ' })),
  ]);
}

/** One change, tried. `before` and `after`: the object as it is, and as it would be; null where it is not there. */
export interface Trial {
  change: Change;
  before: unknown;
  after: unknown;
  lines: DiffLine[];
  /** Why the API server would not take it. */
  refusal: Failure | null;
  /** Who keeps the object as it is. */
  owners: Owner[];
}

/** Reads the object and has the API server judge the change in a dry run, with the user's own rights. */
export async function tryChange(cluster: Cluster, change: Change, signal?: AbortSignal): Promise<Trial> {
  const resource = resourceOf(change.kind);
  const read = resource && change.how !== 'create' ? await cluster.get(resource, change.name, change.namespace || undefined, signal) : undefined;
  const before = read?.ok ? read.value : null;
  const owners = ownersOf((before as { metadata?: Parameters<typeof ownersOf>[0] } | null)?.metadata ?? {});
  const refused = (refusal: Failure): Trial => ({ change, before, after: null, lines: [], refusal, owners });
  if (read && !read.ok) return refused(read.failure);
  const tried = await send(cluster, change, { dryRun: true, ...(signal && { signal }) });
  if (!tried.ok) return refused(tried.failure);
  const lines = change.how === 'restart' ? [{ mark: '-' as const, text: `pod ${change.name} (its controller makes another)` }] : diffOf(before, tried.value);
  return { change, before, after: tried.value, lines, refusal: null, owners };
}
