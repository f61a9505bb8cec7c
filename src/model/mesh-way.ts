/** What the proxies of a mesh do with a request, and with connections that they take in the place of programs. */
import type { Code } from '../catalog/codes.ts';
import { valueOf } from '../facts/fact.ts';
import type { Connection } from '../facts/facts.ts';
import { connectionsInMesh, type Met, senderOf } from '../mesh/connections.ts';
import { inboundBypass, membershipOf } from '../mesh/member.ts';
import type { Sender } from '../mesh/way.ts';
import type { Attempt, Stop } from './prediction.ts';
import type { World } from './world.ts';

/** Faults that show only in what comes back over a connection: proxies take it first. */
export const meshFaults = [
  'mesh-sidecar-missing',
  'mesh-egress-blocked',
  'mesh-route-broken',
  'mesh-tls-required',
  'mesh-tls-mismatch',
  'mesh-denies',
] as const satisfies Code[];

const meshOf = ({ facts }: World) => valueOf(facts.mesh) ?? null;

/** Who sent what was seen: the client itself, or a debug pod in its place, which is outside the mesh. */
const senderIn = (world: World): Sender => {
  const mesh = meshOf(world);
  const isStandIn = valueOf(world.facts.connections)?.standIn === true;
  return mesh && !isStandIn ? senderOf(mesh, world.client) : { pod: null, addresses: [] };
};

const met = (world: World, from: Sender): Met[] => {
  const mesh = meshOf(world);
  if (!mesh || !world.service) return [];
  return connectionsInMesh(mesh, { target: world.target, service: world.service, slices: valueOf(world.facts.slices) ?? [], client: world.client }, from);
};

function stopOf({ pod, tls, sends, accepts, admission }: Met): Stop | undefined {
  const own = { fates: ['reset'] as const, pods: [pod.name] };
  if (sends.by?.kind === 'Sidecar' && tls !== 'taken')
    return { ...own, certain: tls === 'refused', why: sends.why, codes: ['mesh-egress-blocked', 'mesh-sidecar-missing'] };
  if (tls === 'refused')
    return { ...own, certain: true, why: `${sends.why}; ${accepts.why}`, codes: ['mesh-tls-required', 'mesh-tls-mismatch', 'mesh-sidecar-missing'] };
  if (admission.verdict === 'allowed') return undefined;
  return { ...own, certain: admission.verdict === 'denied', why: admission.why, codes: ['mesh-denies', 'mesh-sidecar-missing'] };
}

/** The stops of a request that was made over an open connection. */
export function meshStops(world: World, { pod, servicePort }: Attempt): Stop[] {
  const mine = met(world, senderIn(world)).filter((m) => m.servicePort === servicePort && (pod === null || m.pod.name === pod));
  const stops = mine.map(stopOf);
  const isAll = stops.every(Boolean);
  const routed: Stop[] = meshOf(world) ? [{ fates: ['reset'], certain: false, why: 'routes of the mesh', codes: ['mesh-route-broken'] }] : [];
  return [...routed, ...stops.flatMap((s) => (s ? [{ ...s, certain: s.certain && isAll }] : []))];
}

/**
 * Which proxy takes a TCP connection before it gets where it is meant for: the client's own takes every one, so that a handshake says nothing at all;
 * the pod's takes it for a program that may not listen.
 */
export function takenBy(world: World, c: Connection): 'client' | 'pod' | null {
  const mesh = meshOf(world);
  if (!mesh || c.kind !== 'tcp' || c.hop === 'http') return null;
  const sender = senderIn(world).pod;
  if (sender && membershipOf(sender) !== null && c.from === undefined) return 'client';
  const port = Number(c.target.split(':').at(-1));
  const isTaken = (valueOf(mesh.pods) ?? []).some(
    (p) => (c.pod === null || p.name === c.pod) && membershipOf(p) !== null && (c.pod === null || inboundBypass(p, port) === null),
  );
  return isTaken ? 'pod' : null;
}
