/** A change of NetworkPolicies as a fix. */
import { type Change, manifestOf } from '../../src/policy/change.ts';
import type { Decision } from '../../src/policy/decide.ts';
import type { Direction, Policy } from '../../src/policy/rule.ts';
import type { Fix } from '../check.ts';
import { fixBy, kubectl, patchOf } from '../fix.ts';
import { some } from '../format.ts';
import { blamedRef, blockers } from './denial.ts';

/** The command that edits a policy of any kind. */
export function editOf(policy: Policy): string {
  const { kind, namespace, name } = blamedRef(policy, '');
  return kubectl(namespace, 'edit', kind.toLowerCase(), name);
}

/** What allows `who`: the change where one was found, else what a person has to change. A rule that denies is before all NetworkPolicies. */
export function openingOf(who: string, direction: Direction, decision: Decision, change: Change | undefined): Fix[] {
  if (decision.by) {
    const { policy, rule } = decision.by;
    return [{ text: `Allow the connection in a rule before ${rule.field} of ${policy.kind} "${policy.name}", or remove that rule`, command: editOf(policy) }];
  }
  if (change) return [opening(who, direction, change)];
  return blockers(decision, direction)
    .slice(0, 1)
    .map((policy) => ({ text: `Add a rule to ${policy.kind} "${policy.name}" (${direction}) that allows ${who}`, command: editOf(policy) }));
}

/** Allows `who` by the change, and names whom else it lets through. */
export function opening(who: string, direction: Direction, { policy, patch, opens, whole, others }: Change): Fix {
  const { namespace, name } = policy.metadata;
  const part = whole ? '' : '; this allows a part of the connections';
  const text = patch
    ? `Allow ${who} in NetworkPolicy "${name}" (${direction}): add ${opens}${part}`
    : `Allow ${who} by a new NetworkPolicy "${name}" (${direction}), for ${opens}${part}`;
  const change = patch
    ? patchOf(namespace, `networkpolicy/${name}`, patch, 'json')
    : ({ how: 'create', kind: 'networkpolicy', namespace, name, manifest: manifestOf(policy) } as const);
  return { ...fixBy(text, change), ...(others.length > 0 && { affects: [`it also allows ${some(others, 6)}`] }) };
}
