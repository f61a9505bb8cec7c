/** From what was asked for to one request, and the backend that gets it. */
import { valueOf } from '../facts/fact.ts';
import type { FactTypes, Target } from '../facts/facts.ts';
import type { Gateway, Ingress, Route } from '../facts/front.ts';
import { type Attachment, attachments } from './attached.ts';
import { type Backend, type Claim, claimants, claimsOfIngress, claimsOfRoute, type Request, unreadClaims } from './claims.ts';
import { hostFor } from './hosts.ts';

export type Front = FactTypes['front'];

export interface Chosen {
  /** The object that was named, where one was. */
  ingress: Ingress | undefined;
  route: Route | undefined;
  request: Request & { port: number };
  /** The claims on the request, the one that gets it first. */
  claims: Claim[];
  /** Claims of which it is not known whether they are on the request. */
  unread: Claim[];
  /** The claim of the object that was named, which another may come before. */
  own: Claim | undefined;
  attached: Attachment[];
  gateway: Gateway | undefined;
  /** Where the request goes, and would go by its weight. */
  backends: Backend[];
}

export const labelsIn = (front: Front) => (namespace: string) => (valueOf(front.namespaces) ?? []).find((n) => n.metadata.name === namespace)?.metadata.labels;

/** What follows from all objects together is found once: in a scan every one of them is asked about. */
interface Index {
  attached: Map<Route, Attachment[]>;
  /** Claims by host: of the Ingresses of each class, of the routes of each Gateway, and of all. */
  ofClass: Map<string, ByHost>;
  ofGateway: Map<Gateway, ByHost>;
  ofAll: ByHost;
}
type ByHost = Map<string, Claim[]>;
const indexes = new WeakMap<Front, Index>();

const byHost = (claims: readonly Claim[]): ByHost => Map.groupBy(claims, (c) => c.host.toLowerCase());

/** The claims that can be on a host: on itself, on a wildcard above it, on every host. */
function about(claims: ByHost, host: string): Claim[] {
  const labels = host.toLowerCase().split('.');
  const wildcards = labels.slice(1).map((_, i) => `*.${labels.slice(i + 1).join('.')}`);
  return [...new Set([host.toLowerCase(), ...wildcards, ''])].flatMap((h) => claims.get(h) ?? []);
}

function indexOf(front: Front): Index {
  const before = indexes.get(front);
  if (before) return before;
  const [ingresses, routes, gateways] = [valueOf(front.ingresses) ?? [], valueOf(front.routes) ?? [], valueOf(front.gateways) ?? []];
  const attached = new Map(routes.map((route) => [route, attachments(route, gateways, labelsIn(front))]));
  const claimsOf = (route: Route): Claim[] => {
    const hosts = [...new Set((attached.get(route) ?? []).flatMap((a) => a.listeners.flatMap((l) => l.hosts)))];
    return hosts.length > 0 ? claimsOfRoute(route, hosts) : [];
  };
  const found: Index = {
    attached,
    ofClass: new Map([...Map.groupBy(ingresses, classOf)].map(([name, own]) => [name, byHost(own.flatMap(claimsOfIngress))])),
    ofGateway: new Map(gateways.map((g) => [g, byHost(routes.filter((r) => (attached.get(r) ?? []).some((a) => a.gateway === g)).flatMap(claimsOf))])),
    ofAll: byHost([...ingresses.flatMap(claimsOfIngress), ...routes.flatMap(claimsOf)]),
  };
  indexes.set(front, found);
  return found;
}

export const attachmentsOf = (front: Front, route: Route): Attachment[] =>
  indexOf(front).attached.get(route) ?? attachments(route, valueOf(front.gateways) ?? [], labelsIn(front));

const named = <T extends { metadata: { namespace: string; name: string } }>(
  items: readonly T[] | undefined,
  { namespace, name }: { namespace: string; name: string },
) => items?.find((i) => i.metadata.namespace === namespace && i.metadata.name === name);

const isTls = (ingress: Ingress | undefined, host: string): boolean => ingress?.spec.tls.some((t) => t.hosts.length === 0 || t.hosts.includes(host)) ?? false;

/** What was asked for, as one request with its claims; undefined where the object that was named is not there. */
export function choose(front: Front, target: Target): Chosen | undefined {
  const ref = target.front;
  if (!ref) return undefined;
  const ingresses = valueOf(front.ingresses) ?? [];
  const routes = valueOf(front.routes) ?? [];
  const ingress = ref.kind === 'ingress' ? named(ingresses, ref) : undefined;
  const route = ref.kind === 'route' ? named(routes, ref) : undefined;
  if (ref.kind !== 'url' && !ingress && !route) return undefined;
  const attached = route ? attachmentsOf(front, route) : [];
  const ownClaims = ingress ? claimsOfIngress(ingress) : route ? claimsOfRoute(route, attachedHosts(attached, route)) : [];
  const wanted = ownClaims.filter((c) => (ref.host === undefined || c.host === ref.host || c.host === '') && (ref.path === undefined || c.path === ref.path));
  // What a rule sends to a Service that is broken is of more use than what is right.
  const candidates = wanted.length > 0 ? wanted : ownClaims;
  const own = candidates.find((c) => !isRight(front, c)) ?? candidates[0];
  const host = ref.host ?? hostFor(own?.host ?? '');
  const all = rivals(front, host, ingress, route);
  const listeners = attached.flatMap((a) => a.listeners.map((l) => l.listener));
  const firstClaim = claimants(all, { scheme: 'http', host, path: ref.path ?? own?.path ?? '/' })[0];
  const claimed = firstClaim?.kind === 'Ingress' ? named(ingresses, firstClaim) : undefined;
  const claimedRoute = firstClaim && firstClaim.kind !== 'Ingress' ? named(routes, firstClaim) : undefined;
  const inUse = listeners.length > 0 ? listeners : claimedRoute ? attachmentsOf(front, claimedRoute).flatMap((a) => a.listeners.map((l) => l.listener)) : [];
  const plain = inUse.find((l) => l.protocol === 'HTTP');
  const scheme = ref.scheme ?? (isTls(ingress ?? claimed, host) || (inUse.length > 0 && !plain) ? 'https' : 'http');
  const listener = inUse.find((l) => (scheme === 'https' ? l.protocol !== 'HTTP' : l.protocol === 'HTTP'));
  const path = ref.path ?? (own?.pathType === 'RegularExpression' ? '/' : (own?.path ?? '/'));
  const request = { scheme, host, path, port: listener?.port ?? (scheme === 'https' ? 443 : 80) };
  const claims = claimants(all, request);
  const winner = ref.kind === 'url' ? claims[0] : (own ?? claims[0]);
  const gateway = attached.find((a) => a.gateway)?.gateway ?? (claimedRoute && attachmentsOf(front, claimedRoute).find((a) => a.gateway)?.gateway);
  return {
    ingress: ingress ?? (ref.kind === 'url' ? claimed : undefined),
    route: route ?? (ref.kind === 'url' ? claimedRoute : undefined),
    request,
    claims,
    unread: unreadClaims(all, request),
    own: own ?? winner,
    attached: attached.length > 0 ? attached : claimedRoute && ref.kind === 'url' ? attachmentsOf(front, claimedRoute) : [],
    gateway,
    backends: winner?.backends ?? [],
  };
}

const classOf = (ingress: Ingress) => ingress.spec.ingressClassName ?? ingress.classAnnotation ?? '';

/** The claims on a host that compete: of Ingresses of one class, of routes of one Gateway; for a URL all that there are. */
function rivals(front: Front, host: string, ingress: Ingress | undefined, route: Route | undefined): Claim[] {
  const { ofClass, ofGateway, ofAll } = indexOf(front);
  if (ingress) return about(ofClass.get(classOf(ingress)) ?? new Map<string, Claim[]>(), host);
  if (!route) return about(ofAll, host);
  const own = new Set(attachmentsOf(front, route).flatMap((a) => a.gateway ?? []));
  return [...new Set([...own].flatMap((g) => about(ofGateway.get(g) ?? new Map<string, Claim[]>(), host)))];
}

const attachedHosts = (attached: readonly Attachment[], route: Route): string[] => {
  const hosts = [...new Set(attached.flatMap((a) => a.listeners.flatMap((l) => l.hosts)))];
  return hosts.length > 0 ? hosts : route.spec.hostnames.length > 0 ? route.spec.hostnames : [''];
};

/** Whether each backend of a claim is a Service that is there, with that port. */
function isRight(front: Front, claim: Claim): boolean {
  const services = valueOf(front.services);
  if (!services) return true;
  return claim.backends.every((b) => {
    const service = named(services, b);
    return b.kind !== 'Service' || (service !== undefined && (b.port === null || service.spec.ports.some((p) => p.port === b.port || p.name === b.port)));
  });
}

/** The request to try; undefined where it is not over HTTP. */
export function requestOf(front: Front, target: Target): Chosen['request'] | undefined {
  const chosen = choose(front, target);
  if (!chosen || chosen.route?.kind === 'TCPRoute' || chosen.route?.kind === 'TLSRoute') return undefined;
  return chosen.request;
}

/** The Service that is diagnosed further: the one with most of the requests. */
export function serviceBehind(chosen: Chosen | undefined): Backend | undefined {
  const services = (chosen?.backends ?? []).filter((b) => b.kind === 'Service' && b.group === '');
  return services.filter((b) => b.weight > 0).toSorted((a, b) => b.weight - a.weight)[0] ?? services[0];
}
