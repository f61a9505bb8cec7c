import { unreadOf } from '../../src/facts/fact.ts';
import type { Pod } from '../../src/facts/objects.ts';
import { isOutdated, partitionOf } from '../../src/facts/outdated.ts';
import { isFinished, isReady } from '../../src/facts/selectors.ts';
import { check, type Draft, type Fix, judgedUnless, skip } from '../check.ts';
import { fixBy, patchOf, restartOf } from '../fix.ts';
import { some } from '../format.ts';
import { nameOf, objectOf, type Owner, ownerFacts, ownerOf, ownersOf, resumed, workloadRef } from './owner.ts';
import { named, situation, weight } from './service-pods.ts';

/** Why a workload does not replace its pods by those of its template, and what would make it. */
interface Hold {
  why: string;
  evidence: string;
  fix: (pods: readonly Pod[]) => Fix;
}

const ordinalOf = (pod: Pod): number => Number(pod.metadata.name.split('-').at(-1));

/** Controllers make the new pod from the template as it is now. */
const deletions = (pods: readonly Pod[]) => pods.map((p) => restartOf(p.metadata.namespace, p.metadata.name));

function deleted(pods: readonly Pod[]): Fix {
  const names = some(
    pods.map((p) => p.metadata.name),
    2,
  );
  const what = pods.length === 1 ? `pod ${names}` : `${pods.length} pods (${names})`;
  return fixBy(`Delete ${what}, so that the current template is used`, ...deletions(pods));
}

/** Kubernetes documentation, "StatefulSets": "Update strategies", and "Forced rollback" for pods that are not ready and never will be. */
function holdOf(owner: Owner, pod: Pod): Hold | undefined {
  const { kind, workload } = owner;
  const { spec, status, metadata } = workload;
  if (!isOutdated(pod, kind, workload)) return undefined;
  if (kind === 'Deployment') return { why: `${nameOf(owner)} is paused`, evidence: 'spec.paused: true, status.updatedReplicas: 0', fix: () => resumed(owner) };
  if (spec.updateStrategy?.type === 'OnDelete')
    return { why: `${nameOf(owner)} has updateStrategy OnDelete`, evidence: 'spec.updateStrategy.type: OnDelete', fix: deleted };
  const partition = partitionOf(workload);
  const waits = spec.podManagementPolicy !== 'Parallel';
  if (ordinalOf(pod) < partition)
    return {
      why: `${nameOf(owner)} has partition ${partition}`,
      evidence: `spec.updateStrategy.rollingUpdate.partition: ${partition}`,
      fix: (pods) =>
        fixBy(
          `Set the partition of ${nameOf(owner)} to 0${waits ? ', and delete the pods that it waits for' : ''}`,
          patchOf(metadata.namespace, objectOf(owner), { spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } }),
          ...(waits ? deletions(pods) : []),
        ),
    };
  if (!waits) return undefined;
  return {
    why: `${nameOf(owner)} waits until such a pod is ready before it replaces it`,
    evidence: `status.updateRevision: ${status.updateRevision}; ${pod.metadata.name} has ${pod.metadata.labels['controller-revision-hash']}`,
    fix: deleted,
  };
}

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
      const own = group.map(({ pod }) => pod);
      return [
        {
          code: 'template-not-applied',
          ...weight(now),
          confidence: 'likely',
          object: workloadRef(first.owner),
          pods: own.map((p) => p.metadata.name),
          message: `${named(own, now.own)} ${own.length === 1 ? 'is not ready and keeps' : 'are not ready and keep'} an old template: ${first.hold.why}`,
          evidence: [{ source: 'status', text: first.hold.evidence }],
          fix: [first.hold.fix(own)],
        },
      ];
    });
    return judgedUnless(unreadOf(...waiting.flatMap((p) => ownersOf(p, workloads))), findings);
  },
});
