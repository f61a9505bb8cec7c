/**
 * An API server that fails in every way that one can, for each kind of request, with a healthy and a faulty Service, with connections and without:
 * the verdict is right, or weaker with a reason; never another cause, never healthy unseen, never late, and nothing stays behind.
 * All of them: NIGHTLY=1; else a part, another one each day.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { keepFigures } from '../support/figures.ts';
import { debugPods, doctor, type Ran } from '../support/kubectl.ts';
import { type Fault, relay } from '../support/relay.ts';
import { type Kind, otherCauses, twoServices } from '../support/two-services.ts';

const services = twoServices('faulty-api');
beforeAll(services.create);
afterAll(services.remove);

/** Kinds of requests, by their method and path. */
const requests: Record<string, RegExp> = {
  'the Service': /^GET .*\/services\/shop$/,
  Services: /^GET .*\/services\?/,
  EndpointSlices: /^GET .*\/endpointslices\?/,
  pods: /^GET .*\/pods\?(?!watch|.*watch=)/,
  nodes: /^GET .*\/nodes(\?|\/)/,
  'the Namespace': /^GET .*\/namespaces\/[^/]+$/,
  NetworkPolicies: /^GET .*\/networkpolicies\?/,
  events: /^GET .*\/events\?/,
  'the Corefile': /^GET .*\/configmaps\//,
  workloads: /^GET \/apis\/apps\/v1\//,
  'API groups': /^GET \/apis$/,
  logs: /^GET .*\/log(\?|$)/,
  exec: /^UPGRADE .*\/exec\?/,
  'port-forward': /^UPGRADE .*\/portforward\?/,
  'creation of a pod': /^POST .*\/pods(\?|$)/,
  'watch of pods': /^GET .*watch=/,
  'deletion of a pod': /^DELETE /,
};

const status = (code: number, reason: string, message: string) => ({
  status: code,
  body: JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', message, reason, code }),
});

/** A list of items as something else; what is none stays as it is. */
const withItems = (change: (items: unknown[]) => unknown) => (read: { items?: unknown[] }) =>
  Array.isArray(read.items) ? { ...read, items: change(read.items) } : read;

/** An answer in JSON as another one; a log stays as it is. */
const changed = (change: (read: object) => unknown) => (body: string) => {
  try {
    return JSON.stringify(change(JSON.parse(body) as object));
  } catch {
    return body;
  }
};

type Make = (attempt: number) => Fault;
const faults: Record<string, Make> = {
  hangs: () => 'hang',
  'comes late': () => ({ delayMs: 1500 }),
  'is cut off': () => 'reset',
  'is answered 401': () => status(401, 'Unauthorized', 'Unauthorized'),
  'is answered 403': () => status(403, 'Forbidden', 'it is forbidden: User "x" cannot do this resource "that" in API group ""'),
  'is answered 410': () => status(410, 'Expired', 'too old resource version'),
  'is answered 429, twice': (attempt) => (attempt <= 2 ? { ...status(429, 'TooManyRequests', 'too many requests'), headers: { 'Retry-After': '0' } } : 'none'),
  'is answered 429, for ever': () => ({ ...status(429, 'TooManyRequests', 'too many requests'), headers: { 'Retry-After': '1' } }),
  'is answered 500, once': (attempt) => (attempt <= 1 ? 500 : 'none'),
  'is answered 500': () => status(500, 'InternalError', 'Internal error occurred'),
  'is answered 503': () => ({ status: 503, headers: { 'Content-Type': 'text/plain' }, body: 'no healthy upstream' }),
  'is sent elsewhere': () => ({ status: 302, headers: { Location: 'https://login.example.com/' } }),
  'is answered with a page': () => ({ status: 200, headers: { 'Content-Type': 'text/html' }, body: '<!doctype html><title>Log in</title>' }),
  'is answered with nothing': () => ({ status: 200 }),
  'has items: null and no kind': () => ({ rewrite: changed((read) => ({ ...read, kind: undefined, items: null })) }),
  'is of another kind': () => ({ rewrite: changed((read) => ({ ...read, kind: 'Widget' })) }),
  'is half of its JSON': () => ({ rewrite: (body) => body.slice(0, body.length / 2) }),
  'is cut off in its middle': () => ({ rewrite: (body) => body.slice(0, body.length / 2), cut: true }),
  'has an item that is none': () => ({ rewrite: changed(withItems((items) => [...items.slice(1), 7])) }),
};
const cuts: Record<string, Make> = {
  'is cut before its output': () => ({ cutAt: 0 }),
  'is cut within its output': () => ({ cutAt: 200 }),
  'is cut after its output': () => ({ cutAt: '"status":"' }),
};

const timeoutS = 8;
const cases = Object.keys(requests).flatMap((request) =>
  Object.entries(/exec|port-forward/.test(request) ? { ...faults, ...cuts } : faults).flatMap(([fault, make]) => {
    // An answer to an upgrade, to a creation, to a watch or to a deletion cannot be written again.
    const isRewritten = typeof make(1) === 'object' && 'rewrite' in (make(1) as object);
    return isRewritten && !requests[request]?.source.startsWith('^GET') ? [] : [{ request, fault, make }];
  }),
);
const day = Math.floor(Date.now() / 86_400_000);
const chosen = process.env['NIGHTLY'] ? cases : cases.filter((_, i) => (i * 7 + day + Number(process.env['PART'] ?? 0)) % 30 === 0);

const figures = { runs: 0, wrong: 0, late: 0, leftovers: 0 };

test.each(chosen)('$request: $fault', async ({ request, make }) => {
  const attempts = new Map<string, number>();
  const pattern = requests[request];
  const between = await relay((path, _headers, method) => {
    const asked = `${method} ${path}`;
    if (!pattern?.test(asked) || (request !== 'watch of pods' && asked.includes('watch='))) return 'none';
    const attempt = (attempts.get(asked) ?? 0) + 1;
    attempts.set(asked, attempt);
    return make(attempt);
  });
  try {
    for (const probe of ['none', 'auto', 'client'] as const) {
      const run = async (kind: Kind): Promise<{ kind: typeof kind; ran: Ran }> => ({
        kind,
        ran: await doctor(
          [
            'svc',
            'shop',
            '-n',
            services.namespaces[kind],
            '-o',
            'json',
            '--timeout',
            `${timeoutS}s`,
            ...(probe === 'client' ? ['--from', 'pod/client'] : ['--probe', probe]),
          ],
          { env: { KUBECONFIG: between.kubeconfig } },
        ),
      });
      for (const { kind, ran } of await Promise.all([run('healthy'), run('faulty')])) check(kind, probe, ran);
      await nothingLeft(request === 'deletion of a pod');
    }
  } finally {
    between.close();
  }
});

/** One run: the right verdict or a weaker one, in time. */
function check(kind: Kind, probe: string, ran: Ran): void {
  figures.runs++;
  const where = `${kind}, ${probe}: ${ran.stderr}`;
  // What is late is counted and no failure, since a busy machine is late, too; what hangs is one.
  if (ran.ms > (timeoutS + 1) * 1000) {
    figures.late++;
    process.stderr.write(`${expect.getState().currentTestName}, ${kind}, ${probe}: ${ran.ms} ms\n`);
  }
  expect(ran.ms, where).toBeLessThan(timeoutS * 3000);
  // It could not run, and says why in one sentence.
  if (ran.code === 3) {
    expect(ran.stderr.trim().split('\n').at(-1), where).toMatch(/^[A-Z"].*\.$/);
    return;
  }
  const { verdict, checks } = JSON.parse(ran.stdout) as Diagnosis;
  const wrong = otherCauses(kind, verdict);
  const isBlind = kind === 'faulty' && verdict.status === 'healthy' && probe !== 'none';
  if (wrong.length > 0 || isBlind) figures.wrong++;
  expect(wrong, `${where} ${verdict.summary}`).toEqual([]);
  if (kind === 'healthy') expect(['healthy', 'undecided'], verdict.summary).toContain(verdict.status);
  // Without connections nothing shows where the program listens; with them it is found, or nothing is said to be right.
  if (probe !== 'none') expect(verdict.status, verdict.summary).not.toBe(kind === 'faulty' ? 'healthy' : 'faulty');
  for (const c of checks) if (c.status === 'unknown') expect(c.reason, c.id).toBeTruthy();
}

/** No debug pod stays, unless the API server takes none away; `cleanup` then does. */
async function nothingLeft(isDeletion: boolean): Promise<void> {
  if (isDeletion) {
    await doctor(['cleanup', '-A']);
    return;
  }
  // On a busy machine the API server carries out a removal that nobody waits for any more.
  await expect
    .poll(() => debugPods(), { timeout: 5000 })
    .toBe('')
    .catch(() => {});
  const left = await debugPods();
  if (left === '') return;
  figures.leftovers += left.split('\n').length;
  // Each is counted once, and is no leftover of the tests behind this one.
  await doctor(['cleanup', '-A']);
  expect(left).toBe('');
}

afterAll(() => keepFigures('faulty-api', figures));
