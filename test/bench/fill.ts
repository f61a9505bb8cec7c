/** Fills the API of the cluster that KUBECONFIG names with Services and running pods on nodes that have no kubelet, and removes them again. */
import https from 'node:https';
import pLimit from 'p-limit';
import { loadKubeConfig } from '../../src/cluster/kubeconfig.ts';
import { logIn } from '../../src/cluster/login.ts';

export const podsEach = 10;
const perNamespace = 100;
const nodes = 10;
const label = { 'k8s-doctor-bench': 'scan' };

const login = await logIn(loadKubeConfig({}, process.env), process.env, null);
const options: https.RequestOptions = {};
await login.config.applyToHTTPSOptions(options);
const { ca, cert, key } = options;
const agent = new https.Agent({ ca, cert, key, keepAlive: true, maxSockets: 40 });
const server = new URL(login.chosen.cluster.server);

export function send(method: string, path: string, body?: object, type = 'application/json'): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = https.request({ agent, host: server.hostname, port: server.port, method, path, headers: { 'Content-Type': type } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (c: Buffer) => chunks.push(c));
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if ((answer.statusCode ?? 0) < 300 || answer.statusCode === 404 || answer.statusCode === 409) resolve(text);
        else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text.slice(0, 200)}`));
      });
    });
    request.on('error', reject);
    request.end(body && JSON.stringify(body));
  });
}

const limit = pLimit(40);
const all = <T>(items: readonly T[], each: (item: T, i: number) => Promise<unknown>) => Promise.all(items.map((item, i) => limit(() => each(item, i))));
const count = (n: number) => Array.from({ length: n }, (_, i) => i);
export const namespaceOf = (service: number) => `scan-${Math.floor(service / perNamespace)}`;
export const podName = (service: number, i: number) => `app-${service}-${i}`;
const ready = (now: string) => [{ type: 'Ready', status: 'True', lastTransitionTime: now, reason: 'Bench', message: '' }];

export async function addPod(s: number, i: number, now: string): Promise<void> {
  const path = `/api/v1/namespaces/${namespaceOf(s)}/pods`;
  const name = podName(s, i);
  const n = s * podsEach + (i % podsEach);
  const ip = `10.${200 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
  const container = { name: 'web', image: 'registry.example/web:1', ports: [{ containerPort: 8080 }] };
  const spec = { nodeName: `ghost-${n % nodes}`, automountServiceAccountToken: false, tolerations: [{ operator: 'Exists' }], containers: [container] };
  await send('POST', path, { metadata: { name, labels: { app: `app-${s}` } }, spec });
  const running = { name: 'web', ready: true, restartCount: 0, image: container.image, imageID: '', started: true, state: { running: { startedAt: now } } };
  const status = { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: ready(now), containerStatuses: [running] };
  await send('PATCH', `${path}/${name}/status`, { status }, 'application/strategic-merge-patch+json');
}

export async function fill(from: number, to: number): Promise<void> {
  const now = new Date().toISOString();
  const services = count(to - from).map((i) => from + i);
  if (from === 0)
    await all(count(nodes), async (i) => {
      await send('POST', '/api/v1/nodes', { metadata: { name: `ghost-${i}`, labels: label } });
      await send('PATCH', `/api/v1/nodes/ghost-${i}/status`, { status: { conditions: ready(now) } }, 'application/strategic-merge-patch+json');
    });
  await all([...new Set(services.map(namespaceOf))], (name) => send('POST', '/api/v1/namespaces', { metadata: { name, labels: label } }));
  await all(services, (s) => {
    const spec = { selector: { app: `app-${s}` }, ports: [{ port: 80, targetPort: 8080 }] };
    return send('POST', `/api/v1/namespaces/${namespaceOf(s)}/services`, { metadata: { name: `service-${s}` }, spec });
  });
  const pods = services.flatMap((s) => count(podsEach).map((i) => ({ s, i })));
  await all(pods, ({ s, i }) => addPod(s, i, now));
  // The controller writes the EndpointSlices one after the other.
  for (;;) {
    const answer = JSON.parse(await send('GET', '/apis/discovery.k8s.io/v1/endpointslices')) as { items: { endpoints?: unknown[] }[] };
    const endpoints = answer.items.reduce((sum, s) => sum + (s.endpoints?.length ?? 0), 0);
    if (endpoints >= to * podsEach) return;
    await new Promise((r) => setTimeout(r, 2000));
  }
}

export async function empty(services: number): Promise<void> {
  for (const name of new Set(count(services).map(namespaceOf))) {
    await send('DELETE', `/api/v1/namespaces/${name}/pods?gracePeriodSeconds=0`);
    await send('DELETE', `/api/v1/namespaces/${name}`);
  }
  for (const i of count(nodes)) await send('DELETE', `/api/v1/nodes/ghost-${i}`);
}

export const close = (): void => agent.destroy();
