import { createInterface } from 'node:readline/promises';

/** Whether there is a person at a terminal who could answer. */
export const canPrompt = (quiet: boolean, env: NodeJS.ProcessEnv): boolean => !quiet && process.stdin.isTTY && process.stderr.isTTY && !env['CI'];

/** Asks on stderr; every answer but yes is a no, and so is the end of the run. */
export async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `, { signal })).trim());
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  } finally {
    lines.close();
  }
}
