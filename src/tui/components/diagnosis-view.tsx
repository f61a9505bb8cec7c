import { Box } from 'ink';
import { clientName, headline, verdictMark } from '../../report/view.ts';
import { wrap } from '../../report/text.ts';
import type { Line, Row, Table as Cells } from '../detail.ts';
import { Toned, toneOf, useTheme } from '../theme.tsx';
import type { Result } from '../session.ts';
import { type State, type Tab, tabs } from '../state.ts';
import { drawnHops } from '../path-hops.ts';
import { Lines } from './lines.tsx';
import { PathLine } from './path-line.tsx';
import { RowList } from './row-list.tsx';
import { Heading } from './run-view.tsx';
import { Table } from './table.tsx';

/** How the lines and columns of the screen are shared out. */
export interface Places {
  width: number;
  /** Lines for the sentence on top, and for the body. */
  verdict: number;
  body: number;
  /** Columns of the list; 0 where the details of a row take its place. */
  list: number;
  detail: number;
  hasPath: boolean;
}

export function placesOf(width: number, height: number, state: State): Places {
  const isTight = height < 20;
  const verdict = isTight ? 3 : height < 24 ? 4 : 5;
  const hasPath = height >= 20;
  // Heading, verdict, tabs and keys have one line each; the path has three.
  const body = Math.max(3, height - 1 - verdict - (hasPath ? 3 : 0) - 1 - 1);
  const isWide = width >= 90;
  const list = isWide ? Math.min(60, Math.floor(width * 0.42)) : state.focus === 'detail' ? 0 : width;
  return { width, verdict, body, list, detail: isWide ? width - list - 1 : width, hasPath };
}

/** The answer: one sentence, then the first cause and its row of the issue table. */
function Verdict({ result, lines, width, hasChanged }: { result: Result; lines: number; width: number; hasChanged: boolean }) {
  const { marks } = useTheme();
  const { diagnosis } = result;
  const { status, text } = headline(diagnosis, clientName(diagnosis));
  const [cause] = diagnosis.verdict.causes;
  const said = wrap(cause ? cause.message : text, width - 2);
  // Of few lines the sentence needs all.
  const row = cause && lines > 3 ? `${cause.issue} · ${cause.symptom} · ${cause.resolution}` : '';
  const all = [...(cause && lines > 3 ? [text] : []), ...said];
  const room = Math.max(1, lines - (row ? 1 : 0));
  const body = all.slice(0, room).map((line, i) => (i === room - 1 && all.length > room ? `${line} …` : line));
  return (
    <Box flexDirection="column" height={lines} width={width}>
      {body.map((line, i) => (
        <Box key={line} height={1}>
          <Box width={2} flexShrink={0}>
            <Toned tone={toneOf[verdictMark[status]]}>{i === 0 ? marks[verdictMark[status]] : ' '}</Toned>
          </Box>
          <Toned tone={i === 0 ? 'bold' : toneOf[verdictMark[status]]}>{`${line}${i === 0 && hasChanged ? '  *changed' : ''}`}</Toned>
        </Box>
      ))}
      {row ? (
        <Box height={1} paddingLeft={2}>
          <Toned tone="accent">{row}</Toned>
        </Box>
      ) : null}
    </Box>
  );
}

const Tabs = ({ tab, state, width }: { tab: Tab; state: State; width: number }) => (
  <Box height={1}>
    {tabs.map((t, i) => (
      <Box key={t} marginRight={2} flexShrink={0}>
        <Toned tone={t === tab ? 'bold' : 'dim'} inverse={t === tab}>
          {t === tab || width >= 60 ? ` ${i + 1} ${t} ` : ` ${i + 1} `}
        </Toned>
      </Box>
    ))}
    {state.filter ? <Toned tone="accent">{`/${state.filter}`}</Toned> : null}
  </Box>
);

/** Everything that the diagnosis is made of, to be walked through. */
export function DiagnosisView(props: {
  state: State;
  result: Result;
  title: string;
  places: Places;
  rows: readonly Row[];
  lines: readonly Line[];
  table: Cells | null;
}) {
  const { state, result, title, places, rows, lines, table } = props;
  const { width, body } = places;
  const watching = state.watch ? ' · watching' : '';
  return (
    <Box flexDirection="column" width={width}>
      <Heading left={` ${title}${watching}${state.runningSince === null ? '' : ' · running'}`} since={state.runningSince} width={width} />
      <Verdict result={result} lines={places.verdict} width={width} hasChanged={state.changed.has('verdict')} />
      {places.hasPath ? (
        <Box height={3} paddingX={2} overflow="hidden">
          <PathLine stops={drawnHops(state.progress, result)} width={width - 4} />
        </Box>
      ) : null}
      <Tabs tab={state.tab} state={state} width={width} />
      {table ? (
        <Table table={table} cursor={state.row} width={width} height={body} />
      ) : (
        <Box height={body} width={width}>
          {places.list > 0 ? (
            <RowList rows={rows} cursor={state.row} isFocused={state.focus === 'list'} changed={state.changed} width={places.list} height={body} />
          ) : null}
          {places.list < width ? (
            <Box marginLeft={places.list > 0 ? 1 : 0}>
              <Lines lines={lines} from={state.scroll} height={body} width={places.detail} isFocused={state.focus === 'detail'} />
            </Box>
          ) : null}
        </Box>
      )}
    </Box>
  );
}
