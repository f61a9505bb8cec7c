import { Box, Text } from 'ink';
import stringWidth from 'string-width';
import type { Hop } from '../../diagnose/diagnosis.ts';
import { asCheck, Piece, type Tone, toneOf, useTheme } from '../theme.tsx';

/** One hop of the packet's path, as it is drawn. */
export interface DrawnHop {
  label: string;
  /** Where there is little room. */
  short: string;
  /** null: nothing is known yet. */
  state: Hop['state'] | null;
  /** Here the connection breaks. */
  breaks: boolean;
}

const toneFor = (s: DrawnHop): Tone => (s.state === null ? 'dim' : toneOf[asCheck[s.state]]);

/**
 * The path from the client to the container: in one line with a pointer to the hop that fails, or, on a narrow terminal, as
 * marked words that wrap.
 */
export function PathLine({ stops: all, width }: { stops: readonly DrawnHop[]; width: number }) {
  const { marks, line, dot } = useTheme();
  const markOf = (s: DrawnHop) => (s.breaks ? marks.fail : s.state === null ? dot : marks[asCheck[s.state]]);
  const short = all.map((s) => ({ ...s, label: s.short }));
  // As much as fits: full names, then short ones, then shorter lines between them.
  const layouts = [all, short].flatMap((stops) => [2, 1].map((by) => ({ stops, by })));
  const lengthOf = ({ stops, by }: (typeof layouts)[number]) => stops.reduce((sum, s, i) => sum + (i > 0 ? 3 + 2 * by : 0) + stringWidth(s.label), 0);
  const layout = layouts.find((l) => lengthOf(l) <= width);
  const { stops, by } = layout ?? { stops: short, by: 1 };
  const [first, ...rest] = stops;
  if (!first) return null;
  const joint = (s: DrawnHop) => `${line.repeat(by)}${markOf(s)}${line.repeat(by)}`;
  if (!layout)
    return (
      <Text>
        {stops.map((s, i) => (
          <Piece key={s.label} tone={s.breaks ? 'bad' : toneFor(s)}>
            {`${i > 0 ? ' ' : ''}${i === 0 ? '' : markOf(s)}${s.label.replaceAll(' ', '\u00a0')}`}
          </Piece>
        ))}
      </Text>
    );
  const before = rest.slice(
    0,
    Math.max(
      0,
      rest.findIndex((s) => s.breaks),
    ),
  );
  const at = stringWidth(first.label) + before.reduce((sum, s) => sum + 3 + 2 * by + stringWidth(s.label), 0) + 1;
  return (
    <Box flexDirection="column">
      <Text>
        {first.label}
        {rest.map((s) => (
          <Text key={s.label}>
            {' '}
            <Piece tone={s.breaks ? 'bad' : toneFor(s)}>{joint(s)}</Piece>{' '}
            <Piece tone={s.state === null || s.state === 'none' ? 'dim' : 'plain'}>{s.label}</Piece>
          </Text>
        ))}
      </Text>
      {rest.some((s) => s.breaks) ? <Piece tone="bad">{`${' '.repeat(Math.max(0, Math.min(at, width - 11)))}breaks here`}</Piece> : null}
    </Box>
  );
}
