/**
 * AdminNetworkPolicy and BaselineAdminNetworkPolicy (policy.networking.k8s.io/v1alpha1), and ClusterNetworkPolicy
 * (v1alpha2), which takes the place of both: https://network-policy-api.sigs.k8s.io. Their rules have an order, and an
 * action; a connection that none of them decides goes on to the next tier.
 */
import * as v from 'valibot';
import { labelSelector, policyMeta } from '../facts/objects.ts';
import { firstMismatch, matchesLabels } from '../facts/selectors.ts';
import { blockPeer, newMemory, type Peer, podsPeer, type Policy, type PortItem, portItems, type Rule, tiers } from './rule.ts';

const selectedPods = v.object({ namespaceSelector: v.optional(labelSelector, {}), podSelector: v.optional(labelSelector, {}) });
const subject = v.object({ namespaces: v.optional(labelSelector), pods: v.optional(selectedPods) });

const peer = v.looseObject({
  namespaces: v.optional(labelSelector),
  pods: v.optional(selectedPods),
  nodes: v.optional(labelSelector),
  networks: v.optional(v.array(v.string())),
  domainNames: v.optional(v.array(v.string())),
});

const transport = v.optional(v.picklist(['TCP', 'UDP', 'SCTP']), 'TCP');
/** v1alpha1's `ports`. */
const port = v.looseObject({
  portNumber: v.optional(v.object({ protocol: transport, port: v.number() })),
  portRange: v.optional(v.object({ protocol: transport, start: v.number(), end: v.number() })),
  namedPort: v.optional(v.string()),
});
const destination = v.nullish(
  v.object({ destinationPort: v.nullish(v.object({ number: v.optional(v.number()), range: v.optional(v.object({ start: v.number(), end: v.number() })) })) }),
);
/** v1alpha2's `protocols`. */
const protocol = v.looseObject({ tcp: destination, udp: destination, sctp: destination, destinationNamedPort: v.optional(v.string()) });

const rule = v.object({
  name: v.optional(v.string(), ''),
  action: v.picklist(['Allow', 'Accept', 'Deny', 'Pass']),
  from: v.optional(v.array(peer)),
  to: v.optional(v.array(peer)),
  ports: v.optional(v.array(port)),
  protocols: v.optional(v.array(protocol)),
});

/** One object of these kinds, as the API server gives it. */
export const adminPolicy = v.object({
  kind: v.picklist(['AdminNetworkPolicy', 'BaselineAdminNetworkPolicy', 'ClusterNetworkPolicy']),
  metadata: policyMeta,
  spec: v.object({
    tier: v.optional(v.picklist(['Admin', 'Baseline'])),
    priority: v.optional(v.number(), 0),
    subject,
    ingress: v.nullish(v.array(rule), []),
    egress: v.nullish(v.array(rule), []),
  }),
});
type RawRule = v.InferOutput<typeof rule>;
type RawPeer = v.InferOutput<typeof peer>;

const anyPod = { matchLabels: {}, matchExpressions: [] };

/** undefined for a peer of a later version of the API. */
function peerOf(raw: RawPeer): Peer | undefined {
  // "Note that host-networked pods are not included in this type of peer."
  if (raw.namespaces) return podsPeer(raw.namespaces, anyPod, 'never');
  if (raw.pods) return podsPeer(raw.pods.namespaceSelector, raw.pods.podSelector, 'never');
  if (raw.networks) {
    const blocks = raw.networks.map((cidr) => blockPeer(cidr, []));
    return (other) =>
      blocks.map((b) => b(other)).toSorted((a, b) => Number(b === true) - Number(a === true) || Number(b === 'maybe') - Number(a === 'maybe'))[0] ?? 'maybe';
  }
  if (raw.nodes) {
    const { nodes } = raw;
    return (other) => {
      if (!other.node) return { far: 5, reason: () => 'names nodes' };
      const wrong = firstMismatch(nodes, other.node.labels);
      return wrong ? { far: 1, reason: () => wrong } : true;
    };
  }
  return undefined;
}

const itemsOf = (raw: RawRule): PortItem[] | null => {
  if (raw.ports)
    return raw.ports.flatMap((p): PortItem[] => [
      ...(p.portNumber ? [{ protocol: p.portNumber.protocol, port: p.portNumber.port }] : []),
      ...(p.portRange ? [{ protocol: p.portRange.protocol, port: p.portRange.start, endPort: p.portRange.end }] : []),
      ...(p.namedPort === undefined ? [] : [{ protocol: 'ANY' as const, port: p.namedPort }]),
    ]);
  if (!raw.protocols) return null;
  return raw.protocols.flatMap((p): PortItem[] => {
    const own = (['tcp', 'udp', 'sctp'] as const).flatMap((t): PortItem[] => {
      const given = p[t];
      if (!given) return [];
      const where = given.destinationPort;
      return [{ protocol: t.toUpperCase() as 'TCP', port: where?.number ?? where?.range?.start, endPort: where?.range?.end }];
    });
    return [...own, ...(p.destinationNamedPort === undefined ? [] : [{ protocol: 'ANY' as const, port: p.destinationNamedPort }])];
  });
};

function ruleOf(raw: RawRule, direction: 'ingress' | 'egress', index: number): Rule {
  const peers = raw[direction === 'ingress' ? 'from' : 'to'] ?? [];
  const action = raw.action === 'Accept' ? 'Allow' : raw.action;
  const items = itemsOf(raw);
  const base = { field: `${direction}[${index}]`, index, ports: items && portItems(items), memory: newMemory() };
  const named = peers.some((p) => p.domainNames);
  const known = peers.filter((p) => !p.domainNames).map(peerOf);
  // "Fail closed": a peer that is not understood makes an Allow rule match nothing, and any other deny everything.
  if (known.includes(undefined))
    return action === 'Allow' ? { ...base, action, peers: [], unjudged: [] } : { ...base, action: 'Deny', peers: null, ports: null, unjudged: [] };
  return {
    ...base,
    action,
    peers: [...known.filter((p) => p !== undefined), ...(named ? [(() => 'maybe') as Peer] : [])],
    unjudged: named && known.length === 0 ? ['domainNames'] : [],
  };
}

export function fromAdminPolicy(policy: v.InferOutput<typeof adminPolicy>): Policy {
  const { subject: who, tier, priority, ingress, egress } = policy.spec;
  const baseline = policy.kind === 'BaselineAdminNetworkPolicy' || tier === 'Baseline';
  return {
    kind: policy.kind,
    namespace: '',
    name: policy.metadata.name,
    tier: baseline ? tiers.baseline.name : tiers.admin.name,
    order: policy.kind === 'BaselineAdminNetworkPolicy' ? 0 : priority,
    tie: '',
    // "Note that host-networked pods are not included in subject selection."
    selects(pod) {
      if (pod.hostNetwork) return false;
      if (who.namespaces) return matchesLabels(who.namespaces, pod.namespaceLabels);
      return who.pods !== undefined && matchesLabels(who.pods.namespaceSelector, pod.namespaceLabels) && matchesLabels(who.pods.podSelector, pod.labels);
    },
    // "ANPs with no ingress rules do not affect ingress traffic."
    ingress: ingress && ingress.length > 0 ? ingress.map((r, i) => ruleOf(r, 'ingress', i)) : null,
    egress: egress && egress.length > 0 ? egress.map((r, i) => ruleOf(r, 'egress', i)) : null,
    isolates: { ingress: false, egress: false },
  };
}
