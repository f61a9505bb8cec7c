/** Which revisions of a Deployment are behind a Service while one takes the place of another. */
import { valueOf } from '../facts/fact.ts';
import type { Facts } from '../facts/facts.ts';
import type { Workload } from '../facts/objects.ts';
import { endpointsOf, isReady, podsOf } from '../facts/selectors.ts';

export interface Rollout {
  deployment: string;
  /** spec.replicas. */
  wanted: number;
  /** As it is written: a number, or a percentage; 25% where it is not (Deployment API, `spec.strategy`). */
  maxUnavailable: string | number;
  /** Seconds after which Kubernetes calls it stalled. */
  progressDeadlineSeconds: number;
  /** The message of its condition Progressing, where that is not True. */
  stalled: string | null;
  /** The newest first. `endpoints`: pods that get requests now. */
  revisions: { replicaSet: string; revision: number | null; pods: number; ready: number; endpoints: number }[];
}

const isOf = (owned: { metadata: { ownerReferences: readonly { kind: string; name: string }[] } }, kind: string, name: string): boolean =>
  owned.metadata.ownerReferences.some((o) => o.kind === kind && o.name === name);

function rolloutOf(deployment: Workload, facts: Facts): Rollout {
  const { metadata, spec, status } = deployment;
  const service = valueOf(facts.service);
  const own = service ? podsOf(service, valueOf(facts.pods) ?? []) : [];
  const serving = new Set(endpointsOf(valueOf(facts.slices) ?? []).flatMap((e) => (e.ready && e.pod !== null ? [e.pod] : [])));
  const revisions = (valueOf(facts.replicaSets) ?? [])
    .filter((r) => isOf(r, 'Deployment', metadata.name))
    .map((r) => {
      const pods = own.filter((p) => isOf(p, 'ReplicaSet', r.metadata.name));
      return {
        replicaSet: r.metadata.name,
        revision: r.metadata.revision ?? null,
        pods: pods.length,
        ready: pods.filter(isReady).length,
        endpoints: pods.filter((p) => serving.has(p.metadata.name)).length,
      };
    })
    .toSorted((a, b) => (b.revision ?? 0) - (a.revision ?? 0));
  const progressing = status.conditions.find((c) => c.type === 'Progressing');
  return {
    deployment: metadata.name,
    wanted: spec.replicas ?? 1,
    maxUnavailable: spec.strategy?.rollingUpdate?.maxUnavailable ?? '25%',
    progressDeadlineSeconds: spec.progressDeadlineSeconds ?? 600,
    stalled: progressing && progressing.status !== 'True' ? (progressing.message ?? progressing.reason ?? '') : null,
    // A revision without pods is history, unless it is the one that is to come.
    revisions: revisions.filter((r, i) => i === 0 || r.pods > 0),
  };
}

/** The Deployments behind the Service of which more than one revision has pods, or the newest has not all of its own. */
export function rolloutsOf(facts: Facts): Rollout[] {
  const service = valueOf(facts.service);
  const selector = service?.spec.selector;
  if (!selector || Object.keys(selector).length === 0) return [];
  const selected = (valueOf(facts.deployments) ?? []).filter((d) => Object.entries(selector).every(([k, x]) => d.spec.template.metadata.labels[k] === x));
  return selected
    .map((d) => rolloutOf(d, facts))
    .filter(({ revisions, wanted }) => revisions.length > 1 || (revisions[0] && wanted > 0 && revisions[0].pods < wanted && revisions[0].pods > 0));
}
