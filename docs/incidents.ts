/** Writes docs/incidents.md, what is said of each recorded incident: node docs/incidents.ts. `test/diagnose/said.test.ts` checks that it is current. */
import { readFileSync, writeFileSync } from 'node:fs';
import { diagnose } from '../src/diagnose/diagnose.ts';
import { checksFor, recorded, type Recorded } from '../test/support/recordings.ts';

const page = new URL('incidents.md', import.meta.url);
const head = ['| incident | verdict | what is said |', '| --- | --- | --- |'];
const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** One row: what is broken, the status with the codes of the causes, and the sentence of the verdict. */
export function rowOf({ name, scenario, recording }: Recorded): string {
  const { verdict } = diagnose(checksFor(recording), recording);
  const codes = verdict.causes.map((c) => `${c.code}${c.confidence === 'confirmed' ? '' : ` (${c.confidence})`}`);
  return `| ${cell(scenario?.title ?? name)} | ${[verdict.status, ...codes].join(', ')} | ${cell(verdict.summary)} |`;
}

/** The rows of the page, in the order of the recordings' names. */
export const rowsOnPage = (): string[] =>
  readFileSync(page, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !head.includes(line));

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [before = ''] = readFileSync(page, 'utf8').split('\n|');
  writeFileSync(page, `${before.trimEnd()}\n\n${[...head, ...recorded.map(rowOf)].join('\n')}\n`);
}
