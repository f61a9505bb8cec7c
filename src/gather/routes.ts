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

/** Types of routes that drop packets; after a `throw` the kernel asks the next rule. */
const dead = /^(blackhole|unreachable|prohibit|throw)\b/;

type RoutingRule = NonNullable<Route['rule']> & { action: string };

const main: RoutingRule = { priority: 32766, text: '32766: from all lookup main', table: 'main', action: 'lookup main' };

/**
 * The rules by which a node looks for a route from one address to another, in the kernel's order (`ip rule show`, ip-rule(8)). A rule that asks
 * for more than both may mean other packets, and is left out, as is the table of the node's own addresses.
 */
export function rulesFor(listing: string, { from, to }: { from: string | undefined; to: string }): RoutingRule[] {
  const means = (text: string, address: string | undefined) => {
    const range = rangeOf(text);
    return text === 'all' || (range !== undefined && address !== undefined && inRange(address, range.parsed));
  };
  return listing.split('\n').flatMap((line) => {
    const found = /^(\d+):\s+from (\S+)(?: to (\S+))? (lookup (\w+)|blackhole|unreachable|prohibit)\s*$/.exec(line);
    const [, priority = '', source = '', target = 'all', action = '', table] = found ?? [];
    if (!found || table === 'local' || !means(source, from) || !means(target, to)) return [];
    return [{ priority: Number(priority), text: line.replace(/:\s+/, ': ').trim(), table: table ?? null, action }];
  });
}

interface Way {
  node: string;
  from: string | undefined;
  to: string;
}

async function routeOn(cluster: Cluster, proxy: Pod | undefined, way: Way): Promise<Fact<Route>> {
  const { node, to } = way;
  const what = `the route to ${to} on node ${node}`;
  if (!proxy) return unseen('not-possible', what, 'no kube-proxy runs there as a pod, in which to ask for it');
  const ip = (...words: string[]) => cluster.exec(firstContainerOf(proxy), ['ip', ...(to.includes(':') ? ['-6'] : []), ...words], timeoutMs);
  const inTable = (...table: string[]) => ip('route', 'show', ...table, 'to', 'match', to);
  const [listed, inMain] = await Promise.all([ip('rule', 'show'), inTable()]);
  const known = listed.ok && listed.value.exitCode === 0 ? rulesFor(listed.value.stdout, way) : [];
  let thrown: string | null = null;
  for (const { action, ...rule } of known.length > 0 ? known : [main]) {
    if (rule.table === null) return seen({ node, to, route: action, leads: false, rule });
    const isMain = rule.table === 'main';
    const found = isMain ? inMain : await inTable('table', rule.table);
    if (!found.ok) return fromFailure(found.failure);
    const { exitCode, stdout, stderr } = found.value;
    // A table without any route does not exist for the kernel.
    if (exitCode !== 0 && !stderr.includes('FIB table does not exist')) return unseen('malformed', what, stderr.trim().split('\n')[0] ?? '');
    const route = mostSpecific(stdout);
    if (route?.startsWith('throw ')) thrown ??= route;
    else if (route !== null) return seen({ node, to, route, leads: !dead.test(route), ...(isMain ? {} : { rule }) });
  }
  return seen({ node, to, route: thrown ?? 'none', leads: false });
}

/** From which node and address to which: of packets lost on the way to another node, and of the answers back. */
function waysOf({ connections, matrix, client, nodes }: Pick<Facts, 'connections' | 'matrix' | 'client' | 'nodes'>): Way[] {
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
    const own = addressOn(from, familyOf(to));
    return [{ node: from, from: own, to }, ...(own === undefined || c.node === null ? [] : [{ node: c.node, from: to, to: own }])];
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
    const found = await Promise.all(waysOf(known).map(async (way) => [`${way.node} → ${way.to}`, await routeOn(cluster, proxies.get(way.node), way)] as const));
    return seen(Object.fromEntries(found));
  },
});
