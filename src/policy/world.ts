import * as v from 'valibot';
import {
  namespace as namespaceSchema,
  networkPolicy,
  node as nodeSchema,
  type NetworkPolicy,
  type Node,
  podForPolicies,
  type PodForPolicies,
  workload,
} from '../facts/objects.ts';
import { isFinished, lasting } from '../facts/selectors.ts';
import { both, type Decision, decide, policySet, type PolicySet, type Verdict } from './decide.ts';
import { kindOf, readPolicies, type Unread } from './kinds.ts';
import { fromNetworkPolicy } from './network-policy.ts';
import type { Connection, Party, PodSide } from './rule.ts';

/** All that policies can be judged by: who is there, and the policies. */
export interface World {
  pods: Party[];
  nodes: Party[];
  /** Labels of the namespaces that are there as objects. */
  namespaces: ReadonlyMap<string, Record<string, string>>;
  policies: PolicySet;
  /** The NetworkPolicies as they were written, for changing them. */
  networkPolicies: NetworkPolicy[];
  /** Policies that could not be read. */
  unread: Unread[];
}

/** Kinds with a pod template; each represents one of its pods, by its own name. */
const workloads = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job'];

interface Raw {
  apiVersion?: string;
  kind?: string;
  metadata?: { namespace?: string; name?: string };
}

const portsOf = (spec: PodForPolicies['spec']): PodSide['ports'] =>
  lasting(spec).flatMap((c) => c.ports.map((p) => ({ name: p.name, port: p.containerPort, protocol: p.protocol })));

/** Every namespace carries its name as a label; the API server sees to that. */
export const namespaceLabelsOf = (name: string, labels: Record<string, string> | undefined): Record<string, string> => ({
  'kubernetes.io/metadata.name': name,
  ...labels,
});

const podSide = (
  namespace: string,
  name: string,
  labels: Record<string, string>,
  spec: PodForPolicies['spec'],
  namespaceLabels: Record<string, string>,
): PodSide => ({
  namespace,
  name,
  labels,
  namespaceLabels,
  hostNetwork: spec.hostNetwork,
  node: spec.nodeName ?? null,
  ports: portsOf(spec),
});

/** One pod as policies see it. */
export const podParty = (pod: PodForPolicies, namespaceLabels: Record<string, string>): Party => ({
  pod: podSide(pod.metadata.namespace, pod.metadata.name, pod.metadata.labels, pod.spec, namespaceLabels),
  node: null,
  addresses: pod.status.podIPs.length > 0 ? pod.status.podIPs.map((i) => i.ip) : pod.status.podIP ? [pod.status.podIP] : [],
});

const nodeParty = (node: Node): Party => ({
  pod: null,
  node: { name: node.metadata.name, labels: node.metadata.labels },
  addresses: (node.status.addresses ?? []).filter((a) => a.type !== 'Hostname').map((a) => a.address),
});

/** An address outside the cluster; without one, any address there. */
export const outside = (...addresses: string[]): Party => ({ pod: null, node: null, addresses });

/**
 * Builds a world of API objects. Objects without a namespace are in `default`; pods that finished don't count; kinds that
 * policies don't read are passed over. Throws v.ValiError for a malformed pod, namespace, node or NetworkPolicy.
 */
export function worldOf(objects: readonly unknown[]): World {
  const raws = objects as Raw[];
  const inDefault = <T extends { metadata: { namespace: string } }>(o: T): T =>
    o.metadata.namespace ? o : { ...o, metadata: { ...o.metadata, namespace: 'default' } };
  const of = (kind: string) => raws.filter((o) => o.kind === kind);
  const named = new Map(
    of('Namespace')
      .map((o) => v.parse(namespaceSchema, o))
      .map((n) => [n.metadata.name, n.metadata.labels]),
  );
  const labels = new Map<string, Record<string, string>>();
  /** One object for each namespace, however many pods it has. */
  const labelsOf = (name: string): Record<string, string> => {
    const known = labels.get(name) ?? namespaceLabelsOf(name, named.get(name));
    labels.set(name, known);
    return known;
  };
  // One at a time: of many pods, what is not read of each need not be held for all.
  const live = of('Pod').flatMap((o) => {
    const pod = inDefault(v.parse(podForPolicies, { status: {}, ...o }));
    return isFinished(pod) ? [] : [podParty(pod, labelsOf(pod.metadata.namespace))];
  });
  const templated = raws
    .filter((o) => workloads.includes(o.kind ?? ''))
    .map((o) => inDefault(v.parse(workload, o)))
    .map(
      ({ metadata: m, spec: { template } }): Party => ({
        pod: podSide(m.namespace, m.name, template.metadata.labels, template.spec, labelsOf(m.namespace)),
        node: null,
        addresses: [],
      }),
    );
  const nodes = of('Node').map((o) => nodeParty(v.parse(nodeSchema, o)));
  const networkPolicies = of('NetworkPolicy')
    .filter((o) => !kindOf(o))
    .map((o) => inDefault(v.parse(networkPolicy, o)));
  const others = readPolicies(raws.filter((o) => kindOf(o)));
  return {
    pods: [...live, ...templated].map((p, index) => Object.assign(p, { index })),
    nodes,
    namespaces: named,
    policies: policySet([...networkPolicies.map(fromNetworkPolicy), ...others.policies], others.tiers),
    networkPolicies,
    unread: others.unread,
  };
}

export interface Reach {
  verdict: Verdict;
  /** Do the policies of the sender's side let it out, and those of the receiver's side let it in? */
  egress: Decision;
  ingress: Decision;
}

/** May `from` connect to `to`, as far as all policies decide? */
export function reach(policies: PolicySet, from: Party, to: Party, connection: Connection): Reach {
  const egress = decide('egress', from, to, connection, policies);
  const ingress = decide('ingress', to, from, connection, policies);
  return { verdict: both(egress.verdict, ingress.verdict), egress, ingress };
}

/** The owner of an address: a pod, a node, or an address outside the cluster. The party has this address only. */
export function byAddress(world: World, address: string): Party {
  const onNode = world.pods.find((p) => p.pod?.hostNetwork && p.addresses.includes(address))?.pod;
  const found = world.pods.find((p) => !p.pod?.hostNetwork && p.addresses.includes(address)) ?? world.nodes.find((n) => n.addresses.includes(address));
  if (!found && onNode) return { pod: null, node: { name: onNode.node ?? '', labels: {} }, addresses: [address] };
  if (!found) return outside(address);
  return found.addresses.length === 1 ? found : { pod: found.pod, node: found.node, addresses: [address] };
}

export const byName = (world: World, namespace: string, name: string): Party | undefined =>
  world.pods.find((p) => p.pod?.namespace === namespace && p.pod.name === name);
