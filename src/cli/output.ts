import { writeFileSync } from 'node:fs';
import { CannotRun } from '../catalog/words.ts';
import type { Diagnosis } from '../diagnose/diagnosis.ts';
import { type Format, formats, render } from '../report/render.ts';

export interface Output {
  format: Format;
  /** Absent: stdout. */
  file?: string;
}

/** Reads `-o FORMAT` and `-o FORMAT=FILE`; at most one goes to stdout. Throws CannotRun for a format that is not known. */
export function parseOutputs(values: readonly string[]): Output[] {
  const outputs = values.map((value): Output => {
    const [format = '', ...file] = value.split('=');
    if (!(formats as readonly string[]).includes(format))
      throw new CannotRun(`-o "${value}" is not a format; choose one of ${formats.join(', ')}, or FORMAT=FILE.`);
    const path = file.join('=');
    if (value.includes('=') && !path) throw new CannotRun(`-o "${value}" names no file; write ${format}=FILE.`);
    return { format: format as Format, ...(path && { file: path }) };
  });
  if (outputs.filter((o) => !o.file).length > 1) throw new CannotRun('Only one -o can go to the screen; give the others a file (-o json=FILE).');
  return outputs.some((o) => !o.file) ? outputs : [...outputs, { format: 'text' }];
}

export interface Screen {
  stdout: NodeJS.WriteStream;
  env: NodeJS.ProcessEnv;
  colour: boolean;
}

/** True where the locale can show the marks (POSIX: LC_ALL, then LC_CTYPE, then LANG). */
const isUnicode = (env: NodeJS.ProcessEnv): boolean => {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return locale === '' ? env['TERM'] !== 'linux' : /utf-?8/i.test(locale);
};

export async function writeOutputs(diagnosis: Diagnosis, requests: number, outputs: readonly Output[], screen: Screen): Promise<void> {
  // The screen first: whatever becomes of the files, the diagnosis is told.
  for (const { format, file } of outputs.toSorted((a, b) => Number(a.file !== undefined) - Number(b.file !== undefined))) {
    const text = { colour: screen.colour && !file, unicode: isUnicode(screen.env), columns: file ? 100 : (screen.stdout.columns ?? 100) };
    const rendered = await render(diagnosis, requests, format, text);
    if (file) {
      try {
        writeFileSync(file, rendered);
      } catch (error) {
        throw new CannotRun(`The file ${file} cannot be written (${(error as NodeJS.ErrnoException).code}); choose another.`);
      }
    } else await new Promise<void>((resolve) => screen.stdout.write(rendered, () => resolve()));
  }
}

/** Exit status by verdict; 3 is kept for what could not run. */
export const exitStatus: Record<Diagnosis['verdict']['status'], number> = { healthy: 0, degraded: 1, faulty: 1, undecided: 2 };
