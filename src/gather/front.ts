/** What is in front of the Service: Ingresses, routes and Gateways, their classes, and the pods that take the requests. */
import * as v from 'valibot';
import { type Cluster, type Resource, resources } from '../cluster/index.ts';
import { type Fact, seen, unseen, valueOf } from '../facts/fact.ts';
import type { FactTypes, Target } from '../facts/facts.ts';
import * as f from '../facts/front.ts';
import * as o from '../facts/objects.ts';
import { selects } from '../facts/selectors.ts';
import { type ControllerKind, controllerKind, controllerKinds } from '../front/controllers.ts';
import { type Access, collector, fromFailure, parsedList, read } from './collector.ts';

type Front = FactTypes['front'];
export type FrontRef = NonNullable<Target['front']>;

const gatewayGroup = 'gateway.networking.k8s.io';
/** Of Ingresses, by the API reference v1. */
export const ingressClassResource: Resource = { group: 'networking.k8s.io', version: 'v1', plural: 'ingressclasses' };

/** In the order in which their versions are preferred. */
export const gatewayKinds = {
  HTTPRoute: { plural: 'httproutes', versions: ['v1', 'v1beta1'] },
  GRPCRoute: { plural: 'grpcroutes', versions: ['v1', 'v1alpha2'] },
  TLSRoute: { plural: 'tlsroutes', versions: ['v1', 'v1alpha3', 'v1alpha2'] },
  TCPRoute: { plural: 'tcproutes', versions: ['v1', 'v1alpha2'] },
  Gateway: { plural: 'gateways', versions: ['v1', 'v1beta1'] },
  GatewayClass: { plural: 'gatewayclasses', versions: ['v1', 'v1beta1'] },
  ReferenceGrant: { plural: 'referencegrants', versions: ['v1', 'v1beta1'] },
} as const;
export type GatewayKind = keyof typeof gatewayKinds;

/** The versions of a kind of the Gateway API that may be served; a group can be there in a version without the kind. */
export const servedVersions = (kind: GatewayKind, apiVersions: readonly string[]): Resource[] => {
  const { plural, versions } = gatewayKinds[kind];
  return versions.filter((x) => apiVersions.includes(`${gatewayGroup}/${x}`)).map((version) => ({ group: gatewayGroup, version, plural }));
};

/** An Ingress with its class where an annotation names it. */
export const withClass = (raw: unknown): unknown => {
  const { metadata } = raw as { metadata?: { annotations?: Record<string, string> } };
  const annotation = metadata?.annotations?.['kubernetes.io/ingress.class'];
  return annotation === undefined ? raw : { ...(raw as object), classAnnotation: annotation };
};
/** An IngressClass, and whether it is the default. */
export const withDefault = (raw: unknown): unknown => {
  const { metadata } = raw as { metadata?: { annotations?: Record<string, string> } };
  return { ...(raw as object), isDefault: metadata?.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true' };
};

/** A list says of its kind in the list alone. */
export const asKind = (kind: f.RouteKind) => (raw: unknown) => ({ ...(raw as object), kind });

/** Reads one list; a kind that the cluster does not serve has no objects. */
async function listed<S extends v.GenericSchema>(
  cluster: Cluster,
  resource: Resource,
  schema: S,
  what: string,
  signal: AbortSignal,
  before: (raw: unknown) => unknown = (raw) => raw,
): Promise<Fact<v.InferOutput<S>[]>> {
  const answer = await cluster.list(resource, { signal });
  if (!answer.ok && answer.failure.reason === 'not-found') return seen([]);
  return parsedList(answer.ok ? { ok: true, value: answer.value.map(before) } : answer, schema, what);
}

export interface Controllers {
  /** The kinds that can serve what was asked about. */
  kinds: readonly ControllerKind[];
  /** The name of its Gateway. */
  gateway: string;
  /** A class names the controller, so that no pods are a finding; else it may be another one that serves. */
  isNamed: boolean;
}

/** The pods that take the requests of the first of these controllers that has some, and the Service that selects them. */
export async function proxyOf(
  cluster: Cluster,
  { kinds, gateway, isNamed }: Controllers,
  services: readonly o.Service[],
  signal: AbortSignal,
): Promise<Front['proxy']> {
  for (const kind of kinds)
    for (const selector of kind.proxies) {
      const labelSelector = selector.replaceAll('{gateway}', gateway);
      const pods = parsedList(await cluster.list(resources.pods, { labelSelector, signal }), o.pod, `the pods of ${kind.name}`);
      if (!pods.seen) return pods;
      const [first] = pods.value;
      if (!first) continue;
      const before = services.filter((s) => s.metadata.namespace === first.metadata.namespace && selects(s.spec.selector, first.metadata.labels));
      const chosen = before.find((s) => s.spec.type === 'LoadBalancer') ?? before.find((s) => s.spec.type === 'NodePort') ?? before[0];
      const service = chosen ? { namespace: chosen.metadata.namespace, name: chosen.metadata.name } : null;
      return seen({ controller: kind.name, service, pods: pods.value });
    }
  return seen(isNamed && kinds[0] ? { controller: kinds[0].name, service: null, pods: [] } : null);
}

const kindsOf = (controller: string): ControllerKind[] => [controllerKind(controller) ?? []].flat();

/** The controllers that can serve the Ingress or Gateway that is asked about. */
export function controllersOf(ref: FrontRef, front: Omit<Front, 'proxy' | 'secrets'>): Controllers {
  const classes = valueOf(front.ingressClasses) ?? [];
  const byIngress = (ingress: f.Ingress): Controllers => {
    const name = ingress.spec.ingressClassName ?? ingress.classAnnotation ?? null;
    const found = classes.find((c) => (name === null ? c.isDefault : c.metadata.name === name));
    const kinds = found ? kindsOf(found.spec.controller) : controllerKinds.filter((k) => k.unlisted?.includes(name));
    return { kinds, gateway: '', isNamed: found !== undefined };
  };
  const byGateway = (gateway: f.Gateway | undefined): Controllers => {
    const found = (valueOf(front.gatewayClasses) ?? []).find((c) => c.metadata.name === gateway?.spec.gatewayClassName);
    return { kinds: kindsOf(found?.spec.controllerName ?? ''), gateway: gateway?.metadata.name ?? '', isNamed: true };
  };
  const here = <T extends { metadata: { namespace: string; name: string } }>(items: readonly T[] | undefined) =>
    items?.find((i) => i.metadata.namespace === ref.namespace && i.metadata.name === ref.name);
  const ingresses = valueOf(front.ingresses) ?? [];
  const gateways = valueOf(front.gateways) ?? [];
  const routes = valueOf(front.routes) ?? [];
  const parentsOf = (route: f.Route | undefined) =>
    route?.spec.parentRefs.flatMap(
      (p) => gateways.find((g) => g.metadata.namespace === (p.namespace ?? route.metadata.namespace) && g.metadata.name === p.name) ?? [],
    ) ?? [];
  if (ref.kind === 'route') return byGateway(parentsOf(here(routes))[0] ?? gateways[0]);
  const ingress = ref.kind === 'ingress' ? here(ingresses) : ingresses.find((i) => i.spec.rules.some((r) => r.host === ref.host));
  if (ingress) return byIngress(ingress);
  const route = routes.find((r) => r.spec.hostnames.includes(ref.host ?? ''));
  const gateway = parentsOf(route)[0] ?? gateways[0];
  if (gateway) return byGateway(gateway);
  return {
    kinds: [...new Set([...classes.flatMap((c) => kindsOf(c.spec.controller)), ...controllerKinds.filter((k) => k.unlisted?.includes(null))])],
    gateway: '',
    isNamed: false,
  };
}

/** The Secrets that are named for TLS: by Ingresses of the same namespace or the same hosts, and by listeners. */
function secretsNamed(ref: FrontRef, { ingresses, gateways }: Pick<Front, 'ingresses' | 'gateways'>): { namespace: string; name: string }[] {
  const ofIngresses = (valueOf(ingresses) ?? [])
    .filter((i) =>
      ref.kind === 'ingress' ? i.metadata.namespace === ref.namespace && i.metadata.name === ref.name : i.spec.rules.some((r) => r.host === ref.host),
    )
    .flatMap((i) => i.spec.tls.flatMap((t) => (t.secretName ? [{ namespace: i.metadata.namespace, name: t.secretName }] : [])));
  const ofListeners =
    ref.kind === 'ingress'
      ? []
      : (valueOf(gateways) ?? []).flatMap((g) =>
          g.spec.listeners.flatMap((l) =>
            (l.tls?.certificateRefs ?? [])
              .filter((c) => (c.kind ?? 'Secret') === 'Secret')
              .map((c) => ({ namespace: c.namespace ?? g.metadata.namespace, name: c.name })),
          ),
        );
  return [...ofIngresses, ...ofListeners];
}

/** Everything in front of Services that can concern `ref`. */
export async function readFront(cluster: Cluster, ref: FrontRef, signal: AbortSignal): Promise<Front> {
  const served = await cluster.apiVersions(signal);
  const versions = served.ok ? served.value : [];
  const gatewayList = async <S extends v.GenericSchema>(
    kind: GatewayKind,
    schema: S,
    before?: (raw: unknown) => unknown,
  ): Promise<Fact<v.InferOutput<S>[]>> => {
    for (const resource of servedVersions(kind, versions)) {
      const found = await cluster.list(resource, { signal });
      if (!found.ok && found.failure.reason === 'not-found') continue;
      return parsedList(found.ok && before ? { ok: true, value: found.value.map(before) } : found, schema, resource.plural);
    }
    return seen([]);
  };
  const [ingresses, ingressClasses, http, grpc, tls, tcp, gateways, gatewayClasses, referenceGrants, namespaces, services] = await Promise.all([
    listed(cluster, resources.ingresses, f.ingress, 'Ingresses', signal, withClass),
    listed(cluster, ingressClassResource, f.ingressClass, 'IngressClasses', signal, withDefault),
    gatewayList('HTTPRoute', f.route, asKind('HTTPRoute')),
    gatewayList('GRPCRoute', f.route, asKind('GRPCRoute')),
    gatewayList('TLSRoute', f.route, asKind('TLSRoute')),
    gatewayList('TCPRoute', f.route, asKind('TCPRoute')),
    gatewayList('Gateway', f.gateway),
    gatewayList('GatewayClass', f.gatewayClass),
    gatewayList('ReferenceGrant', f.referenceGrant),
    listed(cluster, resources.namespaces, o.namespace, 'namespaces', signal),
    listed(cluster, resources.services, o.service, 'Services', signal),
  ]);
  const unread = [http, grpc, tls, tcp].find((r) => !r.seen);
  const routes: Front['routes'] = unread ?? seen([http, grpc, tls, tcp].flatMap((r) => valueOf(r) ?? []));
  const known = { ingresses, ingressClasses, routes, gateways, gatewayClasses, referenceGrants, namespaces, services };
  const [proxy, secrets] = await Promise.all([
    proxyOf(cluster, controllersOf(ref, known), valueOf(services) ?? [], signal),
    Promise.all(
      secretsNamed(ref, known).map(async ({ namespace, name }): Promise<[string, Fact<boolean>]> => {
        const there = await cluster.exists({ group: '', version: 'v1', plural: 'secrets' }, name, namespace, signal);
        return [`${namespace}/${name}`, there.ok ? seen(there.value) : fromFailure(there.failure)];
      }),
    ),
  ]);
  return { ...known, proxy, secrets: Object.fromEntries(secrets) };
}

const gatewayAccess = Object.values(gatewayKinds).map(({ plural }): Access => read(plural, ['list'], 'cluster', gatewayGroup));

export const front = collector({
  fact: 'front',
  access: [
    ...[resources.ingresses, ingressClassResource].map(({ plural, group }) => ({ ...read(plural, ['list'], 'cluster', group), only: 'front' as const })),
    ...gatewayAccess.map((a) => ({ ...a, only: 'front' as const })),
    ...['services', 'namespaces'].map((plural) => ({ ...read(plural, ['list'], 'cluster'), only: 'front' as const })),
    { ...read('secrets', ['get'], 'service'), only: 'front' as const },
  ],
  when: (_, target) => (target.front ? true : 'the question begins at the Service'),
  async collect({ cluster, target, signal, front: known }) {
    if (!target.front) return unseen('not-needed', 'what is in front', 'the question begins at the Service');
    return seen(known ?? (await readFront(cluster, target.front, signal)));
  },
});
