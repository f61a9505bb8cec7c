/** `--wait` and `--fail-on`, `selfcheck` and `version`, on a real cluster. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SelfCheckJson } from '../../src/cli/selfcheck.ts';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { apply, createNamespace, debugPods, deleteNamespace, doctor, kubectl, must, run } from '../support/kubectl.ts';

const namespace = 'waiting';
const objects = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop }
spec:
  replicas: 1
  selector: { matchLabels: { app: shop } }
  template:
    metadata: { labels: { app: shop } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - { name: web, image: 'registry.k8s.io/e2e-test-images/agnhost:2.57', args: [netexec, --http-port=8080] }
---
apiVersion: v1
kind: Service
metadata: { name: shop }
spec: { selector: { app: shpo }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: someone }
`;

beforeAll(async () => {
  await createNamespace(namespace);
  await apply(namespace, objects);
  await must('-n', namespace, 'rollout', 'status', 'deployment/shop', '--timeout=60s');
});
afterAll(async () => {
  await kubectl('delete', 'clusterrole,clusterrolebinding', '--ignore-not-found', 'k8s-doctor-someone');
  await deleteNamespace(namespace);
});

const svc = (...options: string[]) => doctor(['svc', 'shop', '-n', namespace, '-o', 'json', ...options]);
const select = (app: string) => must('-n', namespace, 'patch', 'service', 'shop', '--type=merge', '-p', JSON.stringify({ spec: { selector: { app } } }));

test('it waits until the Service connects, and says what for', async () => {
  const waiting = svc('--wait', '--timeout', '60s');
  setTimeout(() => void select('shop'), 6000);
  const ran = await waiting;
  expect(ran.code, ran.stderr).toBe(0);
  expect((JSON.parse(ran.stdout) as Diagnosis).verdict.status).toBe('healthy');
  expect(ran.stderr).toMatch(/^faulty {2}.*selects no pod.*; waiting$/m);
  expect(ran.ms).toBeGreaterThan(6000);
});

test('after its time it prints the last verdict', async () => {
  await select('shpo');
  const ran = await svc('--wait', '--timeout', '7s');
  expect(ran.code).toBe(1);
  expect((JSON.parse(ran.stdout) as Diagnosis).verdict.causes.map((c) => c.code)).toEqual(['selector-mismatch']);
  expect(ran.ms).toBeLessThan(10_000);
});

test('Ctrl-C ends the waiting, and nothing is left behind', async () => {
  const ran = await doctor(['svc', 'shop', '-n', namespace, '--wait', '--timeout', '60s'], { signalAfter: ['SIGINT', 5000] });
  expect(ran.code).toBe(130);
  expect(await debugPods()).toBe('');
});

test('--fail-on warning fails for a Service that connects with a warning only', async () => {
  await select('shop');
  // One port that no client uses is named by nothing that listens.
  const status = async (failOn: string) => (await svc('--probe', 'none', '--fail-on', failOn)).code;
  const diagnosis = JSON.parse((await svc('--probe', 'none')).stdout) as Diagnosis;
  const hasWarning = diagnosis.checks.some((c) => c.findings.some((f) => f.severity === 'warning'));
  expect(diagnosis.verdict.status).toBe('healthy');
  expect(await status('warning')).toBe(hasWarning ? 1 : 0);
  expect(await status('faulty')).toBe(0);
});

test('version names the release of the API server', async () => {
  const release = (JSON.parse(await must('version', '-o', 'json')) as { serverVersion: { gitVersion: string } }).serverVersion.gitVersion;
  expect((await doctor(['version'])).stdout).toContain(`Kubernetes  ${release} (context`);
  expect(await doctor(['version', '--client'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^k8s-doctor {2}\d+\.\d+\.\d+\n$/) as string });
});

const selfcheck = async (...options: string[]) => {
  const ran = await doctor(['selfcheck', '-n', namespace, '-o', 'json', ...options]);
  return { code: ran.code, found: JSON.parse(ran.stdout) as SelfCheckJson };
};

test('an administrator has all ways of looking', async () => {
  const { code, found } = await selfcheck();
  expect(code).toBe(0);
  expect(found.ways.map((w) => w.state)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'ok']);
  expect(await debugPods()).toBe('');
});

test('who has no rights reads which are missing, and with the rights that rbac prints all are there', async () => {
  const someone = `system:serviceaccount:${namespace}:someone`;
  const before = await selfcheck('--as', someone);
  expect(before.code).toBe(2);
  expect(before.found.ways.find((w) => w.id === 'objects')?.missing).toContainEqual({ apiGroups: [''], resources: ['services'], verbs: ['get'], namespace });
  const roles = (await doctor(['rbac', '-A'])).stdout.replaceAll('name: k8s-doctor', 'name: k8s-doctor-someone');
  expect((await run('kubectl', ['apply', '-f', '-'], { input: roles })).code).toBe(0);
  await must('create', 'clusterrolebinding', 'k8s-doctor-someone', '--clusterrole=k8s-doctor-someone', `--serviceaccount=${namespace}:someone`);
  const after = await selfcheck('--as', someone);
  expect(after.found.ways.filter((w) => ['objects', 'exec', 'debug-pod', 'node-rules'].includes(w.id) && w.state !== 'ok')).toEqual([]);
  expect(after.code).toBe(0);
});

test('a namespace whose quota takes no pod: the debug pod is named, nothing is created', async () => {
  await must('-n', namespace, 'create', 'quota', 'full', '--hard=pods=0');
  const { code, found } = await selfcheck();
  expect(code).toBe(2);
  expect(found.ways.find((w) => w.id === 'debug-pod')).toMatchObject({ state: 'missing', text: expect.stringContaining('exceeded quota') as string });
});
