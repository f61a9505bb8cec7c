/** Routes of the nodes as evidence for packets that are lost between them. */
import type { Fact } from '../../src/facts/fact.ts';
import type { FactTypes, Route } from '../../src/facts/facts.ts';
import type { Evidence, Fix } from '../check.ts';

/** The routes between two nodes, there and back, as far as they were read. */
export function routesBetween(
  routes: Fact<FactTypes['routes']>,
  ends: readonly (string | null)[],
): { evidence: Evidence[]; read: Route[]; dead: Route | undefined } {
  const read = (routes.seen ? Object.values(routes.value) : []).flatMap((f) => (f.seen && ends.includes(f.value.node) ? [f.value] : []));
  return {
    evidence: read.map((r) => ({ source: 'routes', text: `${r.node} to ${r.to}: ${r.route}` })),
    read,
    dead: read.find((r) => !r.leads),
  };
}

/** Why packets are lost between nodes, as far as a route shows it. */
export function whyLost(dead: Route | undefined): string {
  if (!dead) return 'likely below Kubernetes, in the routes or the CNI plug-in';
  return dead.route === 'none' ? `${dead.node} has no route to ${dead.to}` : `${dead.node} drops packets to ${dead.to} (route: ${dead.route})`;
}

/** Lists the pods of a node, the CNI plug-in's among them. */
export const podsOn = (node: string): string => `kubectl get pods -A -o wide --field-selector=spec.nodeName=${node}`;

export const restoreRoute = ({ node, to }: Route): string => `Restore the route to ${to} on ${node}. Check the CNI pods on that node`;

export const followPacket: Fix = { text: 'Check the routes and firewalls of both nodes, then the program in the pod' };
