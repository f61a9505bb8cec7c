/** Who connects to whom, as policies see it, and what the policies that were read say about it. */
import type { Fact } from '../facts/fact.ts';
import type { Client, FactTypes } from '../facts/facts.ts';
import type { Namespace, NetworkPolicy, Pod, Service } from '../facts/objects.ts';
import { derived } from '../facts/derived.ts';
import { dialledPort, type Endpoint, endpointsOf, portsAsked, targetsOf } from '../facts/selectors.ts';
import { type Decision, decide, policySet, type PolicySet } from '../policy/decide.ts';
import { readPolicies } from '../policy/kinds.ts';
import { fromNetworkPolicy } from '../policy/network-policy.ts';
import type { Connection, Direction, Party } from '../policy/rule.ts';
import { namespaceLabelsOf, outside, podParty } from '../policy/world.ts';

type Each<T> = Record<string, Fact<T>>;
export type Namespaces = Fact<Each<Namespace | null>>;

/** A namespace's labels; where they could not be read, the one label that every namespace has. */
function labelsOf(namespaces: Namespaces, name: string): Record<string, string> {
  const found = namespaces.seen ? namespaces.value[name] : undefined;
  return namespaceLabelsOf(name, found?.seen && found.value ? found.value.metadata.labels : undefined);
}

/** Several checks ask about the same pods, and what is known of a pod's policies is remembered by its party. */
const parties = new WeakMap<Pod, { namespace: unknown; party: Party }>();

export function partyOf(pod: Pod, namespaces: Namespaces): Party {
  const namespace = namespaces.seen ? namespaces.value[pod.metadata.namespace] : undefined;
  const before = parties.get(pod);
  if (before && before.namespace === namespace) return before.party;
  const party = podParty(pod, labelsOf(namespaces, pod.metadata.namespace));
  parties.set(pod, { namespace, party });
  return party;
}

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

/** Several checks and every prediction ask about the same policies, which are put in order once. */
const remembered = new WeakMap<object, { plugin: unknown; known: Known }>();

/** All policies that were seen, of every kind, in one order. */
export function policiesKnown(policies: FactTypes['policies'], plugin: Fact<FactTypes['pluginPolicies']>): Known {
  const before = remembered.get(policies);
  if (before?.plugin === plugin) return before.known;
  const known = ordered(policies, plugin);
  remembered.set(policies, { plugin, known });
  return known;
}

/** Why it is not known what policies say of pods in a namespace; undefined where all were read. */
export function unreadPolicies(namespace: string, policies: FactTypes['policies'], plugin: Fact<FactTypes['pluginPolicies']>): string | undefined {
  if (!policies[namespace]?.seen) return `the NetworkPolicies of namespace ${namespace} could not be read`;
  return plugin.seen || plugin.reason === 'not-needed' ? undefined : 'whether there are policies of other kinds could not be read';
}

/** Why what the policies allow is not certain; undefined where each of them could be judged. */
export const unjudgedPolicies = ({ blind }: Known): string | undefined =>
  blind.length > 0 ? `some policies could not be judged: ${blind.join(', ')}` : undefined;

function ordered(policies: FactTypes['policies'], plugin: Fact<FactTypes['pluginPolicies']>): Known {
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

export interface Question {
  direction: Direction;
  self: Party;
  other: Party;
  connection: Connection;
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

/** The party that a packet to an endpoint is meant for: its pod, or the bare address. */
export function receiverOf(address: string, pod: Pod | undefined, namespaces: Namespaces): Party {
  return pod ? { ...partyOf(pod, namespaces), addresses: [address] } : outside(address);
}

/** One direction of a connection to one address; undefined where no policy can apply to its side. */
export function decided(direction: Direction, from: Party, to: Party, connection: Connection, known: Known): (Question & { decision: Decision }) | undefined {
  if (direction === 'ingress' && !to.pod) return undefined;
  const met = overFamilyOf(from, to.addresses[0] ?? '');
  const [self, other] = direction === 'ingress' ? [to, met] : [met, to];
  return { direction, self, other, connection, decision: decide(direction, self, other, connection, known.set) };
}

/** Those that requests are sent to; where there are none, those that will get them when they are ready: policies do not ask for that. */
function meantBy(port: { name: string; protocol: string }, endpoints: readonly Endpoint[]): Endpoint[] {
  const targets = targetsOf(port, endpoints);
  return targets.length > 0 ? targets : endpoints.filter((e) => e.portName === port.name && e.protocol === port.protocol && !e.terminating);
}

const byName = derived((pods: readonly Pod[]) => new Map(pods.map((p) => [p.metadata.name, p])));

/**
 * One question for the client and every endpoint, on the pods' own ports, because policies see packets after DNAT. Where there are no
 * policies at all, one endpoint of a port is asked about: the others get the same answer.
 */
export function questions(direction: Direction, given: Given, service: Service, known: Known): Asked[] {
  const { target, slices, pods, client, namespaces } = given;
  const from = client && clientParty(client, namespaces);
  if (!from) return [];
  const endpoints = endpointsOf(slices);
  const all: Asked[] = [];
  for (const servicePort of portsAsked(service, target.port) ?? []) {
    for (const e of meantBy(servicePort, endpoints)) {
      const port = dialledPort(service, servicePort, e);
      if (port === null) continue;
      const to = receiverOf(e.address, e.pod === null ? undefined : byName(pods).get(e.pod), namespaces);
      const asked = decided(direction, from, to, { port, protocol: servicePort.protocol }, known);
      if (!asked) continue;
      all.push({ ...asked, name: e.pod ?? e.address, servicePort: servicePort.port });
      if (known.set.all.length === 0) break;
    }
  }
  return all;
}

/** Both directions together. */
export const questionsBothWays = (given: Given, service: Service): Asked[] => {
  const known = policiesKnown(given.policies, given.pluginPolicies);
  return (['egress', 'ingress'] as const).flatMap((direction) => questions(direction, given, service, known));
};

/** The endpoint's side of a question. */
export const endpointOf = ({ direction, self, other }: Question): Party => (direction === 'ingress' ? self : other);
