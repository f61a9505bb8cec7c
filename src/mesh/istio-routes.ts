/** What a client's proxy makes of a Service: which TLS it uses, which requests it sends where, and whether it knows the Service at all. */
import { type Fact, valueOf } from '../facts/fact.ts';
import type { DestinationRule, HttpMatch, HttpRoute, MeshPod, Sidecar, VirtualService } from '../facts/mesh.ts';
import { isExportedTo, meansService, type ServiceName, serviceNamed } from './hosts.ts';
import { hasLabels } from './matching.ts';
import { rootNamespace } from './member.ts';
import type { Reference } from './mutual-tls.ts';

const refOf = (kind: string, { metadata }: { metadata: { namespace: string; name: string } }): Reference => ({
  kind,
  namespace: metadata.namespace,
  name: metadata.name,
});

/**
 * The DestinationRules that a client uses for a Service: of its own namespace, else of the Service's, else of the root namespace; there those
 * with the most exact host (Istio documentation, "DestinationRule", namespace lookup).
 */
export function rulesFor(client: MeshPod, service: ServiceName, all: readonly DestinationRule[]): DestinationRule[] {
  const visible = all
    .filter((r) => isExportedTo(r.spec.exportTo ?? [], r.metadata.namespace, client.namespace))
    .filter((r) => hasLabels(r.spec.workloadSelector?.matchLabels, client.labels))
    .map((rule) => ({ rule, exact: meansService(rule.spec.host, rule.metadata.namespace, service) }))
    .filter((r) => r.exact > 0);
  for (const namespace of [client.namespace, service.namespace, rootNamespace]) {
    const here = visible.filter((r) => r.rule.metadata.namespace === namespace);
    const best = Math.max(0, ...here.map((r) => r.exact));
    if (best > 0) return here.filter((r) => r.exact === best).map((r) => r.rule);
  }
  return [];
}

/** The TLS mode that a DestinationRule asks for on a Service port, or undefined where it leaves that to Istio. A port's settings replace those of the whole rule. */
export function tlsOf(rules: readonly DestinationRule[], port: number, subset: string | undefined): { mode: string; by: Reference } | undefined {
  for (const rule of rules) {
    const ofSubset = rule.spec.subsets?.find((s) => s.name === subset)?.trafficPolicy;
    for (const policy of [ofSubset, rule.spec.trafficPolicy]) {
      const ofPort = policy?.portLevelSettings?.find((s) => s.port?.number === port);
      const mode = (ofPort ?? policy)?.tls?.mode;
      if (mode) return { mode, by: refOf('DestinationRule', rule) };
    }
  }
  return undefined;
}

/** The Sidecar that limits what a client's proxy knows: of its labels, else of its namespace, else of the root namespace. */
export function sidecarOf(client: MeshPod, all: readonly Sidecar[]): Sidecar | undefined {
  const selector = (s: Sidecar) => s.spec.workloadSelector?.labels ?? {};
  const own = all.filter((s) => s.metadata.namespace === client.namespace);
  const isWide = (s: Sidecar) => Object.keys(selector(s)).length === 0;
  return (
    own.find((s) => !isWide(s) && hasLabels(selector(s), client.labels)) ??
    own.find(isWide) ??
    all.find((s) => s.metadata.namespace === rootNamespace && isWide(s))
  );
}

/** Whether a Sidecar names a Service among the hosts of its egress listeners (`namespace/host`; Istio reference, IstioEgressListener.hosts). */
export function namesService(sidecar: Sidecar, service: ServiceName, port: number): boolean {
  const { egress } = sidecar.spec;
  // Without egress listeners a Sidecar knows everything.
  if (!egress || egress.length === 0) return true;
  return egress.some(
    (listener) =>
      (listener.port?.number === undefined || listener.port.number === null || listener.port.number === port) &&
      (listener.hosts ?? []).some((entry) => {
        const [place = '', host = ''] = entry.split('/');
        const home = sidecar.metadata.namespace;
        const isHere = place === '*' || place === service.namespace || (place === '.' && home === service.namespace);
        return isHere && meansService(host, service.namespace, service) > 0;
      }),
  );
}

/** A fault in how a client's proxy sends requests on. */
export interface RouteFault {
  by: Reference;
  message: string;
  evidence: string;
  /** Requests that meet it. */
  scope: 'all' | 'part';
  /** Fewer facts than needed decide it. */
  isOpen: boolean;
}

export interface Routing {
  client: MeshPod;
  service: ServiceName;
  port: number;
  isHttp: boolean | 'maybe';
  path: string | undefined;
  destinationRules: readonly DestinationRule[];
  virtualServices: readonly VirtualService[];
  /** Labels of the pods behind the Service that take requests. */
  pods: readonly MeshPod[];
  destinations: Record<string, Fact<boolean>>;
}

/** Whether a match applies to a GET of a path: undefined where no fact shows it. */
function applies(match: HttpMatch, { client, port, path }: Routing): boolean | undefined {
  if (match.port !== undefined && match.port !== null && match.port !== port) return false;
  if ((match.gateways ?? []).length > 0 && !match.gateways?.includes('mesh')) return false;
  if (!hasLabels(match.sourceLabels, client.labels)) return false;
  if (match.sourceNamespace && match.sourceNamespace !== client.namespace) return false;
  const { uri } = match;
  if (uri && path === undefined) return undefined;
  if (uri?.exact !== undefined && uri.exact !== path?.split('?')[0]) return false;
  if (uri?.prefix !== undefined && path?.startsWith(uri.prefix) === false) return false;
  if (uri?.regex !== undefined) return undefined;
  const others = [match.method, match.authority, match.headers, match.queryParams, match.withoutHeaders];
  return others.some((o) => o && Object.keys(o).length > 0) ? undefined : true;
}

/** The route that a request takes, and those before it that it may take. */
function routesTaken(routes: readonly HttpRoute[], routing: Routing): { route: HttpRoute; isSure: boolean }[] {
  const taken: { route: HttpRoute; isSure: boolean }[] = [];
  for (const route of routes) {
    const matches = route.match ?? [];
    const results = matches.map((m) => applies(m, routing));
    if (matches.length === 0 || results.includes(true)) return [...taken, { route, isSure: taken.length === 0 }];
    if (results.includes(undefined)) taken.push({ route, isSure: false });
  }
  return taken;
}

function subsetFault(
  virtualService: VirtualService,
  host: string,
  subset: string,
  scope: 'all' | 'part',
  isOpen: boolean,
  routing: Routing,
): RouteFault | undefined {
  const named = serviceNamed(host, virtualService.metadata.namespace);
  if (!named) return undefined;
  const rules = rulesFor(routing.client, named, routing.destinationRules);
  const defined = rules.flatMap((rule) => (rule.spec.subsets ?? []).filter((s) => s.name === subset).map((s) => ({ rule, labels: s.labels ?? {} })));
  const by = refOf('VirtualService', virtualService);
  const [first] = defined;
  if (!first)
    return {
      by,
      scope,
      isOpen,
      message: `sends ${scope === 'all' ? 'requests' : 'some requests'} to subset "${subset}" of "${named.name}", which no DestinationRule defines`,
      evidence: `DestinationRules for ${named.name}: ${rules.map((r) => `${r.metadata.name} (subsets ${(r.spec.subsets ?? []).map((s) => s.name).join(', ') || 'none'})`).join(', ') || 'none'}`,
    };
  const isOwn = named.name === routing.service.name && named.namespace === routing.service.namespace;
  if (!isOwn || routing.pods.some((p) => hasLabels(first.labels, p.labels))) return undefined;
  const labels = Object.entries(first.labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  return {
    by: refOf('DestinationRule', first.rule),
    scope,
    isOpen,
    message: `subset "${subset}" has labels ${labels}, which no pod behind the Service has; VirtualService "${virtualService.metadata.name}" sends ${scope === 'all' ? 'requests' : 'some requests'} there`,
    evidence: `pods behind the Service: ${routing.pods.map((p) => p.name).join(', ') || 'none'}`,
  };
}

function destinationFault(
  virtualService: VirtualService,
  host: string,
  scope: 'all' | 'part',
  isOpen: boolean,
  { destinations }: Routing,
): RouteFault | undefined {
  const named = serviceNamed(host, virtualService.metadata.namespace);
  const exists = named && destinations[`${named.namespace}/${named.name}`];
  if (!named || !exists || valueOf(exists) !== false) return undefined;
  return {
    by: refOf('VirtualService', virtualService),
    scope,
    isOpen,
    message: `sends ${scope === 'all' ? 'requests' : 'some requests'} to host "${host}", and namespace ${named.namespace} has no Service "${named.name}"`,
    evidence: `destination.host ${host} means Service ${named.namespace}/${named.name}`,
  };
}

/** What is wrong with the routes that a client's proxy has for a Service; empty where no VirtualService means it. */
export function routeFaults(routing: Routing): RouteFault[] {
  const { client, service, port, isHttp } = routing;
  // The oldest VirtualService for a host counts where several mean it, and one of the client's own namespace comes first.
  const own = routing.virtualServices
    .filter((v) => isExportedTo(v.spec.exportTo ?? [], v.metadata.namespace, client.namespace))
    .filter((v) => (v.spec.gateways ?? []).length === 0 || v.spec.gateways?.includes('mesh'))
    .filter((v) => (v.spec.hosts ?? []).some((h) => meansService(h, v.metadata.namespace, service) > 0));
  return own.flatMap((virtualService) => {
    const { http, tcp } = virtualService.spec;
    const taken =
      isHttp === false
        ? (tcp ?? [])
            .filter((r) => (r.match ?? []).every((m) => !m.port || m.port === port))
            .slice(0, 1)
            .map((r) => ({ route: r.route ?? [], abort: undefined, isSure: true }))
        : routesTaken(http ?? [], routing).map(({ route, isSure }) => ({ route: route.route ?? [], abort: route.fault?.abort, isSure }));
    return taken.flatMap(({ route, abort, isSure }) => {
      const used = route.filter((r) => route.length === 1 || (r.weight ?? 0) > 0);
      const scope = isSure && used.length === 1 ? 'all' : 'part';
      const isOpen = !isSure || isHttp === 'maybe';
      const faults = used.flatMap(({ destination: { host, subset } }) =>
        [
          destinationFault(virtualService, host, scope, isOpen, routing) ??
            (subset ? subsetFault(virtualService, host, subset, scope, isOpen, routing) : undefined) ??
            [],
        ].flat(),
      );
      const percent = abort?.percentage?.value ?? 100;
      const aborted: RouteFault[] =
        abort && percent > 0
          ? [
              {
                by: refOf('VirtualService', virtualService),
                scope: isSure && percent === 100 ? 'all' : 'part',
                isOpen,
                message: `answers ${percent === 100 ? 'requests' : `${percent} % of the requests`} with HTTP ${abort.httpStatus ?? 503} itself (fault.abort)`,
                evidence: `fault.abort, ${percent} %`,
              },
            ]
          : [];
      return [...aborted, ...faults];
    });
  });
}
