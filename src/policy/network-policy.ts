/**
 * NetworkPolicy (networking.k8s.io/v1), after the API's documentation: a pod that no policy selects for a direction takes
 * everything in that direction; one that some policy selects takes only what a rule of one of them allows.
 */
import type { NetworkPolicy } from '../facts/objects.ts';
import { matchesLabels } from '../facts/selectors.ts';
import { blockPeer, type Direction, newMemory, type Peer, podsPeer, type Policy, portItems, type Rule, tiers } from './rule.ts';

/** The directions that a policy isolates: policyTypes, or without it Ingress always and Egress where it has egress rules (NetworkPolicySpec.policyTypes). */
export function directionsOf(policy: NetworkPolicy): Direction[] {
  const given = policy.spec.policyTypes;
  if (given.length > 0) return given.map((t) => t.toLowerCase() as Direction);
  return policy.spec.egress.length > 0 ? ['ingress', 'egress'] : ['ingress'];
}

type RawPeer = NetworkPolicy['spec']['ingress'][number]['from'][number];
type RawPort = NetworkPolicy['spec']['ingress'][number]['ports'][number];

/** Empty selectors select everything; an absent namespaceSelector means the policy's own namespace (NetworkPolicyPeer). */
function peerOf(peer: RawPeer, home: string): Peer {
  if (peer.ipBlock) return blockPeer(peer.ipBlock.cidr, peer.ipBlock.except);
  const everything = { matchLabels: {}, matchExpressions: [] };
  return podsPeer(peer.namespaceSelector ?? { home }, peer.podSelector ?? everything, 'maybe');
}

/** An empty or absent list of peers or ports leaves nothing out (NetworkPolicyIngressRule.from, .ports). */
const ruleOf = (direction: Direction, index: number, peers: readonly RawPeer[], ports: readonly RawPort[], home: string): Rule => ({
  field: `${direction}[${index}]`,
  index,
  action: 'Allow',
  peers: peers.length === 0 ? null : peers.map((p) => peerOf(p, home)),
  ports: ports.length === 0 ? null : portItems(ports),
  unjudged: [],
  memory: newMemory(),
});

export function fromNetworkPolicy(policy: NetworkPolicy): Policy {
  const { namespace, name } = policy.metadata;
  const directions = directionsOf(policy);
  return {
    kind: 'NetworkPolicy',
    namespace,
    name,
    tier: tiers.default.name,
    // Calico, too, gives them this order among its own.
    order: 1000,
    tie: '',
    selects(pod) {
      if (pod.namespace !== namespace || !matchesLabels(policy.spec.podSelector, pod.labels)) return false;
      // Whether policies hold for pods on their node's network is the plug-in's choice ("hostNetwork pods", concepts/network-policies).
      return pod.hostNetwork ? 'maybe' : true;
    },
    ingress: directions.includes('ingress') ? policy.spec.ingress.map((r, i) => ruleOf('ingress', i, r.from, r.ports, namespace)) : null,
    egress: directions.includes('egress') ? policy.spec.egress.map((r, i) => ruleOf('egress', i, r.to, r.ports, namespace)) : null,
    isolates: { ingress: true, egress: true },
  };
}
