import type { Fact } from '../../src/facts/fact.ts';
import type { Client } from '../../src/facts/facts.ts';
import type { Namespace, NetworkPolicy, Pod } from '../../src/facts/objects.ts';
import type { Decision, Direction, Party } from '../../src/policy/evaluate.ts';
import type { Evidence, Fix } from '../check.ts';
import { patch, some } from '../words.ts';

type Each<T> = Record<string, Fact<T>>;

/** A namespace's labels; the one that every namespace carries stands in where it could not be read. */
function namespaceLabels(namespaces: Fact<Each<Namespace | null>>, name: string): Record<string, string> {
  const found = namespaces.seen ? namespaces.value[name] : undefined;
  return { 'kubernetes.io/metadata.name': name, ...(found?.seen && found.value ? found.value.metadata.labels : {}) };
}

export const podParty = (pod: Pod, namespaces: Fact<Each<Namespace | null>>): Party => ({
  addresses: pod.status.podIPs.map((i) => i.ip),
  pod: {
    namespace: pod.metadata.namespace,
    name: pod.metadata.name,
    labels: pod.metadata.labels,
    hostNetwork: pod.spec.hostNetwork,
    namespaceLabels: namespaceLabels(namespaces, pod.metadata.namespace),
    ports: [...pod.spec.containers, ...pod.spec.initContainers].flatMap((c) =>
      c.ports.map((p) => ({ name: p.name, port: p.containerPort, protocol: p.protocol })),
    ),
  },
});

export function clientParty(client: Client, namespaces: Fact<Each<Namespace | null>>): Party | undefined {
  if (client.kind === 'external') return undefined;
  if (client.pod) return podParty(client.pod, namespaces);
  return {
    addresses: client.addresses,
    pod: {
      namespace: client.namespace,
      name: client.name,
      labels: client.labels,
      hostNetwork: client.hostNetwork,
      namespaceLabels: namespaceLabels(namespaces, client.namespace),
      ports: [],
    },
  };
}

/** The policies of a namespace; undefined where they could not be read. */
export function policiesOf(policies: Each<NetworkPolicy[]>, namespace: string): NetworkPolicy[] | undefined {
  const found = policies[namespace];
  return found?.seen ? found.value : undefined;
}

export const policyNames = (decision: Decision): string => some(decision.isolating.map((p) => `"${p.metadata.name}"`));

/** Why a connection is denied: the policies that isolate the pod, then the rules that come nearest. */
export function denialEvidence(decision: Decision, direction: Direction): Evidence[] {
  const isolating = decision.isolating.slice(0, 4).map((p) => {
    const rules = direction === 'ingress' ? p.spec.ingress.length : p.spec.egress.length;
    return {
      source: 'policy',
      text: `${p.metadata.name} (namespace ${p.metadata.namespace}) selects the pod for ${direction}, and ${rules === 0 ? `has no ${direction} rule` : 'no rule of it matches'}`,
    };
  });
  const near = decision.nearest.slice(0, 3).map((m, i) => ({
    source: 'policy',
    text: `${m.policy.metadata.name}, ${direction} rule ${m.index + 1}: ${m.reason}${i === 0 ? '  ← nearest rule' : ''}`,
  }));
  return [...isolating, ...near];
}

/** A rule that would allow the connection, added to the nearest policy: labels that name the other side, and the port. */
export function allowFix(decision: Decision, direction: Direction, other: Party, port: number, protocol: string, text: string): Fix[] {
  const policy = decision.nearest[0]?.policy ?? decision.isolating[0];
  if (!policy || !other.pod) return [];
  const labels = Object.entries(other.pod.labels).filter(([k]) => !/pod-template-hash|controller-revision-hash|statefulset.kubernetes.io/.test(k));
  const peer = {
    ...(other.pod.namespace !== policy.metadata.namespace && { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': other.pod.namespace } } }),
    podSelector: labels.length > 0 ? { matchLabels: Object.fromEntries(labels) } : {},
  };
  const rule = { [direction === 'ingress' ? 'from' : 'to']: [peer], ports: [{ port, protocol }] };
  const empty = (direction === 'ingress' ? policy.spec.ingress : policy.spec.egress).length === 0;
  return [
    patch(
      text,
      policy.metadata.namespace,
      `networkpolicy/${policy.metadata.name}`,
      [empty ? { op: 'add', path: `/spec/${direction}`, value: [rule] } : { op: 'add', path: `/spec/${direction}/-`, value: rule }],
      'json',
    ),
  ];
}
