import type { Fact } from '../../src/facts/fact.ts';
import type { Client, FactTypes } from '../../src/facts/facts.ts';
import type { Namespace, NetworkPolicy, Pod, Service } from '../../src/facts/objects.ts';
import { endpointsOf, portsAsked, targetsOf } from '../../src/facts/selectors.ts';
import { type Decision, decide, nearMisses, policySet, type PolicySet, ruleText } from '../../src/policy/decide.ts';
import { readPolicies } from '../../src/policy/kinds.ts';
import { fromNetworkPolicy } from '../../src/policy/network-policy.ts';
import { type Connection, type Direction, inside, type Party, type Policy } from '../../src/policy/rule.ts';
import { namespaceLabelsOf, outside, podParty } from '../../src/policy/world.ts';
import type { Evidence } from '../check.ts';
import { some } from '../format.ts';

type Each<T> = Record<string, Fact<T>>;
export type Namespaces = Fact<Each<Namespace | null>>;

/** A namespace's labels; where they could not be read, the one label that every namespace has. */
function labelsOf(namespaces: Namespaces, name: string): Record<string, string> {
  const found = namespaces.seen ? namespaces.value[name] : undefined;
  return namespaceLabelsOf(name, found?.seen && found.value ? found.value.metadata.labels : undefined);
}

export const partyOf = (pod: Pod, namespaces: Namespaces): Party => podParty(pod, labelsOf(namespaces, pod.metadata.namespace));

/** The client as policies see it. From outside the cluster: any address there. */
export function clientParty(client: Client, namespaces: Namespaces): Party {
  if (client.kind === 'external') return outside();
  if (client.kind === 'node') return { pod: null, node: { name: client.name, labels: client.labels }, addresses: client.addresses };
  if (client.pod) return partyOf(client.pod, namespaces);
  return {
    addresses: client.addresses,
    node: null,
    pod: {
      namespace: client.namespace,
      name: client.name,
      labels: client.labels,
      hostNetwork: client.hostNetwork,
      node: client.node,
      namespaceLabels: labelsOf(namespaces, client.namespace),
      ports: [],
    },
  };
}

/** The party with its addresses of one family: a pod of two families has one address in each. */
const overFamilyOf = (party: Party, address: string): Party => {
  const same = party.addresses.filter((a) => a.includes(':') === address.includes(':'));
  return same.length === party.addresses.length ? party : { ...party, addresses: same };
};

export interface Known {
  set: PolicySet;
  /** The NetworkPolicies of the namespaces that could be read. */
  networkPolicies: NetworkPolicy[];
  /** Policies that may decide, and could not be read. */
  blind: string[];
}

/** All policies that were seen, of every kind, in one order. */
export function policiesKnown(policies: FactTypes['policies'], plugin: Fact<FactTypes['pluginPolicies']>): Known {
  const networkPolicies = Object.values(policies).flatMap((f) => (f.seen ? f.value : []));
  const lists = plugin.seen ? Object.entries(plugin.value) : [];
  const others = readPolicies(lists.flatMap(([, f]) => (f.seen ? f.value : [])));
  return {
    set: policySet([...networkPolicies.map(fromNetworkPolicy), ...others.policies], others.tiers),
    networkPolicies,
    blind: [
      ...lists.flatMap(([kind, f]) => (f.seen ? [] : [`${kind} (${f.why})`])),
      ...others.unread.map((u) => `${u.object} (${u.path.join('.')}: ${u.why})`),
    ],
  };
}

/** The policies that cause a denial: the one whose rule denies, or those that isolate the pod. */
export const blockers = (decision: Decision, direction: Direction) =>
  decision.by ? [decision.by.policy] : decision.selecting.filter((p) => p.isolates[direction]);

/** The NetworkPolicy objects among policies, in the same order. */
export const written = (policies: readonly Policy[], known: Known): NetworkPolicy[] =>
  policies.flatMap(
    (p) => known.networkPolicies.find((n) => p.kind === 'NetworkPolicy' && n.metadata.name === p.name && n.metadata.namespace === p.namespace) ?? [],
  );

/** `NetworkPolicy "deny" in namespace shop blocks`, for one or several. */
export function blockerText(decision: Decision, direction: Direction, one: string, many: string): string {
  const found = blockers(decision, direction);
  const kinds = [...new Set(found.map((p) => p.kind))];
  const kind = kinds.length === 1 && kinds[0] ? (found.length === 1 ? kinds[0] : `${kinds[0].replace(/y$/, 'ie')}s`) : 'policies';
  const where = found[0]?.namespace ? ` in namespace ${found[0].namespace}` : '';
  return `${kind} ${some(found.map((p) => `"${p.name}"`))}${where} ${found.length === 1 ? one : many}`;
}

export interface Question {
  direction: Direction;
  self: Party;
  other: Party;
  connection: Connection;
}

/** Why a connection is denied: the rule that denies it; or the policies that isolate the pod, then the nearest rules. */
export function denialEvidence({ direction, self, other, connection }: Question, decision: Decision): Evidence[] {
  if (decision.by) return [{ source: 'policy', text: `${ruleText(decision.by)} denies it, before NetworkPolicies are evaluated` }];
  const isolating = blockers(decision, direction)
    .slice(0, 4)
    .map((p) => {
      const rules = p[direction]?.length ?? 0;
      return {
        source: 'policy',
        text: `${p.name} (${p.namespace ? `namespace ${p.namespace}` : 'whole cluster'}) selects the pod for ${direction} and ${rules === 0 ? `has no ${direction} rule` : 'none of its rules matches'}`,
      };
    });
  const near = nearMisses(direction, self, other, connection, decision)
    .slice(0, 3)
    .map((m, i) => ({
      source: 'policy',
      text: `${m.policy.name}, ${direction} rule ${m.rule.index + 1}: ${m.reason}${i === 0 ? '  ← nearest rule' : ''}`,
    }));
  return [...isolating, ...near];
}

const peersOf = (policy: NetworkPolicy, direction: Direction) =>
  direction === 'ingress' ? policy.spec.ingress.flatMap((r) => r.from) : policy.spec.egress.flatMap((r) => r.to);
const portsOf = (policy: NetworkPolicy, direction: Direction) => (direction === 'ingress' ? policy.spec.ingress : policy.spec.egress).flatMap((r) => r.ports);

/** Rules that name the Service's virtual IP or its port: policies are evaluated after DNAT, on the pod's own address and port. */
export function beforeDnat(
  direction: Direction,
  policies: readonly NetworkPolicy[],
  virtualIps: readonly string[],
  port: { service: number; pod: number },
): Evidence[] {
  return policies.flatMap((p) => {
    const ip = virtualIps.find((a) => peersOf(p, direction).some((x) => x.ipBlock && inside(a, x.ipBlock.cidr) && !x.ipBlock.except.some((e) => inside(a, e))));
    const byPort = port.service !== port.pod && portsOf(p, direction).some((x) => x.port === port.service);
    return [
      ...(ip !== undefined && direction === 'egress'
        ? [
            {
              source: 'policy',
              text: `${p.metadata.name} allows ${ip}, the Service's virtual IP; most plug-ins evaluate a packet after DNAT to the pod's address, which the rule does not match`,
            },
          ]
        : []),
      ...(byPort
        ? [{ source: 'policy', text: `${p.metadata.name} allows port ${port.service}, the Service's port; policies see the pods' port ${port.pod}` }]
        : []),
    ];
  });
}

/** Policies of other namespaces that would allow it in the pod's namespace: a NetworkPolicy applies to its own namespace only. */
export function inWrongNamespace({ direction, self, other, connection }: Question, known: Known): Evidence[] {
  const home = self.pod?.namespace ?? '';
  return known.networkPolicies
    .filter((p) => p.metadata.namespace !== home && Object.keys(p.spec.podSelector.matchLabels ?? {}).length > 0)
    .flatMap((p) => {
      const moved = fromNetworkPolicy({ ...p, metadata: { ...p.metadata, namespace: home } });
      if (!self.pod || moved.selects(self.pod) !== true || !moved[direction]) return [];
      const missed = nearMisses(direction, self, other, connection, { verdict: 'denied', selecting: [moved], by: null, why: '' });
      if (missed.length === (moved[direction] ?? []).length) return [];
      return [
        {
          source: 'policy',
          text: `${p.metadata.name} would allow it, but is in namespace ${p.metadata.namespace}: a NetworkPolicy applies to pods of its own namespace only`,
        },
      ];
    });
}

/** The facts that decide both directions. */
export interface Given {
  target: FactTypes['target'];
  service: Service | null;
  slices: FactTypes['slices'];
  pods: Pod[];
  client: FactTypes['client'];
  policies: FactTypes['policies'];
  namespaces: Fact<FactTypes['namespaces']>;
  pluginPolicies: Fact<FactTypes['pluginPolicies']>;
}

export interface Asked extends Question {
  /** The endpoint's pod, or its address. */
  name: string;
  servicePort: number;
  decision: Decision;
}

/** One question for the client and every endpoint, on the pods' own ports, because policies see packets after DNAT. */
export function questions(direction: Direction, given: Given, service: Service, known: Known): Asked[] {
  const { target, slices, pods, client, namespaces } = given;
  const from = client && clientParty(client, namespaces);
  const endpoints = endpointsOf(slices);
  return (portsAsked(service, target.port) ?? []).flatMap((port) =>
    targetsOf(port, endpoints).flatMap((e): Asked[] => {
      const pod = pods.find((p) => p.metadata.name === e.pod);
      if (e.port === null || !from) return [];
      if (direction === 'ingress' && !pod) return [];
      const to = pod ? { ...partyOf(pod, namespaces), addresses: [e.address] } : outside(e.address);
      const met = overFamilyOf(from, e.address);
      const [self, other] = direction === 'ingress' ? [to, met] : [met, to];
      const connection = { port: e.port, protocol: port.protocol };
      const decision = decide(direction, self, other, connection, known.set);
      return [{ direction, self, other, connection, decision, name: e.pod ?? e.address, servicePort: port.port }];
    }),
  );
}
