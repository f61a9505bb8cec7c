import { familyOf, splitTarget } from '../../src/facts/selectors.ts';
import { inRange, rangeOf } from '../../src/proxy/rule.ts';
import { expected, endsOf, type ProxyNode } from '../../src/proxy/expected.ts';
import { iptablesReader } from '../../src/proxy/iptables.ts';
import { type Handling, hostPort, keyOf, type Packet } from '../../src/proxy/model.ts';
import { nftJsonReader } from '../../src/proxy/nft-json.ts';
import { nftReader } from '../../src/proxy/nft-text.ts';
import { judgeRules } from '../../src/proxy/read.ts';
import type { Seen, ZooWorld } from './zoo-world.ts';

const readers = { 'iptables-save': iptablesReader, 'nft list ruleset': nftReader, 'nft -j list table ip kube-proxy': nftJsonReader };
type Form = keyof typeof readers;

/** The listings that were recorded of each node. */
export const formsOf = (world: ZooWorld): Form[] => Object.keys(Object.values(world.rules)[0] ?? {}) as Form[];

export const proxyNode = (world: ZooWorld, name: string): ProxyNode => {
  const node = world.nodes.find((n) => n.name === name);
  return { name, zone: node?.zone ?? '', addresses: [node?.address ?? ''] };
};

/** The node whose rules a packet meets first, and the packet as that node sees it. */
export function packetOf(world: ZooWorld, { from, to }: Seen): { node: string; packet: Packet } {
  const owner = world.nodes.find((n) => n.address === to.address)?.name;
  // A packet to another node's own address is that node's business, as far as this one does not take it up.
  if (owner !== undefined && owner !== from.node) return { node: owner, packet: { ...to, origin: 'outside', source: from.address, toNode: true } };
  return { node: from.node, packet: { ...to, origin: from.hostNetwork ? 'node' : 'pod', source: from.address, toNode: owner !== undefined } };
}

export interface Prediction {
  seen: Seen;
  /** Whose rules decide. */
  node: string;
  packet: Packet;
  handling: Handling;
}

/** What the recorded rules say of each recorded packet. */
export async function predict(world: ZooWorld, form: Form): Promise<Prediction[]> {
  const all = world.seen.map((seen) => ({ seen, ...packetOf(world, seen) }));
  const found: Prediction[] = [];
  for (const { name } of world.nodes) {
    const mine = all.filter((a) => a.node === name);
    const lines = (world.rules[name]?.[form] ?? '').split('\n');
    const judged = await judgeRules<never>(
      readers[form],
      async (line) => {
        lines.forEach(line);
        return undefined;
      },
      { packets: mine.map((m) => m.packet), likely: () => false },
    );
    if ('error' in judged) throw new Error('no error can come of a text');
    mine.forEach((m, i) => {
      const handling = judged.handled[i];
      if (handling) found.push({ ...m, handling });
    });
  }
  return found;
}

const nodeOfPod = (world: ZooWorld, address: string) =>
  world.slices.flatMap((s) => s.endpoints).find((e) => e.addresses.includes(address) && e.nodeName != null)?.nodeName;

/** Why what was seen can't come of what was predicted; undefined where it can. */
export function contradiction(world: ZooWorld, { seen, node, packet, handling }: Prediction): string | undefined {
  const say = (why: string) =>
    `${packet.origin} ${packet.source} → ${keyOf(packet)}: predicted ${JSON.stringify(handling)}, ${why}: ${seen.outcomes.join(', ')}`;
  if (handling.unread.length > 0) return say('something is unread');
  const out = handling.sourceRanges.length > 0 && !handling.sourceRanges.some((r) => inRange(packet.source, rangeOf(r)?.parsed ?? ([] as never)));
  const verdict = out ? 'dropped' : handling.verdict;
  // The kernel sends few errors of ICMPv6 to one address (RFC 4443, section 2.4 (f)); the others look like packets that were dropped.
  const isTold = (x: string) => x === 'refused' || (familyOf(packet.address) === 'IPv6' && x === 'timed-out');
  if (verdict === 'rejected') return seen.outcomes.every(isTold) ? undefined : say('seen');
  if (verdict === 'dropped') return seen.outcomes.every((x) => x === 'timed-out') ? undefined : say('seen');
  if (verdict === 'not-handled') return seen.outcomes.every((x) => x === 'timed-out' || x === 'refused') ? undefined : say('seen');
  const hosts = new Set(handling.backends.map((b) => splitTarget(b.to).address));
  // A port on which nothing listens is refused by the pod itself.
  if (handling.backends.every((b) => b.to.endsWith(':8099'))) return seen.outcomes.every((x) => x === 'refused') ? undefined : say('seen');
  // A pod's own address is kept where it comes to another node's port; a backend elsewhere then answers it past that node,
  // from an address that the pod never asked. So such a connection fails, although the rules forward it.
  const answers = (host: string) => packet.origin !== 'outside' || seen.from.hostNetwork || handling.masquerade === true || nodeOfPod(world, host) === node;
  const able = [...hosts].filter(answers);
  if (!seen.outcomes.every((x) => able.includes(x) || (x === 'timed-out' && able.length < hosts.size))) return say('seen');
  if (able.length < hosts.size) return undefined;
  if (handling.affinitySeconds !== null && new Set(seen.outcomes).size > 1) return say('the client did not get the same backend again');
  if (seen.seenAs !== null && handling.masquerade !== null && packet.origin !== 'node') {
    const hidden = seen.seenAs !== packet.source;
    if (hidden !== handling.masquerade) return say(`the backend saw ${seen.seenAs}`);
  }
  return undefined;
}

/** Where the rules of a healthy node differ from what the objects ask for. */
export async function differences(world: ZooWorld, form: Form): Promise<string[]> {
  const predicted = await predict(world, form);
  const found: string[] = [];
  for (const service of world.services) {
    const slices = world.slices.filter((s) => s.metadata.labels['kubernetes.io/service-name'] === service.metadata.name);
    for (const { name } of world.nodes) {
      const node = proxyNode(world, name);
      for (const end of endsOf(service, service.spec.ports, node))
        for (const p of predicted) {
          if (p.node !== name || keyOf(p.packet) !== keyOf(end)) continue;
          // Pods are never outside: every node knows them for pods of the cluster.
          if (p.packet.origin === 'outside' && !p.seen.from.hostNetwork) continue;
          const want = expected(service, slices, end, node, p.packet.origin);
          if (!want) continue;
          const have = {
            verdict: p.handling.verdict,
            backends: p.handling.backends.map((b) => b.to),
            affinitySeconds: p.handling.affinitySeconds,
            sourceRanges: p.handling.sourceRanges,
          };
          if (JSON.stringify(have) !== JSON.stringify(want))
            found.push(
              `${service.metadata.name} ${hostPort(end.address, end.port)} on ${name} from ${p.packet.origin}: ${JSON.stringify(want)}, has ${JSON.stringify(have)}`,
            );
        }
    }
  }
  return found;
}
