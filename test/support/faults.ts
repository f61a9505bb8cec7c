/** Faults of one Service, of which two at once may hide each other: what breaks the objects, and the cause that they have to be named as. */
import { stringify } from 'yaml';
import type { Code } from '../../src/catalog/codes.ts';

export interface Objects {
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

export const faults: Record<string, (o: Objects) => void> = {
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

/** As which cause each is named. */
export const codeOf: Record<string, Code> = {
  'a selector that matches nothing': 'selector-mismatch',
  'a targetPort where nothing listens': 'target-port-not-listening',
  'a targetPort of a name that no container has': 'named-port-missing',
  'a default-deny': 'policy-denies-ingress',
  'egress for DNS only': 'policy-denies-egress',
  'egress without DNS': 'policy-denies-dns',
  'no replicas': 'no-replicas',
  'a probe of a wrong port': 'readiness-failing',
  'a request that fits on no node': 'pods-unschedulable',
  'a label that takes it from kube-proxy': 'service-excluded-from-proxy',
  'internalTrafficPolicy Local, and no endpoint on the node': 'local-policy-no-endpoint',
};

const whole = (): Objects => ({
  deployment: { replicas: 2, cpu: undefined, probePort: 8080 },
  service: { labels: {}, selector: { app: 'shop' }, targetPort: 8080, local: false },
  policies: {},
});

/** The Service shop with these faults, its Deployment on node2, and a pod client on node1. */
export function brokenBy(...names: readonly string[]): string {
  const objects = whole();
  for (const name of names) faults[name]?.(objects);
  return manifests(objects);
}

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
