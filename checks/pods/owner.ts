/** The workload behind a pod: changes belong into its template. */
import { derived } from '../../src/facts/derived.ts';
import type { Fact } from '../../src/facts/fact.ts';
import type { Pod, Workload } from '../../src/facts/objects.ts';
import type { Fix, ObjectRef } from '../check.ts';
import { kubectl, patch } from '../fix.ts';

export interface Owner {
  kind: 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'ReplicaSet';
  workload: Workload;
}

export interface Workloads {
  deployments: Fact<Workload[]>;
  statefulSets: Fact<Workload[]>;
  daemonSets: Fact<Workload[]>;
  replicaSets: Fact<Workload[]>;
}

/** The facts that name the owners of pods. */
export const ownerFacts = ['deployments', 'statefulSets', 'daemonSets', 'replicaSets'] as const;

const lists = { Deployment: 'deployments', StatefulSet: 'statefulSets', DaemonSet: 'daemonSets', ReplicaSet: 'replicaSets' } as const;

const byName = derived((list: readonly Workload[]) => new Map(list.map((w) => [w.metadata.name, w])));

/** The workload of that name; undefined where there is none, or the list could not be read. */
export const named = (fact: Fact<Workload[]>, name: string): Workload | undefined => (fact.seen ? byName(fact.value).get(name) : undefined);

/** The Deployment behind a pod's ReplicaSet, or its owner itself; undefined where nothing that is known makes it. */
export function ownerOf(pod: Pod | Workload, workloads: Workloads): Owner | undefined {
  for (const { kind, name } of pod.metadata.ownerReferences) {
    if (!(kind in lists)) continue;
    const workload = named(workloads[lists[kind as Owner['kind']]], name);
    if (workload) return (kind === 'ReplicaSet' && ownerOf(workload, workloads)) || { kind: kind as Owner['kind'], workload };
  }
  return undefined;
}

/** The lists that have to be read before a pod's owner is known. */
export const ownersOf = (pod: Pod, workloads: Workloads): Fact<Workload[]>[] =>
  pod.metadata.ownerReferences.flatMap(({ kind }) =>
    kind === 'ReplicaSet' ? [workloads.replicaSets, workloads.deployments] : kind in lists ? [workloads[lists[kind as Owner['kind']]]] : [],
  );

export const workloadRef = ({ kind, workload: { metadata } }: Owner): ObjectRef => ({ kind, namespace: metadata.namespace, name: metadata.name });
export const nameOf = ({ kind, workload }: Owner): string => `${kind} "${workload.metadata.name}"`;
export const objectOf = ({ kind, workload }: Owner): string => `${kind.toLowerCase()}/${workload.metadata.name}`;

/** Changes the pod template of a workload (a strategic merge patch: containers are merged by their names). */
export const templatePatch = (owner: Owner, text: string, spec: object): Fix =>
  patch(text, owner.workload.metadata.namespace, objectOf(owner), { spec: { template: { spec } } }, 'strategic');

/** The lists of a template that hold containers. */
export const containerLists = ['initContainers', 'containers'] as const;

/** Changes containers of the template, each by its name; in the wrong list the patch would add another container. */
export function containersPatch(owner: Owner, text: string, changes: ReadonlyMap<string, object>): Fix {
  const spec = owner.workload.spec.template.spec;
  const changed = containerLists.map(
    (list) => [list, spec[list].flatMap((c) => (changes.has(c.name) ? [{ name: c.name, ...changes.get(c.name) }] : []))] as const,
  );
  return templatePatch(owner, text, Object.fromEntries(changed.filter(([, containers]) => containers.length > 0)));
}

/** Lets a paused Deployment use its template. */
export const resumed = (owner: Owner): Fix => patch(`Resume ${nameOf(owner)}`, owner.workload.metadata.namespace, objectOf(owner), { spec: { paused: null } });

/** For a pod that nothing manages, whose spec the API does not let anybody change. `change`: a command that reads the pod as JSON, and writes the new one. */
export function createdAgain(pod: Pod, text: string, change: string): Fix {
  const { namespace, name } = pod.metadata;
  const command = [kubectl(namespace, 'get', 'pod', name, '-o', 'json'), change, kubectl(namespace, 'replace', '--force', '-f', '-')].join(' | ');
  return { text: `Create pod "${name}" again ${text}: a pod's own cannot be changed`, command };
}
