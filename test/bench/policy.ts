/**
 * How long policies take, and how much memory, on worlds of the size of large clusters: `npm run bench:policy`.
 * The worlds are made by a generator with a fixed seed, in many namespaces, with policies that select by labels, namespaces, ranges and ports.
 */
import { policySet } from '../../src/policy/decide.ts';
import { matrixOf } from '../../src/policy/matrix.ts';
import { fromNetworkPolicy } from '../../src/policy/network-policy.ts';
import { reach, worldOf } from '../../src/policy/world.ts';
import type { Party } from '../../src/policy/rule.ts';
import { generator } from '../support/random.ts';

const megabytes = (bytes: number) => `${Math.round(bytes / 1_048_576)} MB`;
const used = () => {
  globalThis.gc?.();
  return process.memoryUsage.rss();
};

/** Objects as the API server gives them. `distinct`: each pod has a label of its own that policies select by. */
function objects(pods: number, policies: number, namespaces: number): object[] {
  const random = generator(7);
  const any = (n: number) => Math.floor(random() * n);
  const labels = () => ({ app: `app-${any(200)}`, tier: ['web', 'api', 'db'][any(3)], team: `team-${any(20)}` });
  const peer = () => {
    const kind = any(10);
    if (kind < 2) return { ipBlock: { cidr: `10.0.${any(64)}.0/24`, except: [`10.0.${any(64)}.0/28`] } };
    if (kind < 5) return { namespaceSelector: { matchLabels: { team: `team-${any(20)}` } }, podSelector: { matchLabels: { tier: 'api' } } };
    return { podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: Array.from({ length: 5 }, () => `app-${any(200)}`) }] } };
  };
  const rule = (key: string) => ({ [key]: Array.from({ length: 3 }, peer), ports: [{ port: 8080 }, { port: 'metrics' }] });
  return [
    ...Array.from({ length: namespaces }, (_, i) => ({ kind: 'Namespace', metadata: { name: `ns-${i}`, labels: { team: `team-${i % 20}` } } })),
    ...Array.from({ length: pods }, (_, i) => ({
      kind: 'Pod',
      metadata: { name: `pod-${i}`, namespace: `ns-${i % namespaces}`, labels: { ...labels(), index: `${i}` } },
      spec: { nodeName: `node-${i % 200}`, containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 8080 }] }] },
      status: { phase: 'Running', podIPs: [{ ip: `10.${(i >> 16) & 7}.${(i >> 8) & 255}.${i & 255}` }] },
    })),
    ...Array.from({ length: policies }, (_, i) => ({
      kind: 'NetworkPolicy',
      metadata: { name: `policy-${i}`, namespace: `ns-${i % namespaces}` },
      spec: {
        podSelector: i % 3 === 0 ? {} : { matchLabels: { tier: ['web', 'api', 'db'][any(3)] } },
        policyTypes: ['Ingress', 'Egress'],
        ingress: Array.from({ length: 3 }, () => rule('from')),
        egress: Array.from({ length: 3 }, () => rule('to')),
      },
    })),
  ];
}

function service(): void {
  const idle = used();
  const world = worldOf(objects(10_000, 1000, 50));
  const built = process.memoryUsage.rss();
  const client = world.pods[17] as Party;
  let allowed = 0;
  let answered = 0;
  const times = Array.from({ length: 15 }, () => {
    const started = performance.now();
    // Each run starts cold: policies remember what they were asked before.
    const set = policySet(world.networkPolicies.map(fromNetworkPolicy));
    allowed = world.pods.slice(0, 500).filter((to) => reach(set, client, to, { port: 8080, protocol: 'TCP' }).verdict === 'allowed').length;
    const ms = performance.now() - started;
    answered ||= process.memoryUsage.rss();
    return ms;
  }).toSorted((a, b) => a - b);
  console.log(
    `1,000 policies, 10,000 pods, one client to 500 endpoints (${allowed} allowed): median ${times[7]?.toFixed(1)} ms, worst ${times.at(-1)?.toFixed(1)} ms`,
  );
  console.log(
    `  memory over the idle process: ${megabytes(built - idle)} while the world is built, ${megabytes(answered - idle)} after the first run's answers`,
  );
}

function matrix(pods: number, policies: number): void {
  const world = worldOf(objects(pods, policies, 20));
  const started = performance.now();
  const found = matrixOf(world.policies, world.pods, () => [{ port: 8080, protocol: 'TCP' }]);
  const ms = performance.now() - started;
  console.log(
    `${pods} × ${pods} pods, ${policies} policies: ${(ms / 1000).toFixed(2)} s, ${found.pairs.allowed} allowed, ${found.pairs.denied} denied, ${found.groups.length} groups`,
  );
}

service();
for (const pods of [500, 1000, 2000]) matrix(pods, 1000);
