/** Changes that make containers run again: the template that served before, another image, more memory. */
import { distance } from 'fastest-levenshtein';
import type { Fact } from '../../src/facts/fact.ts';
import type { Node, Workload } from '../../src/facts/objects.ts';
import { amount } from '../../src/facts/scheduling.ts';
import type { Fix } from '../check.ts';
import { fixBy } from '../fix.ts';
import { containersPatch, nameOf, type Owner } from './owner.ts';
import { quantity } from './quantity.ts';

type Container = Workload['spec']['template']['spec']['containers'][number];

const allIn = (w: Workload): Container[] => [...w.spec.template.spec.initContainers, ...w.spec.template.spec.containers];
const ownTo = (owner: Owner, sets: readonly Workload[]) =>
  sets.filter((s) => s.metadata.ownerReferences.some((r) => r.kind === owner.kind && r.name === owner.workload.metadata.name));
const newestFirst = (a: Workload, b: Workload) => (b.metadata.revision ?? 0) - (a.metadata.revision ?? 0);
/** A Deployment counts as available from then on, or ceases to; at its creation both times are nearly the same. */
const settledS = 5;

/** Whether the Deployment was available with an earlier ReplicaSet: that one still has ready pods, or availability ended after it was there. */
function hasServed(owner: Owner, set: Workload): boolean {
  if ((set.status.readyReplicas ?? 0) > 0) return true;
  const available = owner.workload.status.conditions.find((c) => c.type === 'Available');
  const ended = Date.parse(available?.lastTransitionTime ?? '');
  return available?.status === 'False' && ended > Date.parse(set.metadata.creationTimestamp ?? '') + settledS * 1000;
}

/** Back to the ReplicaSet before, where it served and the container in question is another one now. */
export function rolledBack(owner: Owner | undefined, container: string, replicaSets: Fact<Workload[]>): Fix[] {
  if (owner?.kind !== 'Deployment' || !replicaSets.seen) return [];
  const [current, before] = ownTo(owner, replicaSets.value).toSorted(newestFirst);
  if (!current || !before || !hasServed(owner, before)) return [];
  const [now, then] = [current, before].map((s) => allIn(s).find((c) => c.name === container));
  // Commands and variables are not read: what looks the same may differ, unless the change is seen to be in another container.
  const isSame = JSON.stringify(now) === JSON.stringify(then);
  const isElsewhere = allIn(current).some((c) => c.name !== container && JSON.stringify(c) !== JSON.stringify(allIn(before).find((o) => o.name === c.name)));
  if (isSame && isElsewhere) return [];
  const what = now && then && now.image !== then.image ? `, with image ${then.image}` : '';
  const { namespace, name } = owner.workload.metadata;
  return [
    fixBy(`Roll ${nameOf(owner)} back to revision ${before.metadata.revision}, which served${what}`, {
      how: 'roll-back',
      kind: 'deployment',
      namespace,
      name,
      replicaSet: before.metadata.name,
    }),
  ];
}

/** `registry:5000/team/web:1.2` as repository and tag. */
function partsOf(image: string): { repository: string; tag: string } {
  const at = image.lastIndexOf(':');
  return at > image.lastIndexOf('/') ? { repository: image.slice(0, at), tag: image.slice(at + 1) } : { repository: image, tag: 'latest' };
}

const sorted = (text: string) => Array.from(text).toSorted().join('');
/** The name of a repository may differ by so many characters to be taken for a slip. */
const maxSlips = 2;

/** Whether one image was written for another: characters of the tag exchanged, a `v` too many or too few, or a misspelt name. Another version is no slip. */
function isSlip(image: string, other: string): boolean {
  const [a, b] = [partsOf(image), partsOf(other)];
  if (a.repository === b.repository) return sorted(a.tag) === sorted(b.tag) || a.tag === `v${b.tag}` || b.tag === `v${a.tag}`;
  return a.tag === b.tag && distance(a.repository, b.repository) <= maxSlips;
}

/** The image that was meant, where the nodes have exactly one that it may be a slip of. */
export function otherImage(owner: Owner | undefined, container: string, image: string, nodes: Fact<Node[]>): Fix[] {
  if (!owner || !nodes.seen) return [];
  const there = [...new Set(nodes.value.flatMap((n) => n.status.images.flatMap((i) => i.names)))].filter((i) => i !== image && !i.includes('@'));
  const [near, ...others] = there.filter((name) => isSlip(image, name));
  if (near === undefined || others.length > 0) return [];
  const text = `Set the image of container "${container}" of ${nameOf(owner)} to ${near}, which the nodes have`;
  return [{ ...containersPatch(owner, text, new Map([[container, { image: near }]])), assumes: 'this is the image that was meant' }];
}

/** Twice the memory that the container may use. */
export function moreMemory(owner: Owner | undefined, container: string): Fix[] {
  const limit = owner && allIn(owner.workload).find((c) => c.name === container)?.resources?.limits['memory'];
  if (!owner || limit === undefined) return [];
  const memory = quantity(2 * amount(limit));
  const text = `Raise the memory limit of container "${container}" of ${nameOf(owner)} from ${limit} to ${memory}`;
  return [{ ...containersPatch(owner, text, new Map([[container, { resources: { limits: { memory } } }]])), assumes: 'twice as much memory is enough' }];
}
