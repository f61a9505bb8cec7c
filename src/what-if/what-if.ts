/** The cluster after a change: its objects, what Kubernetes makes of them in turn, and what connections would find. */
import type { Change } from '../catalog/finding.ts';
import { unseen, valueOf } from '../facts/fact.ts';
import type { Facts } from '../facts/facts.ts';
import { withDns } from './cluster-dns.ts';
import { withConnections } from './connections.ts';
import { isFollowed, slicesFor } from './endpoint-slices.ts';
import { withRules } from './node-rules.ts';
import { put, withObject } from './objects.ts';
import { withProxies } from './proxies.ts';
import { startedFrom, withPods } from './rollout.ts';

export interface WhatIf {
  facts: Facts;
  /** What the facts leave open and the result takes for granted, in words. */
  assumes: string[];
}

/** The slices of the Service; where their controller did not follow before, it does not now. */
function withSlices(before: Facts, after: Facts): Facts {
  const [service, pods, slices] = [valueOf(before.service), valueOf(before.pods), valueOf(before.slices)];
  const next = { service: valueOf(after.service), pods: valueOf(after.pods) };
  if (!service || !pods || !slices || !next.service || !next.pods || (next.service === service && next.pods === pods)) return after;
  if (Object.keys(service.spec.selector ?? {}).length > 0 && !isFollowed(service, pods, slices)) return after;
  return put(after, 'slices', slicesFor(next.service, next.pods, slices));
}

const notMade = (what: string) => unseen('not-needed', what, 'a prediction makes no request');

/** Requests through what is in front, and calls by the API server, were made before the change. */
const withoutRequest = (facts: Facts): Facts => ({
  ...facts,
  ...(facts.frontAnswers.seen && { frontAnswers: notMade('a request through what is in front') }),
  ...(facts.apiServerCalls.seen && { apiServerCalls: notMade('a call by the API server') }),
});

/** Pure: the same facts and changes give the same world. */
export function whatIf(facts: Facts, changes: readonly Change[]): WhatIf {
  const objects = withoutRequest(changes.reduce(withObject, facts));
  if (valueOf(facts.target)?.name === '') return { facts: objects, assumes: ['the Service behind it was not judged'] };
  const pods = withPods(facts, objects, changes);
  const slices = withSlices(facts, pods);
  const proxies = withProxies(facts, slices, changes);
  const dns = withDns(facts, proxies.facts, changes);
  const rules = withRules(facts, dns, proxies.restarted);
  const { facts: after, assumes } = withConnections(facts, rules, changes);
  return { facts: after, assumes: [...startedFrom(facts, pods, changes), ...assumes] };
}
