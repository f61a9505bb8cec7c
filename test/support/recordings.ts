/** Facts recorded from the real cluster: test/recordings holds one capture for each end-to-end scenario. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCapture, type Recording } from '../../src/facts/capture.ts';
import type { Case } from './expectation.ts';

const recordings = new URL('../recordings', import.meta.url).pathname;
const scenarios = new URL('../e2e/scenarios', import.meta.url).pathname;

export interface Recorded {
  name: string;
  recording: Recording;
  /** Absent for recordings of scenarios that stand elsewhere. */
  scenario: Case | undefined;
}

export const recorded: readonly Recorded[] = readdirSync(recordings)
  .filter((f) => f.endsWith('.json'))
  .map((file) => {
    const name = file.replace(/\.json$/, '');
    const path = join(scenarios, name, 'case.json');
    return {
      name,
      recording: readCapture(readFileSync(join(recordings, file), 'utf8')),
      scenario: existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Case) : undefined,
    };
  });

/** One recording by its name, fresh for each caller. */
export function recordingOf(name: string): Recording {
  return readCapture(readFileSync(join(recordings, `${name}.json`), 'utf8'));
}
