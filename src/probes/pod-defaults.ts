/** What a team wants on every pod that k8s-doctor creates. */
import type { Cluster } from '../cluster/index.ts';

export interface PodDefaults {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** API reference, Toleration. */
  tolerations: object[];
  priorityClassName: string | undefined;
}

interface Template {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec?: { tolerations?: object[] };
}

/** A pod, or the template of a Job, with the defaults. What the pod has already stays: its labels are those by which policies select it. */
export function withDefaults<T extends Template>(template: T, { labels, annotations, tolerations, priorityClassName }: PodDefaults): T {
  const { metadata, spec } = template;
  return {
    ...template,
    metadata: { ...metadata, labels: { ...labels, ...metadata?.labels }, annotations: { ...annotations, ...metadata?.annotations } },
    spec: { ...spec, tolerations: [...(spec?.tolerations ?? []), ...tolerations], ...(priorityClassName !== undefined && { priorityClassName }) },
  };
}

/** The cluster, in which everything that is created has the defaults. */
export function withPodDefaults(cluster: Cluster, defaults: PodDefaults): Cluster {
  return {
    ...cluster,
    createPod: (namespace, pod) => cluster.createPod(namespace, withDefaults(pod, defaults)),
    createJob(namespace, job) {
      const { spec } = job as { spec: { template: Template } };
      return cluster.createJob(namespace, { ...job, spec: { ...spec, template: withDefaults(spec.template, defaults) } });
    },
  };
}
