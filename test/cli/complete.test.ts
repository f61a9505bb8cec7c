import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { complete, learn } from '../../src/cli/complete.ts';

const kubeconfig = join(mkdtempSync(join(tmpdir(), 'k8s-doctor-complete-')), 'config');
const entry = (name: string) => ({ name, context: { cluster: 'away' } });
// Nothing listens there: what a cluster would know is not asked for long.
const cluster = { name: 'away', cluster: { server: 'http://127.0.0.1:9' } };
writeFileSync(kubeconfig, JSON.stringify({ clusters: [cluster], contexts: [entry('prod-eu'), entry('prod-us'), entry('lab')], 'current-context': 'lab' }));
const env = { KUBECONFIG: kubeconfig, XDG_CACHE_HOME: mkdtempSync(join(tmpdir(), 'k8s-doctor-cache-')) };
const after = (...words: string[]) => complete(words, '0.1.0', env, () => {});

test.each([
  [['sel'], ['selfcheck']],
  [['svc', 'web', '--prob'], ['--probe']],
  [
    ['svc', 'web', '--probe', ''],
    ['auto', 'debug-pod', 'ephemeral', 'none'],
  ],
  [['svc', 'web', '--probe', 'e'], ['ephemeral']],
  [
    ['svc', '--context', 'prod'],
    ['prod-eu', 'prod-us'],
  ],
  [
    ['svc', 'web', '--from', ''],
    ['deploy/', 'ds/', 'external', 'namespace/', 'node/', 'pod/', 'sts/'],
  ],
  [
    ['explain', 'selector'],
    ['selector-mismatch', 'selector-overlap'],
  ],
  [['scan', '--only', 'selector-o'], ['selector-overlap']],
  [
    ['svc', 'web', '-o', 'j'],
    ['json', 'junit'],
  ],
  [['nothing', 'of', 'this'], []],
])('%j is completed to %j', async (words, found) => {
  expect(await after(...words)).toEqual(found);
});

test.each([[['svc', '']], [['svc', 'web', '--from', 'pod/']], [['svc', '-n', '']], [['svc', 'web', '--port', '']]])(
  '%j: without a cluster there is nothing, and no error',
  async (words) => {
    expect(await after(...words)).toEqual([]);
  },
);

test('a cluster that answers late: nothing at the first tab, its names at the next, within the limit', async () => {
  let delayMs = 400;
  const items = ['web', 'worker'].map((name) => ({ metadata: { name, namespace: 'default' } }));
  const server = createServer((_, response) => {
    setTimeout(
      () => response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ kind: 'ServiceList', apiVersion: 'v1', metadata: {}, items })),
      delayMs,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const far = join(mkdtempSync(join(tmpdir(), 'k8s-doctor-complete-')), 'config');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(
    far,
    JSON.stringify({
      clusters: [{ name: 'far', cluster: { server: url } }],
      contexts: [{ name: 'far', context: { cluster: 'far' } }],
      'current-context': 'far',
    }),
  );
  const farEnv = { ...env, KUBECONFIG: far };
  let later = 0;
  const tab = (typed: string) => complete(['svc', typed], '0.1.0', farEnv, () => void later++);
  expect(await tab('w')).toEqual([]);
  await learn(['svc', 'w'], farEnv);
  expect(await tab('wo')).toEqual(['worker']);
  expect(later).toBe(2);
  // What is not in time for this tab is there for the next.
  delayMs = 0;
  items.push({ metadata: { name: 'world', namespace: 'default' } });
  await learn(['svc', ''], farEnv);
  expect(await tab('wor')).toEqual(['worker', 'world']);
  server.close();
});
