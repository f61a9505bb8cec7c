/** Tones for colours, and marks that have their meaning without colours. */
import { Text, type TextProps } from 'ink';
import { createContext, type ReactNode, useContext } from 'react';
import type { Hop } from '../diagnose/diagnosis.ts';
import type { CheckStatus } from '../verdict/judge.ts';
import { asciiMarks, unicodeMarks } from '../report/view.ts';

export type Tone = 'good' | 'bad' | 'warn' | 'dim' | 'accent' | 'plain' | 'bold';

export const toneOf: Record<CheckStatus, Tone> = { pass: 'good', warn: 'warn', fail: 'bad', skip: 'dim', unknown: 'warn' };
/** A hop of the packet's path has the status of a check. */
export const asCheck: Record<Hop['state'], CheckStatus> = { ok: 'pass', failed: 'fail', warning: 'warn', unknown: 'unknown', none: 'skip' };

/** Named colours only, which every theme, light or dark, maps to what can be read on it. */
const props: Record<Tone, Partial<TextProps>> = {
  good: { color: 'green' },
  bad: { color: 'red', bold: true },
  warn: { color: 'yellow' },
  dim: { dimColor: true },
  accent: { color: 'cyan' },
  plain: {},
  bold: { bold: true },
};

const plain = { marks: asciiMarks, spinner: ['|', '/', '-', '\\'], line: '-', dot: '-', bar: '|', cursor: '>', colour: true };
const rich: typeof plain = {
  marks: unicodeMarks,
  spinner: ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'],
  line: '─',
  dot: '·',
  bar: '▌',
  cursor: '▸',
  colour: true,
};

const ThemeContext = createContext(rich);
export const useTheme = (): typeof rich => useContext(ThemeContext);
export const ThemeProvider = ({ unicode, colour, children }: { unicode: boolean; colour: boolean; children: ReactNode }) => (
  <ThemeContext value={{ ...(unicode ? rich : plain), colour }}>{children}</ThemeContext>
);

/** A tone as Ink properties; without colours, bold and dim stay. */
function useTone(tone: Tone): Partial<TextProps> {
  const { colour } = useTheme();
  const { color, ...rest } = props[tone];
  return colour && color !== undefined ? { ...rest, color } : rest;
}

/** Text in a tone; text that is too long ends with an ellipsis. */
export const Toned = ({ tone = 'plain', inverse = false, children }: { tone?: Tone; inverse?: boolean; children: ReactNode }) => (
  <Text {...useTone(tone)} inverse={inverse} wrap="truncate-end">
    {children}
  </Text>
);

/** Text inside a line, or text that can wrap. */
export const Piece = ({ tone = 'plain', children }: { tone?: Tone; children: ReactNode }) => <Text {...useTone(tone)}>{children}</Text>;
