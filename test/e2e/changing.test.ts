/**
 * A cluster that changes while it is diagnosed: each case begins a change at a chosen request of the run. The verdict is that of the cluster as it
 * is afterwards, or names the change; never a cause that was true for one request only.
 */
import { afterEach, describe, expect, test } from 'vitest';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { apply, createNamespace, debugPods, deleteNamespace, doctor, kubectl, must } from '../support/kubectl.ts';
import { relay } from '../support/relay.ts';

let namespace = '';
const shop = (selector: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: shop } }
  template:
    metadata: { labels: { app: shop } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: "registry.k8s.io/e2e-test-images/agnhost:2.57"
          args: [netexec, --http-port=8080]
          readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: shop }
spec: { selector: { app: ${selector} }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: client, labels: { app: client } }
spec:
  terminationGracePeriodSeconds: 0
  containers: [{ name: c, image: "docker.io/nicolaka/netshoot:v0.15", command: [sleep, "100000"] }]
`;

interface Change {
  /** The Service's selector at the beginning. */
  selector?: string;
  /** At the first request like this. */
  at: RegExp;
  make(): Promise<unknown>;
  /** Until the request goes on, milliseconds. */
  delayMs?: number;
}

/** The diagnosis during which the change is made, from a client that has run for a while. */
async function during(name: string, { selector = 'shop', at, make, delayMs = 1500 }: Change): Promise<Diagnosis> {
  namespace = `changing-${name}`;
  await createNamespace(namespace);
  await apply(namespace, shop(selector));
  await must('-n', namespace, 'wait', 'deployment/shop', '--for=condition=Available', '--timeout=60s');
  await must('-n', namespace, 'wait', 'pod/client', '--for=condition=Ready', '--timeout=60s');
  await new Promise((r) => setTimeout(r, 2000));
  let made: Promise<unknown> | undefined;
  const between = await relay((path, _headers, method) => {
    if (made || !at.test(`${method} ${path}`)) return 'none';
    made = make();
    return { delayMs };
  });
  try {
    const ran = await doctor(['svc', 'shop', '-n', namespace, '--from', 'pod/client', '-o', 'json'], { env: { KUBECONFIG: between.kubeconfig } });
    await made;
    expect(made, 'the change was made').toBeDefined();
    return JSON.parse(ran.stdout) as Diagnosis;
  } finally {
    between.close();
  }
}

const codes = ({ verdict }: Diagnosis) => verdict.causes.map((c) => c.code);

afterEach(() => deleteNamespace(namespace));

const slices = /^GET .*\/endpointslices\?/;
const exec = /^UPGRADE .*\/exec\?/;

test('the Service is deleted after it was read', async () => {
  const diagnosis = await during('deleted', { at: slices, make: () => must('-n', namespace, 'delete', 'service', 'shop') });
  expect(codes(diagnosis)).toEqual(['service-not-found']);
});

test('the selector is corrected meanwhile', async () => {
  const patch = '{"spec":{"selector":{"app":"shop"}}}';
  const diagnosis = await during('corrected', {
    selector: 'shopp',
    at: /^GET .*\/networkpolicies\?/,
    make: () => must('-n', namespace, 'patch', 'service', 'shop', '-p', patch),
  });
  expect(diagnosis.verdict).toMatchObject({ status: 'healthy', causes: [] });
});

test('all pods are replaced at once', async () => {
  const diagnosis = await during('replaced', {
    at: exec,
    make: () => must('-n', namespace, 'delete', 'pods', '-l', 'app=shop', '--wait=false'),
    delayMs: 1000,
  });
  // A new pod may still be starting when it is read again.
  expect(codes(diagnosis).filter((c) => c !== 'pod-starting' && c !== 'rollout-stalled' && c !== 'readiness-failing')).toEqual([]);
});

describe.skipIf(process.env['NIGHTLY'] === undefined)('those that are much like others', () => {
  test('a rollout begins', async () => {
    const diagnosis = await during('rollout', { at: slices, make: () => must('-n', namespace, 'rollout', 'restart', 'deployment/shop') });
    expect(codes(diagnosis).filter((c) => c !== 'pod-starting' && c !== 'readiness-failing')).toEqual([]);
  });

  test('CoreDNS is restarted', async () => {
    const diagnosis = await during('coredns', { at: exec, make: () => must('-n', 'kube-system', 'rollout', 'restart', 'deployment/coredns') });
    await must('-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=60s');
    expect(diagnosis.verdict).toMatchObject({ status: 'healthy', causes: [] });
  });

  test('the name was asked for before the Service was there', async () => {
    namespace = 'changing-denied';
    const [deployment = '', service = '', client = ''] = shop('shop').split('---\n');
    await createNamespace(namespace);
    await apply(namespace, `${deployment}---\n${client}`);
    await must('-n', namespace, 'wait', 'deployment/shop', '--for=condition=Available', '--timeout=60s');
    await must('-n', namespace, 'wait', 'pod/client', '--for=condition=Ready', '--timeout=60s');
    const listed = await must('-n', 'kube-system', 'get', 'pods', '-l', 'k8s-app=kube-dns', '-o', 'json');
    const pods = (JSON.parse(listed) as { items: { metadata: { deletionTimestamp?: string }; status: { podIP: string } }[] }).items;
    // Those that an earlier test restarted may still be going.
    const replicas = pods.filter((p) => p.metadata.deletionTimestamp === undefined).map((p) => p.status.podIP);
    // Each replica remembers that there is no such name.
    const name = `shop.${namespace}.svc.cluster.local`;
    const asked = Date.now();
    const asks = replicas.map((ip) => `dig @${ip} ${name} | grep -o NXDOMAIN`);
    expect((await must('-n', namespace, 'exec', 'client', '--', 'sh', '-c', asks.join('; '))).trim().split('\n')).toEqual(asks.map(() => 'NXDOMAIN'));
    // Until almost all of the 30 s are over for which the Corefile (ttl) lets them.
    await new Promise((r) => setTimeout(r, 22_000 - (Date.now() - asked)));
    await apply(namespace, service);
    const ran = await doctor(['svc', 'shop', '-n', namespace, '--from', 'pod/client', '-o', 'json']);
    expect((JSON.parse(ran.stdout) as Diagnosis).verdict).toMatchObject({ status: 'healthy', causes: [] });
    // It looked again, five seconds later.
    expect(ran.ms).toBeGreaterThan(5000);
  });

  test('a node is drained', async () => {
    try {
      const diagnosis = await during('drained', {
        at: exec,
        make: async () => {
          const node = await must('-n', namespace, 'get', 'pod', '-l', 'app=shop', '-o', 'jsonpath={.items[0].spec.nodeName}');
          await must('cordon', node);
          await must('-n', namespace, 'delete', 'pods', '-l', 'app=shop', `--field-selector=spec.nodeName=${node}`, '--wait=false');
        },
      });
      expect(codes(diagnosis).filter((c) => c !== 'pod-starting' && c !== 'readiness-failing')).toEqual([]);
    } finally {
      for (const node of ['node1', 'node2', 'node3']) await kubectl('uncordon', node);
    }
  });

  test('the API server is away for two seconds', async () => {
    namespace = 'changing-away';
    await createNamespace(namespace);
    await apply(namespace, shop('shop'));
    await must('-n', namespace, 'wait', 'deployment/shop', '--for=condition=Available', '--timeout=60s');
    await must('-n', namespace, 'wait', 'pod/client', '--for=condition=Ready', '--timeout=60s');
    let since = 0;
    const between = await relay((path, _headers, method) => {
      if (since === 0 && slices.test(`${method} ${path}`)) since = Date.now();
      return since > 0 && Date.now() - since < 2000 ? 'reset' : 'none';
    });
    try {
      const ran = await doctor(['svc', 'shop', '-n', namespace, '--from', 'pod/client', '-o', 'json'], { env: { KUBECONFIG: between.kubeconfig } });
      const diagnosis = JSON.parse(ran.stdout) as Diagnosis;
      expect(['healthy', 'undecided']).toContain(diagnosis.verdict.status);
      expect(codes(diagnosis)).toEqual([]);
    } finally {
      between.close();
    }
  });
});

test('no debug pod is left behind', async () => {
  expect(await debugPods()).toBe('');
});
