import stringWidth from 'string-width';

type Cell = 'allowed' | 'denied' | 'unknown' | 'part' | 'no-port';

/** Who may connect to whom, ready to be drawn: every text in it is cleaned. */
export interface MatrixView {
  title: string;
  /** Which ports were asked about, in words. */
  ports: string;
  groups: { namespace: string; name: string; pods: string[] }[];
  /** From (row) to (column). */
  cells: Cell[][];
  pairs: Record<Cell, number>;
  /** What could not be read. */
  missing: string[];
  /** Why a pair of groups may not connect; empty where it may. */
  reason(row: number, column: number): string;
}

const unicodeMarks: Record<Cell, string> = { allowed: '✓', denied: '✗', unknown: '?', part: '▲', 'no-port': '·' };
const asciiMarks: Record<Cell, string> = { allowed: '+', denied: 'x', unknown: '?', part: '!', 'no-port': '-' };
export const cellWords: Record<Cell, string> = {
  allowed: 'allowed',
  denied: 'denied',
  unknown: 'unknown',
  part: 'on some of its ports',
  'no-port': 'declares no port (give --port)',
};

/** The name of a group, with the number of its pods where it is more than one. */
export const groupName = (g: MatrixView['groups'][number]): string => `${g.namespace}/${g.name}${g.pods.length > 1 ? ` ×${g.pods.length}` : ''}`;

/** How the pairs come out, in one line. */
export function summary(view: MatrixView): string {
  const total = Object.values(view.pairs).reduce((a, b) => a + b, 0);
  const parts = (Object.keys(cellWords) as Cell[]).filter((c) => view.pairs[c] > 0).map((c) => `${view.pairs[c]} ${cellWords[c]}`);
  return total === 0 ? 'There is only one pod.' : `${total} pairs of pods: ${parts.join(', ')}`;
}

/** Rows are who connects, columns to whom; wider tables than the screen go on below. */
export function matrixText(view: MatrixView, { unicode, columns }: { unicode: boolean; columns: number }): string {
  const marks = unicode ? unicodeMarks : asciiMarks;
  const names = view.groups.map(groupName);
  const number = String(names.length).length;
  const left = number + 2 + Math.max(4, ...names.map((n) => stringWidth(n)));
  const width = number + 1;
  const across = Math.max(1, Math.floor((Math.max(columns, 40) - left - 1) / width));
  const out = [`${view.title}, on ${view.ports}. Rows connect to columns.`, ''];
  for (let first = 0; first < names.length; first += across) {
    const shown = [...names.keys()].slice(first, first + across);
    out.push(`${' '.repeat(left)} ${shown.map((j) => String(j + 1).padStart(width)).join('')}`);
    for (const [i, name] of names.entries()) {
      const label = `${String(i + 1).padStart(number)}  ${name}`;
      const cells = shown.map((j) => `${' '.repeat(width - 1)}${marks[view.cells[i]?.[j] ?? 'unknown']}`).join('');
      out.push(`${label}${' '.repeat(left - stringWidth(label))} ${cells}`);
    }
    out.push('');
  }
  const used = [...new Set(view.cells.flat())].map((c) => `${marks[c]} ${cellWords[c]}`);
  out.push(used.join('   '), summary(view), ...view.missing.map((m) => `Not seen: ${m}`));
  return out.map((l) => l.trimEnd()).join('\n');
}
