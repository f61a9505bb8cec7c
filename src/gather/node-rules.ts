/** What the nodes' own rules do with the Service's packets, read where kube-proxy writes them. */
import pLimit from 'p-limit';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import type { NodeRules, Target } from '../facts/facts.ts';
import type { EndpointSlice, Node, Pod, Service, ServicePort } from '../facts/objects.ts';
import { endpointsOf, portsAsked } from '../facts/selectors.ts';
import { nodeImage } from '../probes/node-pod.ts';
import { compare } from '../proxy/compare.ts';
import { endsOf, isProxied, type ProxyNode, proxyNodeOf } from '../proxy/expected.ts';
import { type Family, familyOf, type Origin, type Packet } from '../proxy/model.ts';
import { likelyChains } from '../proxy/names.ts';
import { collector, read, valueOf } from './collector.ts';
import { ciliumRules, execIn, listedByPod, rulesOf } from './node-listing.ts';
import type { Shell } from './together.ts';

/** kube-proxy writes its rules at most once a second (minSyncPeriod): what differs now may be right then. */
const settleMs = 1200;
const readAtOnce = 4;

/** Somewhere on the internet: documentation addresses (RFC 5737, RFC 3849). */
const outside: Record<Family, string> = { IPv4: '203.0.113.1', IPv6: '2001:db8::1' };

interface Asked {
  service: Service;
  slices: readonly EndpointSlice[];
  ports: readonly ServicePort[];
}

/** The packets whose fate is asked for: to each of the Service's addresses, from a pod of the node, from the node, from outside. */
function packetsTo(asked: Asked, node: ProxyNode, podAddresses: readonly string[]): Packet[] {
  return endsOf(asked.service, asked.ports, node).flatMap((end) => {
    const family = familyOf(end.address);
    const own = node.addresses.find((a) => familyOf(a) === family);
    const pod = podAddresses.find((a) => familyOf(a) === family);
    const sources: Partial<Record<Origin, string>> = { ...(pod !== undefined && { pod }), ...(own !== undefined && { node: own }), outside: outside[family] };
    return Object.entries(sources).map(
      ([origin, source]): Packet => ({
        address: end.address,
        port: end.port,
        protocol: end.protocol,
        origin: origin as Origin,
        source,
        toNode: node.addresses.includes(end.address),
      }),
    );
  });
}

/** Some address of a pod on a node: the client's, or another's of that node, or one out of the node's range. */
function podAddressesOn(
  node: string,
  client: { node: string | null; hostNetwork: boolean; addresses: string[] } | null | undefined,
  pods: readonly Pod[],
  object: Node | undefined,
): string[] {
  const real = [
    ...(client?.node === node && !client.hostNetwork ? client.addresses : []),
    ...pods.filter((p) => p.spec.nodeName === node && !p.spec.hostNetwork).flatMap((p) => p.status.podIPs.map((i) => i.ip)),
  ];
  return [...real, ...(object?.spec.podCIDRs ?? []).map((range) => range.split('/')[0] ?? '')];
}

/** How many nodes `--nodes` stands for. */
const limitOf = (nodes: Target['nodes']): number => (nodes === 'all' ? Number.POSITIVE_INFINITY : nodes === 'client' ? 1 : nodes);

export const nodeRules = collector({
  fact: 'nodeRules',
  after: ['service', 'slices', 'dnsService', 'dnsSlices', 'client', 'proxyPods', 'proxyMode', 'ciliumPods', 'nodes', 'pods'],
  access: [
    read('pods/exec', ['create', 'get'], 'kube-system'),
    // For nodes on which no pod of kube-proxy runs: a pod that lists the rules and ends.
    { ...read('pods', ['create', 'watch', 'delete'], 'kube-system'), powerful: true },
    { ...read('pods/log', ['get'], 'kube-system'), powerful: true },
  ],
  impact: 'node',
  when({ service, dnsService }) {
    return valueOf(service) && [service, dnsService].some((f) => f.seen && f.value && isProxied(f.value)) ? true : 'no proxy handles the Service';
  },
  async collect(context, known) {
    const service = valueOf(known.service);
    const { cluster, target, progress } = context;
    if (!service) return unseen('not-possible', "the nodes' rules", 'the Service is not known');
    const dns = valueOf(known.dnsService);
    // The address of DNS is asked for as well: where it leads nowhere, no name resolves.
    const asked: Asked[] = [
      { service, slices: valueOf(known.slices) ?? [], ports: portsAsked(service, target.port) ?? [] },
      ...(dns && dns.metadata.uid !== service.metadata.uid ? [{ service: dns, slices: valueOf(known.dnsSlices) ?? [], ports: dns.spec.ports }] : []),
    ];
    const client = valueOf(known.client);
    const pods = valueOf(known.pods) ?? [];
    const objects = valueOf(known.nodes) ?? [];
    const running = (fact: typeof known.proxyPods) => (valueOf(fact) ?? []).filter((p) => p.status.phase === 'Running' && !p.metadata.deletionTimestamp);
    const proxies = new Map(running(known.proxyPods).map((p) => [p.spec.nodeName ?? '', p]));
    const agents = new Map(proxies.size > 0 ? [] : running(known.ciliumPods).map((p) => [p.spec.nodeName ?? '', p]));
    const ready = objects.filter((n) => n.status.conditions.some((c) => c.type === 'Ready' && c.status === 'True')).map((n) => n.metadata.name);
    // The nodes that matter most first: the client's, then those of the endpoints.
    const rank = new Map<string, number>([...endpointsOf(asked[0]?.slices ?? []).map((e) => [e.node ?? '', 1] as const), [client?.node ?? '', 0]]);
    const chosen = [...new Set([...proxies.keys(), ...agents.keys(), ...ready])]
      .toSorted((a, b) => (rank.get(a) ?? 2) - (rank.get(b) ?? 2))
      .slice(0, limitOf(target.nodes));
    if (chosen.length === 0) return unseen('not-possible', "the nodes' rules", 'no kube-proxy runs, and the nodes are not known');
    progress(`reading rules of ${chosen.length} node${chosen.length === 1 ? '' : 's'}`);

    const mode = valueOf(known.proxyMode) ?? null;
    const likelyOf = asked.map((a) => likelyChains(a.service, a.slices));
    const likely = (chain: string) => likelyOf.some((l) => l(chain));
    const image = context.nodeImage ?? nodeImage(objects);
    const readNode = async (name: string): Promise<Fact<NodeRules>> => {
      const object = objects.find((n) => n.metadata.name === name);
      const proxy = proxies.get(name);
      const agent = agents.get(name);
      const node = proxyNodeOf(name, object, proxy);
      const packets = asked.flatMap((a) => packetsTo(a, node, podAddressesOn(name, client, pods, object)));
      if (agent) return ciliumRules(cluster, agent, packets);
      const shell: Shell | Fact<never> = proxy ? execIn(cluster, proxy) : await listedByPod(context, name, image);
      if (typeof shell !== 'function') return shell;
      const from = proxy ? `pod ${proxy.metadata.name}` : 'a debug pod on the node';
      const first = await rulesOf(shell, from, packets, likely, mode);
      const right = (f: Fact<NodeRules>) =>
        f.seen &&
        Object.values(f.value.modes).length > 0 &&
        Object.entries(f.value.modes).every(([kind, m]) => asked.every((a) => compare(a.service, a.ports, a.slices, node, kind, m).differences.length === 0));
      if (right(first) || !proxy) return first;
      if (!first.seen && first.reason !== 'forbidden') {
        // What lists rules in kube-proxy's own container may be what is broken.
        const beside = await listedByPod(context, name, image);
        return typeof beside === 'function' ? rulesOf(beside, 'a debug pod on the node', packets, likely, mode) : first;
      }
      await new Promise((r) => setTimeout(r, settleMs));
      const second = await rulesOf(shell, from, packets, likely, mode);
      return second.seen ? second : first;
    };
    const atOnce = pLimit(readAtOnce);
    return seen(Object.fromEntries(await Promise.all(chosen.map((name) => atOnce(async () => [name, await readNode(name)] as const)))));
  },
});
