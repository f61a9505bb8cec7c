/** The objects of the facts as they would be after a change of one. */
import { applyPatch, type Operation } from 'rfc6902';
import * as v from 'valibot';
import type { Change } from '../catalog/finding.ts';
import { type Fact, seen } from '../facts/fact.ts';
import type { FactName, Facts, FactTypes } from '../facts/facts.ts';
import * as e from '../facts/extension.ts';
import * as f from '../facts/front.ts';
import * as m from '../facts/mesh.ts';
import * as o from '../facts/objects.ts';

/** Facts with one of them replaced by a value that would be seen. */
export const put = <K extends FactName>(facts: Facts, name: K, value: FactTypes[K]): Facts => ({ ...facts, [name]: seen(value) });

type Json = Record<string, unknown>;
const isObject = (x: unknown): x is Json => typeof x === 'object' && x !== null && !Array.isArray(x);

/** Items of a list with names, each merged into the one of its name (Kubernetes' strategic merge of containers and their kind). */
function mergedByName(into: unknown, patch: readonly Json[]): unknown {
  const list = Array.isArray(into) ? (into as Json[]) : [];
  const changed = list.map((item) => {
    const own = patch.find((p) => p['name'] === item['name']);
    return own ? merged(item, own, true) : item;
  });
  return [...changed, ...patch.filter((p) => !list.some((item) => item['name'] === p['name']))];
}

/** RFC 7386: null removes, objects are merged, everything else is replaced. */
function merged(into: unknown, patch: unknown, strategic: boolean): unknown {
  if (strategic && Array.isArray(patch) && patch.length > 0 && patch.every((p) => isObject(p) && 'name' in p)) return mergedByName(into, patch as Json[]);
  if (!isObject(patch)) return patch;
  const result: Json = isObject(into) ? { ...into } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value, strategic);
  }
  return result;
}

/** An object after a patch. What the patch says of fields that the object, as it was read, does not hold has no effect. */
export function patched(object: unknown, change: { type: 'merge' | 'json' | 'strategic'; body: object }): unknown {
  if (change.type !== 'json') return merged(object, change.body, change.type === 'strategic');
  const copy: unknown = structuredClone(object);
  applyPatch(copy, change.body as Operation[]);
  return copy;
}

interface Named {
  metadata: { namespace: string; name: string };
}
const isNamed = (o: Named, { namespace, name }: { namespace: string; name: string }) => o.metadata.name === name && o.metadata.namespace === namespace;

/** An object of the facts after a change; the same one where the change concerns another, or gives it a form that the API would refuse. */
function after<T extends Named>(object: T, schema: v.GenericSchema<unknown, T>, change: Change, facts: Facts): T {
  if (!isNamed(object, change)) return object;
  const result = change.how === 'patch' ? patched(object, change) : change.how === 'roll-back' ? rolledBack(object, change.replicaSet, facts) : object;
  const read = v.safeParse(schema, result);
  return read.success ? read.output : object;
}

function rolledBack(object: unknown, replicaSet: string, facts: Facts): unknown {
  const set = facts.replicaSets.seen ? facts.replicaSets.value.find((r) => r.metadata.name === replicaSet) : undefined;
  return set && isObject(object) && isObject(object['spec']) ? { ...object, spec: { ...object['spec'], template: set.spec.template } } : object;
}

const one = <T>(fact: Fact<T | null>, change: (value: T) => T): Fact<T | null> => (fact.seen && fact.value !== null ? seen(change(fact.value)) : fact);
const each = <T>(fact: Fact<T[]>, change: (value: T) => T): Fact<T[]> => (fact.seen ? seen(fact.value.map(change)) : fact);

/** A slice belongs to a Service by its label alone (discovery.k8s.io/v1). */
const ofService = (fact: Facts['slices']): Facts['slices'] =>
  fact.seen ? seen(fact.value.filter((s) => s.metadata.labels['kubernetes.io/service-name'] !== undefined)) : fact;

/** A policy of the facts, changed or new. */
function withPolicy(facts: Facts, change: Change): Facts {
  const own = facts.policies.seen ? facts.policies.value[change.namespace] : undefined;
  if (!facts.policies.seen || !own?.seen) return facts;
  const created = change.how === 'create' ? v.safeParse(o.networkPolicy, change.manifest) : undefined;
  const list = [...own.value.map((p) => after(p, o.networkPolicy, change, facts)), ...(created?.success ? [created.output] : [])];
  return put(facts, 'policies', { ...facts.policies.value, [change.namespace]: seen(list) });
}

type Front = FactTypes['front'];

/** The facts with what is in front of Services changed. */
const withFront = (facts: Facts, change: (front: Front) => Partial<Front>): Facts =>
  facts.front.seen ? put(facts, 'front', { ...facts.front.value, ...change(facts.front.value) }) : facts;

/** What its controller wrote about a route as it was. */
const withoutStatus = (route: f.Route): f.Route => ({ ...route, status: { parents: [] } });

function withRoute(facts: Facts, change: Change): Facts {
  const own = (r: f.Route) => (r.kind.toLowerCase() === change.kind && isNamed(r, change) ? withoutStatus(after(r, f.route, change, facts)) : r);
  return withFront(facts, ({ routes }) => ({ routes: each(routes, own) }));
}

/** What the API server calls, changed; what it said before says nothing any more. */
function withExtension(facts: Facts, change: Change): Facts {
  if (!facts.extension.seen) return facts;
  const { webhooks, apiService } = facts.extension.value;
  const own = (w: e.WebhookConfiguration) => (w.kind.toLowerCase() === change.kind ? after(w, e.webhookConfiguration, change, facts) : w);
  const api = (a: e.ApiService) => (change.kind === 'apiservice' ? { ...after(a, e.apiService, change, facts), status: { conditions: [] } } : a);
  return put(facts, 'extension', { ...facts.extension.value, webhooks: each(webhooks, own), apiService: one(apiService, api) });
}

type MeshList = 'authorizations' | 'destinationRules' | 'sidecars';

/** A mesh's object, changed or new. */
function withMesh(facts: Facts, list: MeshList, schema: v.GenericSchema<unknown, Named>, change: Change): Facts {
  const mesh = facts.mesh.seen ? facts.mesh.value : null;
  const known = mesh?.[list];
  if (!mesh || !known?.seen) return facts;
  const created = change.how === 'create' ? v.safeParse(schema, change.manifest) : undefined;
  const all = [...(known.value as Named[]).map((x) => after(x, schema, change, facts)), ...(created?.success ? [created.output] : [])];
  return put(facts, 'mesh', { ...mesh, [list]: seen(all) });
}

/** A new grant: what controllers wrote about routes before it says nothing any more. */
function withGrant(facts: Facts, change: Change): Facts {
  const created = change.how === 'create' ? v.safeParse(f.referenceGrant, change.manifest) : undefined;
  if (!created?.success) return facts;
  return withFront(facts, ({ routes, referenceGrants }) => ({
    routes: each(routes, withoutStatus),
    referenceGrants: referenceGrants.seen ? seen([...referenceGrants.value, created.output]) : referenceGrants,
  }));
}

/** The facts after a change of one object, before anything in the cluster has followed it. */
export function withObject(facts: Facts, change: Change): Facts {
  const service = (s: o.Service) => after(s, o.service, change, facts);
  const workload = (w: o.Workload) => after(w, o.workload, change, facts);
  switch (change.kind) {
    case 'service':
      return { ...facts, service: one(facts.service, service), dnsService: one(facts.dnsService, service) };
    case 'endpointslice':
      return { ...facts, slices: ofService(each(facts.slices, (s) => after(s, o.endpointSlice, change, facts))) };
    case 'deployment':
      return { ...facts, deployments: each(facts.deployments, workload), dnsWorkload: one(facts.dnsWorkload, workload) };
    case 'statefulset':
      return { ...facts, statefulSets: each(facts.statefulSets, workload) };
    case 'daemonset':
      return { ...facts, daemonSets: each(facts.daemonSets, workload), proxyWorkload: one(facts.proxyWorkload, workload) };
    case 'replicaset':
      return { ...facts, replicaSets: each(facts.replicaSets, workload) };
    case 'networkpolicy':
      return withPolicy(facts, change);
    case 'authorizationpolicy':
      return withMesh(facts, 'authorizations', m.istioAuthorization, change);
    case 'destinationrule':
      return withMesh(facts, 'destinationRules', m.destinationRule, change);
    case 'sidecar':
      return withMesh(facts, 'sidecars', m.sidecar, change);
    case 'configmap': {
      if (!facts.corefile.seen || change.how !== 'patch' || change.namespace !== 'kube-system' || change.name !== 'coredns') return facts;
      const data = (patched({ data: { Corefile: facts.corefile.value } }, change) as { data: { Corefile?: unknown } }).data;
      return typeof data.Corefile === 'string' ? put(facts, 'corefile', data.Corefile) : facts;
    }
    case 'pod': {
      const pod = (p: o.Pod) => after(p, o.pod, change, facts);
      return { ...facts, pods: each(facts.pods, pod), dnsPods: each(facts.dnsPods, pod) };
    }
    case 'validatingwebhookconfiguration':
    case 'mutatingwebhookconfiguration':
    case 'apiservice':
      return withExtension(facts, change);
    case 'ingress':
      return withFront(facts, ({ ingresses }) => ({ ingresses: each(ingresses, (i) => after(i, f.ingress, change, facts)) }));
    case 'httproute':
    case 'grpcroute':
    case 'tlsroute':
    case 'tcproute':
      return withRoute(facts, change);
    case 'referencegrant':
      return withGrant(facts, change);
    default:
      return facts;
  }
}
