/** The facts that predictions read, looked up once for all connections of a run. */
import type { Code } from '../catalog/codes.ts';
import type { Client, Facts, FactTypes } from '../facts/facts.ts';
import { type Fact, valueOf } from '../facts/fact.ts';
import type { Pod, Service } from '../facts/objects.ts';
import { type Endpoint, endpointsOf } from '../facts/selectors.ts';
import type { Party } from '../policy/rule.ts';
import { clientParty, type Known, policiesKnown } from './parties.ts';
import type { Stop } from './prediction.ts';

export interface World {
  facts: Facts;
  target: FactTypes['target'];
  /** null where it does not exist; undefined where it could not be read. */
  service: Service | null | undefined;
  client: Client | null;
  /** The client as policies see it. */
  from: Party | null;
  /** The node from which the client connects. */
  node: string | null;
  endpoints: readonly Endpoint[];
  pods: ReadonlyMap<string, Pod>;
  policies: Known | undefined;
}

/** Throws where `facts` has no target, which every run and every capture has. */
export function worldOf(facts: Facts): World {
  if (!facts.target.seen) throw new Error('facts without a target');
  const client = valueOf(facts.client) ?? null;
  return {
    facts,
    target: facts.target.value,
    service: facts.service.seen ? facts.service.value : undefined,
    client,
    from: client && clientParty(client, facts.namespaces),
    node: valueOf(facts.connections)?.node ?? client?.node ?? null,
    endpoints: endpointsOf(valueOf(facts.slices) ?? []),
    pods: new Map((valueOf(facts.pods) ?? []).map((p) => [p.metadata.name, p])),
    policies: facts.policies.seen ? policiesKnown(facts.policies.value, facts.pluginPolicies) : undefined,
  };
}

/** Evidence that is missing, as a stop that may be there; none where the run did not need it. */
export function unseenStop(fact: Fact<unknown>, codes: readonly Code[], fates: Stop['fates'] = ['refused', 'lost']): Stop[] {
  if (fact.seen || fact.reason === 'not-needed') return [];
  return [{ fates, certain: false, unseen: fact.reason, why: `${fact.what}: ${fact.why}`, codes }];
}
