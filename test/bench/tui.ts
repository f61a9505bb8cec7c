/**
 * How quickly the terminal UI answers, in a real pseudo-terminal (util-linux `script`). First paint: milliseconds from the
 * start to the first bytes, in pairs with `--version`. Keys: milliseconds from a key to what it changes, in a list of 5,000
 * Services that an API server on the loopback makes up.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { join } from 'node:path';

const program = new URL('../../bin/k8s-doctor.js', import.meta.url).pathname;
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const pause = (ms: number) => new Promise((r) => setTimeout(r, ms));
const { CI: _, ...env }: NodeJS.ProcessEnv = { ...process.env, LANG: 'C.UTF-8', TERM: 'xterm-256color' };

function inTerminal(args: string[], more: NodeJS.ProcessEnv = {}): ChildProcessByStdio<Writable, Readable, null> {
  const command = `stty cols 100 rows 30; exec ${process.execPath} ${program} ${args.join(' ')}`;
  return spawn('script', ['-qefc', command, '/dev/null'], { env: { ...env, ...more }, stdio: ['pipe', 'pipe', 'ignore'] });
}

/** Milliseconds until the first bytes come. */
async function firstBytes(args: string[], more: NodeJS.ProcessEnv): Promise<number> {
  const began = performance.now();
  const child = inTerminal(args, more);
  const ms = await new Promise<number>((resolve) => child.stdout.once('data', () => resolve(performance.now() - began)));
  child.kill('SIGTERM');
  await new Promise((r) => child.once('close', r));
  return ms;
}

const count = 5000;
const meta = (name: string) => ({ name, namespace: 'shop', uid: name, resourceVersion: '1' });
const lists: Record<string, unknown[]> = {
  services: Array.from({ length: count }, (_, i) => ({
    metadata: meta(`service-${i}`),
    spec: {
      type: 'ClusterIP',
      clusterIP: `10.${96 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`,
      selector: { app: `app-${i}` },
      ports: [{ port: 80, protocol: 'TCP', targetPort: 8080 }],
    },
    status: { loadBalancer: {} },
  })),
  endpointslices: Array.from({ length: count }, (_, i) => ({
    metadata: { ...meta(`service-${i}-x`), labels: { 'kubernetes.io/service-name': `service-${i}` } },
    addressType: 'IPv4',
    ports: [{ port: 8080, protocol: 'TCP', name: '' }],
    endpoints: [{ addresses: [`10.1.${(i >> 8) & 255}.${i & 255}`], conditions: { ready: i % 7 !== 0 } }],
  })),
};

/** An API server with thousands of Services and nothing else. */
const server = createServer((request, response) => {
  const kind = new URL(request.url ?? '/', 'http://x').pathname.split('/').at(-1) ?? '';
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ kind: 'List', apiVersion: 'v1', metadata: {}, items: lists[kind] ?? [], groups: [] }));
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const config = join(mkdtempSync(join(tmpdir(), 'k8s-doctor-bench-')), 'config');
writeFileSync(
  config,
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
  }),
);

const own = { KUBECONFIG: config };
const runs = 15;
const pairs: [number, number][] = [];
for (let i = 0; i < runs; i++) pairs.push([await firstBytes(['svc', 'service-1'], own), await firstBytes(['--version'], own)]);
console.log(
  `first paint: ${median(pairs.map(([a]) => a)).toFixed(0)} ms against ${median(pairs.map(([, b]) => b)).toFixed(0)} ms of --version, ratio ${median(pairs.map(([a, b]) => a / b)).toFixed(2)} (wanted: at most 1.5)`,
);

const child = inTerminal([], own);
let screen = '';
child.stdout.on('data', (chunk) => (screen += String(chunk)));
while (!screen.includes('service-10')) await pause(50);
const down = '\u001b[B';
for (const [what, settleMs] of [
  ['while Services are being checked', 500],
  ['when all are known', 60_000],
] as const) {
  const until = Date.now() + settleMs;
  // All are known when nothing changes any more.
  let before = -1;
  while (Date.now() < until && screen.length !== before) {
    before = screen.length;
    await pause(Math.min(1500, settleMs));
  }
  const times: number[] = [];
  for (let i = 0; i < 60; i++) {
    const from = screen.length;
    const began = performance.now();
    child.stdin.write(down);
    // The row that the cursor is on now is drawn inverse.
    while (!screen.slice(from).includes('\u001b[7m')) await new Promise((r) => setImmediate(r));
    times.push(performance.now() - began);
    await pause(60);
  }
  const sorted = times.toSorted((a, b) => a - b);
  console.log(
    `a key among ${count} Services, ${what}: median ${median(times).toFixed(1)} ms, worst of 60 ${sorted.at(-1)?.toFixed(0)} ms (wanted: median at most 50)`,
  );
}
child.stdin.write('/');
await pause(200);
const typed: number[] = [];
for (const letter of 'service-4321') {
  const from = screen.length;
  const began = performance.now();
  child.stdin.write(letter);
  while (screen.length === from) await new Promise((r) => setImmediate(r));
  typed.push(performance.now() - began);
  await pause(100);
}
console.log(`a letter of the filter: median ${median(typed).toFixed(1)} ms`);
child.stdin.write('\u0003');
await Promise.race([new Promise((r) => child.once('close', r)), pause(3000)]);
child.kill('SIGKILL');
server.close();
