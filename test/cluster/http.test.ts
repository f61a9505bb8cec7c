import { createServer, type Server } from 'node:http';
import { mkdtempSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { connect, fromStatus, resources } from '../../src/cluster/index.ts';

let server: Server;
afterEach(() => server.close());

const web = JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' } });

/** A kubeconfig for a server on this machine. */
async function kubeconfig(user: object = {}): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const file = join(mkdtempSync(join(tmpdir(), 'k8s-doctor-http-')), 'config');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'x',
    clusters: [{ name: 'x', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'x', user }],
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

// As `kubectl proxy` serves it: nothing is there to verify.
test('a server of plain HTTP', async () => {
  server = createServer((_, response) => response.end(web));
  const cluster = await connect({ kubeconfig: await kubeconfig(), context: undefined, requestTimeoutMs: 5000 }, {});
  expect(await cluster.get(resources.services, 'web', 'shop')).toMatchObject({ ok: true, value: { metadata: { name: 'web' } } });
  cluster.close();
});

test('a connection that is closed just as it is used again is no failure', async () => {
  const used = new WeakSet<object>();
  let connections = 0;
  server = createServer((request, response) => {
    if (used.has(request.socket)) {
      request.socket.resetAndDestroy();
      return;
    }
    used.add(request.socket);
    connections++;
    response.end(web);
  });
  const cluster = await connect({ kubeconfig: await kubeconfig(), context: undefined, requestTimeoutMs: 5000 }, {});
  for (let i = 0; i < 3; i++) expect(await cluster.get(resources.services, 'web', 'shop')).toMatchObject({ ok: true });
  expect(connections).toBe(3);
  cluster.close();
});

test('a connection that is closed again and again is a failure: a GET is sent three times, what changes something once', async () => {
  let requests = 0;
  server = createServer((request) => {
    requests++;
    request.socket.resetAndDestroy();
  });
  const cluster = await connect({ kubeconfig: await kubeconfig(), context: undefined, requestTimeoutMs: 5000 }, {});
  expect(await cluster.get(resources.services, 'web', 'shop')).toMatchObject({ ok: false, failure: { reason: 'unreachable' } });
  expect(requests).toBe(3);
  expect(await cluster.createPod('shop', { metadata: { name: 'x' } })).toMatchObject({ ok: false, failure: { reason: 'unreachable' } });
  expect(requests).toBe(4);
  cluster.close();
});

test('expired credentials are renewed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-plugin-'));
  const status = `{"token":"t$n","expirationTimestamp":"2020-01-01T00:00:00Z"}`;
  const credential = `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":${status}}`;
  // Gives out another token each time that it is run.
  writeFileSync(join(folder, 'plugin'), `#!/bin/sh\necho x >>${folder}/runs\nn=$(wc -l <${folder}/runs)\ncat <<END\n${credential}\nEND\n`, { mode: 0o700 });
  let valid = 1;
  const served: (string | undefined)[] = [];
  server = createServer((request, response) => {
    served.push(request.headers.authorization);
    response.statusCode = request.headers.authorization === `Bearer t${valid}` ? 200 : 401;
    response.end(response.statusCode === 200 ? web : JSON.stringify({ kind: 'Status', message: 'Unauthorized' }));
  });
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: join(folder, 'plugin'), interactiveMode: 'Never' };
  const cluster = await connect({ kubeconfig: await kubeconfig({ exec }), context: undefined, requestTimeoutMs: 5000 }, {});
  const get = () => cluster.get(resources.services, 'web', 'shop');
  expect(await get()).toMatchObject({ ok: true });
  valid = 2;
  // Both meet the refusal; the plug-in is run once.
  expect(await Promise.all([get(), get()])).toMatchObject([{ ok: true }, { ok: true }]);
  expect(served.at(-1)).toBe('Bearer t2');
  valid = 99;
  expect(await get()).toMatchObject({ ok: false, failure: { reason: 'unauthenticated' } });
  cluster.close();
});

test('a list whose version is forgotten between two pages goes on as it is now', async () => {
  const asked: (string | null)[] = [];
  server = createServer((request, response) => {
    const token = new URL(request.url ?? '', 'http://x').searchParams.get('continue');
    asked.push(token);
    const item = (name: string) => ({ metadata: { name } });
    if (token === null) return response.end(JSON.stringify({ kind: 'PodList', items: [item('a')], metadata: { resourceVersion: '5', continue: 'old' } }));
    if (token === 'new') return response.end(JSON.stringify({ kind: 'PodList', items: [item('b')], metadata: { resourceVersion: '9' } }));
    response.statusCode = 410;
    return response.end(JSON.stringify({ kind: 'Status', code: 410, reason: 'Expired', message: 'too old', metadata: { continue: 'new' } }));
  });
  const cluster = await connect({ kubeconfig: await kubeconfig(), context: undefined, requestTimeoutMs: 5000 }, {});
  expect(await cluster.list(resources.pods, {})).toEqual({ ok: true, value: [{ metadata: { name: 'a' } }, { metadata: { name: 'b' } }] });
  expect(asked).toEqual([null, 'old', 'new']);
  cluster.close();
});

test('a list that is forgotten again and again ends as a failure', async () => {
  server = createServer((_, response) => {
    response.statusCode = 410;
    response.end(JSON.stringify({ kind: 'Status', code: 410, reason: 'Expired', message: 'too old', metadata: { continue: 'again' } }));
  });
  const cluster = await connect({ kubeconfig: await kubeconfig(), context: undefined, requestTimeoutMs: 5000 }, {});
  expect(await cluster.list(resources.pods, {})).toMatchObject({ ok: false, failure: { status: 410, why: 'too old' } });
  cluster.close();
});

/** The answers of a server, one after another, the last one for ever; and how often it was asked. */
async function answering(...answers: { status: number; headers?: Record<string, string>; body?: string; cut?: boolean }[]) {
  let requests = 0;
  server = createServer((_, response) => {
    const answer = answers[Math.min(requests++, answers.length - 1)];
    if (!answer) return;
    const { status, headers = {}, body = '', cut = false } = answer;
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers, ...(cut && { 'Content-Length': String(body.length * 2) }) });
    if (cut) response.write(body, () => response.destroy());
    else response.end(body);
  });
  const cluster = await connect({ kubeconfig: await kubeconfig(), context: undefined, requestTimeoutMs: 2500 }, {});
  return { cluster, requests: () => requests };
}

const busy = { status: 429, headers: { 'Retry-After': '0' }, body: '{"kind":"Status","message":"too many"}' };
const right = { status: 200, body: web };

test.each([
  ['busy twice', [busy, busy, right], 3],
  ['500, then right', [{ status: 500 }, right], 2],
  ['503 with a time to wait', [{ status: 503, headers: { 'Retry-After': '0' } }, right], 2],
  ['half of an answer, then the whole', [{ status: 200, body: web, cut: true }, right], 2],
])('%s: the answer is read in the end', async (_, answers, wanted) => {
  const { cluster, requests } = await answering(...answers);
  expect(await cluster.get(resources.services, 'web', 'shop')).toMatchObject({ ok: true, value: { metadata: { name: 'web' } } });
  expect(requests()).toBe(wanted);
  cluster.close();
});

test.each([
  ['busy for ever', busy, 11, 'unreachable'],
  ['busy for an hour', { ...busy, headers: { 'Retry-After': '3600' } }, 1, 'unreachable'],
  ['500 for ever', { status: 500 }, 3, 'unreachable'],
  ['a page', { status: 200, headers: { 'Content-Type': 'text/html' }, body: '<html>log in</html>' }, 1, 'malformed'],
  ['nothing', { status: 200 }, 1, 'malformed'],
  ['another kind', { status: 200, body: '{"kind":"Status","metadata":{},"status":"Success"}' }, 1, 'malformed'],
  ['another object', { status: 200, body: web.replace('"web"', '"db"') }, 1, 'malformed'],
  ['half of an object', { status: 200, body: web.slice(0, -9) }, 1, 'malformed'],
  ['half of an answer, for ever', { status: 200, body: web, cut: true }, 3, 'unreachable'],
  ['elsewhere', { status: 302, headers: { Location: 'https://login.example.com/' } }, 1, 'unreachable'],
])('%s is a failure that says nothing of the object', async (_, answer, wanted, reason) => {
  const { cluster, requests } = await answering(answer);
  expect(await cluster.get(resources.services, 'web', 'shop')).toMatchObject({ ok: false, failure: { reason } });
  expect(requests()).toBe(wanted);
  cluster.close();
});

test.each([
  ['another list', '{"kind":"PodList","items":[]}'],
  ['no list', '{"kind":"Service","metadata":{"name":"web"}}'],
  ['a list without a kind', '{"items":[]}'],
  ['items that are none', '{"kind":"ServiceList","items":{}}'],
  ['a list in half', '{"kind":"ServiceList","items":[{"metadata":'],
])('%s is no empty list', async (_, body) => {
  const { cluster } = await answering({ status: 200, body });
  expect(await cluster.list(resources.services, {})).toMatchObject({ ok: false, failure: { reason: 'malformed' } });
  cluster.close();
});

test('a list of which a page fails is no list', async () => {
  const page = '{"kind":"ServiceList","items":[{"metadata":{"name":"a"}}],"metadata":{"continue":"more"}}';
  const { cluster } = await answering({ status: 200, body: page }, { status: 500 });
  expect(await cluster.list(resources.services, {})).toMatchObject({ ok: false, failure: { reason: 'unreachable' } });
  cluster.close();
});

test('a large page that does not come in time is asked for in smaller ones', async () => {
  const asked: (string | null)[] = [];
  server = createServer((request, response) => {
    const limit = new URL(request.url ?? '', 'http://x').searchParams.get('limit');
    asked.push(limit);
    if (Number(limit) <= 500) response.end('{"kind":"PodList","items":[{"metadata":{"name":"a"}}]}');
  });
  const cluster = await connect({ kubeconfig: await kubeconfig(), context: undefined, requestTimeoutMs: 500 }, {});
  expect(await cluster.list(resources.pods, { protobuf: {} })).toMatchObject({ ok: true, value: [{ metadata: { name: 'a' } }] });
  expect(asked).toEqual(['5000', '500']);
  cluster.close();
});

// It would hold up the end of the program for as long as a handshake may take.
test('close ends what is still under way: a request, and a command whose connection is being opened', async () => {
  let open = 0;
  const came = Promise.withResolvers<void>();
  server = createServer(() => ++open === 2 && came.resolve());
  server.on('upgrade', () => ++open === 2 && came.resolve());
  const cluster = await connect({ kubeconfig: await kubeconfig(), context: undefined, requestTimeoutMs: 60_000 }, {});
  const running = [cluster.get(resources.services, 'web', 'shop'), cluster.exec({ namespace: 'shop', pod: 'web', container: 'web' }, ['true'], 60_000)];
  await came.promise;
  cluster.close();
  for (const result of await Promise.all(running)) expect(result.ok).toBe(false);
});

test('a refusal without a reason is one of rights, and names the right', () => {
  const rule = { apiGroups: [''], resources: ['pods/portforward'], verbs: ['create', 'get'], namespace: 'shop' };
  const said = (message: string) => fromStatus(403, JSON.stringify({ kind: 'Status', message }), 'a port-forward', rule);
  expect(said('pods "web" is forbidden: ')).toMatchObject({ reason: 'forbidden', why: 'not allowed to create pods/portforward' });
  expect(said('pods "web" is forbidden: User "x" cannot create resource "pods/portforward" in API group ""')).toMatchObject({ reason: 'forbidden' });
  expect(said('pods "web" is forbidden: exceeded quota: full')).toMatchObject({ reason: 'refused' });
});
