/**
 * Runs what has to hold before anybody trusts a verdict, on the cluster that KUBECONFIG names, and writes the figures into docs/trust.md:
 * npm run trust, or npm run trust -- NAME… for some of them. The whole takes some hours.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rowsOf, withRows } from '../support/page-table.ts';

const root = new URL('../../', import.meta.url).pathname;
const page = join(root, 'docs/trust.md');

interface Suite {
  what: string;
  files: string[];
  project: 'unit' | 'e2e';
}

/** By the names that can be given; in the order of the page. */
const suites: Record<string, Suite> = {
  'faulty-api': {
    what: 'every fault of the API server, for every kind of request, healthy and faulty Service, with connections and without',
    files: ['test/e2e/faulty-api.test.ts'],
    project: 'e2e',
  },
  hanging: { what: 'requests that hang do not hold up what is certain', files: ['test/e2e/hanging.test.ts'], project: 'e2e' },
  rights: { what: 'one right less than what is asked for, each in turn', files: ['test/e2e/rights.test.ts'], project: 'e2e' },
  changing: { what: 'the cluster changes during the diagnosis', files: ['test/e2e/changing.test.ts'], project: 'e2e' },
  hostile: { what: 'names at their longest, objects of megabytes, answers that never end', files: ['test/e2e/hostile.test.ts'], project: 'e2e' },
  pairs: { what: 'two faults at once, both named', files: ['test/e2e/pairs.test.ts'], project: 'e2e' },
  scenarios: { what: 'Services broken in real ways, and healthy look-alikes', files: ['test/e2e/scenarios.test.ts'], project: 'e2e' },
  secrets: { what: 'planted secrets, in captures, reports and debugging output', files: ['test/e2e/secrets.test.ts'], project: 'e2e' },
  anonymous: { what: 'captures that name nobody, and replays of them', files: ['test/facts/anonymize.test.ts'], project: 'unit' },
  worlds: {
    what: 'random clusters with planted faults, against a second predictor (100,000 a test)',
    files: ['test/model/worlds.test.ts', 'test/model/worlds-refused.test.ts', 'test/policy/worlds.test.ts'],
    project: 'unit',
  },
  evidence: { what: 'recordings of which facts are taken away: no cause is added', files: ['test/diagnose/evidence.test.ts'], project: 'unit' },
  damaged: {
    what: 'damaged captures, hostile texts, parsers fed with random bytes',
    files: ['test/facts', 'test/report', 'test/dns', 'test/proxy', 'test/cluster', 'test/probes'],
    project: 'unit',
  },
};

interface Figures {
  runs?: number;
  wrong?: number;
  late?: number;
  leftovers?: number;
  found?: number;
}
interface Report {
  numPassedTests: number;
  numFailedTests: number;
}

const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-trust-'));

/** One row, from the tests' own report and from the figures that a suite writes. */
function rowOf(name: string, { what, files, project }: Suite): string {
  const [report, own] = [join(folder, `${name}.json`), join(folder, `${name}-figures.json`)];
  spawnSync('npx', ['vitest', 'run', '--project', project, ...files, '--reporter=dot', '--reporter=json', `--outputFile.json=${report}`], {
    cwd: root,
    env: { ...process.env, NIGHTLY: '1', WORLDS: '100000', TRUST: own },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const { numPassedTests: passed, numFailedTests: failed } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  let figures: Figures = {};
  try {
    [figures = {}] = Object.values(JSON.parse(readFileSync(own, 'utf8')) as Record<string, Figures>);
  } catch {
    // Most suites count by their tests alone.
  }
  const cells = [figures.runs ?? passed + failed, figures.wrong ?? failed, figures.late ?? 0, figures.leftovers ?? 0, figures.found ?? 0];
  return `| ${what} | ${cells.join(' | ')} | ${new Date().toISOString().slice(0, 10)} |`;
}

const head = ['what', 'tried', 'wrong', 'too late', 'left behind', 'secrets found', 'measured'];
const known = new Map(rowsOf(readFileSync(page, 'utf8'), 'trust').map((line) => [line.split('|')[1]?.trim() ?? '', line]));
const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !(name in suites));
if (unknown.length > 0) throw new Error(`There is no suite ${unknown.join(', ')}; choose from ${Object.keys(suites).join(', ')}.`);
for (const [name, suite] of Object.entries(suites)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  known.set(suite.what, rowOf(name, suite));
  const rows = Object.values(suites).map((s) => known.get(s.what) ?? `| ${s.what} | not measured yet | | | | | |`);
  writeFileSync(page, withRows(readFileSync(page, 'utf8'), 'trust', head, rows));
}
