/**
 * Runs what has to hold before anybody trusts a verdict, on the cluster that KUBECONFIG names, and writes the figures into docs/trust.md:
 * npm run trust, or npm run trust -- NAME… for some of them. The whole takes some hours.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Figures } from '../support/figures.ts';
import { rowsOf, withRows } from '../support/page-table.ts';

const root = new URL('../../', import.meta.url).pathname;
const page = join(root, 'docs/trust.md');

interface Suite {
  /** Its rows, by the names of the figures that it writes; one that writes none has its tests counted. */
  rows: Record<string, string>;
  files: string[];
  project: 'unit' | 'e2e';
}

/** By the names that can be given; in the order of the page. */
const suites: Record<string, Suite> = {
  'faulty-api': {
    rows: { 'faulty-api': 'every fault of the API server, for every kind of request, healthy and faulty Service, with connections and without' },
    files: ['test/e2e/faulty-api.test.ts'],
    project: 'e2e',
  },
  hanging: { rows: { tests: 'requests that hang do not hold up what is certain' }, files: ['test/e2e/hanging.test.ts'], project: 'e2e' },
  rights: { rows: { tests: 'one right less than what is asked for, each in turn' }, files: ['test/e2e/rights.test.ts'], project: 'e2e' },
  changing: { rows: { tests: 'the cluster changes during the diagnosis' }, files: ['test/e2e/changing.test.ts'], project: 'e2e' },
  hostile: { rows: { tests: 'names at their longest, objects of megabytes, answers that never end' }, files: ['test/e2e/hostile.test.ts'], project: 'e2e' },
  pairs: { rows: { pairs: 'two faults at once, both named' }, files: ['test/e2e/pairs.test.ts'], project: 'e2e' },
  scenarios: {
    rows: { broken: 'Services broken in real ways', healthy: 'healthy Services that look like broken ones' },
    files: ['test/e2e/scenarios.test.ts'],
    project: 'e2e',
  },
  secrets: { rows: { secrets: 'planted secrets, in captures, reports and debugging output' }, files: ['test/e2e/secrets.test.ts'], project: 'e2e' },
  anonymous: { rows: { tests: 'captures that name nobody, and replays of them' }, files: ['test/facts/anonymize.test.ts'], project: 'unit' },
  worlds: {
    rows: {
      worlds: 'random clusters with planted faults: the causes are exactly those',
      refused: 'random clusters of which some evidence is refused: no other cause, nothing healthy unproved',
      policies: 'random policies, two evaluators that share nothing',
    },
    files: ['test/model/worlds.test.ts', 'test/model/worlds-refused.test.ts', 'test/policy/worlds.test.ts'],
    project: 'unit',
  },
  evidence: { rows: { tests: 'recordings of which facts are taken away: no cause is added' }, files: ['test/diagnose/evidence.test.ts'], project: 'unit' },
  damaged: {
    rows: { tests: 'damaged captures, hostile texts, parsers fed with random bytes' },
    files: ['test/facts', 'test/report', 'test/dns', 'test/proxy', 'test/cluster', 'test/probes'],
    project: 'unit',
  },
  supply: {
    rows: {
      pinned: 'packages for building and testing, each pinned by its bytes',
      licences: 'packages in the bundle, each under a licence that lets it be given away',
    },
    files: ['test/lint/supply-chain.test.ts'],
    project: 'unit',
  },
};

interface Report {
  numPassedTests: number;
  numFailedTests: number;
}

const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-trust-'));

/** Empty for what counts by its tests alone. */
function figuresOf(name: string): Figures {
  const file = join(folder, `${name}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Figures) : {};
}

/** Its rows by what they count, from the tests' own report and from the figures that a suite writes. */
function rowsOfSuite(name: string, { rows, files, project }: Suite): [what: string, row: string][] {
  const report = join(folder, `report-of-${name}.json`);
  spawnSync('npx', ['vitest', 'run', '--project', project, ...files, '--reporter=dot', '--reporter=json', `--outputFile.json=${report}`], {
    cwd: root,
    env: { ...process.env, NIGHTLY: '1', WORLDS: '100000', TRUST: folder },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const { numPassedTests: passed, numFailedTests: failed } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  return Object.entries(rows).map(([key, what]) => {
    const { runs = passed + failed, wrong = failed, late = 0, leftovers = 0, found = 0 } = figuresOf(key);
    return [what, `| ${what} | ${[runs, wrong, late, leftovers, found].join(' | ')} | ${new Date().toISOString().slice(0, 10)} |`];
  });
}

const head = ['what', 'tried', 'wrong', 'too late', 'left behind', 'secrets found', 'measured'];
const known = new Map(rowsOf(readFileSync(page, 'utf8'), 'trust').map((line) => [line.split('|')[1]?.trim() ?? '', line]));
const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !(name in suites));
if (unknown.length > 0) throw new Error(`There is no suite ${unknown.join(', ')}; choose from ${Object.keys(suites).join(', ')}.`);
for (const [name, suite] of Object.entries(suites)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  for (const [what, row] of rowsOfSuite(name, suite)) known.set(what, row);
  const rows = Object.values(suites)
    .flatMap((s) => Object.values(s.rows))
    .map((what) => known.get(what) ?? `| ${what} | not measured yet | | | | | |`);
  writeFileSync(page, withRows(readFileSync(page, 'utf8'), 'trust', head, rows));
}
