import { Box } from 'ink';
import stringWidth from 'string-width';
import type { Table as Cells } from '../detail.ts';
import { windowOf } from '../explorer-rows.ts';
import { type Tone, Toned, useTheme } from '../theme.tsx';

/** A table whose columns are as wide as their words; the last takes what is left. */
export function Table({ table, cursor, width, height }: { table: Cells; cursor: number; width: number; height: number }) {
  const { cursor: arrow } = useTheme();
  const most = Math.max(8, Math.floor(width / 3));
  const widths = table.head.map((h, i) => Math.min(most, Math.max(stringWidth(h), ...table.rows.map((r) => stringWidth(r.cells[i] ?? ''))) + 2));
  const { from, to } = windowOf(table.rows.length, cursor, height - 1);
  const line = (cells: readonly string[], tone: Tone, isHere: boolean, key: string) => (
    <Box key={key} width={width} height={1} overflow="hidden">
      <Box width={2} flexShrink={0}>
        <Toned tone="accent">{isHere ? arrow : ' '}</Toned>
      </Box>
      {cells.map((c, i) => (
        <Box key={table.head[i]} width={widths[i] ?? 8} flexShrink={i === cells.length - 1 ? 1 : 0} overflow="hidden" height={1} paddingRight={1}>
          <Toned tone={tone}>{c || ' '}</Toned>
        </Box>
      ))}
    </Box>
  );
  return (
    <Box flexDirection="column" width={width} height={height}>
      {line(table.head, 'dim', false, 'head')}
      {table.rows.length === 0 ? <Toned tone="dim">{'  nothing to show'}</Toned> : null}
      {table.rows.slice(from, to).map((r, i) => line(r.cells, r.tone, from + i === cursor, `${from + i} ${r.cells[0]}`))}
    </Box>
  );
}
