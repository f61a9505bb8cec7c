/** Tables that scripts write into pages, each between two marks: `<!-- table: written by npm run NAME -->` and `<!-- end of the table -->`. */

const end = '<!-- end of the table -->';

function placeOf(page: string, script: string): { from: number; to: number } {
  const begin = `<!-- table: written by npm run ${script} -->`;
  const from = page.indexOf(begin) + begin.length;
  const to = page.indexOf(end, from);
  if (from < begin.length || to < 0) throw new Error(`The page has no table that npm run ${script} could write into.`);
  return { from, to };
}

/** The rows of a script's table, without its head. Throws where the page has no such table. */
export function rowsOf(page: string, script: string): string[] {
  const { from, to } = placeOf(page, script);
  const lines = page.slice(from, to).split('\n');
  return lines.filter((line) => line.startsWith('| ')).slice(2);
}

/** The page with a script's table in the place of the one before. Throws where the page has no such table. */
export function withRows(page: string, script: string, head: readonly string[], rows: readonly string[]): string {
  const { from, to } = placeOf(page, script);
  const rule = head.map(() => '---');
  const table = [...[head, rule].map((cells) => `| ${cells.join(' | ')} |`), ...rows].join('\n');
  return `${page.slice(0, from)}\n\n${table}\n\n${page.slice(to)}`;
}

/** The same with one row new: it takes the place of the one whose first cell is the same. `order`: the first cells of all that may be there. */
export function withRow(page: string, script: string, head: readonly string[], order: readonly string[], row: string): string {
  const keyOf = (line: string) => line.split(' | ')[0]?.slice(2) ?? '';
  const rows = new Map([...rowsOf(page, script), row].map((line) => [keyOf(line), line]));
  return withRows(
    page,
    script,
    head,
    order.flatMap((key) => rows.get(key) ?? []),
  );
}
