/** What could be better about a Service that may well work: no cause, no finding, and only where it is asked for (`--advice`). */
import { valueOf } from '../facts/fact.ts';
import type { Facts } from '../facts/facts.ts';
import type { Pod, Service, Workload } from '../facts/objects.ts';
import { endpointsOf, isReady, podsOf } from '../facts/selectors.ts';
import { advices } from './advices.ts';

export interface Advice {
  id: string;
  object: { kind: string; namespace: string; name: string };
  /** What is so, and what to do, in one sentence. */
  text: string;
  /** The page that says why. */
  source: string;
}

/** What every piece of advice is judged by. */
export interface Subject {
  facts: Facts;
  service: Service;
  /** The Service's own pods. */
  pods: readonly Pod[];
  /** The workloads that make them: Deployments before their ReplicaSets. */
  workloads: { kind: 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'ReplicaSet'; workload: Workload }[];
  readyEndpoints: number;
}

const kinds = { Deployment: 'deployments', StatefulSet: 'statefulSets', DaemonSet: 'daemonSets', ReplicaSet: 'replicaSets' } as const;

function ownersOf(facts: Facts, pods: readonly Pod[]): Subject['workloads'] {
  const find = (kind: keyof typeof kinds, name: string) => valueOf(facts[kinds[kind]])?.find((w) => w.metadata.name === name);
  const found = pods.flatMap((pod): Subject['workloads'] => {
    const [owner] = pod.metadata.ownerReferences.filter((o) => o.kind in kinds);
    if (!owner) return [];
    const kind = owner.kind as keyof typeof kinds;
    const workload = find(kind, owner.name);
    const above = kind === 'ReplicaSet' ? workload?.metadata.ownerReferences.find((o) => o.kind === 'Deployment') : undefined;
    const deployment = above && find('Deployment', above.name);
    if (deployment) return [{ kind: 'Deployment', workload: deployment }];
    return workload ? [{ kind, workload }] : [];
  });
  return [...new Map(found.map((o) => [`${o.kind} ${o.workload.metadata.name}`, o])).values()];
}

/** All advice for one Service, in the order of `advices.ts`; none where the Service was not seen, or has no pods of its own. */
export function advise(facts: Facts): Advice[] {
  const service = valueOf(facts.service);
  if (!service || service.spec.type === 'ExternalName') return [];
  const pods = podsOf(service, valueOf(facts.pods) ?? []);
  const ready = endpointsOf(valueOf(facts.slices) ?? []).filter((e) => e.ready);
  const readyEndpoints = facts.slices.seen ? new Set(ready.map((e) => e.address)).size : pods.filter(isReady).length;
  const subject = { facts, service, pods, workloads: ownersOf(facts, pods), readyEndpoints };
  return advices.flatMap((advice) => advice(subject));
}
