/** Connections that succeeded although the policies that were read deny them. */
import type { Connection } from '../facts/facts.ts';
import type { Pod, Service } from '../facts/objects.ts';
import { isReady } from '../facts/selectors.ts';
import { hostPort } from '../proxy/model.ts';
import { type Asked, clientParty, decided, endpointOf, type Given, partyOf, policiesKnown, questionsBothWays } from './parties.ts';

/** What policies deny between the client and the endpoints, and which of these connections were answered. */
export function letThrough(given: Given, service: Service, made: readonly Connection[]): { denied: Asked[]; through: Connection[] } {
  const denied = questionsBothWays(given, service).filter((q) => q.decision.verdict === 'denied');
  const targets = new Set(denied.flatMap((q) => endpointOf(q).addresses.map((a) => hostPort(a, q.connection.port))));
  return { denied, through: made.filter((c) => c.hop === 'endpoint' && c.outcome === 'answered' && targets.has(c.target)) };
}

/** True where a connection to an endpoint was answered that policies deny, or a name by DNS pods that the client must not reach. */
export function deniedGotThrough(given: Given, service: Service, dnsPods: readonly Pod[], made: readonly Connection[]): boolean {
  if (letThrough(given, service, made).through.length > 0) return true;
  if (!given.client || !made.some((c) => c.hop === 'name' && c.outcome === 'answered')) return false;
  const from = clientParty(given.client, given.namespaces);
  const known = policiesKnown(given.policies, given.pluginPolicies);
  const asked = dnsPods.filter(isReady).map((p) => decided('egress', from, partyOf(p, given.namespaces), { port: 53, protocol: 'UDP' }, known));
  return asked.length > 0 && asked.every((a) => a?.decision.verdict === 'denied');
}
