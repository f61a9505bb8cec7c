/** What should become of a connection, from the facts alone. */
import type { Code } from '../catalog/codes.ts';
import type { Pod } from '../facts/objects.ts';
import { familyOf, splitTarget } from '../facts/selectors.ts';
import { hasSidecar } from '../mesh/member.ts';
import type { Protocol } from '../proxy/model.ts';
import { meshStops } from './mesh-way.ts';
import { dnsServerStops, stopsToName } from './name-way.ts';
import { programFaults, stopsToEndpoint } from './pod-way.ts';
import { type Attempt, type Prediction, predictionOf, type Stop } from './prediction.ts';
import { stopsThroughRules } from './rules-way.ts';
import type { World } from './world.ts';

/** What no fact shows: the prediction stays open. */
const unforeseen = (what: string): Stop => ({ fates: ['refused', 'lost', 'not-found', 'failing'], certain: false, why: `${what} is in no object`, codes: [] });

/** Without an address of its own in a family, a client has nothing to send a packet from. */
function familyStops({ client }: World, address: string): Stop[] {
  const own = client?.addresses ?? [];
  if (client?.kind === 'external' || own.length === 0 || own.some((a) => familyOf(a) === familyOf(address))) return [];
  return [{ fates: ['lost', 'refused'], certain: true, why: `the client has no ${familyOf(address)} address`, codes: ['ip-family-mismatch'] }];
}

function stopsOf(world: World, attempt: Attempt): Stop[] {
  if (attempt.hop === 'name' || attempt.hop === 'dns-server') return stopsOnWay(world, attempt);
  return [...familyStops(world, splitTarget(attempt.target).address), ...stopsOnWay(world, attempt)];
}

const isProxied = (pod: Pod | undefined): boolean => pod !== undefined && hasSidecar(pod);

/** A sidecar takes connections for a program that does not listen: only a request shows it. */
function behindSidecar({ pods }: World, { hop }: Attempt, stops: readonly Stop[]): Stop[] {
  const isIts = ({ codes, pods: own }: Stop) =>
    codes.some((c) => (programFaults as readonly Code[]).includes(c)) && own?.some((name) => isProxied(pods.get(name)));
  return stops.map((s) => (!isIts(s) ? s : hop === 'http' ? { ...s, fates: ['reset'] } : { ...s, certain: false, likely: false }));
}

function stopsOnWay(world: World, attempt: Attempt): Stop[] {
  const { service, client } = world;
  const { address, port } = splitTarget(attempt.target);
  const protocol: Protocol = attempt.kind === 'udp' ? 'UDP' : 'TCP';
  const toPod = (to: { address: string; pod: string | null; node: string | null }, at: number) =>
    behindSidecar(world, attempt, stopsToEndpoint(world, { address: to.address, port: at, protocol, pod: to.pod, node: to.node }));
  const slices = world.facts.slices.seen ? world.facts.slices.value : [];
  switch (attempt.hop) {
    case 'name':
      return stopsToName(world, attempt.target.endsWith(' (AAAA)') ? 'IPv6' : attempt.target.endsWith(' (A)') ? 'IPv4' : undefined);
    case 'dns-server': {
      const replica = world.facts.dnsPods.seen ? world.facts.dnsPods.value.find((p) => p.metadata.name === attempt.pod) : undefined;
      return [...(replica ? dnsServerStops(world, replica) : []), unforeseen('what one DNS server answers')];
    }
    case 'health-check':
      return [unforeseen("what a node's health check answers")];
    case 'virtual-ip':
    case 'node-port': {
      if (!service) return [];
      const isInside = attempt.hop === 'virtual-ip';
      const origin = isInside ? (client?.hostNetwork ? 'node' : 'pod') : 'outside';
      const node = isInside ? world.node : attempt.node;
      return stopsThroughRules(world, { service, slices, address, port, node, origin }, toPod);
    }
    case 'load-balancer': {
      const ranges = service?.spec.loadBalancerSourceRanges ?? [];
      if (ranges.length === 0) return [unforeseen('what the load balancer does')];
      return [{ fates: ['lost', 'refused'], certain: false, why: `the load balancer accepts ${ranges.join(', ')} only`, codes: ['source-ranges-deny'] }];
    }
    case 'endpoint':
    case 'target-port':
    case 'payload':
    case 'http': {
      // A request to a virtual IP takes the same way as its connection.
      const inMesh = attempt.hop === 'http' ? meshStops(world, attempt) : [];
      if (attempt.pod === null && service?.spec.clusterIPs.includes(address)) {
        const through = stopsThroughRules(world, { service, slices, address, port, node: world.node, origin: client?.hostNetwork ? 'node' : 'pod' }, toPod);
        return [...through, ...inMesh];
      }
      const way = toPod({ address, pod: attempt.pod, node: attempt.node }, port);
      return attempt.hop === 'payload' || attempt.hop === 'http' ? [...way, ...inMesh, unforeseen('what comes over the connection')] : way;
    }
  }
}

/** Pure: the same facts give the same prediction, however the connection went. */
export const predict = (world: World, attempt: Attempt): Prediction => predictionOf(stopsOf(world, attempt));
