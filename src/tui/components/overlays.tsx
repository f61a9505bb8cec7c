import { Box, Text } from 'ink';
import { Piece, Toned } from '../theme.tsx';
import type { Overlay } from '../state.ts';

const help: [string, string][] = [
  ['↑ ↓ j k', 'move; page keys, g and G go further'],
  ['enter → l', 'open a row'],
  ['esc ← h', 'back'],
  ['tab 1 2 3 4', 'checks, endpoints, nodes, probes'],
  ['y', 'copy the fix (through the terminal: OSC 52)'],
  ['d', 'show the fix as a diff, tried in a dry run; a there applies it, after a question'],
  ['u', 'take back the last fix that was applied'],
  ['r', 'run again'],
  ['w', 'watch: run again and again, mark changes with *'],
  ['f', 'run from another client: pod/NAME, deploy/NAME, node/NAME, external'],
  ['c', 'write the collected facts to a file (a capture)'],
  ['/', 'filter'],
  ['a', 'in a list of Services: all namespaces'],
  ['q', 'quit; the verdict stays in the scrollback'],
];

export const Help = ({ height }: { height: number }) => (
  <Box flexDirection="column" height={height} paddingX={1}>
    <Toned tone="bold">Keys</Toned>
    {help.slice(0, height - 2).map(([keys, does]) => (
      <Box key={keys} height={1}>
        <Box width={14} flexShrink={0}>
          <Toned tone="accent">{keys}</Toned>
        </Box>
        <Toned>{does}</Toned>
      </Box>
    ))}
  </Box>
);

/** What a fix changes, and the API server's answer to a dry run. */
export function Trial({ overlay, height, width }: { overlay: Overlay & { kind: 'trial' }; height: number; width: number }) {
  const { trial, command, scroll } = overlay;
  return (
    <Box flexDirection="column" height={height} width={width} paddingX={1}>
      <Toned tone="accent">{command}</Toned>
      <Toned tone={trial === null ? 'dim' : trial.accepted ? 'good' : 'warn'}>{trial === null ? 'dry run (nothing is kept) …' : trial.message}</Toned>
      {(trial?.lines ?? []).slice(scroll, scroll + height - 2).map((l, i) => (
        // oxlint-disable-next-line react/no-array-index-key
        <Toned key={scroll + i} tone={l.mark === '+' ? 'good' : l.mark === '-' ? 'bad' : 'plain'}>{`${l.mark} ${l.text}`}</Toned>
      ))}
    </Box>
  );
}

const asks = { from: 'From', capture: 'Write to' };

/** What has been typed, with the cursor at its end. */
const Line = ({ value }: { value: string }) => (
  <Text>
    {value}
    <Text inverse> </Text>
  </Text>
);

/** One line to type into. */
export const Prompt = ({ overlay }: { overlay: Overlay & { kind: 'prompt' } }) => (
  <Box height={1}>
    <Piece tone="bold">{`${asks[overlay.what]}: `}</Piece>
    <Line value={overlay.value} />
    {overlay.value === '' && <Piece tone="dim">{overlay.what === 'from' ? ' pod/NAME, deploy/NAME, node/NAME, external' : ' FILE'}</Piece>}
  </Box>
);

export const Filter = ({ value }: { value: string }) => (
  <Box height={1}>
    <Piece tone="bold">/</Piece>
    <Line value={value} />
  </Box>
);
