import { Box } from 'ink';
import type { Line } from '../detail.ts';
import { Toned, useTheme } from '../theme.tsx';

/** A part of a longer text; lines that a finding mentions have a bar. `isFocused`: keys scroll it. */
export function Lines({ lines, from, height, width, isFocused }: { lines: readonly Line[]; from: number; height: number; width: number; isFocused: boolean }) {
  const { bar } = useTheme();
  const shown = lines.slice(from, from + height);
  const more = lines.length - from - shown.length;
  return (
    <Box flexDirection="column" width={width} height={height}>
      {shown.map((l, i) => (
        // Lines have no name of their own but their place.
        // oxlint-disable-next-line react/no-array-index-key
        <Box key={from + i} height={1} width={width}>
          <Box width={2} flexShrink={0}>
            <Toned tone="warn">{l.isMentioned ? bar : ' '}</Toned>
          </Box>
          <Toned tone={l.tone ?? 'plain'}>
            {i === shown.length - 1 && more > 0 ? `… ${more + 1} more lines${isFocused ? '' : ' (enter)'}` : l.text || ' '}
          </Toned>
        </Box>
      ))}
    </Box>
  );
}
