/** Two faults at once, of which one may hide the other: one `fix --yes` repairs both, and undo brings both back. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { apply, createNamespace, deleteNamespace, doctor, must } from '../support/kubectl.ts';

interface Objects {
  deployment: { replicas: number; cpu: string | undefined; probePort: number };
  service: { labels: Record<string, string>; selector: Record<string, string>; targetPort: number | string; local: boolean };
  policies: Record<string, object>;
}

const dns = {
  to: [{ namespaceSelector: {} }],
  ports: [
    { port: 53, protocol: 'UDP' },
    { port: 53, protocol: 'TCP' },
  ],
};

const faults: Record<string, (o: Objects) => void> = {
  'a selector that matches nothing': (o) => (o.service.selector = { app: 'shpo' }),
  'a targetPort where nothing listens': (o) => (o.service.targetPort = 8081),
  'a targetPort of a name that no container has': (o) => (o.service.targetPort = 'web'),
  'a default-deny': (o) => (o.policies['default-deny'] = { podSelector: {}, policyTypes: ['Ingress'] }),
  'egress for DNS only': (o) => (o.policies['dns-only'] = { podSelector: { matchLabels: { app: 'client' } }, policyTypes: ['Egress'], egress: [dns] }),
  'egress without DNS': (o) =>
    (o.policies['shop-only'] = {
      podSelector: { matchLabels: { app: 'client' } },
      policyTypes: ['Egress'],
      egress: [{ to: [{ podSelector: { matchLabels: { app: 'shop' } } }] }],
    }),
  'no replicas': (o) => (o.deployment.replicas = 0),
  'a probe of a wrong port': (o) => (o.deployment.probePort = 9),
  'a request that fits on no node': (o) => (o.deployment.cpu = '64'),
  'a label that takes it from kube-proxy': (o) => (o.service.labels['service.kubernetes.io/service-proxy-name'] = 'other'),
  'internalTrafficPolicy Local, and no endpoint on the node': (o) => (o.service.local = true),
};

const pairs: [string, string][] = [
  ['a selector that matches nothing', 'a default-deny'],
  ['a targetPort where nothing listens', 'a default-deny'],
  ['a selector that matches nothing', 'a targetPort where nothing listens'],
  ['no replicas', 'a default-deny'],
  ['a probe of a wrong port', 'egress for DNS only'],
  ['egress without DNS', 'a targetPort where nothing listens'],
  ['a label that takes it from kube-proxy', 'egress for DNS only'],
  ['a request that fits on no node', 'a selector that matches nothing'],
  ['a targetPort of a name that no container has', 'a default-deny'],
  ['internalTrafficPolicy Local, and no endpoint on the node', 'a default-deny'],
];

/** The most telling ones first: they run each time, the others with NIGHTLY. */
const chosen = process.env['NIGHTLY'] === undefined ? pairs.slice(0, 4) : pairs;

function manifests(o: Objects): string {
  const { deployment: d, service: s } = o;
  const container = {
    name: 'web',
    image: 'registry.k8s.io/e2e-test-images/agnhost:2.57',
    args: ['netexec', '--http-port=8080'],
    ports: [{ name: 'http', containerPort: 8080 }],
    readinessProbe: { httpGet: { path: '/', port: d.probePort }, periodSeconds: 1 },
    ...(d.cpu !== undefined && { resources: { requests: { cpu: d.cpu } } }),
  };
  const template = {
    metadata: { labels: { app: 'shop' } },
    spec: { terminationGracePeriodSeconds: 1, nodeSelector: { 'kubernetes.io/hostname': 'node2' }, containers: [container] },
  };
  const client = { name: 'c', image: 'docker.io/nicolaka/netshoot:v0.15', command: ['sleep', '100000'] };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'shop' },
      spec: { replicas: d.replicas, selector: { matchLabels: { app: 'shop' } }, template },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'shop', labels: s.labels },
      spec: { selector: s.selector, ports: [{ name: 'http', port: 80, targetPort: s.targetPort }], ...(s.local && { internalTrafficPolicy: 'Local' }) },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'client', labels: { app: 'client' } },
      spec: { terminationGracePeriodSeconds: 0, nodeName: 'node1', containers: [client] },
    },
    ...Object.entries(o.policies).map(([name, spec]) => ({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name }, spec })),
  ]
    .map((x) => stringify(x))
    .join('---\n');
}

const specsOf = async (namespace: string): Promise<string> =>
  must(
    '-n',
    namespace,
    'get',
    'services,deployments,networkpolicies',
    '-o',
    'jsonpath={range .items[*]}{.kind}/{.metadata.name}/{.metadata.labels}/{.spec}{"\\n"}{end}',
  );

describe('two faults at once', () => {
  test.concurrent.each(chosen.map(([a, b], i) => [`${a}, and ${b}`, a, b, i] as const))(
    '%s',
    async (_, a, b, i) => {
      const namespace = `pair-${i}`;
      const objects: Objects = {
        deployment: { replicas: 2, cpu: undefined, probePort: 8080 },
        service: { labels: {}, selector: { app: 'shop' }, targetPort: 8080, local: false },
        policies: {},
      };
      for (const fault of [a, b]) faults[fault]?.(objects);
      const cwd = mkdtempSync(join(tmpdir(), 'k8s-doctor-pair-'));
      await createNamespace(namespace);
      try {
        await apply(namespace, manifests(objects));
        await must('-n', namespace, 'wait', 'pod/client', '--for=condition=Ready', '--timeout=60s');
        await new Promise((r) => setTimeout(r, 5000));
        const before = await specsOf(namespace);
        const fixed = await doctor(['fix', 'shop', '-n', namespace, '--from', 'pod/client', '--yes', '-q', '-o', 'json'], { cwd, timeoutMs: 200_000 });
        expect(fixed.code, fixed.stderr).toBe(0);
        const { verdict, probes } = JSON.parse(fixed.stdout) as Diagnosis;
        expect(verdict.status, fixed.stderr).toBe('healthy');
        expect(probes.some((p) => p.kind === 'tcp' && p.outcome === 'answered')).toBe(true);
        const [file = ''] = readdirSync(cwd);
        const back = await doctor(['fix', '--undo', file, '--yes'], { cwd });
        expect(back.code, back.stdout + back.stderr).toBe(0);
        expect(await specsOf(namespace)).toBe(before);
      } finally {
        await deleteNamespace(namespace);
        rmSync(cwd, { recursive: true });
      }
    },
    300_000,
  );
});
