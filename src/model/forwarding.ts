/** Nodes that let packets through or do not: a packet between pods of two nodes has to pass both. */
import { byChoice, type Fact, type Unseen } from '../facts/fact.ts';
import type { FactTypes, Forwarding } from '../facts/facts.ts';
import type { Pod } from '../facts/objects.ts';
import { familyOf } from '../facts/selectors.ts';
import { type Chain, chainsBetween, type Place } from '../proxy/firewall.ts';
import type { Stop } from './prediction.ts';
import { unseenStop, type World } from './world.ts';

export const placeOf = ({ spec }: Pod): Place => ({ node: spec.nodeName ?? null, hostNetwork: spec.hostNetwork });

/** `node`: where the connections were made. */
export const placeOfClient = (client: FactTypes['client'] | undefined, node: string | null): Place => ({
  node,
  hostNetwork: client?.hostNetwork === true,
});

/** What becomes on a node of packets to an address, and why; undefined where they get through, as far as was read. */
function endedOn(node: string, { isOn, stopped }: Forwarding, chain: Chain, address: string): { how: 'drop' | 'reject'; why: string } | undefined {
  const family = familyOf(address);
  if (chain === 'FORWARD' && isOn[family] === false) return { how: 'drop', why: `${node} passes no ${family} packets on` };
  const end = stopped.find((s) => s.to === address && s.chain === chain);
  return end && { how: end.how, why: `${node}: ${end.rule}` };
}

type Read = { node: string; fact: Fact<Forwarding>; chain: Chain };

function readOf(forwarding: Record<string, Fact<Forwarding>>, from: Place, to: Place): Read[] {
  return [...chainsBetween(from, to)].flatMap(([node, chain]) => {
    const fact = forwarding[node];
    return fact ? [{ node, fact, chain }] : [];
  });
}

/** Whether packets to an address get through the nodes on their way; what could not be read where that is not known. */
export function getsThrough(forwarding: Fact<Record<string, Fact<Forwarding>>>, from: Place, to: Place, address: string): boolean | Unseen {
  if (!forwarding.seen) return byChoice(forwarding) || forwarding;
  const read = readOf(forwarding.value, from, to);
  if (read.some(({ node, fact, chain }) => fact.seen && endedOn(node, fact.value, chain, address))) return false;
  // An image without the tools shows nothing, and never will: that is no reason to leave everything open.
  return read.map((r) => r.fact).find((fact): fact is Unseen => !fact.seen && fact.reason !== 'not-possible') ?? true;
}

/** Stops on the client's node and on the pod's. */
export function forwardingStops({ facts, node, client }: World, address: string, to: Place): Stop[] {
  const codes = ['node-drops-packets'] as const;
  if (!client || client.kind === 'external') return [];
  if (!facts.forwarding.seen) return unseenStop(facts.forwarding, codes, ['lost']);
  return readOf(facts.forwarding.value, placeOfClient(client, node), to).flatMap(({ node: name, fact, chain }): Stop[] => {
    if (!fact.seen) return unseenStop(fact, codes, ['lost']);
    const end = endedOn(name, fact.value, chain, address);
    // A bridge may connect the pods of one node without the kernel's passing anything on.
    return end ? [{ fates: [end.how === 'drop' ? 'lost' : 'refused'], certain: node !== to.node, likely: true, why: end.why, codes, nodes: [name] }] : [];
  });
}
