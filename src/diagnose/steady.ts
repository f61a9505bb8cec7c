/** Whether what was judged is still so: a cluster changes while it is read, and a cause that was true for one request only is none. */
import { isDeepStrictEqual } from 'node:util';
import { valueOf } from '../facts/fact.ts';
import type { FactName, Facts } from '../facts/facts.ts';
import type { Recording } from '../facts/capture.ts';
import type { Pod } from '../facts/objects.ts';
import { endpointsOf, isReady, podsOf } from '../facts/selectors.ts';
import { gather } from '../gather/gather.ts';
import type { Context } from '../gather/collector.ts';

/** Milliseconds after its creation for which a Service may be new to a DNS replica, whose watch may just begin again. */
const newMs = 60_000;
/** Milliseconds after which a replica that has not heard of a Service may have. */
export const newsMs = 5000;

/**
 * Whether DNS denies the name of a Service that was created a moment ago: a replica whose watch begins again answers rightly a few seconds later,
 * and so may one that was asked for the name before, and keeps the denial for a while (RFC 2308).
 */
export function isNewToDns({ facts, startedAt }: Pick<Recording, 'facts' | 'startedAt'>): boolean {
  const created = valueOf(facts.service)?.metadata.creationTimestamp;
  if (created == null || Math.abs(Date.parse(startedAt) - Date.parse(created)) > newMs) return false;
  const replies = Object.values(valueOf(facts.dnsAnswers) ?? {}).flatMap((a) => (a.seen ? [a.value, ...a.value.more] : []));
  const isDenied = replies.some((r) => r.question !== '. NS' && r.rcode === 'NXDOMAIN');
  return isDenied || (valueOf(facts.connections)?.list.some((c) => c.hop === 'name' && c.outcome === 'name-not-found') ?? false);
}

/** What is read again. */
const watched = ['service', 'slices', 'pods', 'dnsPods'] as const satisfies FactName[];
type Watched = Pick<Facts, (typeof watched)[number]>;

const stateOf = (pods: readonly Pod[]) => pods.map((p) => [p.metadata.uid, isReady(p), p.metadata.deletionTimestamp != null].join()).toSorted();

/** The parts that a verdict depends on; undefined for what could not be read. */
function partsOf(facts: Watched) {
  const service = valueOf(facts.service);
  const pods = valueOf(facts.pods);
  const slices = valueOf(facts.slices);
  const dnsPods = valueOf(facts.dnsPods);
  return {
    'the Service': facts.service.seen ? [service?.metadata.uid, service?.spec] : undefined,
    'its endpoints':
      slices &&
      endpointsOf(slices)
        .map((e) => [e.address, e.port, e.ready, e.serving].join())
        .toSorted(),
    'its pods': service && pods && stateOf(podsOf(service, pods)),
    'the DNS pods': dnsPods && stateOf(dnsPods),
  };
}

/** What has changed since it was read (`its pods`), or undefined. What could not be read now or before says nothing. */
export async function changedSince(facts: Facts, context: Omit<Context, 'progress'>): Promise<string | undefined> {
  // What hung or was refused before would do so again, and what hangs now is not waited for.
  const again = watched.filter((name) => facts[name].seen);
  const gathering = gather({ ...context, progress: () => {} }, again, () => true);
  const settled = await Promise.all(watched.map(async (name) => [name, (await gathering[name]).fact] as const));
  const now = partsOf(Object.fromEntries(settled) as unknown as Watched);
  const before = partsOf(facts);
  return (Object.keys(now) as (keyof typeof now)[]).find(
    (part) => now[part] !== undefined && before[part] !== undefined && !isDeepStrictEqual(now[part], before[part]),
  );
}
