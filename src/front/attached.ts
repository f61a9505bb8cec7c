/** Whether and where routes are attached to Gateways (Gateway API, "Attaching to Gateways" and CommonRouteSpec.parentRefs). */
import type { Gateway, Listener, ParentRef, Route } from '../facts/front.ts';
import type { Namespace } from '../facts/objects.ts';
import { matchesLabels } from '../facts/selectors.ts';
import { hostInCommon } from './hosts.ts';

export const gatewayGroup = 'gateway.networking.k8s.io';

/** The kinds of routes that a listener serves where it names none. */
const kindsByProtocol: Record<string, readonly string[]> = {
  HTTP: ['HTTPRoute', 'GRPCRoute'],
  HTTPS: ['HTTPRoute', 'GRPCRoute'],
  TLS: ['TLSRoute', 'TCPRoute'],
  TCP: ['TCPRoute'],
  UDP: ['UDPRoute'],
};

export interface Attachment {
  parentRef: ParentRef;
  /** `spec.parentRefs[0]` */
  field: string;
  /** Undefined where there is no such Gateway, or the parent is of another kind. */
  gateway: Gateway | undefined;
  /** The listeners that serve the route, and the host names that they have in common. */
  listeners: { listener: Listener; hosts: string[] }[];
  /** Why no listener serves it; undefined where one does. */
  why: string | undefined;
  /** The field that has to change, and of which object. */
  at: { object: 'route' | 'gateway'; field: string } | undefined;
}

export const isGatewayRef = (ref: ParentRef): boolean => (ref.kind ?? 'Gateway') === 'Gateway' && (ref.group ?? gatewayGroup) === gatewayGroup;

/** Whether a listener lets in routes from a namespace; undefined where the namespace's labels are not known. */
function letsIn(listener: Listener, gatewayNamespace: string, namespace: string, labels: Namespace['metadata']['labels'] | undefined): boolean | undefined {
  const { from = 'Same', selector } = listener.allowedRoutes?.namespaces ?? {};
  if (from === 'All') return true;
  if (from === 'Selector') return labels === undefined ? undefined : matchesLabels(selector ?? { matchLabels: {} }, labels);
  return from === 'Same' ? namespace === gatewayNamespace : false;
}

/** `labelsOf`: the labels of a namespace, where they are known. */
export function attachments(
  route: Route,
  gateways: readonly Gateway[],
  labelsOf: (namespace: string) => Namespace['metadata']['labels'] | undefined,
): Attachment[] {
  const { namespace } = route.metadata;
  return route.spec.parentRefs.map((parentRef, i): Attachment => {
    const field = `spec.parentRefs[${i}]`;
    const where = parentRef.namespace ?? namespace;
    const gateway = isGatewayRef(parentRef) ? gateways.find((g) => g.metadata.namespace === where && g.metadata.name === parentRef.name) : undefined;
    const not = (why: string, at: Attachment['at']): Attachment => ({ parentRef, field, gateway, listeners: [], why, at });
    if (!isGatewayRef(parentRef)) return not(`its parent is a ${parentRef.kind}, which is no Gateway`, undefined);
    if (!gateway) return not(`Gateway ${where}/${parentRef.name} does not exist`, { object: 'route', field: `${field}.name` });
    const own = (text: string) => `${text} of Gateway ${where}/${parentRef.name}`;
    const names = gateway.spec.listeners.map((l) => l.name).join(', ');
    const bySection = gateway.spec.listeners.filter((l) => parentRef.sectionName == null || l.name === parentRef.sectionName);
    if (bySection.length === 0)
      return not(`there is no listener "${parentRef.sectionName}" ${own('').trim()}; it has: ${names}`, { object: 'route', field: `${field}.sectionName` });
    const byPort = bySection.filter((l) => parentRef.port == null || l.port === parentRef.port);
    if (byPort.length === 0) return not(`no listener ${own('').trim()} has port ${parentRef.port}`, { object: 'route', field: `${field}.port` });
    const serves = (l: Listener) => {
      const kinds = l.allowedRoutes?.kinds ?? [];
      return kinds.length > 0
        ? kinds.some((k) => k.kind === route.kind && (k.group ?? gatewayGroup) === gatewayGroup)
        : (kindsByProtocol[l.protocol] ?? []).includes(route.kind);
    };
    const byKind = byPort.filter(serves);
    if (byKind.length === 0)
      return not(`no listener ${own('').trim()} serves routes of kind ${route.kind} (${byPort.map((l) => `${l.name}: ${l.protocol}`).join(', ')})`, {
        object: 'gateway',
        field: 'spec.listeners[].allowedRoutes.kinds',
      });
    const byNamespace = byKind.filter((l) => letsIn(l, where, namespace, labelsOf(namespace)) !== false);
    if (byNamespace.length === 0)
      return not(
        `no listener ${own('').trim()} lets in routes of namespace ${namespace} (allowedRoutes.namespaces.from: ${[...new Set(byKind.map((l) => l.allowedRoutes?.namespaces?.from ?? 'Same'))].join(', ')})`,
        {
          object: 'gateway',
          field: 'spec.listeners[].allowedRoutes.namespaces',
        },
      );
    const hostnames = route.spec.hostnames.length > 0 ? route.spec.hostnames : [''];
    const listeners = byNamespace.flatMap((listener) => {
      const hosts = hostnames.flatMap((h) => hostInCommon(listener.hostname ?? '', h) ?? []);
      return hosts.length > 0 ? [{ listener, hosts }] : [];
    });
    if (listeners.length === 0)
      return not(
        `no listener ${own('').trim()} has a host name in common with ${hostnames.join(', ')} (${byNamespace.map((l) => `${l.name}: ${l.hostname}`).join(', ')})`,
        {
          object: 'route',
          field: 'spec.hostnames',
        },
      );
    return { parentRef, field, gateway, listeners, why: undefined, at: undefined };
  });
}
