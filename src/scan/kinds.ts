/** The kinds that a scan lists, how their objects are read, and where they are listed. */
import * as v from 'valibot';
import { type ListOptions, type Resource, resources } from '../cluster/index.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import * as o from '../facts/objects.ts';
import { redactDeep } from '../facts/redact.ts';
import type { PolicyPlace } from '../gather/policies.ts';
import { withChange, withoutDigests, withoutSecrets } from '../gather/reduced.ts';
import { everywhere, type Named, openStore, type Scope, type Store } from './store.ts';

const system = 'kube-system';

/** One kind of object: where it is listed, and what is kept of it. */
export interface Kind<T extends Named = Named> {
  /** As the API server's paths name it: `pods`; two kinds may share it. */
  resource: Resource;
  /** One request (with its further pages) for each. */
  scopes: readonly Scope[];
  fieldSelector?: string;
  read(raw: unknown): Fact<T>;
  store: Store<T>;
}

function kind<S extends v.GenericSchema<unknown, Named>>(
  resource: Resource,
  schema: S,
  scopes: readonly Scope[],
  more: { fieldSelector?: string; before?(raw: unknown): unknown; reduce?(item: v.InferOutput<S>): v.InferOutput<S> } = {},
): Kind<v.InferOutput<S>> {
  const { before = (raw: unknown) => raw, reduce = (item: v.InferOutput<S>) => item } = more;
  return {
    resource,
    scopes,
    ...(more.fieldSelector !== undefined && { fieldSelector: more.fieldSelector }),
    read(raw) {
      const read = v.safeParse(schema, before(raw), { abortEarly: true });
      if (read.success) return seen(reduce(read.output));
      return unseen('malformed', resource.plural, `${v.getDotPath(read.issues[0]) ?? ''}: ${read.issues[0].message}`);
    },
    store: openStore(resource.plural),
  };
}

interface RawContainer {
  volumeMounts?: unknown;
}
interface RawPod {
  spec?: { nodeName?: string; hostname?: string; volumes?: unknown; containers?: RawContainer[]; initContainers?: RawContainer[] };
}

const mostKnown = 20_000;

/** Equal values become one. */
function interning<T>(make: (text: string) => T): (value: unknown) => T {
  const known = new Map<string, T>();
  return (value) => {
    const text = JSON.stringify(value);
    let made = known.get(text);
    if (made !== undefined) return made;
    // Templates come and go while a cluster is watched for weeks.
    if (known.size >= mostKnown) known.clear();
    known.set(text, (made = make(text)));
    return made;
  };
}

/**
 * Reads pods. What the pods of one template share is read and kept once: a spec is each pod's own only by its node, its hostname, and the name of
 * the volume with its token, which is not kept.
 */
function podReader(): (raw: unknown) => Fact<o.Pod> {
  const specOf = interning((text) => v.parse(o.podSpec, JSON.parse(text)));
  const labelsOf = interning((text) => JSON.parse(text) as o.Pod['metadata']['labels']);
  const ownersOf = interning((text) => JSON.parse(text) as o.Pod['metadata']['ownerReferences']);
  const withoutMounts = (containers: RawContainer[] | undefined) => containers?.map((c) => ({ ...c, volumeMounts: undefined }));
  return (raw) => {
    try {
      const { nodeName, hostname, ...rest } = (raw as RawPod).spec ?? {};
      const { containers, initContainers } = rest;
      const spec = specOf({ ...rest, volumes: undefined, containers: withoutMounts(containers), initContainers: withoutMounts(initContainers) });
      const own = v.parse(o.pod, { ...(raw as object), spec: { nodeName, hostname, containers: [] } });
      const metadata = { ...own.metadata, labels: labelsOf(own.metadata.labels), ownerReferences: ownersOf(own.metadata.ownerReferences) };
      const place = { ...(nodeName !== undefined && { nodeName }), ...(hostname !== undefined && { hostname }) };
      return seen(withoutSecrets({ ...own, metadata, spec: { ...spec, ...place } }));
    } catch (error) {
      if (!(error instanceof v.ValiError)) throw error;
      return unseen('malformed', 'pods', `${v.getDotPath(error.issues[0]) ?? ''}: ${error.message}`);
    }
  };
}

/** What a scan of some namespaces, or of all, lists. Policies of kube-system guard the cluster's DNS, so they are always read. */
export function kindsOf(here: readonly Scope[], policyPlaces: readonly PolicyPlace[]) {
  const withSystem = here.includes(everywhere) ? here : [...new Set([...here, system])];
  return {
    services: kind(resources.services, o.service, here),
    slices: kind(resources.endpointslices, o.endpointSlice, here, { before: withChange }),
    pods: { ...kind(resources.pods, o.pod, here), read: podReader() },
    deployments: kind(resources.deployments, o.workload, here),
    replicaSets: kind(resources.replicasets, o.workload, here),
    statefulSets: kind(resources.statefulsets, o.workload, here),
    daemonSets: kind(resources.daemonsets, o.workload, here),
    events: kind(resources.events, o.event, here, { fieldSelector: 'type!=Normal', reduce: redactDeep }),
    policies: kind(resources.networkpolicies, o.networkPolicy, withSystem),
    namespaces: kind(resources.namespaces, o.namespace, [everywhere]),
    nodes: kind(resources.nodes, o.node, [everywhere], { reduce: withoutDigests }),
    plugin: policyPlaces.map((place) => ({
      ...place,
      ...kind(place.resource, o.pluginPolicy, place.namespaced ? withSystem : [everywhere], { before: place.named, reduce: redactDeep }),
    })),
  };
}
export type Kinds = ReturnType<typeof kindsOf>;

export const everyKind = ({ plugin, ...rest }: Kinds): Kind[] => [...Object.values(rest), ...plugin];

export const listOptions = (kind: Kind, scope: Scope, signal: AbortSignal): ListOptions => ({
  namespace: scope,
  ...(kind.fieldSelector !== undefined && { fieldSelector: kind.fieldSelector }),
  signal,
});
