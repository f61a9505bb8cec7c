/** A change of the catalog as requests to the API server. */
import type { Change } from '../catalog/finding.ts';
import { type Cluster, ok, type Resource, resources, type Result } from '../cluster/index.ts';
import { failed, noRule } from '../cluster/failure.ts';

/** By the kind as kubectl takes it: `networkpolicy`. */
export const resourceOf = (kind: string): Resource | undefined => Object.values(resources).find((r) => r.kind.toLowerCase() === kind);

export interface Sending {
  /** The API server judges it, and keeps nothing. */
  dryRun: boolean;
  /** Refused where the object has another resourceVersion by now. */
  resourceVersion?: string;
  signal?: AbortSignal;
}

const unknownKind = (change: Change): Result<never> =>
  failed({ reason: 'not-possible', what: `a change of ${change.kind} ${change.name}`, why: 'k8s-doctor does not know this kind', rule: noRule });

/** The pod template of a ReplicaSet without the label that its own controller gave it. */
async function templateOf(cluster: Cluster, namespace: string, name: string, signal: AbortSignal | undefined): Promise<Result<object>> {
  const read = await cluster.get(resources.replicasets, name, namespace, signal);
  if (!read.ok) return read;
  const template = structuredClone((read.value as { spec?: { template?: { metadata?: { labels?: Record<string, string> } } } } | null)?.spec?.template);
  if (!template) return failed({ reason: 'not-found', what: `ReplicaSet ${name}`, why: 'it is not there any more', rule: noRule });
  delete template.metadata?.labels?.['pod-template-hash'];
  return ok(template);
}

/** Makes a change, or tries it. Answers the object as it is then; null where it is removed. */
export async function send(cluster: Cluster, change: Change, { dryRun, resourceVersion, signal }: Sending): Promise<Result<unknown>> {
  const resource = resourceOf(change.kind);
  if (!resource) return unknownKind(change);
  const namespace = change.namespace || undefined;
  const patch = (type: 'merge' | 'json' | 'strategic', body: object) => cluster.patch({ resource, namespace, name: change.name, type, body }, dryRun, signal);
  const unchanged = resourceVersion === undefined ? [] : [{ op: 'test', path: '/metadata/resourceVersion', value: resourceVersion }];
  switch (change.how) {
    case 'patch': {
      if (change.type === 'json') return patch('json', [...unchanged, ...(change.body as object[])]);
      const { metadata, ...rest } = change.body as { metadata?: object };
      return patch(change.type, {
        ...rest,
        ...((metadata || resourceVersion !== undefined) && { metadata: { ...metadata, ...(resourceVersion !== undefined && { resourceVersion }) } }),
      });
    }
    case 'create':
      return cluster.create(resource, namespace, change.manifest, dryRun, signal);
    case 'roll-back': {
      const template = await templateOf(cluster, change.namespace, change.replicaSet, signal);
      return template.ok ? patch('json', [...unchanged, { op: 'replace', path: '/spec/template', value: template.value }]) : template;
    }
    case 'restart': {
      const pod = await cluster.get(resource, change.name, namespace, signal);
      if (!pod.ok || dryRun) return pod;
      const uid = (pod.value as { metadata?: { uid?: string } } | null)?.metadata?.uid;
      const removed = uid === undefined ? ok(undefined) : await cluster.delete(resource, namespace, change.name, uid);
      return removed.ok ? ok(null) : removed;
    }
  }
}
