/** Pods of a template that their workload had before. */
import type { Pod, Workload } from './objects.ts';

/** Whether a status says that a pod of the workload is of an earlier template. `kind`: of the workload. */
export function isOutdated(pod: Pod, kind: string, { spec, status }: Workload): boolean {
  switch (kind) {
    case 'Deployment':
      // A paused one makes no ReplicaSet of a new template (Kubernetes documentation, "Pausing and Resuming a rollout of a Deployment").
      return spec.paused === true && !status.updatedReplicas;
    case 'StatefulSet':
      return Boolean(status.updateRevision) && pod.metadata.labels['controller-revision-hash'] !== status.updateRevision;
    case 'DaemonSet':
      // Which of its pods are old is in no status: only where none is new, all are.
      return spec.updateStrategy?.type === 'OnDelete' && !status.updatedNumberScheduled;
    default:
      return false;
  }
}

/** Pods of a StatefulSet with a lower number keep the template that they have (StatefulSet API, spec.updateStrategy.rollingUpdate.partition). */
export const partitionOf = ({ spec }: Workload): number => spec.updateStrategy?.rollingUpdate?.partition ?? 0;
