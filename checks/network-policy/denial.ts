/** What is said of a denial: who causes it, the rules nearest to allowing it, and the usual misunderstandings. */
import type { NetworkPolicy } from '../../src/facts/objects.ts';
import type { Known, Question } from '../../src/model/parties.ts';
import { type Decision, nearMisses, ruleText } from '../../src/policy/decide.ts';
import { fromNetworkPolicy } from '../../src/policy/network-policy.ts';
import { type Direction, inside, type Policy } from '../../src/policy/rule.ts';
import type { Evidence, ObjectRef } from '../check.ts';
import { some } from '../format.ts';

/** The policies that cause a denial: the one whose rule denies, or those that isolate the pod. */
export const blockers = (decision: Decision, direction: Direction) =>
  decision.by ? [decision.by.policy] : decision.selecting.filter((p) => p.isolates[direction]);

/** The object to blame. Where nothing is known of the policy, it is one of the pod's namespace. */
export const blamedRef = (policy: Policy | undefined, home: string): ObjectRef =>
  policy ? { kind: policy.kind.replace('Calico ', ''), namespace: policy.namespace, name: policy.name } : { kind: 'NetworkPolicy', namespace: home, name: '' };

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
