/** What the nodes' own rules do with the Service's packets, read where kube-proxy writes them. */
import pLimit from 'p-limit';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import type { Facts, NodeRules, Target } from '../facts/facts.ts';
import type { EndpointSlice, Node, Pod, Service, ServicePort } from '../facts/objects.ts';
import { endpointsOf, type Family, familyOf, isReady, portsAsked, virtualIpAloneFails } from '../facts/selectors.ts';
import { nodeImage } from '../probes/node-pod.ts';
import { compare } from '../proxy/compare.ts';
import { endsOf, isProxied, type ProxyNode, proxyNodeOf } from '../proxy/expected.ts';
import type { Origin, Packet } from '../proxy/model.ts';
import { likelyChains } from '../proxy/chain-names.ts';
import { type Context, collector, read, valueOf } from './collector.ts';
import { isLostNode } from './lost-nodes.ts';
import { ciliumRules, execIn, listedByPod, rulesOf } from './node-listing.ts';
import type { Shell } from './batched-shell.ts';

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

/** The number of nodes that `--nodes` means. */
const limitOf = (nodes: Target['nodes']): number => (nodes === 'all' ? Number.POSITIVE_INFINITY : nodes === 'client' ? 1 : nodes);

const readFirst = ['service', 'slices', 'dnsService', 'dnsSlices', 'client', 'proxyPods', 'proxyMode', 'ciliumPods', 'nodes', 'pods'] as const;
type Known = Pick<Facts, (typeof readFirst)[number]>;

const access = [
  read('pods/exec', ['create', 'get'], 'kube-system'),
  // For nodes on which no pod of kube-proxy runs: a pod that lists the rules and ends.
  { ...read('pods', ['create', 'watch', 'delete'], 'kube-system'), only: 'node-pods' as const },
  { ...read('pods/log', ['get'], 'kube-system'), only: 'node-pods' as const },
];

/** The Services whose rules are read. DNS is one of them: without rules for its address no name resolves. */
function askedFor(known: Known, target: Target): Asked[] {
  const service = valueOf(known.service);
  const dns = valueOf(known.dnsService);
  return [
    ...(service ? [{ service, slices: valueOf(known.slices) ?? [], ports: portsAsked(service, target.port) ?? [] }] : []),
    ...(dns && dns.metadata.uid !== service?.metadata.uid ? [{ service: dns, slices: valueOf(known.dnsSlices) ?? [], ports: dns.spec.ports }] : []),
  ];
}

const running = (fact: Fact<Pod[]>) => (valueOf(fact) ?? []).filter((p) => p.status.phase === 'Running' && !p.metadata.deletionTimestamp);
const byNode = (pods: readonly Pod[]) => new Map(pods.map((p) => [p.spec.nodeName ?? '', p]));
const objectOf = (known: Known, name: string) => (valueOf(known.nodes) ?? []).find((n) => n.metadata.name === name);

/** Reads the rules of some nodes, each with a program that has the tools there. */
async function readNodes(context: Context, known: Known, names: readonly string[]): Promise<Record<string, Fact<NodeRules>>> {
  const proxies = byNode(running(known.proxyPods));
  const agents = byNode(proxies.size > 0 ? [] : running(known.ciliumPods));
  const asked = askedFor(known, context.target);
  const likelyOf = asked.map((a) => likelyChains(a.service, a.slices));
  const likely = (chain: string) => likelyOf.some((l) => l(chain));
  const image = context.nodeImage ?? nodeImage(valueOf(known.nodes) ?? []);

  async function readNode(name: string): Promise<Fact<NodeRules>> {
    const proxy = proxies.get(name);
    const agent = agents.get(name);
    const object = objectOf(known, name);
    const node = proxyNodeOf(name, object, proxy);
    const packets = asked.flatMap((a) => packetsTo(a, node, podAddressesOn(name, valueOf(known.client), valueOf(known.pods) ?? [], object)));
    if (agent) return ciliumRules(context.cluster, agent, packets);
    const families = (valueOf(known.service)?.spec.clusterIPs ?? []).filter((a) => a !== 'None').map(familyOf);
    const by = (shell: Shell, from: string) => rulesOf(shell, from, packets, likely, valueOf(known.proxyMode) ?? null, families);
    const inside = proxy && (await by(execIn(context.cluster, proxy), `pod ${proxy.metadata.name}`));
    // What lists rules in kube-proxy's own container may be what is broken.
    if (inside && (inside.seen || inside.reason === 'forbidden')) return inside;
    const byPod = await listedByPod(context, name, image);
    // Whether a pod of kube-proxy is there was not seen: that is what is missing first, not the right to do without.
    if (typeof byPod !== 'function' && !byPod.seen && byPod.reason === 'forbidden' && !known.proxyPods.seen) return known.proxyPods;
    return typeof byPod === 'function' ? by(byPod, 'a debug pod on the node') : (inside ?? byPod);
  }
  const atOnce = pLimit(readAtOnce);
  return Object.fromEntries(await Promise.all(names.map((name) => atOnce(async () => [name, await readNode(name)] as const))));
}

export const nodeRules = collector({
  fact: 'nodeRules',
  after: readFirst,
  access,
  impact: 'node',
  when({ service, dnsService }) {
    return valueOf(service) && [service, dnsService].some((f) => f.seen && f.value && isProxied(f.value)) ? true : 'no proxy handles the Service';
  },
  async collect(context, known) {
    if (!valueOf(known.service)) return unseen('not-possible', "the nodes' rules", 'the Service is not known');
    const proxies = running(known.proxyPods);
    const agents = proxies.length > 0 ? [] : running(known.ciliumPods);
    const ready = (valueOf(known.nodes) ?? []).filter(isReady);
    // The nodes that matter most first: the client's, then those of the endpoints.
    const rank = new Map<string, number>([
      ...endpointsOf(valueOf(known.slices) ?? []).map((e) => [e.node ?? '', 1] as const),
      [valueOf(known.client)?.node ?? '', 0],
    ]);
    const isLost = (node: string) => isLostNode(valueOf(known.nodes) ?? [], node);
    const chosen = [...new Set([...[...proxies, ...agents].map((p) => p.spec.nodeName ?? ''), ...ready.map((n) => n.metadata.name)])]
      .filter((node) => !isLost(node))
      .toSorted((a, b) => (rank.get(a) ?? 2) - (rank.get(b) ?? 2))
      .slice(0, limitOf(context.target.nodes));
    if (chosen.length === 0)
      return unseen(
        'not-possible',
        "the nodes' rules",
        ready.length > 0 ? 'no kube-proxy runs on a node that is ready' : 'no kube-proxy runs, and no node is known to be ready',
      );
    context.progress(`reading rules of ${chosen.length} node${chosen.length === 1 ? '' : 's'}`);
    return seen(await readNodes(context, known, chosen));
  },
});

/** The nodes whose rules are read a second time: the rules differ, or connections from there contradict them. */
function inDoubt(known: Known & Pick<Facts, 'nodeRules' | 'connections'>, target: Target): string[] {
  const asked = askedFor(known, target);
  const proxies = byNode(running(known.proxyPods));
  const made = valueOf(known.connections);
  const failsFrom = made && virtualIpAloneFails(made) ? made.node : null;
  return Object.entries(valueOf(known.nodeRules) ?? {}).flatMap(([name, fact]) => {
    const proxy = proxies.get(name);
    if (!fact.seen || !proxy) return [];
    const node = proxyNodeOf(name, objectOf(known, name), proxy);
    const modes = Object.entries(fact.value.modes);
    const right =
      modes.length > 0 && modes.every(([mode, m]) => asked.every((a) => compare(a.service, a.ports, a.slices, node, mode, m).differences.length === 0));
    return right && name !== failsFrom ? [] : [name];
  });
}

/** A second reading: what differs may have been right a moment later, and what is right may come and go. */
export const nodeRulesLater = collector({
  fact: 'nodeRulesLater',
  after: [...readFirst, 'nodeRules', 'connections'],
  access,
  impact: 'node',
  when: (known, target) => (inDoubt(known, target).length > 0 ? true : 'the rules that were read are right'),
  async collect(context, known) {
    const names = inDoubt(known, context.target);
    await new Promise((r) => setTimeout(r, settleMs));
    context.progress(`reading the rules of ${names.join(', ')} once more`);
    return seen(await readNodes(context, known, names));
  },
});
