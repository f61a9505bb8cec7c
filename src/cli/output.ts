import { writeFileSync } from 'node:fs';
import { CannotRun } from '../catalog/cannot-run.ts';
import type { Diagnosis } from '../diagnose/diagnosis.ts';
import { type Format, render } from '../report/render.ts';
import type { Watched } from '../report/html-page.ts';
import type { Paint } from './first-paint.ts';

export interface Output<F extends string> {
  format: F;
  /** Absent: stdout. */
  file?: string;
}

/**
 * Reads `-o FORMAT` and `-o FORMAT=FILE`; at most one goes to stdout, by default the first of the formats that there are.
 * Throws CannotRun for a format that is not known.
 */
export function parseOutputs<F extends string>(values: readonly string[], known: readonly [F, ...F[]]): Output<F>[] {
  const outputs = values.map((value): Output<F> => {
    const [name = '', ...file] = value.split('=');
    const format = known.find((f) => f === name);
    if (format === undefined) throw new CannotRun(`-o "${value}" is not a format; choose one of ${known.join(', ')}, or FORMAT=FILE.`);
    const path = file.join('=');
    if (value.includes('=') && !path) throw new CannotRun(`-o "${value}" names no file; write ${format}=FILE.`);
    return { format, ...(path && { file: path }) };
  });
  if (outputs.filter((o) => !o.file).length > 1) throw new CannotRun('Only one -o can go to the screen; give the others a file (-o json=FILE).');
  return outputs.some((o) => !o.file) ? outputs : [...outputs, { format: known[0] }];
}

export interface Screen {
  stdout: NodeJS.WriteStream;
  /** What was painted before anything was loaded. */
  paint: Paint;
  env: NodeJS.ProcessEnv;
  colour: boolean;
}

/** True where the locale can show the marks (POSIX: LC_ALL, then LC_CTYPE, then LANG). */
export const isUnicode = (env: NodeJS.ProcessEnv): boolean => {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return locale === '' ? env['TERM'] !== 'linux' : /utf-?8/i.test(locale);
};

/** Writes each text to its file or to the screen. Throws CannotRun for a file that can't be written. */
export async function writeTexts(texts: readonly { file?: string; text: string }[], screen: Screen): Promise<void> {
  // The screen first: the result is printed even if a file cannot be written.
  for (const { file, text } of texts.toSorted((a, b) => Number(a.file !== undefined) - Number(b.file !== undefined))) {
    const ended = text.endsWith('\n') ? text : `${text}\n`;
    if (file) {
      try {
        writeFileSync(file, ended);
      } catch (error) {
        throw new CannotRun(`The file ${file} cannot be written (${(error as NodeJS.ErrnoException).code}); choose another.`);
      }
    } else await new Promise<void>((resolve) => screen.stdout.write(ended, () => resolve()));
  }
}

/** Writes what each of the chosen formats makes of a result. */
export const writeAs = <F extends string>(outputs: readonly Output<F>[], make: Record<F, (toFile: boolean) => string>, screen: Screen): Promise<void> =>
  writeTexts(
    outputs.map((o) => ({ ...o, text: make[o.format](o.file !== undefined) })),
    screen,
  );

export const plainFormats = ['text', 'json', 'yaml'] as const;

/** Writes an answer that has no report of its own: as text, or as what it is. */
export async function writePlain(outputs: readonly Output<(typeof plainFormats)[number]>[], text: string, answer: object, screen: Screen): Promise<void> {
  const { stringify } = outputs.some((o) => o.format === 'yaml') ? await import('yaml') : { stringify: () => '' };
  await writeAs(outputs, { text: () => text, json: () => `${JSON.stringify(answer, null, 2)}\n`, yaml: () => stringify(answer) }, screen);
}

/** So many changes are kept for a report. */
const keptChanges = 200;

/** What `--watch` makes of `-o`: lines on the screen, as text or as JSON, and files that always hold the newest state. Throws CannotRun for another format on the screen. */
export function watchOutputs<F extends string>(outputs: readonly Output<F>[]) {
  const onScreen = outputs.find((o) => !o.file)?.format ?? 'text';
  if (!['text', 'wide', 'json'].includes(onScreen))
    throw new CannotRun(`With --watch the screen gets a line for each change; give ${onScreen} a file (-o ${onScreen}=FILE).`);
  const changes: string[] = [];
  return {
    asLines: onScreen === 'json',
    files: outputs.filter((o) => o.file),
    changes: changes as readonly string[],
    add(line: string): void {
      changes.unshift(line);
      changes.splice(keptChanges);
    },
  };
}

export async function writeOutputs(
  diagnosis: Diagnosis,
  requests: number,
  outputs: readonly Output<Format>[],
  screen: Screen,
  watched?: Watched,
): Promise<void> {
  const texts = await Promise.all(
    outputs.map(async ({ format, file }) => {
      const shown = { colour: screen.colour && !file, unicode: isUnicode(screen.env), columns: file ? 100 : (screen.stdout.columns ?? 100) };
      return { text: await render(diagnosis, requests, format, shown, watched), ...(file !== undefined && { file }) };
    }),
  );
  await writeTexts(texts, screen);
}

const severities = ['warning', 'degraded', 'faulty'] as const;
/** From what on a Service counts as failing. */
export type FailOn = (typeof severities)[number];

/** The exit status of a diagnosis where a Service fails from `failOn` on; evidence that is missing remains 2. */
export function exitFor({ verdict, checks }: Diagnosis, failOn: FailOn): number {
  if (verdict.status === 'undecided') return exitStatus.undecided;
  const hasWarning = checks.some((c) => c.findings.some((f) => f.severity === 'warning'));
  if (verdict.status === 'healthy' && !hasWarning) return 0;
  const reached: FailOn = verdict.status === 'healthy' ? 'warning' : verdict.status;
  return severities.indexOf(reached) >= severities.indexOf(failOn) ? 1 : 0;
}

/** Exit status by verdict; 3 is kept for what could not run. */
export const exitStatus: Record<Diagnosis['verdict']['status'], number> = { healthy: 0, degraded: 1, faulty: 1, undecided: 2 };
