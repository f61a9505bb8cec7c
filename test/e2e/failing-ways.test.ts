/** A way to read something that fails says nothing about the thing: a relay in front of the API server makes it fail. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { apply, createNamespace, debugPods, deleteNamespace, doctor, must } from '../support/kubectl.ts';
import { type Fault, relay } from '../support/relay.ts';

const folder = (name: string) => new URL(`./scenarios/${name}/objects.yaml`, import.meta.url);
const [healthy, faulty] = ['ways-healthy', 'ways-faulty'];

beforeAll(async () => {
  await Promise.all([createNamespace(healthy), createNamespace(faulty)]);
  await Promise.all([apply(healthy, readFileSync(folder('healthy-canary'), 'utf8')), apply(faulty, readFileSync(folder('port-named-in-arguments'), 'utf8'))]);
  for (const namespace of [healthy, faulty]) await must('-n', namespace, 'wait', '--timeout=60s', '--for=condition=Ready', 'pod', '--all');
});
afterAll(() => Promise.all([deleteNamespace(healthy), deleteNamespace(faulty)]));

const ways: readonly [string, RegExp][] = [
  ['port-forward', /\/portforward\?/],
  ['exec in the pods of the Service and of kube-proxy', /\/(shop|kube-proxy)[^/]*\/exec\?/],
  ['the list of events', /\/events\?/],
  ['logs', /\/log\?/],
];
const faults: readonly Fault[] = ['hang', 'reset', 500];

describe.each(ways)('%s fails', (_, pattern) => {
  test.each(faults)('%s: no other cause, nothing healthy unseen, within the time limit', async (fault) => {
    const between = await relay((path) => (pattern.test(path) ? fault : 'none'));
    try {
      const run = async (namespace: string) => {
        const ran = await doctor(['svc', 'shop', '-n', namespace, '--from', 'pod/client', '-o', 'json', '--timeout', '20s'], {
          env: { KUBECONFIG: between.kubeconfig },
        });
        return { ran, diagnosis: JSON.parse(ran.stdout) as Diagnosis };
      };
      const [right, wrong] = await Promise.all([run(healthy), run(faulty)]);
      expect(right.diagnosis.verdict.status, right.diagnosis.verdict.summary).toBe('healthy');
      const causes = wrong.diagnosis.verdict.causes.map((c) => c.code);
      expect(
        causes.filter((c) => c !== 'target-port-not-listening'),
        wrong.diagnosis.verdict.summary,
      ).toEqual([]);
      expect(['faulty', 'undecided']).toContain(wrong.diagnosis.verdict.status);
      for (const { ran } of [right, wrong]) expect(ran.ms).toBeLessThan(21_000);
    } finally {
      between.close();
    }
  });
});

test('no debug pod is left behind', async () => {
  expect(await debugPods()).toBe('');
});
