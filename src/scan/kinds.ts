/** The kinds that a scan lists, how their objects are read, and where they are listed. */
import * as v from 'valibot';
import { type Fields, type ListOptions, type Resource, resources } from '../cluster/index.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import * as f from '../facts/front.ts';
import * as o from '../facts/objects.ts';
import { redactDeep } from '../facts/redact.ts';
import { asKind, type GatewayKind, ingressClassResource, servedVersions, withClass, withDefault } from '../gather/front.ts';
import type { PolicyPlace } from '../gather/policies.ts';
import { withChange, withoutDigests } from '../gather/reduced.ts';
import { eventFields, podFields, serviceFields, sliceFields } from './wanted-fields.ts';
import { podReader } from './read-pod.ts';
import { everywhere, type Named, openStore, type Scope, type Store } from './store.ts';

const system = 'kube-system';

/** One kind of object: where it is listed, and what is kept of it. */
export interface Kind<T extends Named = Named> {
  /** As the API server's paths name it: `pods`; two kinds may share it. */
  resource: Resource;
  /** One request (with its further pages) for each. */
  scopes: readonly Scope[];
  fieldSelector?: string;
  /** Where the lists are read in protobuf. */
  protobuf?: Fields;
  read(raw: unknown): Fact<T>;
  store: Store<T>;
}

/** Who set which fields is of no use to a scan, and costs more to read than all the rest of an object. */
function unmanaged(raw: unknown): unknown {
  const { metadata } = raw as { metadata?: { managedFields?: unknown } };
  return metadata?.managedFields === undefined ? raw : { ...(raw as object), metadata: { ...metadata, managedFields: undefined } };
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
      const read = v.safeParse(schema, before(unmanaged(raw)), { abortEarly: true });
      if (read.success) return seen(reduce(read.output));
      return unseen('malformed', resource.plural, `${v.getDotPath(read.issues[0]) ?? ''}: ${read.issues[0].message}`);
    },
    store: openStore(resource.plural),
  };
}

/** The kinds of the Gateway API that are served, each in its best version; lists of one, or empty. */
function gatewayApiFor(here: readonly Scope[], apiVersions: readonly string[]) {
  const best = (name: GatewayKind): Resource[] => servedVersions(name, apiVersions).slice(0, 1);
  return {
    routes: f.routeKinds.flatMap((name) => best(name).map((r) => kind(r, f.route, here, { before: asKind(name) }))),
    // A Gateway, and what lets others refer to something, can be in another namespace than the routes.
    gateways: best('Gateway').map((r) => kind(r, f.gateway, [everywhere])),
    gatewayClasses: best('GatewayClass').map((r) => kind(r, f.gatewayClass, [everywhere])),
    referenceGrants: best('ReferenceGrant').map((r) => kind(r, f.referenceGrant, [everywhere])),
  };
}

/** Policies of kube-system guard the cluster's DNS, so they are always read. */
const withSystem = (here: readonly Scope[]): readonly Scope[] => (here.includes(everywhere) ? here : [...new Set([...here, system])]);

/** What a scan of some namespaces, or of all, lists in every cluster. */
export function ownKinds(here: readonly Scope[]) {
  return {
    services: { ...kind(resources.services, o.service, here), protobuf: serviceFields },
    slices: { ...kind(resources.endpointslices, o.endpointSlice, here, { before: withChange }), protobuf: sliceFields },
    pods: { ...kind(resources.pods, o.pod, here), read: podReader(), protobuf: podFields },
    deployments: kind(resources.deployments, o.workload, here),
    replicaSets: kind(resources.replicasets, o.workload, here),
    statefulSets: kind(resources.statefulsets, o.workload, here),
    daemonSets: kind(resources.daemonsets, o.workload, here),
    events: { ...kind(resources.events, o.event, here, { fieldSelector: 'type!=Normal', reduce: redactDeep }), protobuf: eventFields },
    policies: kind(resources.networkpolicies, o.networkPolicy, withSystem(here)),
    namespaces: kind(resources.namespaces, o.namespace, [everywhere]),
    nodes: kind(resources.nodes, o.node, [everywhere], { reduce: withoutDigests }),
    ingresses: kind(resources.ingresses, f.ingress, here, { before: withClass }),
    ingressClasses: kind(ingressClassResource, f.ingressClass, [everywhere], { before: withDefault }),
  };
}

/** What it lists where the cluster serves it: policies of plug-ins, and the Gateway API. */
export function servedKinds(here: readonly Scope[], policyPlaces: readonly PolicyPlace[], apiVersions: readonly string[]) {
  return {
    gatewayApi: gatewayApiFor(here, apiVersions),
    plugin: policyPlaces.map((place) => ({
      ...place,
      ...kind(place.resource, o.pluginPolicy, place.namespaced ? withSystem(here) : [everywhere], { before: place.named, reduce: redactDeep }),
    })),
  };
}
export type Kinds = ReturnType<typeof ownKinds> & ReturnType<typeof servedKinds>;

export const everyKind = ({ plugin, gatewayApi, ...rest }: Kinds): Kind[] => [...Object.values(rest), ...Object.values(gatewayApi).flat(), ...plugin];

export const listOptions = (kind: Kind, scope: Scope, signal: AbortSignal): ListOptions => ({
  namespace: scope,
  ...(kind.fieldSelector !== undefined && { fieldSelector: kind.fieldSelector }),
  ...(kind.protobuf && { protobuf: kind.protobuf }),
  signal,
});
