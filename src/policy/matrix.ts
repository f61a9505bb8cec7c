/** Who may talk to whom: every pod to every other, on the ports that each receives. */
import { ownLabels } from '../facts/selectors.ts';
import { both, type PolicySet, verdictOf } from './decide.ts';
import type { Connection, Party } from './rule.ts';

/** `part`: on some of its ports; `no-port`: it declares none, and none was asked about. */
export const cells = ['allowed', 'denied', 'unknown', 'part', 'no-port'] as const;
export type Cell = (typeof cells)[number];
const codeOf = Object.fromEntries(cells.map((c, i) => [c, i])) as Record<Cell, number>;

/** Pods that may do the same, and to which the same may be done. */
export interface Group {
  namespace: string;
  /** The pods' common name: `checkout-7d9f-*`, or the one pod's own. */
  name: string;
  /** Places in the list of parties. */
  members: number[];
}

export interface Matrix {
  groups: Group[];
  /** From (row) each group to (column) each other; on the diagonal among its own pods. */
  cells: Cell[][];
  /** Of all pairs of different pods. */
  pairs: Record<Cell, number>;
}

function together(policies: PolicySet, from: Party, to: Party, connections: readonly Connection[]): Cell {
  if (connections.length === 0) return 'no-port';
  let first: Cell | undefined;
  for (const connection of connections) {
    const verdict = both(verdictOf('egress', from, to, connection, policies), verdictOf('ingress', to, from, connection, policies));
    if (first === undefined) first = verdict;
    else if (verdict !== first) return 'part';
  }
  return first ?? 'no-port';
}

function commonName(names: readonly string[]): string {
  const first = names[0] ?? '';
  if (names.length === 1) return first;
  let length = first.length;
  for (const name of names) while (!name.startsWith(first.slice(0, length))) length--;
  return `${first.slice(0, length)}*`;
}

/** Judges every pair. Grows with the square of the pods, times the rules that select one of them. `portsOf` says on which connections a pod is asked. */
export function matrixOf(policies: PolicySet, parties: readonly Party[], portsOf: (to: Party) => readonly Connection[]): Matrix {
  const asked = parties.map(portsOf);
  const rows = parties.map((from) =>
    Uint8Array.from(parties, (to, j) => (from === to ? codeOf.allowed : codeOf[together(policies, from, to, asked[j] ?? [])])),
  );
  const counts = cells.map(() => 0);
  for (const [i, row] of rows.entries()) for (const [j, code] of row.entries()) if (i !== j) counts[code] = (counts[code] ?? 0) + 1;

  // Pods with the same labels and ports are the same group, unless a rule differs by address or node, which the rows show.
  const likely = Map.groupBy(parties.keys(), (i) => {
    const pod = parties[i]?.pod;
    const labels = Object.entries(ownLabels(pod?.labels ?? {}));
    return JSON.stringify([pod?.namespace, pod?.hostNetwork, pod?.ports, labels.map(([k, x]) => `${k}=${x}`).toSorted((a, b) => (a < b ? -1 : 1))]);
  });
  const groups = [...likely.values()].flatMap((members): Group[] => {
    const named = (m: number[]): Group => ({
      namespace: parties[m[0] ?? 0]?.pod?.namespace ?? '',
      name: commonName(m.map((i) => parties[i]?.pod?.name ?? '')),
      members: m,
    });
    if (members.length === 1) return [named(members)];
    const own = new Set(members);
    const others = [...parties.keys()].filter((j) => !own.has(j));
    const seenFrom = (i: number) => others.map((j) => `${rows[i]?.[j]}${rows[j]?.[i]}`).join('');
    const within = new Set(members.flatMap((i) => members.flatMap((j) => (i === j ? [] : [rows[i]?.[j]]))));
    const alike = within.size <= 1 && new Set(members.map(seenFrom)).size === 1;
    return (alike ? [members] : members.map((m) => [m])).map(named);
  });
  const sorted = groups.toSorted((a, b) => (a.namespace === b.namespace ? (a.name < b.name ? -1 : 1) : a.namespace < b.namespace ? -1 : 1));
  const cellOf = (a: Group, b: Group): Cell => {
    const i = a.members[0] ?? 0;
    const j = (a === b ? b.members[1] : b.members[0]) ?? i;
    return cells[rows[i]?.[j] ?? 0] ?? 'unknown';
  };
  return {
    groups: sorted,
    cells: sorted.map((a) => sorted.map((b) => cellOf(a, b))),
    pairs: Object.fromEntries(cells.map((c, i) => [c, counts[i] ?? 0])) as Record<Cell, number>,
  };
}
