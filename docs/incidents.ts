/** Writes docs/incidents.md, what is said of each recorded incident: node docs/incidents.ts. `test/diagnose/said.test.ts` checks that it is current. */
import { readFileSync, writeFileSync } from 'node:fs';
import { diagnose } from '../src/diagnose/diagnose.ts';
import { rowsOf, withRows } from '../test/support/page-table.ts';
import { checksFor, recorded, type Recorded } from '../test/support/recordings.ts';

const page = new URL('incidents.md', import.meta.url);
const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** One row: what is broken, the status with the codes of the causes, and the sentence of the verdict. */
export function rowOf({ name, scenario, recording }: Recorded): string {
  const { verdict } = diagnose(checksFor(recording), recording);
  const codes = verdict.causes.map((c) => `${c.code}${c.confidence === 'confirmed' ? '' : ` (${c.confidence})`}`);
  return `| ${cell(scenario?.title ?? name)} | ${[verdict.status, ...codes].join(', ')} | ${cell(verdict.summary)} |`;
}

/** The rows of the page, in the order of the recordings' names. */
export const rowsOnPage = (): string[] => rowsOf(readFileSync(page, 'utf8'), 'excerpts');

if (process.argv[1] === new URL(import.meta.url).pathname)
  writeFileSync(page, withRows(readFileSync(page, 'utf8'), 'excerpts', ['incident', 'verdict', 'what is said'], recorded.map(rowOf)));
