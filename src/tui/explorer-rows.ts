/** The order of the explorer's rows: by the typed filter; without one, the worst first. */
import fuzzysort from 'fuzzysort';
import type { ServiceRow } from './session.ts';
import { type Explorer, keyOf } from './state.ts';

const ranks = { faulty: 0, degraded: 1, undecided: 2, healthy: 4 } as const;
/** Every match, the best first. */
const all = { limit: 0, threshold: 0 };
/** Unknown Services are listed between failing and healthy ones. */
const unknownRank = 3;

const rankOf = (row: ServiceRow, quick: Explorer['quick']): number => {
  const known = quick[keyOf(row)];
  return known ? ranks[known.status] : unknownRank;
};

export function orderedServices({ rows, quick, namespace }: Explorer, filter: string): ServiceRow[] {
  if (filter) {
    const key = (r: ServiceRow) => (namespace === null ? keyOf(r) : r.name);
    return fuzzysort.go(filter, rows, { key, ...all }).map((found) => found.obj);
  }
  return rows.toSorted((a, b) => rankOf(a, quick) - rankOf(b, quick) || (keyOf(a) < keyOf(b) ? -1 : 1));
}

export const orderedNames = ({ names }: Explorer, filter: string): string[] => (filter ? fuzzysort.go(filter, names, all).map((found) => found.target) : names);

/** The part of a long list that is shown, with the cursor in it. */
export function windowOf(length: number, cursor: number, height: number): { from: number; to: number } {
  const from = Math.max(0, Math.min(cursor - Math.floor(height / 2), length - height));
  return { from, to: Math.min(length, from + height) };
}
