import type { Pod, Workload } from '../../src/facts/objects.ts';
import { isFinished, isReady } from '../../src/facts/selectors.ts';
import { check, type Draft, type Fix, judged, skip } from '../check.ts';
import { fixBy, patch, restartOf } from '../fix.ts';
import { some } from '../format.ts';
import { nameOf, objectOf, type Owner, ownerFacts, ownerOf, resumed } from './owner.ts';
import { named, situation, weight } from './service-pods.ts';

/** Why a workload does not replace its pods by those of its template, and what would make it. */
interface Hold {
  why: string;
  evidence: string;
  fix: (pods: readonly Pod[]) => Fix;
}

const ordinalOf = (pod: Pod): number => Number(pod.metadata.name.split('-').at(-1));

/** Controllers make the new pod from the template as it is now. */
const deleted = (pods: readonly Pod[]): Fix => {
  const names = some(
    pods.map((p) => p.metadata.name),
    2,
  );
  const what = pods.length === 1 ? `pod ${names}` : `${pods.length} pods (${names})`;
  return fixBy(`Delete ${what}, so that the current template is used`, ...pods.map((p) => restartOf(p.metadata.namespace, p.metadata.name)));
};

/** A paused Deployment makes no ReplicaSet of a new template (Kubernetes documentation, "Pausing and Resuming a rollout of a Deployment"). */
function paused(owner: Owner): Hold | undefined {
  const { spec, status } = owner.workload;
  if (owner.kind !== 'Deployment' || spec.paused !== true || (status.updatedReplicas ?? 0) > 0) return undefined;
  return {
    why: `${nameOf(owner)} is paused`,
    evidence: 'spec.paused: true, status.updatedReplicas: 0',
    fix: () => resumed(owner),
  };
}

/** Kubernetes documentation, "StatefulSets": "Update strategies", and "Forced rollback" for pods that are not ready and never will be. */
function keptBySet(owner: Owner, pod: Pod): Hold | undefined {
  const { spec, status, metadata } = owner.workload;
  const wanted = status.updateRevision;
  if (owner.kind !== 'StatefulSet' || !wanted || pod.metadata.labels['controller-revision-hash'] === wanted) return undefined;
  if (spec.updateStrategy?.type === 'OnDelete') return onDelete(owner);
  const partition = spec.updateStrategy?.rollingUpdate?.partition ?? 0;
  if (ordinalOf(pod) < partition)
    return {
      why: `${nameOf(owner)} has partition ${partition}`,
      evidence: `spec.updateStrategy.rollingUpdate.partition: ${partition}`,
      fix: () =>
        patch(`Set the partition of ${nameOf(owner)} to 0`, metadata.namespace, objectOf(owner), {
          spec: { updateStrategy: { rollingUpdate: { partition: 0 } } },
        }),
    };
  if (spec.podManagementPolicy === 'Parallel') return undefined;
  return {
    why: `${nameOf(owner)} waits until such a pod is ready before it replaces it`,
    evidence: `status.updateRevision: ${wanted}; ${pod.metadata.name} has ${pod.metadata.labels['controller-revision-hash']}`,
    fix: deleted,
  };
}

const onDelete = (owner: Owner): Hold => ({
  why: `${nameOf(owner)} has updateStrategy OnDelete`,
  evidence: 'spec.updateStrategy.type: OnDelete',
  fix: deleted,
});

/** Which of its pods are old is in no status: only where none is new, all are. */
const keptByDaemonSet = (owner: Owner): Hold | undefined =>
  owner.kind === 'DaemonSet' && owner.workload.spec.updateStrategy?.type === 'OnDelete' && (owner.workload.status.updatedNumberScheduled ?? 0) === 0
    ? onDelete(owner)
    : undefined;

const holdOf = (owner: Owner, pod: Pod): Hold | undefined => paused(owner) ?? keptBySet(owner, pod) ?? keptByDaemonSet(owner);

export const updated = check({
  id: 'pods/updated',
  title: 'Pods that are not ready are of the current template',
  needs: ['service', 'pods'],
  uses: ['slices', ...ownerFacts],
  codes: ['template-not-applied'],
  run({ service, pods, slices, ...workloads }) {
    if (!service?.spec.selector) return skip('the Service selects no pods');
    const now = situation(service, pods, slices);
    const waiting = now.own.filter((p) => !isReady(p) && !isFinished(p) && !p.metadata.deletionTimestamp);
    const held = waiting.flatMap((pod) => {
      const owner = ownerOf(pod, workloads);
      const hold = owner && holdOf(owner, pod);
      return hold ? [{ pod, owner, hold }] : [];
    });
    const findings = [...Map.groupBy(held, ({ hold }) => hold.why).values()].flatMap((group): Draft<'template-not-applied'>[] => {
      const [first] = group;
      if (!first) return [];
      const { owner, hold } = first;
      const own = group.map(({ pod }) => pod);
      const { namespace, name }: Workload['metadata'] = owner.workload.metadata;
      return [
        {
          code: 'template-not-applied',
          ...weight(now),
          confidence: 'likely',
          object: { kind: owner.kind, namespace, name },
          pods: own.map((p) => p.metadata.name),
          message: `${named(own, now.own)} ${own.length === 1 ? 'is not ready and keeps' : 'are not ready and keep'} an old template: ${hold.why}`,
          evidence: [{ source: 'status', text: hold.evidence }],
          fix: [hold.fix(own)],
        },
      ];
    });
    return judged('', findings);
  },
});
