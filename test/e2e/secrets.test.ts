/**
 * Secrets that are planted where programs and people put them are in no capture, no report and no debugging output. The cluster is real, and so
 * is each way by which a secret gets near the facts.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formats } from '../../src/report/render.ts';
import { keepFigures } from '../support/figures.ts';
import { apply, createNamespace, deleteNamespace, doctor, must } from '../support/kubectl.ts';

const namespace = 'secrets-planted';
const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-secrets-'));
/** Where each is planted. */
const planted = {
  environment: 'Env-7c1f9a2b',
  commandLine: 'Cmd-5e8d3f4a',
  annotation: 'Ann-2b6c8d1e',
  configMap: 'Cfg-9f4a7b3c',
  secret: 'Sec-1d5e9f2a',
  probeHeader: 'Hdr-8a3b6c4d',
  logLine: 'Log-4c7d1e5f',
  logToken: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJl',
  url: 'Url-6f2a9b8c',
  bearer: 'Bea-3e5f7a1b9c2d4e6f',
  event: 'Evt-0b4c8d2e6f1a5b9c',
  serviceAnnotation: 'Svc-7d9e1f3a',
};

const objects = `
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { password: ${planted.configMap} }
---
apiVersion: v1
kind: Secret
metadata: { name: credentials }
stringData: { password: ${planted.secret} }
---
apiVersion: v1
kind: Service
metadata: { name: shop, annotations: { example.com/token: ${planted.serviceAnnotation} } }
spec: { selector: { app: shop }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop, annotations: { example.com/password: ${planted.annotation} } }
spec:
  replicas: 1
  selector: { matchLabels: { app: shop } }
  template:
    metadata: { labels: { app: shop }, annotations: { example.com/password: ${planted.annotation} } }
    spec:
      containers:
        - name: web
          image: docker.io/library/busybox:1.37
          command:
            - sh
            - -c
            - |
              echo "connecting with password=${planted.logLine}"
              echo "Authorization: Bearer ${planted.bearer}"
              echo "token ${planted.logToken}"
              echo "postgres://shop:${planted.url}@db.example.com/shop refused the connection"
              exit 1
            - --password=${planted.commandLine}
          env:
            - { name: DB_PASSWORD, value: ${planted.environment} }
            - { name: FROM_SECRET, valueFrom: { secretKeyRef: { name: credentials, key: password } } }
            - { name: FROM_CONFIG, valueFrom: { configMapKeyRef: { name: settings, key: password } } }
          readinessProbe: { httpGet: { path: /, port: 8080, httpHeaders: [{ name: Authorization, value: ${planted.probeHeader} }] } }
---
apiVersion: v1
kind: Pod
metadata: { name: client }
spec:
  terminationGracePeriodSeconds: 0
  containers: [{ name: c, image: "docker.io/nicolaka/netshoot:v0.15", command: [sleep, "100000"] }]
`;

beforeAll(async () => {
  await createNamespace(namespace);
  await apply(namespace, objects);
  await must('-n', namespace, 'wait', 'pod/client', '--for=condition=Ready', '--timeout=60s');
  let pod = '';
  for (let i = 0; i < 60 && !/ [1-9]\d*$/.test(pod); i++) {
    await new Promise((r) => setTimeout(r, 500));
    pod = await must(
      '-n',
      namespace,
      'get',
      'pod',
      '-l',
      'app=shop',
      '-o',
      'jsonpath={.items[0].metadata.name} {.items[0].status.containerStatuses[0].restartCount}',
    );
  }
  const name = pod.split(' ')[0] ?? '';
  await apply(
    namespace,
    `apiVersion: v1
kind: Event
metadata: { name: planted }
involvedObject: { kind: Pod, name: ${name}, namespace: ${namespace} }
type: Warning
reason: Failed
message: "registry answered 401 to Authorization: Bearer ${planted.event}"
lastTimestamp: "${new Date().toISOString().replace(/\.\d+/, '')}"
`,
  );
}, 60_000);

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await deleteNamespace(namespace);
});

const figures = { runs: 0, wrong: 0, found: 0 };
afterAll(() => keepFigures('secrets', figures));

/** Where the secrets come from that are in a text. */
function leaks(text: string): string[] {
  const found = Object.entries(planted).flatMap(([where, secret]) => (text.includes(secret) ? [where] : []));
  figures.runs += Object.keys(planted).length;
  figures.found += found.length;
  return found;
}

test('no secret is in a capture, a report of any format, or the output of -v', async () => {
  const capture = join(folder, 'capture.json');
  const outputs = formats.map((format) => join(folder, format));
  const ran = await doctor(
    [
      'svc',
      'shop',
      '-n',
      namespace,
      '--from',
      'pod/client',
      '-v',
      '--advice',
      '--capture',
      capture,
      ...formats.flatMap((format, i) => ['-o', `${format}=${outputs[i]}`]),
    ],
    { env: { NODE_DEBUG: 'http' } },
  );
  // The program's own words reached the evidence, or nothing would be shown here.
  const text = readFileSync(join(folder, 'text'), 'utf8');
  expect(text).toContain('container-crashing');
  expect(text).toContain('‹redacted›');
  expect([ran.stdout, ran.stderr, readFileSync(capture, 'utf8'), ...outputs.map((o) => readFileSync(o, 'utf8'))].flatMap(leaks)).toEqual([]);
});

test('nor in what an assistant, a scan or a dry run of a fix is given', async () => {
  const scan = await doctor(['scan', '-n', namespace, '-o', 'json']);
  const fix = await doctor(['fix', 'shop', '-n', namespace, '--from', 'pod/client']);
  expect(scan.stdout).toContain('container-crashing');
  expect([scan, fix].flatMap((r) => leaks(r.stdout + r.stderr))).toEqual([]);
});
