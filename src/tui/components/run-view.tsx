import { Box, useAnimation } from 'ink';
import type { State } from '../state.ts';
import { Piece, Toned, useTheme } from '../theme.tsx';
import { drawnHops } from '../path-hops.ts';
import { PathLine } from './path-line.tsx';
import { Stages } from './stages.tsx';

/** The first line: the Service, the client, the time. */
export function Heading({ left, since, width }: { left: string; since: number | null; width: number }) {
  useAnimation({ interval: 100, isActive: since !== null });
  return (
    <Box width={width} height={1} justifyContent="space-between">
      <Box flexShrink={1} overflow="hidden" height={1}>
        <Toned tone="bold">{left}</Toned>
      </Box>
      <Box flexShrink={0} marginLeft={1}>
        <Toned tone="dim">{since === null ? '' : `${((Date.now() - since) / 1000).toFixed(1)} s`}</Toned>
      </Box>
    </Box>
  );
}

/** The view of a run: the packet's path and the stages, or why there is no result. */
export function RunView({ state, title, width, height }: { state: State; title: string; width: number; height: number }) {
  const { marks } = useTheme();
  const gap = height < 16 ? 0 : 1;
  // Heading and path, which can wrap, have four lines; a question or an error two.
  const room = height - 4 - (state.error || state.question ? 2 : 0);
  return (
    <Box flexDirection="column" width={width} paddingX={1}>
      <Heading left={title} since={state.runningSince} width={width - 2} />
      <Box marginTop={gap} marginBottom={gap}>
        <PathLine stops={drawnHops(state.progress, state.result)} width={width - 2} />
      </Box>
      <Stages stages={state.progress} width={width - 2} room={room} />
      {state.error ? (
        <Box marginTop={gap}>
          <Toned tone="bad">{`${marks.fail} `}</Toned>
          <Box flexShrink={1}>
            <Piece>{state.error}</Piece>
          </Box>
        </Box>
      ) : null}
      {state.question ? (
        <Box marginTop={gap}>
          <Piece tone="accent">{`${state.question} (y/n)`}</Piece>
        </Box>
      ) : null}
    </Box>
  );
}
