/** Whether the nodes let packets through: the switches of the kernel, and their firewalls. Read where packets got no answer. */
import type { Cluster } from '../cluster/index.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import type { Connection, Facts, Forwarding } from '../facts/facts.ts';
import type { Pod } from '../facts/objects.ts';
import { type Family, familyOf, isLost, splitTarget } from '../facts/selectors.ts';
import { placeOf, placeOfClient } from '../model/forwarding.ts';
import { chainsBetween, type Filtered, firewallOf } from '../proxy/firewall.ts';
import { collector, fromFailure, read, valueOf } from './collector.ts';
import { firstContainerOf } from './places.ts';

const timeoutMs = 3000;
/** So many nodes are read: a fault is mostly the same on all. */
const maxNodes = 6;
const switches: Record<Family, string> = { IPv4: '/proc/sys/net/ipv4/ip_forward', IPv6: '/proc/sys/net/ipv6/conf/all/forwarding' };
const lists: Record<Family, string> = { IPv4: 'iptables-save', IPv6: 'ip6tables-save' };

const after = ['connections', 'client', 'pods', 'dnsPods', 'proxyPods', 'listeners'] as const;
type Where = Parameters<Cluster['exec']>[0];

/** Packets that got no answer, or a refusal although the pod listens, by the nodes on their way: the client's and the pod's. */
function throughNodes({ connections, client, dnsPods, pods, listeners }: Pick<Facts, (typeof after)[number]>): Map<string, Filtered[]> {
  const made = valueOf(connections);
  const who = valueOf(client);
  const known = [...(valueOf(pods) ?? []), ...(valueOf(dnsPods) ?? [])];
  const through = new Map<string, Filtered[]>();
  const isListening = (name: string | null, port: number) => {
    const read = valueOf(listeners)?.[name ?? ''];
    if (!read?.seen) return false;
    const { sockets, forwarded } = read.value;
    return sockets ? sockets.some((s) => s.protocol === 'tcp' && s.port === port) : forwarded[String(port)] === 'answered';
  };
  const isStopped = (c: Connection, port: number) =>
    c.hop === 'endpoint'
      ? isLost(c) || c.outcome === 'no-answer' || (c.outcome === 'refused' && isListening(c.pod, port))
      : c.hop === 'dns-server' && c.outcome === 'dns-timed-out';
  for (const c of made?.list ?? []) {
    const { address, port } = splitTarget(c.target.split('/')[0] ?? '');
    const source = who?.addresses.find((a) => familyOf(a) === familyOf(address));
    const pod = known.find((p) => p.metadata.name === c.pod && p.status.podIPs.some((i) => i.ip === address));
    if (!isStopped(c, port) || !pod || source === undefined) continue;
    const packet = { source, address, port, protocol: c.kind === 'udp' || c.target.endsWith('/UDP') ? ('UDP' as const) : ('TCP' as const) };
    for (const [node, chain] of chainsBetween(placeOfClient(who, made?.node ?? null), placeOf(pod)))
      through.set(node, [...(through.get(node) ?? []), { ...packet, chain }]);
  }
  return through;
}

async function switchOn(cluster: Cluster, where: Where, family: Family): Promise<Fact<boolean>> {
  const ran = await cluster.exec(where, ['cat', switches[family]], timeoutMs);
  if (!ran.ok) return fromFailure(ran.failure);
  const text = ran.value.stdout.trim();
  return /^[01]$/.test(text) ? seen(text === '1') : unseen('malformed', switches[family], ran.value.stderr.trim().split('\n')[0] ?? text);
}

/** What the firewall lists; of translations, which end no packet's way, nothing is kept, because kube-proxy has thousands. */
async function listed(cluster: Cluster, where: Where, family: Family): Promise<Fact<string[]>> {
  const lines: string[] = [];
  let isWanted = false;
  const ran = await cluster.exec(where, [lists[family]], timeoutMs, (line) => {
    if (line.startsWith('*')) isWanted = !line.startsWith('*nat');
    if (isWanted) lines.push(line);
  });
  if (!ran.ok) return fromFailure(ran.failure);
  return ran.value.exitCode === 0 ? seen(lines) : unseen('malformed', lists[family], ran.value.stderr.trim().split('\n')[0] ?? '');
}

async function on(cluster: Cluster, proxy: Pod | undefined, node: string, packets: readonly Filtered[]): Promise<Fact<Forwarding>> {
  const what = `whether node ${node} lets packets through`;
  if (!proxy) return unseen('not-possible', what, 'no kube-proxy runs there as a pod, in which to look');
  const where = firstContainerOf(proxy);
  const families = [...new Set(packets.map((p) => familyOf(p.address)))];
  const read = await Promise.all(
    families.map(async (family) => {
      const [flag, listing] = await Promise.all([switchOn(cluster, where, family), listed(cluster, where, family)]);
      const ends = listing.seen ? firewallOf(listing.value) : undefined;
      const own = packets.filter((p) => familyOf(p.address) === family);
      const stopped = own.flatMap((p): Forwarding['stopped'] => {
        const passing = ends?.(p);
        return passing?.end === 'drop' || passing?.end === 'reject'
          ? [{ from: p.source, to: p.address, port: p.port, protocol: p.protocol, chain: p.chain, how: passing.end, rule: passing.by }]
          : [];
      });
      return { family, flag, listing, stopped };
    }),
  );
  const isOn: Forwarding['isOn'] = { IPv4: null, IPv6: null };
  for (const { family, flag } of read) isOn[family] = flag.seen ? flag.value : null;
  const stopped = new Map(read.flatMap((r) => r.stopped).map((s) => [`${s.to} ${s.port} ${s.chain}`, s]));
  // What was found to stop packets counts, whatever else could not be read.
  const isFound = stopped.size > 0 || Object.values(isOn).includes(false);
  const failed = read.flatMap((r): Fact<unknown>[] => [r.flag, r.listing]).find((f) => !f.seen);
  return failed && !failed.seen && !isFound ? { ...failed, what } : seen({ isOn, stopped: [...stopped.values()] });
}

export const forwarding = collector({
  fact: 'forwarding',
  after,
  access: [read('pods/exec', ['create', 'get'], 'kube-system')],
  impact: 'exec',
  when: (known) => (throughNodes(known).size > 0 ? true : 'what was sent to pods that listen got an answer'),
  async collect({ cluster, progress }, known) {
    progress('reading whether the nodes let packets through');
    const proxies = new Map((valueOf(known.proxyPods) ?? []).map((p) => [p.spec.nodeName, p]));
    const nodes = [...throughNodes(known)].slice(0, maxNodes);
    return seen(
      Object.fromEntries(await Promise.all(nodes.map(async ([node, packets]) => [node, await on(cluster, proxies.get(node), node, packets)] as const))),
    );
  },
});
