/** How `fix` ends: without rights, with another owner, interrupted, killed, undone after somebody else's change. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { patchOf } from '../../checks/fix.ts';
import { connect } from '../../src/cluster/index.ts';
import { apply as applyChanges } from '../../src/repair/apply.ts';
import { tryChange } from '../../src/repair/trial.ts';
import { apply, createNamespace, deleteNamespace, doctor, must } from '../support/kubectl.ts';

const namespace = 'fix-ways';
const objects = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop }
spec:
  selector: { matchLabels: { app: shop } }
  template:
    metadata: { labels: { app: shop } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: registry.k8s.io/e2e-test-images/agnhost:2.57
          args: [netexec, --http-port=8080]
          readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Pod
metadata: { name: client, labels: { app: client } }
spec:
  terminationGracePeriodSeconds: 0
  containers: [{ name: c, image: "docker.io/nicolaka/netshoot:v0.15", command: [sleep, "100000"] }]
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: reader }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: reader }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view }
subjects: [{ kind: ServiceAccount, name: reader, namespace: ${namespace} }]
`;
const service = `
apiVersion: v1
kind: Service
metadata: { name: shop }
spec:
  sessionAffinity: None
  selector: { app: shpo }
  ports: [{ name: http, port: 80, targetPort: 8080 }]
`;

const stuck = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: stuck }
spec:
  selector: { matchLabels: { app: stuck } }
  template:
    metadata: { labels: { app: stuck } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - { name: web, image: "docker.io/library/busybox:1.37", command: [httpd, -f, -p, "127.0.0.1:8080"] }
---
apiVersion: v1
kind: Service
metadata: { name: stuck }
spec:
  selector: { app: stukc }
  ports: [{ name: http, port: 80, targetPort: 8080 }]
`;

const fix = ['fix', 'shop', '-n', namespace, '--from', 'pod/client', '-q'];
const selector = () => must('-n', namespace, 'get', 'service', 'shop', '-o', 'jsonpath={.spec.selector.app}');
let cwd = '';
const undoFile = () => readdirSync(cwd)[0];

/** Waits until something holds. */
async function until(holds: () => Promise<boolean> | boolean, ms = 20_000): Promise<void> {
  for (const end = Date.now() + ms; Date.now() < end; await new Promise((r) => setTimeout(r, 100))) if (await holds()) return;
  throw new Error('it never held');
}

beforeAll(async () => {
  await createNamespace(namespace);
  await apply(namespace, objects);
  await must('-n', namespace, 'wait', 'pod/client', '--for=condition=Ready', '--timeout=60s');
  await must('-n', namespace, 'rollout', 'status', 'deployment/shop', '--timeout=60s');
});
afterAll(() => deleteNamespace(namespace));
beforeEach(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'k8s-doctor-ways-'));
  // The same Service each time: DNS servers remember the address of one that was deleted.
  await apply(namespace, service);
  await must('-n', namespace, 'label', 'service', 'shop', 'argocd.argoproj.io/instance-');
  return () => rmSync(cwd, { recursive: true });
});

describe('nothing is changed', () => {
  test('without the right to: the fix is printed, marked as not tried', async () => {
    const ran = await doctor([...fix, '--yes', '--as', `system:serviceaccount:${namespace}:reader`], { cwd });
    expect(ran.stdout).toMatch(/Not tried: not allowed to patch services/);
    expect(ran.stdout).toContain('kubectl -n fix-ways patch service shop');
    expect(ran.code).toBe(1);
    expect(await selector()).toBe('shpo');
    expect(undoFile()).toBeUndefined();
  });
  test('where a controller would revert it, unless --force says so', async () => {
    await must('-n', namespace, 'label', 'service', 'shop', 'argocd.argoproj.io/instance=shop');
    const refused = await doctor([...fix, '--yes'], { cwd });
    expect(refused.stdout).toContain('Not changed: Argo CD application "shop" would put it back');
    expect(refused.code).toBe(1);
    expect(await selector()).toBe('shpo');
    const forced = await doctor([...fix, '--yes', '--force'], { cwd });
    expect(forced.stdout).toContain('Repaired: shop answers from pod/client');
    expect(await selector()).toBe('shop');
  });
  test('where nobody can be asked', async () => {
    const ran = await doctor(fix, { cwd });
    expect(ran.stderr).toBe('Nobody can be asked here: run it in a terminal, or give --yes to change without asking.\n');
    expect(ran.code).toBe(3);
  });
  test('where the object is not as it was read', async () => {
    const cluster = await connect({ namespace, requestTimeoutMs: 10_000 }, process.env);
    try {
      const trial = await tryChange(cluster, patchOf(namespace, 'service/shop', { spec: { selector: { app: 'shop' } } }));
      await must('-n', namespace, 'patch', 'service', 'shop', '-p', '{"spec":{"selector":{"app":"other"}}}');
      expect(await applyChanges(cluster, [trial], [], () => {})).toMatchObject({ result: 'changed-since' });
    } finally {
      cluster.close();
    }
    expect(await selector()).toBe('other');
  });
  test('where there is nothing to fix', async () => {
    await must('-n', namespace, 'patch', 'service', 'shop', '-p', '{"spec":{"selector":{"app":"shop"}}}');
    await until(async () => (await doctor(['svc', 'shop', '-n', namespace, '--probe', 'none', '-q'])).code === 0);
    const ran = await doctor([...fix, '--yes'], { cwd });
    expect(ran.stdout).toMatch(/^Nothing to fix: shop answers from pod\/client/);
    expect(ran.code).toBe(0);
  });
});

describe('cut off', () => {
  test('by Ctrl-C while it waits: the path of the undo file is printed, and it restores', async () => {
    // Its program listens on its loopback only, which shows when the selector is right.
    await apply(namespace, stuck);
    await must('-n', namespace, 'rollout', 'status', 'deployment/stuck', '--timeout=60s');
    const port = () => must('-n', namespace, 'get', 'service', 'stuck', '-o', 'jsonpath={.spec.selector.app}');
    const signalWhen = until(async () => (await port()) === 'stuck')
      .then(() => new Promise((r) => setTimeout(r, 3000)))
      .then((): NodeJS.Signals => 'SIGINT');
    const ran = await doctor(['fix', 'stuck', ...fix.slice(2), '--yes'], { cwd, signalWhen });
    const file = undoFile() ?? '';
    expect(ran.stderr).toContain(`Interrupted. The changes were made and not verified. Undo  k8s-doctor fix --undo ${file}`);
    expect(ran.code).toBe(130);
    expect((await doctor(['fix', '--undo', file, '--yes'], { cwd })).stdout).toBe('service fix-ways/stuck is as it was\n');
    expect(await port()).toBe('stukc');
  });
  test('by SIGKILL after the change: undo restores exactly', async () => {
    const before = await must('-n', namespace, 'get', 'service', 'shop', '-o', 'jsonpath={.spec}');
    const signalWhen = until(async () => (await selector()) === 'shop').then((): NodeJS.Signals => 'SIGKILL');
    await doctor([...fix, '--yes'], { cwd, signalWhen });
    const back = await doctor(['fix', '--undo', undoFile() ?? '', '--yes'], { cwd });
    expect(back.stdout).toContain('service fix-ways/shop is as it was');
    expect(await must('-n', namespace, 'get', 'service', 'shop', '-o', 'jsonpath={.spec}')).toBe(before);
  });
});

describe('undo', () => {
  beforeEach(async () => {
    const made = await doctor([...fix, '--yes'], { cwd });
    if (made.code !== 0) throw new Error(made.stdout + made.stderr);
  });
  const undo = (...more: string[]) => doctor(['fix', '--undo', undoFile() ?? '', '--yes', ...more], { cwd });
  test('twice: the second time there is nothing to do', async () => {
    expect((await undo()).stdout).toBe('service fix-ways/shop is as it was\n');
    expect((await undo()).stdout).toBe('service fix-ways/shop is as it was already\n');
    expect(await selector()).toBe('shpo');
  });
  test("somebody else's change after the fix is left alone, unless --force says so", async () => {
    await must('-n', namespace, 'patch', 'service', 'shop', '-p', '{"spec":{"sessionAffinity":"ClientIP"}}');
    const left = await undo();
    expect(left.stderr).toContain('service fix-ways/shop is left alone: somebody changed it after the fix');
    expect(left.code).toBe(3);
    expect(await selector()).toBe('shop');
    expect((await undo('--force')).code).toBe(0);
    expect(await selector()).toBe('shpo');
    expect(await must('-n', namespace, 'get', 'service', 'shop', '-o', 'jsonpath={.spec.sessionAffinity}')).toBe('None');
  });
  test('an object that was deleted is not made again', async () => {
    await must('-n', namespace, 'delete', 'service', 'shop');
    expect((await undo()).stderr).toContain('is left alone: it was deleted');
  });
});
