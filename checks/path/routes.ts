/** Routes of the nodes as evidence for packets that are lost between them. */
import type { Fact } from '../../src/facts/fact.ts';
import type { FactTypes, Route } from '../../src/facts/facts.ts';
import { familyOf } from '../../src/facts/selectors.ts';
import { inside } from '../../src/policy/rule.ts';
import type { Evidence, Fix } from '../check.ts';
import { onNode } from '../on-node.ts';
import { outsideKubernetes } from '../platform.ts';

/** A route, with the rule that decides before the main table. */
const routeText = ({ route, rule }: Route): string => (rule ? `rule ${rule.text}${rule.table === null ? '' : `, in which ${route}`}` : route);

/** The routes between two nodes, there and back, as far as they were read. */
export function routesBetween(
  routes: Fact<FactTypes['routes']>,
  ends: readonly (string | null)[],
): { evidence: Evidence[]; read: Route[]; dead: Route | undefined } {
  const read = (routes.seen ? Object.values(routes.value) : []).flatMap((f) => (f.seen && ends.includes(f.value.node) ? [f.value] : []));
  return {
    evidence: read.map((r) => ({ source: 'routes', text: `${r.node} to ${r.to}: ${routeText(r)}` })),
    read,
    dead: read.find((r) => !r.leads),
  };
}

const tableText = ({ rule }: Route): string => (rule ? ` in table ${rule.table}` : '');

/** Why packets are lost between nodes, as far as a route shows it. */
export function whyLost(dead: Route | undefined): string {
  if (!dead) return 'likely below Kubernetes, in the routes or the CNI plug-in';
  if (dead.rule?.table === null) return `${dead.node} drops packets to ${dead.to} by its routing rule ${dead.rule.text}`;
  return dead.route === 'none'
    ? `${dead.node} has no route to ${dead.to}`
    : `${dead.node} drops packets to ${dead.to} (route: ${dead.route}${tableText(dead)})`;
}

/** Lists the pods of a node, the CNI plug-in's among them. */
export const podsOn = (node: string): string => `kubectl get pods -A -o wide --field-selector=spec.nodeName=${node}`;

const ip6 = (address: string): string[] => (familyOf(address) === 'IPv6' ? ['-6'] : []);

/** The command that restores a route on its node, and what to expect after it. */
export function restored(dead: Route, nodes: Fact<FactTypes['nodes']>, proxyPods: Fact<FactTypes['proxyPods']>): Fix[] {
  const { node, to, route, rule } = dead;
  const expect = `The connection answers at once then, unless the CNI plug-in or a script on ${node} sets it again`;
  const check: Fix = { text: `Then find out what changed it: check the CNI pods on ${node}`, command: podsOn(node) };
  const remove = (what: string, ...words: string[]): Fix[] => [
    { text: `Remove the ${what} on ${node}. ${expect}`, command: onNode(node, proxyPods, 'ip', ...ip6(to), ...words) },
    check,
  ];
  if (rule?.table === null) return remove(`routing rule ${rule.text}`, 'rule', 'del', 'pref', String(rule.priority));
  if (/^(blackhole|unreachable|prohibit|throw) /.test(route))
    return remove(`route "${route}"${tableText(dead)}`, 'route', 'del', ...route.split(' '), ...(rule ? ['table', rule.table] : []));
  // Where each node has one range of pods, its own address is the way to them (Node API, spec.podCIDR).
  const other = nodes.seen ? nodes.value.find((n) => n.spec.podCIDRs.some((range) => inside(to, range))) : undefined;
  const range = other?.spec.podCIDRs.find((r) => inside(to, r));
  const via = other?.status.addresses.find((a) => a.type === 'InternalIP' && familyOf(a.address) === familyOf(to))?.address;
  if (route !== 'none' || !range || via === undefined || other?.metadata.name === node)
    return [{ text: `Restore the route to ${to} on ${node}. Check the CNI pods on that node`, command: podsOn(node) }];
  return [
    {
      text: `Add the route to ${range} by ${other?.metadata.name} on ${node}, where the nodes share a network. ${expect}`,
      command: onNode(node, proxyPods, 'ip', ...ip6(to), 'route', 'add', range, 'via', via),
    },
    check,
  ];
}

export const followPacket = (nodes: Fact<FactTypes['nodes']>): Fix[] => [
  { text: 'Check the routes and firewalls of both nodes, then the program in the pod' },
  ...outsideKubernetes(nodes),
];
