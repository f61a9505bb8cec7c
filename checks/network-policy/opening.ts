/** A change of NetworkPolicies as a fix. */
import { type Change, manifestOf } from '../../src/policy/change.ts';
import type { Direction } from '../../src/policy/rule.ts';
import type { Fix } from '../check.ts';
import { fixBy, patchOf } from '../fix.ts';
import { some } from '../format.ts';

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
