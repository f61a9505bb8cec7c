/** What rules of Ingresses and routes lay claim to: hosts and paths, and the backends that they send requests to. */
import { RE2JS } from 're2js';
import type { BackendRef, Ingress, Route, RouteMatch } from '../facts/front.ts';
import { derived } from '../facts/derived.ts';
import { hostMatches, hostRank } from './hosts.ts';

export interface Request {
  scheme: 'http' | 'https';
  host: string;
  path: string;
}

export interface Backend {
  kind: string;
  group: string;
  namespace: string;
  name: string;
  /** The Service port by name or number; null where none is named. */
  port: string | number | null;
  weight: number;
}

export interface Claim {
  kind: 'Ingress' | Route['kind'];
  namespace: string;
  name: string;
  created: string;
  /** `spec.rules[0].http.paths[1]`: where it is written. */
  field: string;
  host: string;
  pathType: 'Exact' | 'Prefix' | 'RegularExpression';
  path: string;
  /** Of routes: how much more a request must have (method, headers, query). */
  further: { method: boolean; headers: number; query: number };
  backends: Backend[];
  /** A filter answers by itself: a redirect. */
  answers: boolean;
}

type IngressBackend = NonNullable<Ingress['spec']['defaultBackend']>;

function ingressBackend({ service, resource }: IngressBackend, namespace: string): Backend[] {
  if (service) return [{ kind: 'Service', group: '', namespace, name: service.name, port: service.port?.name ?? service.port?.number ?? null, weight: 1 }];
  return resource ? [{ kind: resource.kind, group: resource.apiGroup ?? '', namespace, name: resource.name, port: null, weight: 1 }] : [];
}

const nothingFurther = { method: false, headers: 0, query: 0 };

export function claimsOfIngress({ metadata, spec }: Ingress): Claim[] {
  const { namespace, name, creationTimestamp } = metadata;
  const own = { kind: 'Ingress' as const, namespace, name, created: creationTimestamp ?? '', further: nothingFurther, answers: false };
  const rules = spec.rules.flatMap((rule, i) =>
    (rule.http?.paths ?? []).map(
      (p, j): Claim => ({
        ...own,
        field: `spec.rules[${i}].http.paths[${j}]`,
        host: rule.host,
        // What ImplementationSpecific means is the controller's; most take it for a prefix.
        pathType: p.pathType === 'Exact' ? 'Exact' : 'Prefix',
        path: p.path,
        backends: ingressBackend(p.backend, namespace),
      }),
    ),
  );
  if (!spec.defaultBackend) return rules;
  return [
    ...rules,
    { ...own, field: 'spec.defaultBackend', host: '', pathType: 'Prefix', path: '/', backends: ingressBackend(spec.defaultBackend, namespace) },
  ];
}

const routeBackend = (b: BackendRef, namespace: string): Backend => ({
  kind: b.kind ?? 'Service',
  group: b.group ?? '',
  namespace: b.namespace ?? namespace,
  name: b.name,
  port: b.port ?? null,
  weight: b.weight ?? 1,
});

function pathOf(kind: Route['kind'], match: RouteMatch | undefined): Pick<Claim, 'path' | 'pathType'> {
  if (kind === 'GRPCRoute') {
    const { method } = match ?? {};
    const { service, method: name } = typeof method === 'object' && method !== null ? method : {};
    return service ? { path: `/${service}/${name ?? ''}`, pathType: name ? 'Exact' : 'Prefix' } : { path: '/', pathType: 'Prefix' };
  }
  const { type = 'PathPrefix', value = '/' } = match?.path ?? {};
  return { path: value ?? '/', pathType: type === 'Exact' ? 'Exact' : type === 'RegularExpression' ? 'RegularExpression' : 'Prefix' };
}

/** `hosts`: those of the route, as far as its listeners serve them. */
export function claimsOfRoute({ kind, metadata, spec }: Route, hosts: readonly string[] = spec.hostnames.length > 0 ? spec.hostnames : ['']): Claim[] {
  const { namespace, name, creationTimestamp } = metadata;
  return spec.rules.flatMap((rule, i) =>
    (rule.matches.length > 0 ? rule.matches : [undefined]).flatMap((match, j) =>
      hosts.map(
        (host): Claim => ({
          kind,
          namespace,
          name,
          created: creationTimestamp ?? '',
          field: rule.matches.length > 0 ? `spec.rules[${i}].matches[${j}]` : `spec.rules[${i}]`,
          host,
          ...pathOf(kind, match),
          further: { method: kind === 'HTTPRoute' && match?.method != null, headers: match?.headers.length ?? 0, query: match?.queryParams.length ?? 0 },
          backends: rule.backendRefs.map((b) => routeBackend(b, namespace)),
          answers: rule.filters.some((f) => f.type === 'RequestRedirect'),
        }),
      ),
    ),
  );
}

const expressionOf = derived(({ path }: Pick<Claim, 'path'>): RE2JS | undefined => {
  try {
    return RE2JS.compile(path);
  } catch {
    return undefined;
  }
});

/**
 * A prefix ends at an element of the path: `/shop` is one of `/shop/cart`, not of `/shopping` (both specifications say so). Regular
 * expressions are those of RE2, as Envoy reads them; it takes no longer for one that somebody wrote to hold it up. Undefined where the
 * expression is none of RE2: a controller may read another kind.
 */
export function pathMatches(claim: Pick<Claim, 'path' | 'pathType'>, asked: string): boolean | undefined {
  const { pathType, path } = claim;
  if (pathType === 'Exact') return path === asked;
  if (pathType === 'RegularExpression') return expressionOf(claim)?.matches(asked);
  const prefix = path.replace(/\/$/, '');
  return asked === prefix || asked.startsWith(`${prefix}/`);
}

const pathRank = { Exact: 2, Prefix: 1, RegularExpression: 0 };

/** The parts by which one claim comes before another, the first that is different decides. Greater is first. */
const precedence = (c: Claim): (number | string)[] => [
  ...hostRank(c.host),
  pathRank[c.pathType],
  c.path.length,
  Number(c.further.method),
  c.further.headers,
  c.further.query,
];

/** Of claims that match the same request, the one that gets it (Gateway API, HTTPRouteRule.matches; Kubernetes documentation, "Multiple matches"). */
export function compareClaims(a: Claim, b: Claim): number {
  const [x, y] = [precedence(a), precedence(b)];
  for (const [i, own] of x.entries()) if (own !== y[i]) return own > (y[i] ?? 0) ? -1 : 1;
  // The oldest, then the first by name.
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  const [m, n] = [`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`];
  return m < n ? -1 : m > n ? 1 : 0;
}

/** Undefined where it is not known. */
const claimMatches = (c: Claim, { host, path }: Request): boolean | undefined =>
  hostMatches(c.host, host, c.kind === 'Ingress' ? 'one' : 'more') && c.further.headers + c.further.query === 0 && pathMatches(c, path.replace(/[?#].*$/, ''));

/** The claims on a request, the one that gets it first. */
export const claimants = (claims: readonly Claim[], request: Request): Claim[] => claims.filter((c) => claimMatches(c, request)).toSorted(compareClaims);

/** The claims that may be on a request, for all that is known. */
export const unreadClaims = (claims: readonly Claim[], request: Request): Claim[] => claims.filter((c) => claimMatches(c, request) === undefined);
