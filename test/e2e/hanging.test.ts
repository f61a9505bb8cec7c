/** A list that hangs does not hold up a verdict that nothing can change any more; one that could change it is waited for. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { apply, createNamespace, deleteNamespace, doctor, must } from '../support/kubectl.ts';
import { relay } from '../support/relay.ts';

const namespace = 'hanging';
beforeAll(async () => {
  await createNamespace(namespace);
  await apply(
    namespace,
    `
apiVersion: v1
kind: Service
metadata: { name: mismatch }
spec: { selector: { app: shopp }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: shop }
spec: { selector: { app: shop }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: shop }
spec: { defaultBackend: { service: { name: shop, port: { number: 80 } } } }
---
apiVersion: v1
kind: Pod
metadata: { name: shop, labels: { app: shop } }
spec:
  terminationGracePeriodSeconds: 0
  containers: [{ name: web, image: "registry.k8s.io/e2e-test-images/agnhost:2.57", args: [netexec, --http-port=8080] }]
`,
  );
  await must('-n', namespace, 'wait', 'pod/shop', '--for=condition=Ready', '--timeout=60s');
}, 90_000);
afterAll(() => deleteNamespace(namespace));

const limitS = 15;

async function diagnosed(service: string, hangs: RegExp, command = 'svc', isLate = /^$/): Promise<{ diagnosis: Diagnosis; ms: number }> {
  const between = await relay((path, _headers, method) => {
    const asked = `${method} ${path}`;
    return hangs.test(asked) ? 'hang' : isLate.test(asked) ? { delayMs: 9000 } : 'none';
  });
  try {
    const args = [command, service, '-n', namespace, '-o', 'json', '--timeout', `${limitS}s`, '--request-timeout', `${limitS}s`];
    const ran = await doctor(args, { env: { KUBECONFIG: between.kubeconfig } });
    return { diagnosis: JSON.parse(ran.stdout) as Diagnosis, ms: ran.ms };
  } finally {
    between.close();
  }
}

const lists: [string, RegExp][] = [
  ['NetworkPolicies', /^GET .*\/networkpolicies\?/],
  ['nodes', /^GET .*\/nodes(\?|\/)/],
  ['events', /^GET .*\/events\?/],
  ['pods of kube-system', /^GET .*\/namespaces\/kube-system\/pods\?/],
];
const isAll = process.env['NIGHTLY'] !== undefined;

test.each(isAll ? lists : lists.slice(0, 2))('%s hang, and no pod has the labels of the selector', async (_, hangs) => {
  const { diagnosis, ms } = await diagnosed('mismatch', hangs);
  expect(diagnosis.verdict).toMatchObject({ status: 'faulty', causes: [{ code: 'selector-mismatch' }] });
  // The limit of the run and of a request is far: something else ended the waiting.
  expect(ms).toBeLessThan((limitS - 5) * 1000);
  expect(diagnosis.missing.map((m) => m.why)).toContain('it did not answer, and was not waited for: the cause is certain without it');
});

describe.skipIf(!isAll)('where nothing is certain yet', () => {
  test('what hangs is waited for until the limit, and nobody is accused', async () => {
    const { diagnosis, ms } = await diagnosed('shop', /^GET .*\/networkpolicies\?/);
    expect(diagnosis.verdict.causes).toEqual([]);
    expect(ms).toBeGreaterThan(limitS * 1000 - 2000);
  });
  test('what is in front of a Service, and the Service, share the limit', async () => {
    const { diagnosis, ms } = await diagnosed('shop', /^GET .*\/networkpolicies\?/, 'ingress', /^GET .*\/ingressclasses\?/);
    expect(diagnosis.verdict.status).not.toBe('healthy');
    expect(ms).toBeGreaterThan(limitS * 1000 - 2000);
    expect(ms).toBeLessThan((limitS + 3) * 1000);
  });
});
