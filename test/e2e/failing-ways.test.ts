/** A way to read something that fails says nothing about the thing: a relay in front of the API server makes it fail. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { debugPods, doctor } from '../support/kubectl.ts';
import { type Fault, relay } from '../support/relay.ts';
import { twoServices } from '../support/two-services.ts';

const services = twoServices('ways');
const { healthy, faulty } = services.namespaces;
beforeAll(services.create);
afterAll(services.remove);

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
