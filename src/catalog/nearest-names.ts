import { distance } from 'fastest-levenshtein';

/** The names among `names` that a person most likely meant, nearest first. */
export function nearestNames(name: string, names: readonly string[]): string[] {
  return names
    .map((n) => ({ n, far: n.includes(name) || name.includes(n) ? 1 : distance(name, n) }))
    .filter(({ far }) => far <= Math.max(2, Math.floor(name.length / 2)))
    .toSorted((a, b) => a.far - b.far)
    .map(({ n }) => n);
}

export const nearest = (name: string, names: readonly string[]): string | undefined => nearestNames(name, names)[0];
