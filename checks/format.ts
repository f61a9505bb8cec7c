/** How checks write counts, lists, clients and connections. */
import type { Client, Connection, Target } from '../src/facts/facts.ts';
import type { Pod, Service } from '../src/facts/objects.ts';
import { familyOf, splitTarget } from '../src/facts/selectors.ts';
import type { Evidence, ObjectRef } from './check.ts';

export const serviceRef = (target: Target): ObjectRef => ({ kind: 'Service', namespace: target.namespace, name: target.name });

export const podRef = (pod: Pod): ObjectRef => ({ kind: 'Pod', namespace: pod.metadata.namespace, name: pod.metadata.name });

export const plural = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

/** The first few of a list, and how many more there are. */
export function some(items: readonly string[], most = 3): string {
  return items.length <= most ? items.join(', ') : `${items.slice(0, most).join(', ')} and ${items.length - most} more`;
}

/** ` over IPv6`, where some of the addresses are all of one family, and the others are not; else nothing. */
export function overFamily(some: readonly string[], all: readonly string[]): string {
  const of = (addresses: readonly string[]) => [...new Set(addresses.map(familyOf))];
  const [one, ...more] = of(some);
  return one !== undefined && more.length === 0 && of(all).length > 1 ? ` over ${one}` : '';
}

/** The same of connections. */
export const overFamilyOf = (some: readonly Connection[], all: readonly Connection[]): string =>
  overFamily(
    some.map((c) => splitTarget(c.target).address),
    all.map((c) => splitTarget(c.target).address),
  );

export const targetPortOf = (port: Service['spec']['ports'][number]): number | string => port.targetPort ?? port.port;

/** Who connects, as `--from` names it. */
export function clientText(target: Target, client: Client | null | undefined): string {
  if (!client) return target.from.kind === 'external' ? 'outside the cluster' : `${target.from.kind}/${target.from.name || target.from.namespace}`;
  if (client.kind === 'pod') return `pod/${client.name}`;
  if (client.kind === 'node') return `node/${client.name}`;
  if (client.kind === 'external') return 'outside the cluster';
  return `a pod in namespace ${client.namespace}`;
}

const outcomeWords: Record<Connection['outcome'], string> = {
  answered: 'answered',
  refused: 'connection refused',
  'timed-out': 'timed out',
  reset: 'connection reset',
  'no-route': 'no route to host',
  'no-answer': 'no answer',
  'name-not-found': 'the name does not exist',
  'dns-timed-out': 'no DNS server answered',
  'dns-failed': 'the DNS server reported a failure',
};

export const outcomeText = (outcome: Connection['outcome']): string => outcomeWords[outcome];

/** Of connections that send a packet and wait: those over UDP that got nothing back may have been fine. */
export const resultText = ({ outcome }: Connection): string => `${outcomeWords[outcome]}${outcome === 'no-answer' ? ' (over UDP this proves nothing)' : ''}`;

/** One connection as a line of evidence. */
export function probeEvidence(from: string, c: Connection): Evidence {
  const time = c.latencyMs !== null && c.outcome === 'timed-out' ? ` after ${(c.latencyMs / 1000).toFixed(1)} s` : '';
  const which = c.pod ? ` (pod ${c.pod})` : '';
  const answers = c.outcome === 'answered' && c.answers.length > 0 ? `: ${c.answers.join(', ')}` : '';
  return { source: 'probe', text: `${c.from ?? from} → ${c.target}${which}  ${resultText(c)}${time}${answers}` };
}
