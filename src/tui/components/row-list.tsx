import { Box } from 'ink';
import type { Row } from '../detail.ts';
import { windowOf } from '../explorer-rows.ts';
import { Toned, toneOf, useTheme } from '../theme.tsx';

const statusOf = (row: Row) => (row.kind === 'cause' ? (row.finding.scope === 'part' ? 'warn' : 'fail') : row.kind === 'stage' ? row.status : row.check.status);

const labelOf = (row: Row) =>
  row.kind === 'cause'
    ? row.finding.code
    : row.kind === 'stage'
      ? row.stage
      : `${row.check.id.split('/')[1]}  ${row.check.findings[0]?.message ?? row.check.summary ?? row.check.reason ?? row.check.title}`;

/** Causes, stages and their checks; a result that changed since the run before has a star. */
export function RowList(props: { rows: readonly Row[]; cursor: number; isFocused: boolean; changed: ReadonlySet<string>; width: number; height: number }) {
  const { rows, cursor, isFocused, changed, width, height } = props;
  const { marks, cursor: arrow } = useTheme();
  const { from, to } = windowOf(rows.length, cursor, height);
  return (
    <Box flexDirection="column" width={width} height={height}>
      {rows.length === 0 ? <Toned tone="dim">{'  nothing fits the filter (esc: clear)'}</Toned> : null}
      {rows.slice(from, to).map((row, i) => {
        const isHere = from + i === cursor;
        const star = row.kind === 'check' && changed.has(row.check.id) ? '*' : ' ';
        const indent = row.kind === 'check' ? '  ' : '';
        return (
          <Box key={row.kind === 'check' ? row.check.id : row.kind === 'stage' ? row.stage : `${row.index} ${row.finding.code}`} width={width} height={1}>
            <Box width={2} flexShrink={0}>
              <Toned tone="accent">{isHere ? arrow : ' '}</Toned>
            </Box>
            <Box flexShrink={0}>
              <Toned tone={toneOf[statusOf(row)]}>{`${indent}${marks[statusOf(row)]}${star}`}</Toned>
            </Box>
            <Toned tone={row.kind === 'check' ? (row.check.status === 'skip' ? 'dim' : 'plain') : 'bold'} inverse={isHere && isFocused}>
              {labelOf(row)}
            </Toned>
          </Box>
        );
      })}
    </Box>
  );
}
