/** Two evaluators over many small random worlds. A seed names a world, so a difference can be made again by its number alone. */
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { networkPolicy } from '../../src/facts/objects.ts';
import { decide, policySet } from '../../src/policy/decide.ts';
import { fromNetworkPolicy } from '../../src/policy/network-policy.ts';
import type { Party } from '../../src/policy/rule.ts';
import { readPolicies } from '../../src/policy/kinds.ts';
import { naive, naiveInTiers, type RawAdminPolicy, type RawAdminRule, type RawParty, type RawPod, type RawPolicy } from './naive.ts';
import { keepFigures } from '../support/figures.ts';
import { generator } from '../support/random.ts';

/** Fewer where the code is changed a thousand times (test/mutation). */
const worlds = Number(process.env['WORLDS'] ?? 40_000);

interface World {
  parties: RawParty[];
  policies: RawPolicy[];
  /** Of the whole cluster: none in every other world. */
  admin: RawAdminPolicy[];
}

/** Few keys, values, ports and blocks, so that things meet by chance. */
function worldOf(random: () => number): World {
  const one = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const maybe = (chance: number) => random() < chance;
  const some = <T>(most: number, make: () => T): T[] => Array.from({ length: Math.floor(random() * (most + 1)) }, make);
  const labels = () => Object.fromEntries(some(2, () => [one(['app', 'role']), one(['a', 'b'])]));
  const namespaces = ['x', 'y'].map((name) => ({ name, labels: { 'kubernetes.io/metadata.name': name, ...labels() } }));
  const pods = Array.from({ length: 4 }, (_, i): RawPod => {
    const home = one(namespaces);
    return {
      namespace: home.name,
      name: `p${i}`,
      labels: labels(),
      namespaceLabels: home.labels,
      address: `10.0.${Math.floor(random() * 2)}.${i + 1}`,
      ports: some(2, () => ({ name: one(['http', 'dns']), port: one([80, 81, 53]), protocol: one(['TCP', 'UDP']) })),
    };
  });
  const selector = () => ({
    ...(maybe(0.5) && { matchLabels: labels() }),
    ...(maybe(0.4) && {
      matchExpressions: some(2, () => {
        const operator = one(['In', 'NotIn', 'Exists', 'DoesNotExist']);
        return {
          key: one(['app', 'role', 'kubernetes.io/metadata.name']),
          operator,
          ...((operator === 'In' || operator === 'NotIn') && { values: [one(['a', 'b', 'x', 'y'])] }),
        };
      }),
    }),
  });
  const peer = () =>
    maybe(0.25)
      ? {
          ipBlock: {
            cidr: one(['10.0.0.0/16', '10.0.1.0/24', '203.0.113.0/24', '0.0.0.0/0', '10.0.0.2/31']),
            ...(maybe(0.4) && { except: [one(['10.0.0.0/24', '203.0.113.8/29', '10.0.0.3/32'])] }),
          },
        }
      : one([
          () => ({ podSelector: selector() }),
          () => ({ namespaceSelector: selector() }),
          () => ({ podSelector: selector(), namespaceSelector: selector() }),
        ])();
  const port = () => {
    const number = one([53, 79, 80]);
    return {
      ...(maybe(0.6) && { protocol: one(['TCP', 'UDP', 'SCTP']) }),
      ...(maybe(0.4) ? { port: one(['http', 'dns']) } : maybe(0.8) ? { port: number, ...(maybe(0.4) && { endPort: number + one([0, 1, 5]) }) } : {}),
    };
  };
  const policies = some(
    4,
    (): RawPolicy => ({
      metadata: { name: `n${Math.floor(random() * 1e6)}`, namespace: one(['x', 'y']) },
      spec: {
        ...(maybe(0.9) && { podSelector: selector() }),
        ...(maybe(0.6) && { policyTypes: one([['Ingress'], ['Egress'], ['Ingress', 'Egress']]) }),
        ...(maybe(0.7) && { ingress: some(3, () => ({ ...(maybe(0.7) && { from: some(3, peer) }), ...(maybe(0.6) && { ports: some(2, port) }) })) }),
        ...(maybe(0.6) && { egress: some(3, () => ({ ...(maybe(0.7) && { to: some(3, peer) }), ...(maybe(0.6) && { ports: some(2, port) }) })) }),
      },
    }),
  );
  const adminPeer = () => (maybe(0.5) ? { namespaces: selector() } : { pods: { namespaceSelector: selector(), podSelector: selector() } });
  const protocol = () => one(['TCP', 'UDP', 'SCTP']);
  const start = () => one([53, 79, 80]);
  const adminPort = () =>
    one([
      () => ({ portNumber: { protocol: protocol(), port: start() } }),
      () => ({ portRange: { protocol: protocol(), start: start(), end: 80 + one([0, 1, 5]) } }),
      () => ({ namedPort: one(['http', 'dns']) }),
    ])();
  const transport = () =>
    one([
      () => ({ [protocol().toLowerCase()]: one([{}, { destinationPort: { number: start() } }, { destinationPort: { range: { start: start(), end: 81 } } }]) }),
      () => ({ destinationNamedPort: one(['http', 'dns']) }),
    ])();
  const adminRule = (v2: boolean, baseline: boolean, direction: 'from' | 'to'): RawAdminRule => {
    const action = one([v2 ? 'Accept' : 'Allow', 'Deny', ...(baseline && !v2 ? [] : ['Pass'])]);
    const networks = direction === 'to' && maybe(0.3) ? [{ networks: [one(['10.0.0.0/16', '0.0.0.0/0', '203.0.113.0/24'])] }] : [];
    return {
      action,
      [direction]: [adminPeer(), ...networks],
      ...(maybe(0.5) && (v2 ? { protocols: [transport(), ...some(1, transport)] } : { ports: [adminPort(), ...some(1, adminPort)] })),
    };
  };
  const admin = maybe(0.5)
    ? some(3, () => 0).map((_, priority): RawAdminPolicy => {
        const kind = one(['AdminNetworkPolicy', 'BaselineAdminNetworkPolicy', 'ClusterNetworkPolicy'] as const);
        const v2 = kind === 'ClusterNetworkPolicy';
        const baseline = kind === 'BaselineAdminNetworkPolicy' || (v2 && maybe(0.5));
        return {
          apiVersion: `policy.networking.k8s.io/${v2 ? 'v1alpha2' : 'v1alpha1'}`,
          kind,
          metadata: { name: `a${priority}` },
          spec: {
            ...(v2 && { tier: baseline ? 'Baseline' : 'Admin' }),
            ...(kind !== 'BaselineAdminNetworkPolicy' && { priority: priority + 1 }),
            subject: adminPeer(),
            ...(maybe(0.8) && { ingress: some(3, () => adminRule(v2, baseline, 'from')) }),
            ...(maybe(0.8) && { egress: some(3, () => adminRule(v2, baseline, 'to')) }),
          },
        };
      })
    : [];
  // There is one baseline of v1alpha1, called "default".
  const singles = admin.filter((p, i) => p.kind !== 'BaselineAdminNetworkPolicy' || admin.findIndex((q) => q.kind === p.kind) === i);
  return { admin: singles, parties: [...pods, { address: '203.0.113.9' }, { address: '198.51.100.1' }], policies };
}

const asParty = (p: RawParty): Party => ({
  addresses: [p.address],
  node: null,
  pod: 'labels' in p ? { ...p, hostNetwork: false, node: 'node1', ports: p.ports.map((x) => ({ ...x, protocol: x.protocol as 'TCP' })) } : null,
});

/** Where the two evaluators differ in one world, in words. */
function differences(seed: number): string[] {
  const random = generator(seed);
  const { parties, policies, admin } = worldOf(random);
  const read = readPolicies(admin);
  if (read.unread.length > 0) return [`seed ${seed}: ${JSON.stringify(read.unread)}`];
  const set = policySet([...policies.map((p) => fromNetworkPolicy(v.parse(networkPolicy, p))), ...read.policies]);
  const found: string[] = [];
  for (let i = 0; i < 4; i++) {
    const [self, other] = [0, 1].map(() => parties[Math.floor(random() * parties.length)] as RawParty) as [RawParty, RawParty];
    const port = [53, 79, 80, 81][Math.floor(random() * 4)] as number;
    const protocol = (['TCP', 'UDP', 'SCTP'] as const)[Math.floor(random() * 3)] as 'TCP';
    for (const direction of ['Ingress', 'Egress'] as const) {
      const first = decide(direction.toLowerCase() as 'ingress', asParty(self), asParty(other), { port, protocol }, set).verdict;
      const second = naiveInTiers(direction, self, other, port, protocol, policies, admin) ? 'allowed' : 'denied';
      if (first !== second)
        found.push(
          `seed ${seed}: ${direction} ${JSON.stringify({ self, other, port, protocol })}: ${first}, the naive evaluator says ${second}; policies ${JSON.stringify([...policies, ...admin])}`,
        );
    }
  }
  return found;
}

describe('two evaluators that share nothing', () => {
  test(`agree over ${worlds} random worlds`, () => {
    const found: string[] = [];
    for (let seed = 1; seed <= worlds; seed++) found.push(...differences(seed));
    keepFigures('policies', { runs: worlds, wrong: found.length });
    expect(found.slice(0, 3)).toEqual([]);
  });

  test('the worlds are worth it: both answers are common', () => {
    let denied = 0;
    for (let seed = 1; seed <= 2000; seed++) {
      const { parties, policies } = worldOf(generator(seed));
      if (!naive('Ingress', parties[0] as RawParty, parties[1] as RawParty, 80, 'TCP', policies)) denied++;
    }
    expect(denied).toBeGreaterThan(200);
    expect(denied).toBeLessThan(1800);
  });
});
