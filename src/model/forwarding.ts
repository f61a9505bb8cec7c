/** Nodes that do not pass packets on: a packet between pods of two nodes has to pass both. */
import { byChoice, type Fact, type Unseen } from '../facts/fact.ts';
import type { Forwarding } from '../facts/facts.ts';
import { familyOf } from '../facts/selectors.ts';
import type { Stop } from './prediction.ts';
import { unseenStop, type World } from './world.ts';

/** What becomes on a node of packets to an address, and why; undefined where they pass, as far as was read. */
export function endedOn(node: string, { isOn, stopped }: Forwarding, address: string): { how: 'drop' | 'reject'; why: string } | undefined {
  const family = familyOf(address);
  if (isOn[family] === false) return { how: 'drop', why: `${node} passes no ${family} packets on` };
  const end = stopped.find((s) => s.to === address);
  return end && { how: end.how, why: `${node}: ${end.rule}` };
}

/** Whether packets to an address get through the nodes between; what could not be read where that is not known. */
export function getsThrough(
  forwarding: Fact<Record<string, Fact<Forwarding>>>,
  nodes: readonly (string | null | undefined)[],
  address: string,
): boolean | Unseen {
  if (!forwarding.seen) return byChoice(forwarding) || forwarding;
  const read = nodes.flatMap((node) => (node != null && forwarding.value[node] ? [[node, forwarding.value[node]] as const] : []));
  if (read.some(([node, fact]) => fact.seen && endedOn(node, fact.value, address))) return false;
  return read.map(([, fact]) => fact).find((fact) => !fact.seen) ?? true;
}

/** Stops on the client's node and on the pod's. What starts or ends on the network of a node is not passed on there. */
export function forwardingStops({ facts, node, client }: World, to: { address: string; node: string | null }, onNetworkOfNode: boolean): Stop[] {
  const codes = ['node-not-forwarding'] as const;
  if (!client || client.kind === 'external') return [];
  if (!facts.forwarding.seen) return unseenStop(facts.forwarding, codes, ['lost']);
  const read = facts.forwarding.value;
  const passing = new Set([client.hostNetwork || client.kind === 'node' ? null : node, onNetworkOfNode ? null : to.node]);
  return [...passing].flatMap((name): Stop[] => {
    const fact = name === null ? undefined : read[name];
    if (name === null || !fact) return [];
    if (!fact.seen) return unseenStop(fact, codes, ['lost']);
    const end = endedOn(name, fact.value, to.address);
    // A bridge may connect the pods of one node without the kernel's passing anything on.
    return end ? [{ fates: [end.how === 'drop' ? 'lost' : 'refused'], certain: node !== to.node, likely: true, why: end.why, codes, nodes: [name] }] : [];
  });
}
