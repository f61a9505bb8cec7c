/**
 * A scan that follows a cluster in which 50 pods a second come and go: `npm run bench:watch -- 10` (minutes). Every half a minute it breaks one
 * Service and repairs it, and prints how long each took to be shown, the memory, and the requests. In the middle the API server is restarted
 * (LAB: the folder of a cluster that ../shared/cluster started; without one it is not).
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { following, type Line } from '../support/following.ts';
import { addPod, close, empty, fill, namespaceOf, podName, podsEach, send } from './fill.ts';

const services = 200;
const changesPerSecond = 50;
const minutes = Number(process.argv[2] ?? 10);
const metricsPort = 19_114;
const pause = (ms: number) => new Promise<void>((r) => setTimeout(r, ms));

/** Ends the API server and starts it again with its own words. */
async function restartApiServer(lab: string): Promise<void> {
  const file = join(lab, 'pids/apiserver');
  const pid = readFileSync(file, 'utf8').trim();
  const [command = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
  const namespace = spawnSync('ip', ['netns', 'identify', pid], { encoding: 'utf8' }).stdout.trim();
  process.kill(Number(pid));
  await pause(5000);
  const log = openSync(join(lab, 'log/apiserver.log'), 'a');
  const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, command, ...args], { detached: true, stdio: ['ignore', log, log] });
  child.unref();
  writeFileSync(file, `${child.pid}\n`);
}

/** One pod goes and one comes, of a Service that is chosen in turn. */
async function replacePod(turn: number): Promise<void> {
  const service = turn % services;
  await send('DELETE', `/api/v1/namespaces/${namespaceOf(service)}/pods/${podName(service, Math.floor(turn / services))}?gracePeriodSeconds=0`);
  await addPod(service, podsEach + Math.floor(turn / services), new Date().toISOString());
}

const lab = process.env['LAB'] ?? '/var/tmp/k8s-doctor-cluster';
try {
  await fill(0, services);
  const { lines, pid, end } = following(['-A', '--metrics', `127.0.0.1:${metricsPort}`], {}, 'inherit');
  while (lines.length === 0) await pause(200);

  const stop = new AbortController();
  let turn = 0;
  const churn = (async () => {
    while (!stop.signal.aborted) {
      const second = pause(1000);
      const turns = Array.from({ length: changesPerSecond / 2 }, () => turn++);
      // The API server may be away.
      await Promise.all(turns.map((t) => replacePod(t).catch(() => {})));
      await second;
    }
  })();

  const shownWithin = async (service: number, isShown: (l: Line) => boolean, from: number): Promise<string> => {
    const started = performance.now();
    while (performance.now() - started < 30_000) {
      if (lines.slice(from).some((l) => l.name === `service-${service}` && isShown(l))) return `${((performance.now() - started) / 1000).toFixed(1)} s`;
      await pause(50);
    }
    return 'not within 30 s';
  };
  const select = (service: number, app: string) =>
    send('PATCH', `/api/v1/namespaces/${namespaceOf(service)}/services/service-${service}`, { spec: { selector: { app } } }, 'application/merge-patch+json');
  const until = performance.now() + minutes * 60_000;
  const middle = performance.now() + minutes * 30_000;
  let restarted = !existsSync(join(lab, 'pids/apiserver'));
  for (let round = 0; performance.now() < until; round++) {
    if (!restarted && performance.now() > middle) {
      restarted = true;
      await restartApiServer(lab);
      // Broken while the scan may not be following yet.
      while (
        await send('GET', '/readyz').then(
          (t) => t !== 'ok',
          () => true,
        )
      )
        await pause(500);
      console.log('the API server was restarted');
    }
    const service = (round * 7) % services;
    let from = lines.length;
    await select(service, 'nobody');
    const broken = await shownWithin(service, (l) => l.causes.includes('selector-mismatch'), from);
    from = lines.length;
    await select(service, `app-${service}`);
    const repaired = await shownWithin(service, (l) => !l.causes.includes('selector-mismatch'), from);
    const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    const value = (name: string) => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(metrics)?.[1] ?? Number.NaN);
    const memory = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
    const left = Math.max(0, (until - performance.now()) / 60_000);
    console.log(
      `${left.toFixed(1)} min left: fault shown in ${broken}, its end in ${repaired}; ${memory.toFixed(0)} MB, ${value('k8s_doctor_api_requests_total')} requests, ${value('k8s_doctor_watches_total')} watches, ${value('k8s_doctor_judgements_total')} judgements, ${turn * 2} changes`,
    );
    await pause(25_000);
  }
  stop.abort();
  await churn;
  await end();
} finally {
  await empty(services);
  close();
}
