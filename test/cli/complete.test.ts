import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { complete } from '../../src/cli/complete.ts';

const kubeconfig = join(mkdtempSync(join(tmpdir(), 'k8s-doctor-complete-')), 'config');
const entry = (name: string) => ({ name, context: { cluster: 'away' } });
// Nothing listens there: what a cluster would know is not asked for long.
const cluster = { name: 'away', cluster: { server: 'http://127.0.0.1:9' } };
writeFileSync(kubeconfig, JSON.stringify({ clusters: [cluster], contexts: [entry('prod-eu'), entry('prod-us'), entry('lab')], 'current-context': 'lab' }));
const after = (...words: string[]) => complete(words, '0.1.0', { KUBECONFIG: kubeconfig });

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
