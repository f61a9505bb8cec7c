/** The pods that controllers would make after a change of their workload, or after what kept them from it is gone. */
import type { Change } from '../catalog/finding.ts';
import { type Fact, seen, valueOf } from '../facts/fact.ts';
import type { FactName, Facts } from '../facts/facts.ts';
import type { Pod, Workload } from '../facts/objects.ts';
import { isOutdated, partitionOf } from '../facts/outdated.ts';
import { keptOff } from '../facts/scheduling.ts';
import { isFinished, isReady } from '../facts/selectors.ts';
import { put } from './objects.ts';
import { isStillBroken, json, readyPod, statusOf, withoutRoom } from './pods.ts';

type Kind = 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'ReplicaSet';

const lists = { Deployment: 'deployments', StatefulSet: 'statefulSets', DaemonSet: 'daemonSets', ReplicaSet: 'replicaSets' } as const;

/** A workload before and after. `isRollBack`: nothing of its pods' trouble is left, since the template served before or no pod was made of it yet. */
interface Changed {
  kind: Kind;
  before: Workload;
  after: Workload;
  isRollBack: boolean;
}

const isOwned = (object: { metadata: Pod['metadata'] }, kind: string, name: string) =>
  object.metadata.ownerReferences.some((r) => r.kind === kind && r.name === name);

/** The pods of a workload: a Deployment has them through its ReplicaSets. */
export function podsOfWorkload(facts: Facts, kind: string, name: string, pods: readonly Pod[] = valueOf(facts.pods) ?? []): Pod[] {
  if (kind !== 'Deployment') return pods.filter((p) => isOwned(p, kind, name));
  const sets = (valueOf(facts.replicaSets) ?? []).filter((r) => isOwned(r, 'Deployment', name));
  return pods.filter((p) => sets.some((s) => isOwned(p, 'ReplicaSet', s.metadata.name)));
}

/** Whether the changes make a workload replace pods of an old template: it is resumed, its partition is lowered, or these pods are deleted. */
function isApplied(before: Facts, kind: Kind, was: Workload, now: Workload, changes: readonly Change[]): boolean {
  const old = podsOfWorkload(before, kind, was.metadata.name).filter((p) => isOutdated(p, kind, was));
  const isFree = (was.spec.paused === true && now.spec.paused !== true) || (was.spec.podManagementPolicy === 'Parallel' && partitionOf(now) < partitionOf(was));
  return isFree ? old.length > 0 : changes.some((c) => c.how === 'restart' && old.some((p) => p.metadata.name === c.name));
}

/** What is taken for granted of workloads none of whose pods was of their template: no fact shows how theirs do. */
export const startedFrom = (before: Facts, after: Facts, changes: readonly Change[]): string[] =>
  (Object.keys(lists) as Kind[])
    .filter((kind) => kind !== 'ReplicaSet')
    .flatMap((kind) => (valueOf(after[lists[kind]]) ?? []).map((w) => ({ kind, w, name: w.metadata.name })))
    .filter(({ kind, w, name }) => {
      const was = valueOf(before[lists[kind]])?.find((b) => b.metadata.name === name);
      const isNew = podsOfWorkload(before, kind, name).length === 0 && (valueOf(after.pods) ?? []).some((p) => isOwned(p, kind, name));
      return isNew || (was !== undefined && isApplied(before, kind, was, w, changes));
    })
    .map(({ kind, name }) => `the pods of ${kind} "${name}" start and become ready`);

/** The pods of one workload after its change, in the place of those before. */
function podsAfter(facts: Facts, { kind, before, after, isRollBack }: Changed, pods: readonly Pod[]): Pod[] {
  const nodes = (valueOf(facts.nodes) ?? []).filter(isReady);
  const own = podsOfWorkload(facts, kind, before.metadata.name, pods).filter((p) => !isFinished(p) && !p.metadata.deletionTimestamp);
  const spec = after.spec.template.spec;
  const fitting = nodes.filter((n) => keptOff(spec, n) === undefined);
  if (kind === 'DaemonSet')
    return fitting.map((n, i) => {
      const old = own.find((p) => p.spec.nodeName === n.metadata.name);
      return old && !isRollBack && isStillBroken(old, before.spec.template.spec, spec, nodes) ? old : readyPod(after, kind, i, old, n);
    });
  return Array.from({ length: after.spec.replicas ?? 1 }, (_, i) => {
    const old = own[i];
    if (old && !isRollBack && isStillBroken(old, before.spec.template.spec, spec, nodes))
      return { ...old, metadata: { ...old.metadata, labels: { ...old.metadata.labels, ...after.spec.template.metadata.labels } } };
    // One that the new template would not let run there moves.
    const stays = old && (old.spec.nodeName === undefined || fitting.some((n) => n.metadata.name === old.spec.nodeName));
    return readyPod(after, kind, i, stays ? old : undefined, fitting[i % Math.max(1, fitting.length)]);
  });
}

/** Kinds whose change can lift what kept pods from being created. */
const obstacles = ['resourcequota', 'limitrange', 'serviceaccount', 'namespace', 'configmap', 'secret', 'persistentvolumeclaim'];

/** The workloads of the Service's namespace that make other pods after the changes. */
function changedIn(before: Facts, after: Facts, changes: readonly Change[]): Changed[] {
  const namespace = valueOf(before.target)?.namespace ?? '';
  const lifted = changes.some((c) => obstacles.includes(c.kind) && c.namespace === namespace);
  return (Object.keys(lists) as Kind[]).flatMap((kind) =>
    (valueOf(after[lists[kind]]) ?? []).flatMap((w): Changed[] => {
      const was = valueOf(before[lists[kind]])?.find((b) => b.metadata.name === w.metadata.name);
      const own = changes.filter((c) => c.kind === kind.toLowerCase() && c.name === w.metadata.name && c.namespace === namespace);
      const isShort = lifted && kind !== 'ReplicaSet' && podsOfWorkload(before, kind, w.metadata.name).filter(isReady).length < (w.spec.replicas ?? 1);
      const isTried = isShort || (was !== undefined && isApplied(before, kind, was, w, changes));
      return was && (own.length > 0 || isTried) ? [{ kind, before: was, after: w, isRollBack: own.some((c) => c.how === 'roll-back') || isTried }] : [];
    }),
  );
}

/** Facts about pods of the old template, which the new ones do not have: what listens in another program, logs, events. */
function withoutOldNews(facts: Facts, changed: readonly Changed[], pods: readonly Pod[]): Facts {
  const old = changed.flatMap((c) => podsOfWorkload(facts, c.kind, c.before.metadata.name));
  const names = new Set([...old.map((p) => p.metadata.name), ...changed.map((c) => c.before.metadata.name)]);
  const owners = [...names, ...old.flatMap((p) => p.metadata.ownerReferences.map((r) => r.name))];
  const sets = (valueOf(facts.replicaSets) ?? []).filter((r) => r.metadata.ownerReferences.some((x) => names.has(x.name))).map((r) => r.metadata.name);
  const isOld = (name: string | undefined) => name !== undefined && (owners.includes(name) || sets.includes(name));
  const isOther = (name: string) => {
    const [was, now] = [old.find((p) => p.metadata.name === name), pods.find((p) => p.metadata.name === name)];
    return was && now ? json(was.spec.containers.map(withoutRoom)) !== json(now.spec.containers.map(withoutRoom)) : false;
  };
  const without = <T>(fact: Fact<Record<string, T>>, isOut: (key: string) => boolean): Fact<Record<string, T>> =>
    fact.seen ? seen(Object.fromEntries(Object.entries(fact.value).filter(([key]) => !isOut(key)))) : fact;
  return {
    ...facts,
    listeners: without(facts.listeners, isOther),
    podLogs: without(facts.podLogs, (key) => names.has(key.split('/')[0] ?? '')),
    events: facts.events.seen ? seen(facts.events.value.filter((e) => !isOld(e.involvedObject.name))) : facts.events,
  };
}

/** The facts with the pods that the changed workloads of the Service's namespace would have. */
export function withPods(before: Facts, after: Facts, changes: readonly Change[]): Facts {
  const changed = changedIn(before, after, changes);
  if (changed.length === 0 || !after.pods.seen) return after;
  let pods = after.pods.value;
  for (const c of changed) {
    const own = podsOfWorkload(before, c.kind, c.before.metadata.name, pods);
    pods = [...pods.filter((p) => !own.includes(p)), ...podsAfter(before, c, pods)];
  }
  const scaled = (name: FactName & (typeof lists)[Kind]) => {
    const fact = after[name];
    return fact.seen
      ? seen(
          fact.value.map((w) => {
            const own = changed.find((c) => lists[c.kind] === name && c.after === w);
            const parent = changed.find((c) => c.kind === 'Deployment' && name === 'replicaSets' && isOwned(w, 'Deployment', c.after.metadata.name));
            if (own) return { ...w, status: statusOf(w.spec.replicas ?? 1) };
            if (!parent || (w.spec.replicas ?? 0) === 0) return w;
            return { ...w, spec: { ...w.spec, template: parent.after.spec.template }, status: statusOf(w.spec.replicas ?? 1) };
          }),
        )
      : fact;
  };
  const settled = {
    ...after,
    deployments: scaled('deployments'),
    statefulSets: scaled('statefulSets'),
    daemonSets: scaled('daemonSets'),
    replicaSets: scaled('replicaSets'),
  };
  return put(withClient(withoutOldNews(settled, changed, pods), pods), 'pods', pods);
}

/** The client may be one of the pods that are replaced. */
function withClient(facts: Facts, pods: readonly Pod[]): Facts {
  const client = valueOf(facts.client);
  const pod = pods.find((p) => p.metadata.name === client?.name && p.metadata.namespace === client.namespace);
  return client?.pod && pod && pod !== client.pod ? put(facts, 'client', { ...client, pod, labels: pod.metadata.labels }) : facts;
}
