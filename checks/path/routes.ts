/** What the routes of the nodes tell of packets that got lost between them. */
import type { Fact } from '../../src/facts/fact.ts';
import type { FactTypes, Route } from '../../src/facts/facts.ts';
import type { Evidence } from '../check.ts';

/** The routes between two nodes, there and back, as far as they were read. */
export function routesBetween(routes: Fact<FactTypes['routes']>, ends: readonly (string | null)[]): { evidence: Evidence[]; dead: Route | undefined } {
  const read = (routes.seen ? Object.values(routes.value) : []).flatMap((f) => (f.seen && ends.includes(f.value.node) ? [f.value] : []));
  return {
    evidence: read.map((r) => ({ source: 'routes', text: `${r.node} to ${r.to}: ${r.route}` })),
    dead: read.find((r) => !r.leads),
  };
}

/** What a route that leads nowhere means, in words. */
export const deadEnd = (r: Route): string =>
  r.route === 'none' ? `${r.node} has no route to ${r.to}` : `the route of ${r.node} to ${r.to} leads nowhere (${r.route})`;
