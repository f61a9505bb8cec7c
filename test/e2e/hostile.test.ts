/**
 * A cluster that nobody would build: names at their longest, a pod of a thousand containers, objects of megabytes, and answers through the API
 * server's proxy that never end or send elsewhere. The verdict is the same as without them, in time, and nothing stays behind.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { formats } from '../../src/report/render.ts';
import { apply, createNamespace, debugPods, deleteNamespace, doctor, must, type Ran, run } from '../support/kubectl.ts';
import { type Fault, relay } from '../support/relay.ts';
import { kinds, otherCauses, twoServices } from '../support/two-services.ts';

const timeoutS = 15;
/** A run ends a second after its time at the latest; a start of Node on a busy machine comes on top. */
const mostMs = (timeoutS + 3) * 1000;

const verdictOf = ({ stdout, stderr }: Ran): Diagnosis['verdict'] => {
  expect(stdout, stderr).not.toBe('');
  return (JSON.parse(stdout) as Diagnosis).verdict;
};

describe('names at their longest', () => {
  const namespace = `hostile-${'n'.repeat(55)}`;
  const service = 's'.repeat(63);
  const label = `${'l'.repeat(240)}.example.com/${'k'.repeat(63)}`;
  const value = 'v'.repeat(63);
  // The kubelet makes a folder of namespace, name and uid, whose name has at most 255 bytes.
  const pod = `${'p'.repeat(140)}.example.com`;
  const client = `${'c'.repeat(140)}.example.com`;
  const objects = `
apiVersion: v1
kind: Service
metadata: { name: ${service} }
spec: { selector: { ${label}: ${value} }, ports: [{ name: ${'a'.repeat(63)}, port: 80, targetPort: ${'b'.repeat(15)} }] }
---
apiVersion: v1
kind: Pod
metadata: { name: ${pod}, labels: { ${label}: ${value} } }
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: ${'w'.repeat(63)}
      image: registry.k8s.io/e2e-test-images/agnhost:2.57
      args: [netexec, --http-port=8080]
      ports: [{ name: ${'b'.repeat(15)}, containerPort: 8080 }]
---
apiVersion: v1
kind: Pod
metadata: { name: ${client} }
spec:
  terminationGracePeriodSeconds: 0
  containers: [{ name: ${'d'.repeat(63)}, image: "docker.io/nicolaka/netshoot:v0.15", command: [sleep, "100000"] }]
`;
  beforeAll(async () => {
    await createNamespace(namespace);
    await apply(namespace, objects);
    await must('-n', namespace, 'wait', '--timeout=60s', '--for=condition=Ready', 'pod', '--all');
  }, 90_000);
  afterAll(() => deleteNamespace(namespace));

  test.each([
    ['a pod that is there', ['--from', `pod/${client}`]],
    ['a debug pod', []],
  ])('from %s', async (_, from) => {
    const ran = await doctor(['svc', service, '-n', namespace, '-o', 'json', ...from]);
    expect(verdictOf(ran)).toMatchObject({ status: 'healthy' });
    expect(await debugPods()).toBe('');
  });

  test('a fault is named in every format', async () => {
    await must('-n', namespace, 'patch', 'service', service, '-p', JSON.stringify({ spec: { ports: [{ port: 80, targetPort: 9999 }] } }));
    const ran = await doctor(['svc', service, '-n', namespace, '-o', 'json', '--from', `pod/${client}`]);
    expect(verdictOf(ran).causes.map((c) => c.code)).toEqual(['target-port-not-listening']);
    for (const format of formats) {
      const { code, stdout, stderr } = await doctor(['svc', service, '-n', namespace, '-o', format, '--from', `pod/${client}`]);
      expect([code, stderr], format).toEqual([1, expect.not.stringContaining('unexpectedly')]);
      expect(stdout, format).toContain(service.slice(0, 40));
    }
  });
});

describe('a pod of a thousand containers, on a node that is not there', () => {
  const namespace = 'hostile-many';
  const many = Array.from({ length: 1000 }, (_, i) => i);
  const now = new Date().toISOString();
  beforeAll(async () => {
    await createNamespace(namespace);
    const create = async (object: object) => {
      const ran = await run('kubectl', ['-n', namespace, 'create', '-f', '-'], { input: JSON.stringify(object) });
      expect(ran.stderr).toBe('');
    };
    // An object may have 256 KB of annotations (Kubernetes API, ObjectMeta).
    const annotations = { 'example.com/notes': 'x'.repeat(250_000) };
    const spec = { selector: { app: 'many' }, ports: [{ port: 80, targetPort: 8080 }] };
    await create({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'many', annotations }, spec });
    const containers = many.map((i) => ({ name: `c-${i}`, image: 'registry.example/many:1', ports: i === 0 ? [{ containerPort: 8080 }] : [] }));
    const podSpec = { nodeName: 'absent', automountServiceAccountToken: false, tolerations: [{ operator: 'Exists' }], containers };
    await create({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'many', labels: { app: 'many' }, annotations }, spec: podSpec });
    const containerStatuses = many.map((i) => ({
      name: `c-${i}`,
      ready: i !== 999,
      restartCount: 0,
      image: 'registry.example/many:1',
      imageID: '',
      state: i === 999 ? { waiting: { reason: 'CrashLoopBackOff', message: 'back-off' } } : { running: { startedAt: now } },
    }));
    const conditions = [
      { type: 'Ready', status: 'False', lastTransitionTime: now, reason: 'ContainersNotReady', message: many.map((i) => `c-${i}`).join(' ') },
    ];
    const status = { phase: 'Running', podIP: '10.244.200.1', podIPs: [{ ip: '10.244.200.1' }], conditions, containerStatuses };
    // Too long for an argument.
    const file = join(mkdtempSync(join(tmpdir(), 'k8s-doctor-hostile-')), 'patch.json');
    writeFileSync(file, JSON.stringify({ status }));
    await must('-n', namespace, 'patch', 'pod', 'many', '--subresource=status', '--type=merge', '--patch-file', file);
  }, 60_000);
  afterAll(async () => {
    // No kubelet says that it has ended.
    await must('-n', namespace, 'delete', 'pod', 'many', '--grace-period=0', '--force', '--ignore-not-found');
    await deleteNamespace(namespace);
  });

  test('the container that fails is named', async () => {
    const ran = await doctor(['svc', 'many', '-n', namespace, '--probe', 'none', '-o', 'json', '--timeout', `${timeoutS}s`], { timeoutMs: mostMs });
    const { status, causes } = verdictOf(ran);
    expect(status).toBe('faulty');
    expect(causes[0]).toMatchObject({ code: 'container-crashing', message: expect.stringContaining('"c-999"') as string });
    expect(ran.ms).toBeLessThan(mostMs);
  });
});

// Some of them run until their time is over.
describe.skipIf(!process.env['NIGHTLY'])('answers that nobody expects', () => {
  const services = twoServices('hostile');
  beforeAll(services.create);
  afterAll(services.remove);

  /** The first object of a list, or the object, with annotations of ten megabytes. */
  const large = (body: string): string => {
    const read = JSON.parse(body) as { items?: { metadata?: object }[] | null; metadata?: object };
    const annotations = { 'example.com/notes': 'x'.repeat(10_000_000) };
    const first = read.items?.[0];
    if (first) first.metadata = { ...first.metadata, annotations };
    else if (!read.items && read.metadata) read.metadata = { ...read.metadata, annotations };
    return JSON.stringify(read);
  };
  const isProxied = (path: string) => path.includes('/proxy/');
  const isObject = (path: string, method: string) =>
    method === 'GET' && /^\/(api|apis\/[^/]+)\/v1\/.*(services|endpointslices|pods|nodes|events|deployments)(\?|$|\/[^/]+$)/.test(path);
  const noise = 'x'.repeat(65_536);

  test.each<[string, (path: string, method: string) => Fault]>([
    ['annotations of ten megabytes', (path, method) => (isObject(path, method) && !path.includes('watch=') ? { rewrite: large } : 'none')],
    ['pods that send elsewhere', (path) => (isProxied(path) ? { status: 302, headers: { Location: 'https://elsewhere.example/' } } : 'none')],
    ['pods whose answer never ends', (path) => (isProxied(path) ? { status: 200, endless: noise } : 'none')],
    ['pods whose failure never ends', (path) => (isProxied(path) ? { status: 503, endless: noise } : 'none')],
    ['lists that never end', (path, method) => (method === 'GET' && /\/(pods|events)\?/.test(path) ? { status: 200, endless: noise } : 'none')],
  ])('%s', async (_, faultOf) => {
    const between = await relay((path, _headers, method) => faultOf(path, method));
    try {
      for (const kind of kinds) {
        for (const probe of [['--probe', 'none'], [], ['--from', 'pod/client', '--http', '/']]) {
          const args = ['svc', 'shop', '-n', services.namespaces[kind], ...probe, '-o', 'json', '--timeout', `${timeoutS}s`];
          const ran = await doctor(args, { env: { KUBECONFIG: between.kubeconfig }, timeoutMs: mostMs });
          const where = `${kind}, ${probe.join(' ')}: ${ran.stderr}`;
          expect(ran.signal, where).toBeNull();
          const verdict = verdictOf(ran);
          expect(otherCauses(kind, verdict), where).toEqual([]);
          if (!probe.includes('none')) expect(verdict.status, where).not.toBe(kind === 'healthy' ? 'faulty' : 'healthy');
        }
      }
      expect(await debugPods()).toBe('');
    } finally {
      between.close();
    }
  });
});
