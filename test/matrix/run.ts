/**
 * Runs the end-to-end scenarios on clusters of other releases, kube-proxy modes and families, one after another, and prints a table:
 * npm run test:matrix -- v1.33.13 v1.34.4,nftables v1.37.2,nftables,dual
 * Each cell is RELEASE[,MODE][,FAMILIES] (iptables, ipv4). ../shared/cluster starts each beside the one that may be up.
 * --quick: the public scenarios and those of IP families alone; --no-rules: without the comparison of rules with connections;
 * --write: into docs/clusters.md.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Cell, type Outcome, parseCell, tableOf, withTable } from './table.ts';

const root = new URL('../../', import.meta.url).pathname;
const shared = join(root, '../shared');
const own = join(root, 'test/e2e/scenarios');

/** A cluster of its own: the folder keeps what was built for the release, the names and the port are not those of the first cluster. */
const settings = ({ release, mode, families }: Cell): Record<string, string> => ({
  LAB: `/var/tmp/k8s-doctor-${release}`,
  PREFIX: 'km',
  PORT: '19443',
  KUBERNETES: release,
  PROXY_MODE: mode,
  FAMILIES: families,
});

function run(command: string, args: readonly string[], env: Record<string, string>): boolean {
  return spawnSync(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, 'no-rules': { type: 'boolean' }, write: { type: 'boolean' } },
});

/** What the first cluster was built from need not be built again. */
function takeBuilt(release: string, lab: string): void {
  const first = '/var/tmp/k8s-doctor-cluster';
  const built = spawnSync(join(first, 'bin/kubectl'), ['version', '--client'], { encoding: 'utf8' });
  if (existsSync(lab) || built.status !== 0 || !built.stdout.includes(release)) return;
  for (const part of ['bin', 'images']) if (existsSync(join(first, part))) cpSync(join(first, part), join(lab, part), { recursive: true });
}

interface Report {
  testResults: { assertionResults: { title: string; status: string }[] }[];
}

const quick = (): string =>
  [...readdirSync(join(shared, 'scenarios')), ...readdirSync(own).filter((name) => /dual|ipv6/.test(name))].filter((name) => !name.includes('.')).join(',');

/** The results of one file of tests. */
function tested(file: string, env: Record<string, string>, prefix: string): { title: string; status: string }[] {
  const report = join(mkdtempSync(join(tmpdir(), 'k8s-doctor-matrix-')), 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  run('npx', ['vitest', 'run', '--project', 'e2e', `test/e2e/${file}.test.ts`, ...reporters], env);
  const read = existsSync(report) ? (JSON.parse(readFileSync(report, 'utf8')) as Report).testResults.flatMap((r) => r.assertionResults) : [];
  return read.length > 0
    ? read.map(({ title, status }) => ({ title: `${prefix}${title}`, status }))
    : [{ title: `${prefix}the tests did not run`, status: 'failed' }];
}

function judge(cell: Cell): Outcome {
  const env = settings(cell);
  const set = `${values.quick ? 'the public ones and those of IP families' : 'all'}${values['no-rules'] ? '' : ', rules against connections'}`;
  const cluster = join(shared, 'cluster');
  run(join(cluster, 'down'), [], env);
  takeBuilt(cell.release, env['LAB'] ?? '');
  if (!run(join(cluster, 'up'), [], env)) return { cell, set, passed: 0, failed: ['the cluster did not start'] };
  try {
    const lab = env['LAB'] ?? '';
    const given = {
      ...env,
      KUBECONFIG: join(lab, 'admin.kubeconfig'),
      PATH: `${join(lab, 'bin')}:${process.env['PATH'] ?? ''}`,
      SCENARIOS: join(shared, 'scenarios'),
      ...(values.quick && { ONLY: quick() }),
    };
    // The rules of this release and mode against real connections, in each family; then the scenarios.
    const families = values['no-rules'] ? [] : cell.families === 'dual' ? ['IPv4', 'IPv6'] : ['IPv4'];
    const rules = families.map((FAMILY) => tested('proxy', { ...given, FAMILY }, `rules against connections, ${FAMILY}: `));
    const all = [...rules.flat(), ...tested('scenarios', given, '')];
    return { cell, set, passed: all.filter((t) => t.status === 'passed').length, failed: all.filter((t) => t.status === 'failed').map((t) => t.title) };
  } finally {
    run(join(cluster, 'down'), [], env);
  }
}

const cells = positionals.map(parseCell);
if (cells.length === 0) throw new Error('Which clusters? npm run test:matrix -- RELEASE[,MODE][,FAMILIES] …');
const outcomes = cells.map(judge);
console.log(`\n${tableOf(outcomes)}`);
if (values.write) {
  const page = join(root, 'docs/clusters.md');
  writeFileSync(page, withTable(readFileSync(page, 'utf8'), outcomes));
}
process.exitCode = outcomes.every((o) => o.failed.length === 0) ? 0 : 1;
