/**
 * Policies against packets: sets of NetworkPolicies are applied in the real cluster, every pod connects to every other on
 * each port, and `reach` is held to what connected. Some sets are written for one feature each; the others are drawn at
 * random, a seed a set, so that a difference can be made again by its number alone.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNamespace, deleteNamespace, doctor, must, run } from '../support/kubectl.ts';
import { generator } from '../support/random.ts';

const namespaces = { 'pw-a': { team: 'red' }, 'pw-b': { team: 'blue' }, 'pw-c': { team: 'blue', env: 'prod' } } as const;
type Namespace = keyof typeof namespaces;
const names = Object.keys(namespaces) as Namespace[];
const file = join(mkdtempSync(join(tmpdir(), 'k8s-doctor-policies-')), 'connected.json');

interface Pod {
  namespace: Namespace;
  name: string;
  labels: Record<string, string>;
  /** Which of its two TCP ports is called `http`. */
  http: 8080 | 9090;
  /** Which of the cluster's nodes, counted round. */
  node: number;
}
const pods: Pod[] = [
  { namespace: 'pw-a', name: 'web', labels: { app: 'web', tier: 'front' }, http: 8080, node: 0 },
  { namespace: 'pw-a', name: 'api', labels: { app: 'api' }, http: 9090, node: 1 },
  { namespace: 'pw-a', name: 'plain', labels: {}, http: 8080, node: 0 },
  { namespace: 'pw-b', name: 'web', labels: { app: 'web' }, http: 9090, node: 2 },
  { namespace: 'pw-b', name: 'job', labels: { app: 'job', tier: 'back' }, http: 8080, node: 0 },
  { namespace: 'pw-c', name: 'api', labels: { app: 'api', tier: 'back' }, http: 8080, node: 1 },
  { namespace: 'pw-c', name: 'db', labels: { app: 'db', tier: 'back' }, http: 8080, node: 2 },
];
const ports = [
  { port: 8080, protocol: 'TCP' },
  { port: 9090, protocol: 'TCP' },
  { port: 8081, protocol: 'UDP' },
] as const;

const server = (name: string, http: number, udp: number) => ({
  name,
  image: 'registry.k8s.io/e2e-test-images/agnhost:2.57',
  args: ['netexec', `--http-port=${http}`, `--udp-port=${udp}`],
});
const podObject = (p: Pod, nodes: readonly string[]) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: p.name, namespace: p.namespace, labels: p.labels },
  spec: {
    nodeName: nodes[p.node % nodes.length],
    terminationGracePeriodSeconds: 0,
    containers: [
      { name: 'client', image: 'docker.io/nicolaka/netshoot:v0.15', command: ['sleep', '100000'] },
      {
        ...server('one', 8080, 8090),
        ports: [{ name: p.http === 8080 ? 'http' : 'other', containerPort: 8080 }],
      },
      // Without a Corefile it answers every question with who asked.
      {
        name: 'dns',
        image: 'registry.k8s.io/coredns/coredns:v1.14.7',
        args: ['-dns.port', '8081'],
        ports: [{ name: 'dns', containerPort: 8081, protocol: 'UDP' }],
      },
      { ...server('two', 9090, 9091), ports: [{ name: p.http === 9090 ? 'http' : 'other', containerPort: 9090 }] },
    ],
  },
});

const applied = async (...objects: object[]) => {
  const ran = await run('kubectl', ['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }) });
  if (ran.code !== 0) throw new Error(`kubectl apply: ${ran.stderr.trim()}`);
};

const addresses = new Map<Pod, string>();

beforeAll(async () => {
  for (const name of names) await createNamespace(name);
  for (const name of names) await must('label', 'namespace', name, ...Object.entries(namespaces[name]).map(([k, x]) => `${k}=${x}`));
  const nodes = (await must('get', 'nodes', '-o', 'jsonpath={.items[*].metadata.name}')).split(' ');
  await applied(...pods.map((p) => podObject(p, nodes)));
  for (const name of names) await must('-n', name, 'wait', 'pod', '--all', '--for=condition=Ready', '--timeout=90s');
  for (const p of pods) addresses.set(p, (await must('-n', p.namespace, 'get', 'pod', p.name, '-o', 'jsonpath={.status.podIP}')).trim());
}, 180_000);
afterAll(async () => {
  for (const name of names) await deleteNamespace(name);
});

interface Connected {
  from: { namespace: string; pod: string };
  to: { namespace: string; pod: string };
  port: number;
  protocol: string;
  allowed: boolean;
}

/** One pod to all others on all ports, at once: a line `INDEX PORT yes|no` each. UDP counts as let through where the server's answer came back. */
async function connectFrom(from: Pod): Promise<Connected[]> {
  const tasks = pods.flatMap((to, i) => (to === from ? [] : ports.map((p) => ({ to, i, ...p }))));
  const script = tasks
    .map(({ to, i, port, protocol }) => {
      const ip = addresses.get(to) ?? '';
      const attempt =
        protocol === 'TCP'
          ? `curl -s -o /dev/null --connect-timeout 1 --max-time 2 http://${ip}:${port}/hostname`
          : `dig +tries=2 +time=1 @${ip} -p ${port} name.example A`;
      return `( ${attempt} >/dev/null 2>&1 && echo "${i} ${port} yes" || echo "${i} ${port} no" ) &`;
    })
    .join('\n');
  const ran = await run('kubectl', ['-n', from.namespace, 'exec', '-i', from.name, '-c', 'client', '--', 'sh'], { input: `${script}\nwait\n` });
  const found = new Map(
    ran.stdout
      .split('\n')
      .map((l) => l.split(' '))
      .map(([i, port, answer]) => [`${i} ${port}`, answer]),
  );
  return tasks.map(({ to, i, port, protocol }) => {
    const answer = found.get(`${i} ${port}`);
    if (answer === undefined) throw new Error(`${from.namespace}/${from.name} printed nothing about ${to.name}:${port}: ${ran.stderr}`);
    return { from: { namespace: from.namespace, pod: from.name }, to: { namespace: to.namespace, pod: to.name }, port, protocol, allowed: answer === 'yes' };
  });
}

interface Judged {
  passed: number;
  failed: number;
  failures: (Connected & { verdict: string })[];
}

/** The connections that succeeded, compared with what `reach` reads from the cluster. */
async function judged(): Promise<{ connected: Connected[]; result: Judged }> {
  const connected = (await Promise.all(pods.map(connectFrom))).flat();
  writeFileSync(file, JSON.stringify(connected));
  const ran = await doctor(['reach', '--test', file, '-o', 'json']);
  if (!ran.stdout) throw new Error(`reach: exit ${ran.code}: ${ran.stderr}`);
  return { connected, result: JSON.parse(ran.stdout) as Judged };
}

const failureText = (f: Judged['failures'][number]) =>
  `${f.from.namespace}/${f.from.pod} → ${f.to.namespace}/${f.to.pod}:${f.port}/${f.protocol} ${f.allowed ? 'connected' : 'did not connect'}, reach says ${f.verdict}`;

type Policy = { namespace: Namespace; spec: object };

interface Compared {
  differences: string[];
  judged: number;
  connected: number;
}

/** Applies the policies alone, waits until they are enforced, and compares. */
async function compared(policies: Policy[]): Promise<Compared> {
  await Promise.all(names.map((n) => must('-n', n, 'delete', 'networkpolicies', '--all')));
  if (policies.length > 0)
    await applied(
      ...policies.map((p, i) => ({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: `p${i}`, namespace: p.namespace },
        spec: p.spec,
      })),
    );
  // A plug-in takes a moment; a difference that stays is one.
  await new Promise((r) => setTimeout(r, 2500));
  let last = await judged();
  for (let again = 0; again < 4 && last.result.failed > 0; again++) {
    await new Promise((r) => setTimeout(r, 1500));
    last = await judged();
  }
  return {
    differences: last.result.failures.map(failureText),
    judged: last.result.passed + last.result.failed,
    connected: last.connected.filter((c) => c.allowed).length,
  };
}

const all = pods.length * (pods.length - 1) * ports.length;
const deny = { podSelector: {}, policyTypes: ['Ingress'] };
const label = (l: Record<string, string>) => ({ matchLabels: l });

const written: [string, Policy[], number?][] = [
  ['none: everything connects', [], all],
  ['everything closed, in and out', names.map((namespace) => ({ namespace, spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] } })), 0],
  [
    'ingress [{}] is not []',
    [
      { namespace: 'pw-a', spec: deny },
      { namespace: 'pw-a', spec: { podSelector: label({ app: 'web' }), ingress: [{}] } },
    ],
  ],
  ['podSelector means the own namespace', [{ namespace: 'pw-a', spec: { podSelector: {}, ingress: [{ from: [{ podSelector: label({ app: 'api' }) }] }] } }]],
  [
    'namespaceSelector alone, and empty',
    [
      { namespace: 'pw-a', spec: { podSelector: {}, ingress: [{ from: [{ namespaceSelector: label({ team: 'blue' }) }] }] } },
      { namespace: 'pw-b', spec: { podSelector: {}, ingress: [{ from: [{ namespaceSelector: {} }] }] } },
    ],
  ],
  [
    'both in one peer',
    [
      {
        namespace: 'pw-a',
        spec: { podSelector: {}, ingress: [{ from: [{ namespaceSelector: label({ team: 'blue' }), podSelector: label({ app: 'web' }) }] }] },
      },
    ],
  ],
  [
    'as two peers',
    [
      {
        namespace: 'pw-a',
        spec: { podSelector: {}, ingress: [{ from: [{ namespaceSelector: label({ env: 'prod' }) }, { podSelector: label({ app: 'web' }) }] }] },
      },
    ],
  ],
  [
    'all four operators',
    [
      {
        namespace: 'pw-c',
        spec: {
          podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['api', 'db'] }] },
          ingress: [
            { from: [{ namespaceSelector: {}, podSelector: { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['back'] }] } }] },
            {
              from: [
                {
                  namespaceSelector: { matchExpressions: [{ key: 'env', operator: 'DoesNotExist' }] },
                  podSelector: { matchExpressions: [{ key: 'tier', operator: 'Exists' }] },
                },
              ],
            },
          ],
        },
      },
    ],
  ],
  ['a named port that differs between pods', [{ namespace: 'pw-a', spec: { podSelector: {}, ingress: [{ ports: [{ port: 'http' }] }] } }]],
  ['a named port on the way out', [{ namespace: 'pw-b', spec: { podSelector: {}, policyTypes: ['Egress'], egress: [{ ports: [{ port: 'http' }] }] } }]],
  [
    'endPort, and a protocol alone',
    [
      { namespace: 'pw-a', spec: { podSelector: {}, ingress: [{ ports: [{ port: 8000, endPort: 8080 }] }] } },
      { namespace: 'pw-c', spec: { podSelector: {}, ingress: [{ ports: [{ protocol: 'UDP' }] }] } },
    ],
  ],
  [
    'policyTypes derived: egress rules close both ways',
    [{ namespace: 'pw-b', spec: { podSelector: label({ app: 'job' }), egress: [{ to: [{ podSelector: {} }] }] } }],
  ],
  [
    'two policies add up',
    [
      { namespace: 'pw-c', spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] } },
      {
        namespace: 'pw-c',
        spec: { podSelector: label({ app: 'db' }), ingress: [{ from: [{ namespaceSelector: label({ team: 'red' }) }], ports: [{ port: 9090 }] }] },
      },
    ],
  ],
  [
    'out and in both must allow',
    [
      { namespace: 'pw-a', spec: { podSelector: {}, policyTypes: ['Egress'], egress: [{ to: [{ namespaceSelector: label({ env: 'prod' }) }] }] } },
      {
        namespace: 'pw-c',
        spec: { podSelector: {}, ingress: [{ from: [{ namespaceSelector: label({ team: 'red' }), podSelector: label({ app: 'web' }) }] }] },
      },
    ],
  ],
];

/** Blocks by the addresses that the pods have now: one pod, a node's pods, all but a node's pods. */
const byAddress = (): [string, Policy[]][] => {
  const ip = (i: number) => addresses.get(pods[i] as Pod) ?? '';
  const node = (i: number) => `${ip(i).split('.').slice(0, 3).join('.')}.0/24`;
  return [
    ['ipBlock: one pod', [{ namespace: 'pw-a', spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: `${ip(3)}/32` } }] }] } }]],
    [
      'ipBlock with except',
      [{ namespace: 'pw-c', spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '10.244.0.0/16', except: [node(0)] } }] }] } }],
    ],
    [
      'ipBlock on the way out, what one leaves out another holds',
      [
        {
          namespace: 'pw-b',
          spec: {
            podSelector: {},
            policyTypes: ['Egress'],
            egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0', except: [node(1)] } }, { ipBlock: { cidr: `${ip(1)}/32` } }], ports: [{ port: 8080 }] }],
          },
        },
      ],
    ],
  ];
};

function random(seed: number): Policy[] {
  const next = generator(seed);
  const one = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T;
  const maybe = (chance: number) => next() < chance;
  const some = <T>(most: number, make: () => T): T[] => Array.from({ length: 1 + Math.floor(next() * most) }, make);
  const expression = (keys: [string, string[]][]) => {
    const [key, values] = one(keys);
    const operator = one(['In', 'NotIn', 'Exists', 'DoesNotExist']);
    return { key, operator, ...((operator === 'In' || operator === 'NotIn') && { values: some(1, () => one(values)) }) };
  };
  const podKeys: [string, string[]][] = [
    ['app', ['web', 'api', 'db', 'job']],
    ['tier', ['front', 'back']],
  ];
  const namespaceKeys: [string, string[]][] = [
    ['team', ['red', 'blue']],
    ['env', ['prod']],
    ['kubernetes.io/metadata.name', names],
  ];
  const selector = (keys: [string, string[]][]) => {
    if (maybe(0.2)) return {};
    if (maybe(0.5)) {
      const [key, values] = one(keys);
      return { matchLabels: { [key]: one(values) } };
    }
    return { matchExpressions: some(1, () => expression(keys)) };
  };
  const address = () => addresses.get(one(pods)) ?? '';
  const peer = () =>
    one([
      () => ({ podSelector: selector(podKeys) }),
      () => ({ namespaceSelector: selector(namespaceKeys) }),
      () => ({ podSelector: selector(podKeys), namespaceSelector: selector(namespaceKeys) }),
      () => {
        const own = address();
        return {
          ipBlock: { cidr: '10.244.0.0/16', ...(maybe(0.7) && { except: [maybe(0.5) ? `${own}/32` : `${own.split('.').slice(0, 3).join('.')}.0/24`] }) },
        };
      },
    ])();
  const port = () =>
    one([
      () => ({ port: one([8080, 9090]) }),
      () => ({ port: one(['http', 'other']) }),
      () => ({ port: one(['dns', 8081]), protocol: 'UDP' }),
      () => ({ port: 8000, endPort: one([8080, 8100, 9100]) }),
      () => ({ protocol: one(['TCP', 'UDP']) }),
    ])();
  const rule = (key: 'from' | 'to') => ({ ...(maybe(0.8) && { [key]: some(2, peer) }), ...(maybe(0.6) && { ports: some(2, port) }) });
  return some(4, (): Policy => {
    const types = one([['Ingress'], ['Egress'], ['Ingress', 'Egress'], undefined]);
    return {
      namespace: one(names),
      spec: {
        podSelector: selector(podKeys),
        ...(types && { policyTypes: types }),
        ...(maybe(0.8) && { ingress: some(2, () => rule('from')) }),
        ...(maybe(0.6) && { egress: some(2, () => rule('to')) }),
      },
    };
  });
}

describe('sets of policies, every pod to every other', () => {
  test.each(written)('%s', async (_, policies, expected) => {
    const { differences, judged: asked, connected } = await compared(policies);
    expect(differences).toEqual([]);
    expect(asked).toBe(all);
    expect(connected).toBe(expected ?? connected);
  });
  test.each([0, 1, 2])('by address, %i', async (i) => {
    const { differences, connected } = await compared(byAddress()[i]?.[1] ?? []);
    expect(differences).toEqual([]);
    expect(connected).toBeLessThan(all);
  });
  // Some each time, all at night.
  test.each(Array.from({ length: process.env['NIGHTLY'] ? 30 : 6 }, (_, i) => i + 1))('drawn at random, seed %i', async (seed) => {
    expect(await compared(random(seed))).toMatchObject({ differences: [], judged: all });
  });
});
