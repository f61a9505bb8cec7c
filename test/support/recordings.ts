/** Facts recorded from the real cluster: test/recordings holds one capture for each end-to-end scenario. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCapture, type Recording } from '../../src/facts/capture.ts';
import { everyCheck, pipelineFor } from '../../checks/pipeline.ts';
import { judge, targetOf } from '../../src/verdict/judge.ts';
import type { Judged } from '../../src/verdict/judge.ts';
import type { Facts } from '../../src/facts/facts.ts';
import type { Case } from './expectation.ts';

const recordings = new URL('../recordings', import.meta.url).pathname;
const scenarios = new URL('../e2e/scenarios', import.meta.url).pathname;

export interface Recorded {
  name: string;
  /** Read when it is first asked for: most tests want a few of them. */
  readonly recording: Recording;
  /** Absent for recordings of scenarios in other folders. */
  scenario: Case | undefined;
}

const read = new Map<string, Recording>();

export const recorded: readonly Recorded[] = readdirSync(recordings)
  .filter((f) => f.endsWith('.json'))
  .map((file) => {
    const name = file.replace(/\.json$/, '');
    const path = join(scenarios, name, 'case.json');
    return {
      name,
      get recording() {
        const known = read.get(name) ?? recordingOf(name);
        read.set(name, known);
        return known;
      },
      scenario: existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Case) : undefined,
    };
  });

/** The checks that the question of a recording asks for. */
export const checksFor = ({ facts }: Pick<Recording, 'facts'>) => pipelineFor(targetOf(facts));

/** One recording by its name, fresh for each caller. */
export function recordingOf(name: string): Recording {
  return readCapture(readFileSync(join(recordings, `${name}.json`), 'utf8'));
}

/** The report of one check on a recorded incident with changed facts. */
export function reportOf(id: string, change: (facts: Facts) => Partial<Facts>, incident = 'healthy-canary'): Judged {
  const check = everyCheck.find((c) => c.id === id);
  if (!check) throw new Error(`no check ${id}`);
  const { facts } = recordingOf(incident);
  return judge(check, { ...facts, ...change(facts) });
}

/** The value of a fact that the recording has. */
export const valueOf = <T>(fact: { seen: true; value: T } | { seen: false }): T => {
  if (!fact.seen) throw new Error('the recording has no such fact');
  return fact.value;
};
