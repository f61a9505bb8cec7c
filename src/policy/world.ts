import * as v from 'valibot';
import { namespace as namespaceSchema, type NetworkPolicy, networkPolicy, pod as podSchema, type PodSpec, workload } from '../facts/objects.ts';
import { decide, type Decision, type Party } from './evaluate.ts';
import type { Protocol } from '../facts/objects.ts';

/** All that policies can be judged by: who is there, and the policies. */
export interface World {
  pods: Party[];
  policies: NetworkPolicy[];
}

/** Kinds whose template makes pods; each stands for one of them, by its own name. */
const workloads = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job'];

interface Raw {
  kind?: string;
  metadata?: { namespace?: string };
}

const portsOf = (spec: PodSpec): NonNullable<Party['pod']>['ports'] =>
  [...spec.containers, ...spec.initContainers.filter((c) => c.restartPolicy === 'Always')].flatMap((c) =>
    c.ports.map((p) => ({ name: p.name, port: p.containerPort, protocol: p.protocol })),
  );

/** Builds a world of API objects. Objects without a namespace are in `default`; kinds that policies don't read are passed over. Throws v.ValiError for a malformed one. */
export function worldOf(objects: readonly unknown[]): World {
  const raws = objects as Raw[];
  const inDefault = <T extends { metadata: { namespace: string } }>(o: T): T =>
    o.metadata.namespace ? o : { ...o, metadata: { ...o.metadata, namespace: 'default' } };
  const labelsOf = new Map(
    raws
      .filter((o) => o.kind === 'Namespace')
      .map((o) => v.parse(namespaceSchema, o))
      .map((n) => [n.metadata.name, n.metadata.labels]),
  );
  const party = (namespace: string, name: string, labels: Record<string, string>, spec: PodSpec, addresses: string[]): Party => ({
    addresses,
    pod: {
      namespace,
      name,
      labels,
      namespaceLabels: { 'kubernetes.io/metadata.name': namespace, ...labelsOf.get(namespace) },
      hostNetwork: spec.hostNetwork,
      ports: portsOf(spec),
    },
  });
  const pods = raws
    .filter((o) => o.kind === 'Pod')
    .map((o) => inDefault(v.parse(podSchema, { status: {}, ...o })))
    .filter((p) => p.status.phase !== 'Succeeded' && p.status.phase !== 'Failed')
    .map((p) =>
      party(
        p.metadata.namespace,
        p.metadata.name,
        p.metadata.labels,
        p.spec,
        p.status.podIPs.length > 0 ? p.status.podIPs.map((i) => i.ip) : p.status.podIP ? [p.status.podIP] : [],
      ),
    );
  const templated = raws
    .filter((o) => workloads.includes(o.kind ?? ''))
    .map((o) => inDefault(v.parse(workload, o)))
    .map((w) => party(w.metadata.namespace, w.metadata.name, w.spec.template.metadata.labels, w.spec.template.spec, []));
  return { pods: [...pods, ...templated], policies: raws.filter((o) => o.kind === 'NetworkPolicy').map((o) => inDefault(v.parse(networkPolicy, o))) };
}

export interface Reach {
  verdict: 'allowed' | 'denied' | 'unknown';
  /** Does the policy of the sender's side let it out, and that of the receiver's side let it in? */
  egress: Decision;
  ingress: Decision;
}

/** May `from` connect to `to` on this port, as far as all policies of the world decide? */
export function reach(world: World, from: Party, to: Party, port: number, protocol: Protocol): Reach {
  const egress = decide('egress', from, to, port, protocol, world.policies);
  const ingress = decide('ingress', to, from, port, protocol, world.policies);
  const verdicts = [egress.verdict, ingress.verdict];
  return { verdict: verdicts.includes('denied') ? 'denied' : verdicts.includes('unknown') ? 'unknown' : 'allowed', egress, ingress };
}

/** The pod that has an address; an address of no pod is outside of the cluster. The party has this address alone. */
export function byAddress(world: World, address: string): Party {
  const found = world.pods.find((p) => p.addresses.includes(address));
  return found ? { ...found, addresses: [address] } : { pod: null, addresses: [address] };
}

export const byName = (world: World, namespace: string, name: string): Party | undefined =>
  world.pods.find((p) => p.pod?.namespace === namespace && p.pod.name === name);
