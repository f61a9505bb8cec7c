/**
 * The program as it runs in a cluster (docs/in-cluster): the chart is linted and rendered by Helm, its pods run with the rights that it gives them,
 * and promtool reads the metrics and the alert rules. Helm and promtool are built from their Go modules the first time. Needs a cluster of
 * ../shared/cluster (LAB), whose nodes are given the image.
 */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { giveToNodes } from '../support/image.ts';
import { createNamespace, deleteNamespace, kubectl, must, run } from '../support/kubectl.ts';

const lab = process.env['LAB'] ?? '/var/tmp/k8s-doctor-cluster';
const docs = new URL('../../docs/in-cluster/', import.meta.url).pathname;
const chart = join(docs, 'chart');
const image = 'docker.io/library/k8s-doctor:test';
const ns = 'k8s-doctor-in-cluster';
const tools = join(homedir(), '.cache/k8s-doctor-tools');
const helm = join(tools, 'helm');
const promtool = join(tools, 'promtool');
const sources = { helm: 'helm.sh/helm/v3/cmd/helm@v3.19.2', promtool: 'github.com/prometheus/prometheus/cmd/promtool@v0.316.0' };
/** A Helm that is built from its module takes the cluster for a very old one. */
const release = ['--kube-version', 'v1.35.0'];

async function ran(command: string, args: string[], input?: string): Promise<string> {
  const done = await run(command, args, { timeoutMs: 600_000, ...(input !== undefined && { input }), env: { CGO_ENABLED: '0' } });
  if (done.code !== 0) throw new Error(`${command} ${args.join(' ')}: ${done.stderr}${done.stdout}`);
  return done.stdout + done.stderr;
}

/** Builds a program from its Go module, by a module of its own: some do not let themselves be installed directly. */
async function build(name: string, source: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-go-'));
  const script = `cd ${folder} && go mod init tools && go get ${source} && go build -o ${join(tools, name)} ${source.split('@')[0]}`;
  await ran('sh', ['-ec', script]);
}

const set = ['--set', `image.repository=${image.split(':')[0]}`, '--set', 'image.tag=test', '--set', 'image.pullPolicy=Never'];
const cronJob = ['--set', 'cronJob.enabled=true'];
const all = ['serviceMonitor', 'prometheusRule', 'dashboard', 'watch.events'].flatMap((name) => ['--set', `${name}=true`]);
const ignored = ['--set-json', 'ignore=[{"code":"selector-mismatch","service":"accepted-*","reason":"moves in March"}]'];

describe.runIf(process.env['NIGHTLY'] && existsSync(join(lab, 'node1/containerd.sock')))('in the cluster', () => {
  beforeAll(async () => {
    for (const [name, source] of Object.entries(sources)) if (!existsSync(join(tools, name))) await build(name, source);
    giveToNodes(image, lab);
    await createNamespace(ns);
  }, 1_200_000);
  afterAll(async () => {
    await run(helm, ['uninstall', 'k8s-doctor', '-n', ns]);
    await deleteNamespace(ns);
  });

  test('helm finds nothing wrong with the chart, and the plain manifests are what it makes', async () => {
    expect(await ran(helm, ['lint', '--strict', chart, ...cronJob, ...all, ...ignored])).toContain('1 chart(s) linted, 0 chart(s) failed');
    const rendered = await ran(helm, ['template', 'k8s-doctor', chart, '-n', 'k8s-doctor', ...release, ...cronJob]);
    expect(rendered).toBe(readFileSync(join(docs, 'manifests.yaml'), 'utf8').replace(/^#.*\n/, ''));
    // Every value at once: the API server takes all kinds that it knows.
    const whole = await ran(helm, [
      'template',
      'k8s-doctor',
      chart,
      '-n',
      ns,
      ...release,
      ...cronJob,
      ...ignored,
      '--set',
      'watch.events=true',
      '--set',
      'cronJob.shards=3',
    ]);
    expect((await run('kubectl', ['apply', '--dry-run=server', '-f', '-'], { input: whole })).stderr).toBe('');
  });

  test('promtool finds nothing wrong with the alert rules', async () => {
    expect(await ran(promtool, ['check', 'rules', join(chart, 'files/alerts.yaml')])).toContain('SUCCESS: 6 rules found');
  });

  test('the Deployment follows the cluster with the rights of its ServiceAccount, writes nothing, and serves metrics that promtool accepts', async () => {
    await ran(helm, ['install', 'k8s-doctor', chart, '-n', ns, ...set, ...ignored]);
    await must('-n', ns, 'rollout', 'status', 'deployment/k8s-doctor', '--timeout=120s');
    const broken = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'broken' }, spec: { selector: { app: 'nobody' }, ports: [{ port: 80 }] } };
    const accepted = { ...broken, metadata: { name: 'accepted-too' } };
    const client = { apiVersion: 'v1', kind: 'List', items: [broken, accepted] };
    expect((await run('kubectl', ['-n', ns, 'apply', '-f', '-'], { input: JSON.stringify(client) })).code).toBe(0);
    const metrics = () => must('get', '--raw', `/api/v1/namespaces/${ns}/services/k8s-doctor:9113/proxy/metrics`);
    const line = `k8s_doctor_service_state{namespace="${ns}",service="broken",code="selector-mismatch"} 2`;
    const isThere = (text: string) => text.includes(line) && text.includes('k8s_doctor_services_ignored 1');
    for (let i = 0; i < 50 && !isThere(await metrics()); i++) await new Promise((r) => setTimeout(r, 200));
    const text = await metrics();
    expect(text).toContain(line);
    expect(text).toContain('k8s_doctor_services_ignored 1');
    expect(text).not.toContain('service="accepted-too"');
    await ran(promtool, ['check', 'metrics'], text);
    // Nothing that it asked for was refused.
    expect(await must('-n', ns, 'logs', 'deployment/k8s-doctor')).not.toMatch(/not allowed|not seen/);
    expect(text).toContain('k8s_doctor_watch_failures_total 0');
    const spec = JSON.parse(await must('-n', ns, 'get', 'pods', '-l', 'app.kubernetes.io/component=watch', '-o', 'jsonpath={.items[0].spec}')) as {
      securityContext: { runAsNonRoot: boolean };
      containers: { securityContext: { readOnlyRootFilesystem: boolean } }[];
    };
    expect([spec.securityContext.runAsNonRoot, spec.containers[0]?.securityContext.readOnlyRootFilesystem]).toEqual([true, true]);
  });

  test('an indexed Job scans the parts of the cluster, and their logs are joined', async () => {
    await ran(helm, ['upgrade', 'k8s-doctor', chart, '-n', ns, ...set, ...cronJob, '--set', 'cronJob.shards=2']);
    await must('-n', ns, 'create', 'job', 'once', '--from=cronjob/k8s-doctor');
    for (let i = 0; i < 60; i++) {
      const { failed = 0, succeeded = 0 } = JSON.parse((await must('-n', ns, 'get', 'job', 'once', '-o', 'jsonpath={.status}')) || '{}') as Record<
        string,
        number
      >;
      if (failed + succeeded >= 2) break;
      await new Promise((r) => setTimeout(r, 1000));
    }
    const parts = await Promise.all(
      ['0', '1'].map(
        async (i) =>
          JSON.parse(await must('-n', ns, 'logs', '-l', `job-name=once,batch.kubernetes.io/job-completion-index=${i}`, '--tail=-1')) as {
            services: { name: string; namespace: string }[];
            missing: object[];
          },
      ),
    );
    expect(parts.flatMap((p) => p.missing)).toEqual([]);
    const names = parts.flatMap((p) => p.services.map((s) => `${s.namespace}/${s.name}`));
    const present = (await must('get', 'services', '-A', '-o', 'jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{"\\n"}{end}'))
      .trim()
      .split('\n');
    expect(names.toSorted()).toEqual(present.toSorted());
    expect((await kubectl('-n', ns, 'get', 'pods', '-l', 'app.kubernetes.io/managed-by=k8s-doctor', '-o', 'name')).stdout).toBe('');
  });
});
