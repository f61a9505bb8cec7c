/** Services of every kind; their rules on the nodes are compared with real connections. */
import type { Family } from '../../src/facts/selectors.ts';

export const zoo = 'proxy-zoo';
/** Server pods: two on the first node, two on the second, one on the third. */
export const servers = ['s1a', 's1b', 's2a', 's2b', 's3a'] as const;
export const nodeOf = (name: string): number => Number(name[1]) - 1;

const http = 8080;
const dns = 8053;
/** Documentation ranges (RFC 5737, RFC 3849): nobody has these addresses. */
const rangesOf = {
  IPv4: { external: '198.51.100.', balanced: '192.0.2.', elsewhere: '203.0.113.0/24', pods: '10.244.0.0/16', all: '0.0.0.0/0', one: 32 },
  IPv6: { external: '2001:db8:1::', balanced: '2001:db8:2::', elsewhere: '2001:db8:3::/48', pods: 'fd00:244::/32', all: '::/0', one: 128 },
} as const;

type Where = 'all' | 'one' | 'none' | 'unready' | 'hand-made';
export interface ZooService {
  object: { metadata: { name: string; namespace: string; labels?: Record<string, string> }; spec: Record<string, unknown> };
  ingress?: string;
  slice?: object;
}

const ports = [
  { name: 'http', port: 80, targetPort: http, protocol: 'TCP' },
  { name: 'dns', port: 53, targetPort: dns, protocol: 'UDP' },
];

function service(name: string, where: Where, spec: Record<string, unknown>, labels?: Record<string, string>): ZooService {
  const selector = where === 'hand-made' ? {} : { selector: { [`in-${where}`]: 'yes' } };
  return { object: { metadata: { name, namespace: zoo, ...(labels && { labels }) }, spec: { ports, ...selector, ...spec } } };
}

const short = (x: Record<string, unknown>) =>
  Object.values(x)
    .flat()
    .map((y) =>
      String(y)
        .toLowerCase()
        .replaceAll(/[^a-z0-9]/g, ''),
    )
    .join('-');

function* grid<T extends Record<string, readonly unknown[]>>(choices: T): Generator<{ [K in keyof T]: T[K][number] }> {
  const [first, ...rest] = Object.entries(choices);
  if (!first) return void (yield {} as { [K in keyof T]: T[K][number] });
  for (const value of first[1]) for (const more of grid(Object.fromEntries(rest))) yield { [first[0]]: value, ...more } as { [K in keyof T]: T[K][number] };
}

const wheres = ['all', 'one', 'none', 'unready'] as const;
const policies = ['Cluster', 'Local'] as const;
const affinities = ['None', 'ClientIP'] as const;

/** A manually created EndpointSlice for a Service without selector. */
function slice(name: string, endpoints: object[], addresses: Record<string, string>, addressType: Family): object {
  const real = (endpoints as { pod: string }[]).map(({ pod, ...rest }) => ({ addresses: [addresses[pod]], ...rest }));
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-hand`, namespace: zoo, labels: { 'kubernetes.io/service-name': name } },
    addressType,
    ports: [
      { name: 'http', port: http, protocol: 'TCP' },
      { name: 'dns', port: dns, protocol: 'UDP' },
    ],
    endpoints: real,
  };
}

/** All Services of a release v1.`minor`, in one family; `addresses`: of the server pods by name, `nodes`: names, in order, of three nodes in the zones a, b and b. */
export function zooServices(
  addresses: Record<string, string>,
  nodes: readonly string[],
  nodeAddresses: readonly string[],
  family: Family,
  minor: number,
): ZooService[] {
  const own = rangesOf[family];
  let external = 0;
  let balanced = 0;
  const nextExternal = () => `${own.external}${(external += 1)}`;
  const nextBalanced = () => `${own.balanced}${(balanced += 1)}`;
  const found: ZooService[] = [];
  for (const x of grid({ where: wheres, internalTrafficPolicy: policies, sessionAffinity: affinities })) {
    const { where, ...spec } = x;
    found.push(service(`ci-${short(x)}`, where, spec));
  }
  for (const x of grid({ where: wheres, externalTrafficPolicy: policies, internalTrafficPolicy: policies, sessionAffinity: affinities })) {
    const { where, ...spec } = x;
    found.push(service(`np-${short(x)}`, where, { type: 'NodePort', ...spec }));
    found.push(service(`ex-${short(x)}`, where, { externalIPs: [nextExternal()], ...spec }));
  }
  const ranges = [[], [own.elsewhere], [`${nodeAddresses[1]}/${own.one}`, own.elsewhere], [own.pods], [own.all]];
  for (const x of grid({ where: ['all', 'one', 'none'] as const, externalTrafficPolicy: policies, ranges })) {
    const { where, ranges: loadBalancerSourceRanges, ...spec } = x;
    const name = `lb-${short({ where, p: x.externalTrafficPolicy, r: ranges.indexOf(loadBalancerSourceRanges) })}`;
    found.push({ ...service(name, where, { type: 'LoadBalancer', loadBalancerSourceRanges, ...spec }), ingress: nextBalanced() });
    found.push({
      ...service(`${name}-no`, where, { type: 'LoadBalancer', loadBalancerSourceRanges, allocateLoadBalancerNodePorts: false, ...spec }),
      ingress: nextBalanced(),
    });
  }
  for (const where of wheres) {
    found.push(service(`hl-${where}`, where, { clusterIP: 'None' }));
    found.push(service(`un-${where}`, where, { ports: [{ port: 80, targetPort: http }] }));
    found.push(service(`nm-${where}`, where, { ports: [{ port: 80, targetPort: 'web' }] }));
    found.push(service(`ag-${where}`, where, { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 77 } } }));
    found.push(service(`pn-${where}`, where, { publishNotReadyAddresses: true }));
    found.push(service(`px-${where}`, where, {}, { 'service.kubernetes.io/service-proxy-name': 'somebody-else' }));
    found.push(service(`hb-${where}`, where, {}, { 'service.kubernetes.io/headless': '' }));
    found.push(service(`wp-${where}`, where, { ports: [{ port: 80, targetPort: 8099 }] }));
    // PreferSameZone and PreferSameNode are there since v1.34; before, PreferClose means the first of them.
    found.push(service(`tz-${where}`, where, { trafficDistribution: minor < 34 ? 'PreferClose' : 'PreferSameZone' }));
    if (minor >= 34) found.push(service(`tn-${where}`, where, { trafficDistribution: 'PreferSameNode' }));
  }
  found.push({ object: { metadata: { name: 'en-one', namespace: zoo }, spec: { type: 'ExternalName', externalName: 'www.example.com' } } });
  found.push({ object: { metadata: { name: 'en-two', namespace: zoo }, spec: { type: 'ExternalName', externalName: `ci-all.${zoo}.svc.cluster.local` } } });

  const at = (pod: string, more: object = {}) => ({ pod, nodeName: nodes[nodeOf(pod)], ...more });
  const going = { conditions: { ready: false, serving: true, terminating: true } };
  const gone = { conditions: { ready: false, serving: false, terminating: true } };
  const hands: Record<string, object[]> = {
    terminating: servers.map((s) => at(s, going)),
    'some-terminating': servers.map((s) => at(s, s.startsWith('s1') ? going : {})),
    'not-serving': servers.map((s) => at(s, gone)),
    'without-conditions': servers.map((s) => at(s)),
    'without-node': servers.map((pod) => ({ pod })),
    'zone-hints': servers.map((s) => at(s, { hints: { forZones: [{ name: s.startsWith('s1') ? 'a' : 'b' }] } })),
    'zone-hints-but-one': servers.map((s) => at(s, s === 's3a' ? {} : { hints: { forZones: [{ name: s.startsWith('s1') ? 'a' : 'b' }] } })),
    'zone-hints-elsewhere': servers.map((s) => at(s, { hints: { forZones: [{ name: 'c' }] } })),
    'node-hints': servers.map((s) => at(s, { hints: { forNodes: [{ name: nodes[nodeOf(s)] }] } })),
    'node-hints-one': ['s2a', 's2b'].map((s) => at(s, { hints: { forNodes: [{ name: nodes[1] }], forZones: [{ name: 'b' }] } })),
    'terminating-here': servers.map((s) => at(s, s.startsWith('s2') ? going : s.startsWith('s3') ? gone : {})),
  };
  for (const [kind, endpoints] of Object.entries(hands))
    for (const externalTrafficPolicy of policies) {
      const name = `hm-${kind}-${externalTrafficPolicy.toLowerCase()}`;
      const spec = { type: 'NodePort', externalTrafficPolicy, internalTrafficPolicy: externalTrafficPolicy };
      found.push({ ...service(name, 'hand-made', spec), slice: slice(name, endpoints, addresses, family) });
    }
  for (const { object } of found)
    if (object.spec['type'] !== 'ExternalName') Object.assign(object.spec, { ipFamilyPolicy: 'SingleStack', ipFamilies: [family] });
  return found;
}

export const corefile = `.:${dns} {
  template IN A {
    answer "{{ .Name }} 0 IN A {$POD_IP}"
  }
}
`;

export function serverPod(name: string, nodes: readonly string[]): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: zoo, labels: { 'in-all': 'yes', ...(name === 's1a' && { 'in-one': 'yes' }) } },
    spec: {
      nodeName: nodes[nodeOf(name)],
      terminationGracePeriodSeconds: 0,
      containers: serverContainers(),
      volumes: [{ name: 'corefile', configMap: { name: 'corefile' } }],
    },
  };
}

export function unreadyPod(nodes: readonly string[]): object {
  const [one, ...rest] = serverContainers();
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 's2x', namespace: zoo, labels: { 'in-unready': 'yes' } },
    spec: {
      nodeName: nodes[1],
      terminationGracePeriodSeconds: 0,
      containers: [{ ...one, readinessProbe: { httpGet: { path: '/never', port: 9999 } } }, ...rest],
      volumes: [{ name: 'corefile', configMap: { name: 'corefile' } }],
    },
  };
}

const serverContainers = () => [
  {
    name: 'http',
    image: 'registry.k8s.io/e2e-test-images/agnhost:2.57',
    args: ['netexec', `--http-port=${http}`, '--udp-port=8081'],
    ports: [{ name: 'web', containerPort: http }],
  },
  {
    name: 'dns',
    image: 'registry.k8s.io/coredns/coredns:v1.14.7',
    args: ['-conf', '/etc/coredns/Corefile'],
    env: [{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
    volumeMounts: [{ name: 'corefile', mountPath: '/etc/coredns' }],
  },
];

export const clientPod = (name: string, node: string | undefined, hostNetwork: boolean): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: zoo },
  spec: {
    nodeName: node,
    hostNetwork,
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'client',
        image: 'docker.io/nicolaka/netshoot:v0.15',
        command: ['sleep', '100000'],
        ...(hostNetwork && { securityContext: { privileged: true } }),
      },
    ],
  },
});
