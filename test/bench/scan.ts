/**
 * How long a scan of a whole cluster takes, against `kubectl get --raw` of the same four lists in the same run, and how much memory:
 * `npm run bench:scan -- 500 2000` (Services, ten pods each). Then, without the cluster, 5,000 Services and 100,000 pods from recorded pages.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { close, empty, fill, podsEach } from './fill.ts';

const rounds = 3;
const lists = ['/api/v1/services', '/apis/discovery.k8s.io/v1/endpointslices', '/api/v1/pods', '/apis/networking.k8s.io/v1/networkpolicies'];
const program = new URL('../../bin/k8s-doctor.js', import.meta.url).pathname;

const timed = (command: string, args: string[]): { seconds: number; stderr: string } => {
  const started = performance.now();
  const ran = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 30 });
  return { seconds: (performance.now() - started) / 1000, stderr: ran.stderr };
};
const median = (xs: number[]) => xs.toSorted((a, b) => a - b)[Math.floor(xs.length / 2)] ?? 0;

const sizes = (process.argv.length > 2 ? process.argv.slice(2) : ['500', '2000']).map(Number);
let filled = 0;
try {
  for (const size of sizes) {
    await fill(filled, size);
    filled = size;
    const raw: number[] = [];
    const scan: number[] = [];
    let memory = 0;
    for (let i = 0; i < rounds; i++) {
      raw.push(lists.reduce((sum, path) => sum + timed('kubectl', ['get', '--raw', path]).seconds, 0));
      const ran = timed('/usr/bin/time', ['-f', 'peak %M', process.execPath, program, 'scan', '-A', '-q', '-o', 'json']);
      scan.push(ran.seconds);
      memory = Math.max(memory, Number(/peak (\d+)/.exec(ran.stderr)?.[1] ?? 0) / 1024);
    }
    const [r, s] = [median(raw), median(scan)];
    console.log(
      `${size} Services, ${size * podsEach} pods: four raw lists ${r.toFixed(2)} s, scan ${s.toFixed(2)} s, ratio ${(s / r).toFixed(2)}, peak ${memory.toFixed(0)} MB`,
    );
  }
} finally {
  await empty(filled);
  close();
}

/** A server of recorded pages in a process of its own, so that its memory and time are not the scan's. */
async function recordedPages(services: number, pods: number): Promise<void> {
  const server = spawn(process.execPath, [new URL('./page-server.ts', import.meta.url).pathname, String(services), String(pods)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = (await once(server.stdout, 'data')) as [Buffer];
    const file = join(mkdtempSync(join(tmpdir(), 'k8s-doctor-bench-')), 'config');
    const entry = { name: 'recorded', context: { cluster: 'recorded' }, cluster: { server: `http://127.0.0.1:${line.toString().trim()}` } };
    writeFileSync(file, JSON.stringify({ contexts: [entry], clusters: [entry], 'current-context': 'recorded' }));
    const ran = timed('/usr/bin/time', [
      '-f',
      'peak %M user %U',
      process.execPath,
      program,
      'scan',
      '-A',
      '-q',
      '-o',
      'json',
      '--kubeconfig',
      file,
      '--request-timeout',
      '60s',
    ]);
    const [, peak, user] = /peak (\d+) user ([\d.]+)/.exec(ran.stderr) ?? [];
    console.log(
      `${services} Services, ${pods} pods of recorded pages: ${ran.seconds.toFixed(1)} s (${user} s of it the scan's own), peak ${(Number(peak) / 1024).toFixed(0)} MB`,
    );
  } finally {
    server.kill();
  }
}
await recordedPages(5000, 100_000);
