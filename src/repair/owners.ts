/** Who else keeps the objects that a fix changes. */
import type { Change } from '../catalog/finding.ts';
import { valueOf } from '../facts/fact.ts';
import type { Facts } from '../facts/facts.ts';
import type { Owner } from '../facts/tracked.ts';

interface Tracked {
  metadata: { name: string; namespace: string; owners: Owner[] };
}

/** Of the objects that the facts hold. */
function objectsOf(facts: Facts, kind: string): readonly (Tracked | null | undefined)[] {
  switch (kind) {
    case 'service':
      return [valueOf(facts.service), valueOf(facts.dnsService)];
    case 'deployment':
      return [...(valueOf(facts.deployments) ?? []), valueOf(facts.dnsWorkload)];
    case 'statefulset':
      return valueOf(facts.statefulSets) ?? [];
    case 'daemonset':
      return [...(valueOf(facts.daemonSets) ?? []), valueOf(facts.proxyWorkload)];
    case 'networkpolicy':
      return Object.values(valueOf(facts.policies) ?? {}).flatMap((f) => valueOf(f) ?? []);
    default:
      return [];
  }
}

/** The owners, each as a sentence: who it is, and whether it puts the object back. */
export function ownersIn(facts: Facts, changes: readonly Change[]): string[] {
  const found = changes.flatMap((c) =>
    objectsOf(facts, c.kind).flatMap((o) => (o && o.metadata.name === c.name && o.metadata.namespace === c.namespace ? o.metadata.owners : [])),
  );
  return [...new Map(found.map((o) => [o.name, ownerText(o)])).values()];
}

export const ownerText = ({ name, reverts }: Owner): string =>
  reverts ? `${name} owns it and puts it back: make this change there` : `${name} owns it: make this change there too, or its next run undoes it`;
