/** What is kept of objects of the API beyond what their schemas say. */
import * as v from 'valibot';
import type { FactTypes, Target } from '../facts/facts.ts';
import * as o from '../facts/objects.ts';
import { hidden, redact, redactDeep } from '../facts/redact.ts';
import { requested } from '../facts/scheduling.ts';

const lastChange = 'endpoints.kubernetes.io/last-change-trigger-time';

/** Of the annotations, one says when things changed; the others may hold anything, and are left out. */
export function withChange(slice: unknown): unknown {
  const { metadata } = slice as { metadata?: { annotations?: Record<string, string> } };
  const changed = metadata?.annotations?.[lastChange];
  return changed === undefined ? slice : { ...(slice as object), changed };
}

/** Messages of the kubelet may quote a registry's or a program's own words. */
export const withoutSecrets = (pod: o.Pod): o.Pod => ({ ...pod, status: redactDeep(pod.status) });

/** Directives whose arguments are secrets: of etcd, route53, azure and tsig (CoreDNS documentation, "Plugins"), and words that others would use. */
const secretDirectives = /^([ \t]*(?:credentials|aws_access_key|secret|access_key|password|token)[ \t]+)\S.*$/gm;

/** A Corefile, or a part of one, as it may be shared. */
export const withoutCredentials = (corefile: string): string => redact(corefile.replace(secretDirectives, `$1${hidden}`));

/** The question as facts and reports repeat it: a path that is asked for may hold a token. */
export const withoutTokens = ({ http, front, ...target }: Target): Target => ({
  ...target,
  ...(http !== undefined && { http: redact(http) }),
  ...(front && { front: { ...front, ...(front.path !== undefined && { path: redact(front.path) }) } }),
});

/** Of a node's images, their tags: a digest repeats the tag next to it. */
export const withoutDigests = (node: o.Node): o.Node => ({
  ...node,
  status: { ...node.status, images: (node.status.images ?? []).map((i) => ({ names: i.names.filter((x) => !x.includes('@')) })) },
});

const asking = v.array(v.object({ restartPolicy: v.nullish(v.string()), resources: o.resourceList }));
export const resourcesOnly = v.object({
  spec: v.object({ nodeName: v.optional(v.string(), ''), containers: asking, initContainers: v.nullish(asking, []) }),
});

/** What pods ask for on each node, together: in CPUs and bytes. */
export function requestsByNode(pods: readonly v.InferOutput<typeof resourcesOnly>[]): FactTypes['nodeRequests'] {
  const sums: FactTypes['nodeRequests'] = {};
  for (const { spec } of pods) {
    const own = (sums[spec.nodeName] ??= {});
    for (const resource of ['cpu', 'memory']) own[resource] = (own[resource] ?? 0) + requested(spec, resource);
  }
  return sums;
}
