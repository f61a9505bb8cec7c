/** What the checks of pods share: the Service's pods, the severity of a fault in some of them, and how messages name them. */
import type { Fact } from '../../src/facts/fact.ts';
import type { ContainerStatus, EndpointSlice, Event, Pod, Service } from '../../src/facts/objects.ts';
import { derived } from '../../src/facts/derived.ts';
import { endpointsOf, isReady, isSidecarIn, podsOf } from '../../src/facts/selectors.ts';
import type { Draft, Evidence } from '../check.ts';
import { plural, podRef, some } from '../format.ts';

export interface Situation {
  own: readonly Pod[];
  /** True where other pods serve: a pod that is not ready gets no traffic, so no connection fails. */
  othersServe: boolean;
}

export function situation(service: Service | null, pods: readonly Pod[], slices: Fact<EndpointSlice[]>): Situation {
  const own = service ? podsOf(service, pods) : [];
  // Where the slices could not be read, the pods decide: a ready pod is, or will soon be, a ready endpoint.
  const published = service?.spec.publishNotReadyAddresses === true && own.some((p) => p.status.phase === 'Running');
  const othersServe = slices.seen ? endpointsOf(slices.value).some((e) => e.ready) : own.some(isReady) || published;
  return { own, othersServe };
}

/** Severity and scope of a fault because of which these pods are not ready. */
export const weight = ({ othersServe }: Situation): Pick<Draft, 'severity' | 'scope'> =>
  othersServe ? { severity: 'warning', scope: 'part' } : { severity: 'error', scope: 'all' };

/** What a container is called in messages: `Init container "migrate"`. */
export const containerTitle = (pod: Pod, container: string): string =>
  `${isSidecarIn(pod, container) ? 'Sidecar container' : pod.spec.initContainers.some((c) => c.name === container) ? 'Init container' : 'Container'} "${container}"`;

export const containersOf = (pod: Pod): ContainerStatus[] => [...pod.status.initContainerStatuses, ...pod.status.containerStatuses];

/** `2 of 3 pods (web-a, web-b)`. */
export const named = (affected: readonly Pod[], own: readonly Pod[]): string =>
  own.length === 1
    ? `pod ${affected[0]?.metadata.name}`
    : `${affected.length} of ${plural(own.length, 'pod')} (${some(
        affected.map((p) => p.metadata.name),
        2,
      )})`;

/** One finding for all pods with the same fault; its object is the first of them. */
export function grouped<C extends Draft['code']>(affected: readonly Pod[], finding: Omit<Draft<C>, 'object' | 'pods'>): Draft<C> {
  const first = affected[0];
  if (!first) throw new Error('a finding about no pod');
  return { ...finding, object: podRef(first), pods: affected.map((p) => p.metadata.name) };
}

const timeOf = (e: Event): string => e.series?.lastObservedTime ?? e.lastTimestamp ?? e.eventTime ?? e.metadata.creationTimestamp ?? '';

const byObject = derived((events: readonly Event[]) =>
  Map.groupBy(
    events.toSorted((a, b) => timeOf(b).localeCompare(timeOf(a))),
    (e) => `${e.involvedObject.kind} ${e.involvedObject.name}`,
  ),
);

/** Warnings about one object, the newest first. */
export function eventsOf(events: Fact<Event[]>, kind: string, name: string, reason?: RegExp): Event[] {
  const said = (events.seen && byObject(events.value).get(`${kind} ${name}`)) || [];
  return reason ? said.filter((e) => reason.test(e.reason)) : said;
}

export const eventEvidence = (e: Event): Evidence => ({ source: 'events', text: `${e.involvedObject.name}: ${e.reason}: ${e.message.trim()}` });

/** The last lines of a container's log as evidence. */
export function logEvidence(logs: Fact<Record<string, Fact<string>>>, pod: Pod, container: string, most = 5): Evidence[] {
  const log = logs.seen ? logs.value[`${pod.metadata.name}/${container}`] : undefined;
  if (!log?.seen || !log.value) return [];
  return log.value
    .split('\n')
    .slice(-most)
    .map((text) => ({ source: 'log', text: `${pod.metadata.name}: ${text}` }));
}
