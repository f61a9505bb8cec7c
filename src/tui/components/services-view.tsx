import { Box } from 'ink';
import stringWidth from 'string-width';
import { verdictMark } from '../../report/view.ts';
import { windowOf } from '../explorer-rows.ts';
import { Toned, toneOf, useTheme } from '../theme.tsx';
import type { Quick, ServiceRow } from '../session.ts';
import { keyOf, type State } from '../state.ts';

/** By how many endpoints are ready, until more is known. */
function Service({
  row,
  quick,
  isHere,
  width,
  name,
  isAll,
}: {
  row: ServiceRow;
  quick: Quick | undefined;
  isHere: boolean;
  width: number;
  name: number;
  isAll: boolean;
}) {
  const { marks, dot, cursor } = useTheme();
  const mark = quick ? marks[verdictMark[quick.status]] : dot;
  const cells: [string, number][] = [
    ...(width >= 56 ? ([[row.type, 13]] as [string, number][]) : []),
    ...(width >= 72 ? ([[row.ports, 16]] as [string, number][]) : []),
    [row.type === 'ExternalName' || !row.endpoints ? '' : `${row.endpoints.ready}/${row.endpoints.total}`, 8],
  ];
  return (
    <Box width={width} height={1}>
      <Box width={4} flexShrink={0}>
        <Toned tone="accent">{`${isHere ? cursor : ' '} `}</Toned>
        <Toned tone={quick ? toneOf[verdictMark[quick.status]] : 'dim'}>{mark}</Toned>
      </Box>
      <Box width={name} flexShrink={0} paddingRight={1} height={1} overflow="hidden">
        <Toned tone={isHere ? 'bold' : 'plain'} inverse={isHere}>
          {isAll ? `${row.namespace}/${row.name}` : row.name}
        </Toned>
      </Box>
      {cells.map(([text, size], i) => (
        <Box key={size} width={size} flexShrink={0} paddingRight={1} height={1} overflow="hidden">
          <Toned tone={i === cells.length - 1 && row.endpoints && row.endpoints.ready < row.endpoints.total ? 'warn' : 'plain'}>{text || ' '}</Toned>
        </Box>
      ))}
      <Box flexShrink={1} height={1} overflow="hidden">
        <Toned tone="dim">{quick && (quick.status !== 'healthy' || quick.summary.startsWith('diagnosed')) ? quick.summary : ' '}</Toned>
      </Box>
    </Box>
  );
}

/** Contexts, namespaces or Services, with the cursor's row in sight. */
export function ServicesView(props: {
  state: State;
  context: string;
  services: readonly ServiceRow[];
  names: readonly string[];
  width: number;
  height: number;
}) {
  const { state, context, services, names, width, height } = props;
  const { cursor } = useTheme();
  const { explorer } = state;
  const isServices = explorer.level === 'services';
  const count = isServices ? services.length : names.length;
  const keys = isServices ? services.map(keyOf) : names;
  const at = Math.max(0, keys.indexOf(explorer.cursor));
  const { from, to } = windowOf(count, at, height - 1);
  const where =
    explorer.level === 'contexts'
      ? 'contexts'
      : explorer.level === 'namespaces'
        ? `${context} › namespaces`
        : `${context} › ${explorer.namespace ?? 'all namespaces'} › Services`;
  const isAll = explorer.namespace === null;
  const longest = Math.max(0, ...services.slice(from, to).map((s) => stringWidth(isAll ? keyOf(s) : s.name)));
  const name = Math.max(12, Math.min(longest + 2, Math.floor(width * 0.45)));
  const known = Object.keys(explorer.quick).length;
  const checked = isServices && known < explorer.rows.length && explorer.rows.length > 0 ? ` · ${known} checked` : '';
  return (
    <Box flexDirection="column" width={width} height={height}>
      <Box height={1} width={width} justifyContent="space-between">
        <Toned tone="bold">{` ${where} (${count})${state.filter ? ` /${state.filter}` : ''}`}</Toned>
        <Toned tone="dim">{explorer.loading ? 'listing …' : checked}</Toned>
      </Box>
      {count === 0 && !explorer.loading ? <Toned tone="dim">{state.filter ? '  nothing fits the filter' : '  there is nothing here (esc: up)'}</Toned> : null}
      {isServices
        ? services
            .slice(from, to)
            .map((row, i) => (
              <Service key={keyOf(row)} row={row} quick={explorer.quick[keyOf(row)]} isHere={from + i === at} width={width} name={name} isAll={isAll} />
            ))
        : names.slice(from, to).map((name, i) => (
            <Box key={name} height={1}>
              <Toned tone="accent">{`${from + i === at ? cursor : ' '} `}</Toned>
              <Toned tone={from + i === at ? 'bold' : 'plain'} inverse={from + i === at}>
                {name}
              </Toned>
            </Box>
          ))}
    </Box>
  );
}
