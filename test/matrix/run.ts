/**
 * Runs the end-to-end scenarios on clusters of other releases, kube-proxy modes and families, one after another, and prints a table:
 * npm run test:matrix -- v1.33.13 v1.34.4,nftables v1.37.2,nftables,dual
 * Each cell is RELEASE[,MODE][,FAMILIES][,kube-router] (iptables, ipv4, the test cluster's own engine for policies). ../shared/cluster starts each beside the one that may be up.
 * --quick: the public scenarios and those of IP families alone; --no-rules: without the comparison of rules with connections;
 * --write: into docs/clusters.md.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Cell, type Outcome, parseCell, rowOf, withTable } from './table.ts';

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

/** Those that policies decide; the one about an engine that stopped is about the test cluster's own. */
const aboutPolicies = (): string =>
  [join(shared, 'scenarios'), own].flatMap((dir) => readdirSync(dir).filter((name) => name.includes('policy') && name !== 'policy-not-enforced')).join(',');

const kubeRouter = 'github.com/cloudnativelabs/kube-router/v2/cmd/kube-router@v2.1.0';

/** kube-router in the place of the test cluster's own engine: its program is built once, and mounted into the pods of its DaemonSet. */
function withKubeRouter(lab: string, release: string, env: Record<string, string>): boolean {
  const folder = '/var/tmp/k8s-doctor-kube-router';
  if (!existsSync(join(folder, 'kube-router')) && !run('go', ['install', kubeRouter], { GOBIN: folder, CGO_ENABLED: '0' })) return false;
  const manifest = readFileSync(join(root, 'test/matrix/kube-router.yaml'), 'utf8')
    .replace('IMAGE', `registry.k8s.io/kube-proxy:${release}`)
    .replace('FOLDER', folder);
  const file = join(mkdtempSync(join(tmpdir(), 'k8s-doctor-kube-router-')), 'kube-router.yaml');
  writeFileSync(file, manifest);
  const kubectl = join(lab, 'bin/kubectl');
  return run(kubectl, ['apply', '-f', file], env) && run(kubectl, ['-n', 'kube-system', 'rollout', 'status', 'daemonset/kube-router', '--timeout=120s'], env);
}

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
  const set =
    cell.policies !== 'own'
      ? 'those about policies'
      : `${values.quick ? 'the public ones and those of IP families' : 'all'}${values['no-rules'] ? '' : ', rules against connections'}`;
  const cluster = join(shared, 'cluster');
  run(join(cluster, 'down'), [], env);
  const lab = env['LAB'] ?? '';
  takeBuilt(cell.release, lab);
  // The test cluster starts this program instead of its own engine, where there is one.
  rmSync(join(lab, 'policy-engine'), { force: true });
  if (cell.policies !== 'own') {
    mkdirSync(lab, { recursive: true });
    writeFileSync(join(lab, 'policy-engine'), '#!/bin/sh\n', { mode: 0o755 });
  }
  if (!run(join(cluster, 'up'), [], env)) return { cell, set, passed: 0, failed: ['the cluster did not start'] };
  try {
    const given = {
      ...env,
      KUBECONFIG: join(lab, 'admin.kubeconfig'),
      PATH: `${join(lab, 'bin')}:${process.env['PATH'] ?? ''}`,
      SCENARIOS: join(shared, 'scenarios'),
      NIGHTLY: '1',
      ...(cell.policies !== 'own' ? { ONLY: aboutPolicies() } : values.quick && { ONLY: quick() }),
    };
    if (cell.policies !== 'own' && !withKubeRouter(lab, cell.release, given)) return { cell, set, passed: 0, failed: ['kube-router did not start'] };
    // The rules of this release and mode against real connections, in each family; then the scenarios.
    const families = values['no-rules'] || cell.policies !== 'own' ? [] : cell.families === 'dual' ? ['IPv4', 'IPv6'] : ['IPv4'];
    const rules = families.map((FAMILY) => tested('proxy', { ...given, FAMILY }, `rules against connections, ${FAMILY}: `));
    const all = [...rules.flat(), ...tested('scenarios', given, '')];
    return { cell, set, passed: all.filter((t) => t.status === 'passed').length, failed: all.filter((t) => t.status === 'failed').map((t) => t.title) };
  } finally {
    run(join(cluster, 'down'), [], env);
  }
}

const cells = positionals.map(parseCell);
if (cells.length === 0) throw new Error('Which clusters? npm run test:matrix -- RELEASE[,MODE][,FAMILIES] …');
const page = join(root, 'docs/clusters.md');
const outcomes = cells.map((cell) => {
  const outcome = judge(cell);
  // At once: the cells after it may take an hour.
  if (values.write) writeFileSync(page, withTable(readFileSync(page, 'utf8'), [outcome]));
  return outcome;
});
console.log(`\n${outcomes.map(rowOf).join('\n')}`);
process.exitCode = outcomes.every((o) => o.failed.length === 0) ? 0 : 1;
