/** The connections of a client to the pods behind a Service, as the mesh sees them. */
import { type Fact, unreadOf, valueOf } from '../facts/fact.ts';
import type { Client, Facts, Target } from '../facts/facts.ts';
import type { MeshPod } from '../facts/mesh.ts';
import type { EndpointSlice, Service } from '../facts/objects.ts';
import { dialledPort, endpointsOf, isHeadless, portsAsked, targetsOf } from '../facts/selectors.ts';
import { isHttpPort } from './protocol.ts';
import { type Mesh, meshWay, type Sender, type Way } from './way.ts';

export interface Given {
  target: Target;
  service: Service;
  slices: readonly EndpointSlice[];
  client: Client | null;
}

export interface Met extends Way {
  pod: MeshPod;
  /** The pod's own. */
  port: number;
  servicePort: number;
  isHttp: boolean | 'maybe';
}

/** The client itself. Without a pod of its own it is outside the mesh. */
export const senderOf = (mesh: Mesh, client: Client | null): Sender => ({
  pod: client?.hostNetwork ? null : (valueOf(mesh.client) ?? null),
  addresses: client?.addresses ?? [],
});

/** One for each port and each pod that requests are sent to, where one of the two sides is in the mesh. */
export function connectionsInMesh(mesh: Mesh, { target, service, slices, client }: Given, from = senderOf(mesh, client)): Met[] {
  const pods = valueOf(mesh.pods) ?? [];
  const { name, namespace } = service.metadata;
  return (portsAsked(service, target.port) ?? [])
    .filter((p) => p.protocol === 'TCP')
    .flatMap((servicePort) =>
      targetsOf(servicePort, endpointsOf(slices)).flatMap((endpoint): Met[] => {
        const pod = pods.find((p) => p.name === endpoint.pod);
        const port = dialledPort(service, servicePort, endpoint);
        if (!pod || port === null) return [];
        const isHttp = isHttpPort(servicePort, target.http);
        const dialled = isHeadless(service) ? endpoint.address : (service.spec.clusterIPs[0] ?? endpoint.address);
        const to = { pod, port, service: { name, namespace }, servicePort: servicePort.port, dialled, isHttp, path: target.http };
        const way = meshWay(mesh, from, to);
        return way ? [{ ...way, pod, port, servicePort: servicePort.port, isHttp }] : [];
      }),
    );
}

/** Why the request of a debug pod says nothing about the client that it replaces: the mesh treats the two differently, or may. Undefined where it does not. */
export function standInMisled(facts: Pick<Facts, 'mesh' | 'service' | 'slices' | 'client'>, target: Target): string | undefined {
  if (!facts.mesh.seen) return unreadOf(facts.mesh);
  const mesh = facts.mesh.value;
  if (!mesh) return undefined;
  const lists = Object.entries(mesh).flatMap(([name, list]) => (name === 'destinations' ? [] : [list as Fact<unknown>]));
  const unread = unreadOf(facts.service, facts.slices, facts.client, ...lists);
  if (unread !== undefined) return unread;
  const service = valueOf(facts.service);
  if (!service) return undefined;
  const given = { target, service, slices: valueOf(facts.slices) ?? [], client: valueOf(facts.client) ?? null };
  const own = connectionsInMesh(mesh, given);
  const differs = connectionsInMesh(mesh, given, { pod: null, addresses: [] }).find((other) => {
    const same = own.find((m) => m.pod.name === other.pod.name && m.port === other.port);
    return same && (same.tls !== other.tls || same.admission.verdict !== other.admission.verdict);
  });
  if (!differs) return undefined;
  const { by, why } = differs.tls === 'refused' ? differs.accepts : differs.admission;
  const who = by ? `${by.kind} "${by.name}"` : `pod ${differs.pod.name}`;
  return `the debug pod is outside the mesh, and ${who} keeps it out (${why}); with --probe ephemeral the client itself makes the request`;
}
