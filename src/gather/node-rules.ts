/** What the nodes' own rules do with the Service's packets, read where kube-proxy writes them. */
import pLimit from 'p-limit';
import { type Cluster, type Failure, failed, ok } from '../cluster/index.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import type { NodeRules, Target } from '../facts/facts.ts';
import type { EndpointSlice, Node, Pod, Service, ServicePort } from '../facts/objects.ts';
import { endpointsOf, portsAsked } from '../facts/selectors.ts';
import { nodeImage, runNodePod } from '../probes/node-pod.ts';
import { readCilium } from '../proxy/cilium.ts';
import { compare } from '../proxy/compare.ts';
import { endsOf, type ProxyNode, proxyNodeOf } from '../proxy/expected.ts';
import { iptablesReader } from '../proxy/iptables.ts';
import { readIpvs } from '../proxy/ipvs.ts';
import { type Handling, keyOf, type Origin, type Packet } from '../proxy/model.ts';
import { likelyChains } from '../proxy/names.ts';
import { nftJsonReader } from '../proxy/nft-json.ts';
import { nftReader } from '../proxy/nft-text.ts';
import { judgeRules, type Listing } from '../proxy/read.ts';
import type { RuleReader, Wanted } from '../proxy/rule.ts';
import { collector, type Context, fromFailure, read, valueOf } from './collector.ts';
import { type Shell, together } from './together.ts';

/** A listing of a large cluster takes seconds to write. */
const listingTimeoutMs = 15_000;
/** kube-proxy writes its rules at most once a second (minSyncPeriod): what differs now may be right then. */
const settleMs = 1200;
const readAtOnce = 4;

/** Somewhere on the internet: documentation addresses (RFC 5737, RFC 3849). */
const outside = { IPv4: '203.0.113.1', IPv6: '2001:db8::1' };
type Family = keyof typeof outside;
const familyOf = (address: string): Family => (address.includes(':') ? 'IPv6' : 'IPv4');

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

const isMissingTool = (f: Failure) => f.reason === 'not-possible';

/** A command's lines as a listing. nft says of a table that is not there what a shell says of a file. */
const listing =
  (shell: Shell, command: string[]): Listing<Failure> =>
  async (line) => {
    const ran = await shell(command, line);
    if (!ran.ok) return ran.failure;
    const { exitCode, stderr } = ran.value;
    if (exitCode === 0 || /No such file or directory/.test(stderr)) return undefined;
    return {
      reason: 'malformed',
      what: `what ${command[0]} lists`,
      why: stderr.trim().split('\n')[0] || `it ended with ${exitCode}`,
      rule: { apiGroups: [], resources: [], verbs: [] },
    };
  };

async function linesOf(shell: Shell, command: string[]): Promise<string[]> {
  const lines: string[] = [];
  const ran = await shell(command, (line) => lines.push(line));
  return ran.ok && ran.value.exitCode === 0 ? lines : [];
}

/** Reads one node's rules in each mode that it may have them in. */
async function rulesOf(commands: Shell, from: string, packets: readonly Packet[], likely: Wanted['likely'], mode: string | null): Promise<Fact<NodeRules>> {
  const shell = together(commands);
  const modes: NodeRules['modes'] = {};
  const add = (name: string, of: readonly Packet[], handled: readonly Handling[]) => {
    const known = (modes[name] ??= {});
    of.forEach((p, i) => {
      const handling = handled[i];
      if (handling) (known[keyOf(p)] ??= {})[p.origin] = handling;
    });
  };
  for (const family of ['IPv4', 'IPv6'] as const) {
    const own = packets.filter((p) => familyOf(p.address) === family);
    if (own.length === 0) continue;
    const wanted = { packets: own, likely };
    const by = (reader: (w: Wanted) => RuleReader, command: string[]) => judgeRules(reader, listing(shell, command), wanted);
    const table = ['table', family === 'IPv4' ? 'ip' : 'ip6', 'kube-proxy'];
    const [iptables, nft] = await Promise.all([
      by(iptablesReader, [family === 'IPv4' ? 'iptables-save' : 'ip6tables-save']),
      by(nftReader, ['nft', 'list', ...table]),
    ]);
    const failure = [iptables, nft].flatMap((r) => ('error' in r && !isMissingTool(r.error) ? [r.error] : []))[0];
    if (failure) return fromFailure(failure);
    const found = [iptables, nft].some((r) => !('error' in r) && r.rules.present);
    const ipvsWorthAsking = mode === 'ipvs' || (mode === null && !('rules' in nft && nft.rules.present));
    const ipvs = ipvsWorthAsking ? readIpvs(await linesOf(shell, ['cat', '/proc/net/ip_vs']), own) : null;
    if (ipvs?.present) {
      // What kube-proxy writes into iptables in this mode only prepares packets for IPVS.
      add('ipvs', own, ipvs.handled);
      continue;
    }
    // Where a tool is missing, what it would have listed is not known to be absent.
    for (const r of [iptables, nft]) if ('error' in r && !found) return fromFailure(r.error);
    if ('rules' in iptables && iptables.rules.present) add('iptables', own, iptables.handled);
    if ('rules' in nft && nft.rules.present) {
      // The text may hold what is not known here; the JSON says the same in a fixed form.
      const json = nft.handled.some((h) => h.unread.length > 0) ? await by(nftJsonReader, ['nft', '-j', 'list', ...table]) : nft;
      add('nftables', own, 'error' in json || json.handled.some((h) => h.unread.length > 0) ? nft.handled : json.handled);
    }
  }
  return seen({ from, modes });
}

/** A command in a container of a running pod. */
const execIn =
  (cluster: Cluster, pod: Pod): Shell =>
  async (command, onLine) => {
    const where = { namespace: pod.metadata.namespace, pod: pod.metadata.name, container: pod.spec.containers[0]?.name ?? '' };
    const ran = await cluster.exec(where, command, listingTimeoutMs, onLine);
    return ran.ok ? ok({ exitCode: ran.value.exitCode, stderr: ran.value.stderr }) : ran;
  };

async function ciliumRules(cluster: Cluster, agent: Pod, packets: readonly Packet[]): Promise<Fact<NodeRules>> {
  const shell = execIn(cluster, agent);
  for (const program of ['cilium-dbg', 'cilium']) {
    const lines: string[] = [];
    const ran = await shell([program, 'service', 'list'], (line) => lines.push(line));
    if (!ran.ok && isMissingTool(ran.failure)) continue;
    if (!ran.ok) return fromFailure(ran.failure);
    const found = readCilium(lines, packets);
    const cilium: NodeRules['modes'][string] = {};
    packets.forEach((p, i) => {
      const handling = found.handled[i];
      if (handling) (cilium[keyOf(p)] ??= {})[p.origin] = handling;
    });
    return seen({ from: `pod ${agent.metadata.name}`, modes: found.present ? { cilium } : {} });
  }
  return unseen('not-possible', `the Services that Cilium handles, in pod ${agent.metadata.name}`, 'it has neither cilium-dbg nor cilium');
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
    const handled = (svc: Service | null | undefined) => svc && endsOf(svc, svc.spec.ports, { name: '', zone: null, addresses: [] }).length > 0;
    return valueOf(service) && (handled(valueOf(service)) || handled(valueOf(dnsService))) ? true : 'no proxy handles the Service';
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
    const slices = asked.flatMap((a) => a.slices);
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
    const likelyOf = asked.map((a) => likelyChains(a.service, slices));
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
        Object.values(f.value.modes).every((m) => asked.every((a) => compare(a.service, a.ports, a.slices, node, m).differences.length === 0));
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

/** Lists all rules of a node without a kube-proxy pod by a pod of k8s-doctor's own; the listings are then at hand. */
async function listedByPod(context: Context, node: string, image: string | undefined): Promise<Shell | Fact<never>> {
  const what = `the rules of node ${node}`;
  if (!image)
    return unseen('not-possible', what, 'no kube-proxy runs there as a pod, and no image with iptables is known on the nodes; name one with --node-image');
  context.progress(`reading the rules of ${node} with a debug pod on it (${image})`);
  const ran = await runNodePod(context, node, image, {
    'iptables-save': ['iptables-save'],
    'ip6tables-save': ['ip6tables-save'],
    'nft list table ip kube-proxy': ['nft', 'list', 'table', 'ip', 'kube-proxy'],
    'nft list table ip6 kube-proxy': ['nft', 'list', 'table', 'ip6', 'kube-proxy'],
    'cat /proc/net/ip_vs': ['cat', '/proc/net/ip_vs'],
  });
  if (!ran.ok) return fromFailure(ran.failure);
  return async (command, onLine) => {
    const output = ran.value[command.join(' ')];
    if (output?.exitCode === 0) for (const line of output.log.split('\n')) onLine(line);
    if (!output || output.exitCode >= 126) {
      const rule = { apiGroups: [], resources: [], verbs: [] };
      return failed({ reason: 'not-possible', what: `the rules of node ${node}`, why: `the image ${image} has no ${command[0]}`, rule });
    }
    return ok({ exitCode: output.exitCode, stderr: output.exitCode === 0 ? '' : output.log });
  };
}
