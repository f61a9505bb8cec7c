/**
 * Changes the code of a room a little, one place at a time, and sees whether a test notices (Stryker): npm run mutation, or
 * npm run mutation -- ROOM… for some rooms. About a second for each change, hours for all of them. Prints what no test noticed, and
 * writes the scores into docs/trust.md.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { rowsOf, withRow } from '../support/page-table.ts';
import { rooms } from './rooms.ts';

const here = new URL('./', import.meta.url).pathname;
const root = new URL('../../', import.meta.url).pathname;
const page = join(root, 'docs/trust.md');
const folder = 'dist/mutation';
/** The part of the changes that the tests of a room have to notice. */
const enough = 0.85;

/** A part of Stryker's report (mutation-testing-report-schema). */
interface Mutant {
  status: string;
  mutatorName: string;
  replacement?: string;
  location: { start: { line: number } };
}
interface Report {
  files: Record<string, { mutants: Mutant[] }>;
}

const chosen = process.argv.slice(2);
const isOf = (group: string) => (name: string) => name === group || name.startsWith(`${group}/`);
const unknown = chosen.filter((group) => !Object.keys(rooms).some(isOf(group)));
if (unknown.length > 0) throw new Error(`There is no room ${unknown.join(', ')}; choose from ${Object.keys(rooms).join(', ')}.`);
if (!existsSync(join(here, 'node_modules'))) execFileSync('npm', ['ci', '--legacy-peer-deps', '--ignore-scripts', '--silent'], { cwd: here, stdio: 'inherit' });
mkdirSync(join(root, folder), { recursive: true });

/** Every change of a room, with what became of it. */
function changesOf(name: string, mutate: readonly string[], tests: readonly string[]): { file: string; mutant: Mutant }[] {
  const base = join(folder, name.replace('/', '-'));
  const [config, report] = [`${base}.config.json`, `${base}.json`];
  const options = {
    testRunner: 'vitest',
    plugins: ['@stryker-mutator/vitest-runner'],
    vitest: { configFile: relative(root, join(here, 'vitest.config.ts')), related: false },
    mutate,
    coverageAnalysis: 'perTest',
    // What is computed once, while a file is loaded, would need a process of its own for each change.
    ignoreStatic: true,
    concurrency: 2,
    // A test that is only slow on a busy machine has noticed nothing (ms).
    timeoutMS: 20_000,
    // There is nothing to translate: Node and vitest take TypeScript as it is.
    tsconfigFile: 'none.json',
    tempDirName: join(folder, 'tmp'),
    ignorePatterns: ['dist', 'demo', 'test/*/node_modules'],
    reporters: ['json', 'progress-append-only'],
    jsonReporter: { fileName: report },
    // After a change of tests, only what they may notice now is tried again; `dist` is no part of a clone.
    incremental: true,
    incrementalFile: `${base}-before.json`,
  };
  writeFileSync(join(root, config), JSON.stringify(options));
  const ran = spawnSync(join(here, 'node_modules/.bin/stryker'), ['run', config], {
    cwd: root,
    env: { ...process.env, TESTS: tests.join(' '), WORLDS: '2000' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (ran.status !== 0) throw new Error(`Stryker ended with ${ran.status} for ${name}.`);
  const { files } = JSON.parse(readFileSync(join(root, report), 'utf8')) as Report;
  return Object.entries(files).flatMap(([file, { mutants }]) => mutants.map((mutant) => ({ file, mutant })));
}

const head = ['room', 'changes', 'noticed', 'score', 'measured'];
const rowOf = (name: string, changes: number, noticed: number): string =>
  `| ${name} | ${changes} | ${noticed} | ${Math.floor((noticed / changes) * 100)} % | ${new Date().toISOString().slice(0, 10)} |`;
const total = (rows: readonly string[], cell: number): number => rows.reduce((sum, row) => sum + Number(row.split('|')[cell]), 0);
function write(row: string): void {
  process.stdout.write(`${row}\n`);
  writeFileSync(page, withRow(readFileSync(page, 'utf8'), 'mutation', head, [...Object.keys(rooms), 'checks'], row));
}

/** What counts of the changes: those that were tried, and those of them that no test noticed. */
function countOf(changes: ReturnType<typeof changesOf>) {
  const counted = changes.filter(({ mutant }) => ['Killed', 'Timeout', 'Survived', 'NoCoverage'].includes(mutant.status));
  return { all: counted.length, unnoticed: counted.filter(({ mutant }) => mutant.status === 'Survived' || mutant.status === 'NoCoverage') };
}

for (const [name, { mutate, tests, whole }] of Object.entries(rooms)) {
  if (chosen.length > 0 && !chosen.some((group) => isOf(group)(name))) continue;
  let { all, unnoticed } = countOf(changesOf(name, mutate, tests));
  // The tests of the whole pipeline take ten times as long, so they are asked only where those that are near notice too little.
  if (whole && unnoticed.length > all * (1 - enough)) ({ all, unnoticed } = countOf(changesOf(name, mutate, [...tests, ...whole])));
  for (const { file, mutant } of unnoticed)
    process.stdout.write(`${file}:${mutant.location.start.line} ${mutant.mutatorName}: ${(mutant.replacement ?? '').replace(/\s+/g, ' ').slice(0, 100)}\n`);
  write(rowOf(name, all, all - unnoticed.length));
  const groups = rowsOf(readFileSync(page, 'utf8'), 'mutation').filter((row) => row.startsWith('| checks/'));
  if (groups.length === Object.keys(rooms).filter(isOf('checks')).length) write(rowOf('checks', total(groups, 2), total(groups, 3)));
}
