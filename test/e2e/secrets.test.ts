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
  probePath: 'Pth-2c4e6a8b',
  probeCommand: 'Exc-9b1d3f5a',
  requestPath: 'Req-7a9c1e3b',
  byForm: 'ghp_0a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f',
  flag: 'Flg-6d8f1a2c',
  json: 'Jsn-3f5b7d9a',
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
              echo "cannot push with ${planted.byForm}: mysql -h db -p${planted.flag} failed"
              echo '{"level":"fatal","config":"{\\"clientSecret\\":\\"${planted.json}\\"}"}'
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
kind: Service
metadata: { name: probed }
spec: { selector: { app: probed }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: probed }
spec:
  replicas: 1
  selector: { matchLabels: { app: probed } }
  template:
    metadata: { labels: { app: probed } }
    spec:
      containers:
        - name: web
          image: registry.k8s.io/e2e-test-images/agnhost:2.57
          args: [netexec, --http-port=8080]
          readinessProbe: { httpGet: { path: "/health?token=${planted.probePath}", port: 8081 }, periodSeconds: 2 }
          livenessProbe: { exec: { command: [sh, -c, "sleep 5; mysqladmin ping -uroot -p${planted.probeCommand}"] }, timeoutSeconds: 1, periodSeconds: 2, failureThreshold: 500 }
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

/** What a run writes: to the terminal with `-v`, into a capture, and in each format. */
async function everythingOf(service: string): Promise<{ text: string; all: string[] }> {
  const capture = join(folder, `${service}.json`);
  const outputs = formats.map((format) => join(folder, `${service}-${format}`));
  const written = formats.flatMap((format, i) => ['-o', `${format}=${outputs[i]}`]);
  const asked = ['--from', 'pod/client', '--http', `/echo?msg=x&code=503&access_token=${planted.requestPath}`];
  const ran = await doctor(['svc', service, '-n', namespace, ...asked, '-v', '--advice', '--capture', capture, ...written], { env: { NODE_DEBUG: 'http' } });
  const all = [ran.stdout, ran.stderr, ...[capture, ...outputs].map((file) => readFileSync(file, 'utf8'))];
  return { text: readFileSync(join(folder, `${service}-text`), 'utf8'), all };
}

test("no secret of a program's own words is in a capture, a report of any format, or the output of -v", async () => {
  const { text, all } = await everythingOf('shop');
  // They reached the evidence, or nothing would be shown here.
  expect(text).toContain('container-crashing');
  expect(text).toContain('‹redacted›');
  expect(all.flatMap(leaks)).toEqual([]);
});

test('nor is one of the path and the command of a probe, and of a path that was asked for', async () => {
  const { text, all } = await everythingOf('probed');
  expect(text).toContain('GET /health?token=‹redacted› on port 8081');
  expect(all.flatMap(leaks)).toEqual([]);
  // Ready, it answers what was asked for.
  await must('-n', namespace, 'patch', 'deployment/probed', '--type=json', '-p', '[{"op":"remove","path":"/spec/template/spec/containers/0/readinessProbe"}]');
  await must('-n', namespace, 'rollout', 'status', 'deployment/probed', '--timeout=60s');
  const ready = await everythingOf('probed');
  expect(ready.text).toContain('GET /echo?msg=x&code=503&access_token=‹redacted› fails');
  expect(ready.all.flatMap(leaks)).toEqual([]);
}, 120_000);

test('nor in what an assistant, a scan or a dry run of a fix is given', async () => {
  const scan = await doctor(['scan', '-n', namespace, '-o', 'json']);
  const fix = await doctor(['fix', 'shop', '-n', namespace, '--from', 'pod/client']);
  const fixProbe = await doctor(['fix', 'probed', '-n', namespace, '--from', 'pod/client']);
  const front = await doctor(['url', `http://user:${planted.url}@shop.example.com/?token=${planted.requestPath}`]);
  expect(scan.stdout).toContain('container-crashing');
  expect([scan, fix, fixProbe, front].flatMap((r) => leaks(r.stdout + r.stderr))).toEqual([]);
});
