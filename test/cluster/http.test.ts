import { createServer, type Server } from 'node:http';
import { mkdtempSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { connect, resources } from '../../src/cluster/index.ts';

let server: Server;
afterEach(() => server.close());

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
  server = createServer((_, response) => response.end(JSON.stringify({ metadata: { name: 'web' } })));
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
    response.end(JSON.stringify({ metadata: { name: 'web' } }));
  });
  const cluster = await connect({ kubeconfig: await kubeconfig(), context: undefined, requestTimeoutMs: 5000 }, {});
  for (let i = 0; i < 3; i++) expect(await cluster.get(resources.services, 'web', 'shop')).toMatchObject({ ok: true });
  expect(connections).toBe(3);
  cluster.close();
});

test('a connection that is closed at its first use is a failure, and is not tried again', async () => {
  let requests = 0;
  server = createServer((request) => {
    requests++;
    request.socket.resetAndDestroy();
  });
  const cluster = await connect({ kubeconfig: await kubeconfig(), context: undefined, requestTimeoutMs: 5000 }, {});
  expect(await cluster.get(resources.services, 'web', 'shop')).toMatchObject({ ok: false, failure: { reason: 'unreachable' } });
  expect(requests).toBe(1);
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
    response.end(JSON.stringify({ kind: 'Status', message: 'Unauthorized' }));
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
    if (token === null) return response.end(JSON.stringify({ items: [item('a')], metadata: { resourceVersion: '5', continue: 'old' } }));
    if (token === 'new') return response.end(JSON.stringify({ items: [item('b')], metadata: { resourceVersion: '9' } }));
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
