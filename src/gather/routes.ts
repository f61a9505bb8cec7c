/** The routes of the nodes between which packets get lost: there, and back. */
import ipaddr from 'ipaddr.js';
import type { Cluster } from '../cluster/index.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import type { Connection, Facts, Route } from '../facts/facts.ts';
import type { Pod } from '../facts/objects.ts';
import { type Family, familyOf, isLost, splitTarget } from '../facts/selectors.ts';
import { inRange, rangeOf } from '../proxy/rule.ts';
import { collector, fromFailure, read, valueOf } from './collector.ts';
import { firstContainerOf } from './places.ts';

const timeoutMs = 3000;
/** Routes between at most so many pairs of nodes are read: a fault is mostly the same on all. */
const maxWays = 4;

/** The most specific of the routes that match an address, as `ip route show to match` lists them (ip-route(8)). */
export function mostSpecific(listing: string): string | null {
  const lengthOf = (line: string) => {
    const to = line.split(/\s+/).find((w) => w === 'default' || ipaddr.isValidCIDR(w) || ipaddr.isValid(w)) ?? 'default';
    return to === 'default' ? 0 : ipaddr.isValidCIDR(to) ? ipaddr.parseCIDR(to)[1] : 128;
  };
  const lines = listing
    .split('\n')
    .map((l) => l.trim())
    .filter(Boolean);
  return lines.toSorted((a, b) => lengthOf(b) - lengthOf(a))[0] ?? null;
}

/** Types of routes that drop packets. */
const dead = /^(blackhole|unreachable|prohibit|throw)\b/;

/**
 * Of the rules that come before the table of routes, that which drops packets to an address (`ip rule show`, ip-rule(8)), or sends them to a
 * table without a route. A rule that asks for more than both addresses may mean other packets.
 */
export function droppingRule(listing: string, to: string): string | null {
  const means = (text = 'all') => {
    const range = rangeOf(text);
    return text === 'all' || (range !== undefined && inRange(to, range.parsed));
  };
  for (const line of listing.split('\n')) {
    const [, priority, range, action] = /^(\d+):\s+from all(?: to (\S+))? (lookup \S+|blackhole|unreachable|prohibit)\s*$/.exec(line) ?? [];
    if (priority === undefined || !means(range) || /^lookup (local|main|default)$/.test(action ?? '')) continue;
    return line.replace(/:\s+/, ': ').trim();
  }
  return null;
}

async function routeOn(cluster: Cluster, proxy: Pod | undefined, node: string, to: string): Promise<Fact<Route>> {
  const what = `the route to ${to} on node ${node}`;
  if (!proxy) return unseen('not-possible', what, 'no kube-proxy runs there as a pod, in which to ask for it');
  const ip = (...words: string[]) => cluster.exec(firstContainerOf(proxy), ['ip', ...(to.includes(':') ? ['-6'] : []), ...words], timeoutMs);
  const [listed, taken] = await Promise.all([ip('route', 'show', 'to', 'match', to), ip('route', 'get', to)]);
  if (!listed.ok) return fromFailure(listed.failure);
  if (listed.value.exitCode !== 0) return unseen('malformed', what, listed.value.stderr.trim().split('\n')[0] ?? '');
  const route = mostSpecific(listed.value.stdout);
  // The table has a route, and the kernel takes none: a rule decided before it.
  const isRefused = taken.ok && taken.value.exitCode !== 0 && taken.value.stderr.startsWith('RTNETLINK');
  if (route !== null && !dead.test(route) && isRefused) {
    const rules = await ip('rule', 'show');
    const rule = rules.ok ? droppingRule(rules.value.stdout, to) : null;
    if (rule !== null) return seen({ node, to, route: `rule ${rule}`, leads: false });
  }
  return seen({ node, to, route: route ?? 'none', leads: route !== null && !dead.test(route) });
}

/** From which node to which address: of packets lost on the way to another node, and of the answers back. */
function waysOf({ connections, matrix, client, nodes }: Pick<Facts, 'connections' | 'matrix' | 'client' | 'nodes'>): { node: string; to: string }[] {
  const lost = (c: Connection, from: string | null) => c.hop === 'endpoint' && isLost(c) && from !== null && c.node !== null && c.node !== from;
  const made = valueOf(connections);
  const ways = [
    ...(made?.list ?? []).filter((c) => lost(c, made?.node ?? null)).map((c) => ({ c, from: made?.node ?? '' })),
    ...(valueOf(matrix)?.rows ?? []).flatMap((r) => r.list.filter((c) => lost(c, r.node)).map((c) => ({ c, from: r.node }))),
  ];
  const who = valueOf(client);
  // For the answers, any address of the node's pods will do where the client's own is not known.
  const addressOn = (node: string, family: Family) => {
    const own = who?.node === node && !who.hostNetwork ? who.addresses : [];
    const ranges = valueOf(nodes)?.find((n) => n.metadata.name === node)?.spec.podCIDRs ?? [];
    return [...own, ...ranges.map((r) => r.split('/')[0] ?? '')].find((a) => familyOf(a) === family);
  };
  const distinct = new Map(ways.map((w) => [`${w.from} ${w.c.node} ${familyOf(splitTarget(w.c.target).address)}`, w]));
  return [...distinct.values()].slice(0, maxWays).flatMap(({ c, from }) => {
    const to = splitTarget(c.target).address;
    const back = addressOn(from, familyOf(to));
    return [{ node: from, to }, ...(back === undefined || c.node === null ? [] : [{ node: c.node, to: back }])];
  });
}

export const routes = collector({
  fact: 'routes',
  after: ['connections', 'matrix', 'client', 'nodes', 'proxyPods'],
  access: [read('pods/exec', ['create', 'get'], 'kube-system')],
  impact: 'exec',
  when: (known) => (waysOf(known).length > 0 ? true : 'nothing got lost between two nodes'),
  async collect({ cluster, progress }, known) {
    progress('reading the routes between the nodes');
    const proxies = new Map((valueOf(known.proxyPods) ?? []).map((p) => [p.spec.nodeName, p]));
    const found = await Promise.all(
      waysOf(known).map(async ({ node, to }) => [`${node} → ${to}`, await routeOn(cluster, proxies.get(node), node, to)] as const),
    );
    return seen(Object.fromEntries(found));
  },
});
