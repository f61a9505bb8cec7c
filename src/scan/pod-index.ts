/** The pods of one namespace by each label, by address, and by kind: what a Service asks of them does not grow with their number. */
import type { EndpointSlice, Pod, Service } from '../facts/objects.ts';
import { derived } from '../facts/derived.ts';
import { type Labels, labelText, ownLabels, selects } from '../facts/selectors.ts';

export interface PodIndex {
  add(pod: Pod): void;
  remove(pod: Pod): void;
  /** Whether a Service selects any. */
  hasOf(service: Service): boolean;
  /** The pods that a Service selects, and those behind its addresses; where it selects none, one of each kind. */
  of(service: Service, slices: readonly EndpointSlice[]): Pod[];
}

/** The pods of one template share their labels. */
const pairsOf = derived((labels: Labels) => Object.entries(labels).map(([key, value]) => `${key}=${value}`));
const kindOf = derived((labels: Labels) => labelText(ownLabels(labels)));
const addressesOf = (pod: Pod): string[] => (pod.spec.hostNetwork ? [] : pod.status.podIPs.map((i) => i.ip));

export function podIndex(): PodIndex {
  const byLabel = new Map<string, Set<Pod>>();
  const byAddress = new Map<string, Pod>();
  /** What only resembles a Service's pods is named by one of them. */
  const byKind = new Map<string, Set<Pod>>();
  const file = (index: Map<string, Set<Pod>>, key: string, pod: Pod) => {
    const same = index.get(key);
    if (same) same.add(pod);
    else index.set(key, new Set([pod]));
  };
  const drop = (index: Map<string, Set<Pod>>, key: string, pod: Pod) => {
    const same = index.get(key);
    same?.delete(pod);
    if (same?.size === 0) index.delete(key);
  };

  function selected(selector: Labels | null | undefined): Pod[] {
    const sets = Object.entries(selector ?? {}).map(([key, value]) => byLabel.get(`${key}=${value}`) ?? new Set<Pod>());
    const [smallest] = sets.toSorted((a, b) => a.size - b.size);
    return [...(smallest ?? [])].filter((p) => selects(selector, p.metadata.labels));
  }

  return {
    add(pod) {
      for (const pair of pairsOf(pod.metadata.labels)) file(byLabel, pair, pod);
      file(byKind, kindOf(pod.metadata.labels), pod);
      for (const ip of addressesOf(pod)) byAddress.set(ip, pod);
    },
    remove(pod) {
      for (const pair of pairsOf(pod.metadata.labels)) drop(byLabel, pair, pod);
      drop(byKind, kindOf(pod.metadata.labels), pod);
      // Another pod may have the address by now.
      for (const ip of addressesOf(pod)) if (byAddress.get(ip) === pod) byAddress.delete(ip);
    },
    hasOf: (service) => selected(service.spec.selector).length > 0,
    of(service, slices) {
      const own = selected(service.spec.selector);
      const behind = slices.flatMap((s) => s.endpoints.flatMap((e) => e.addresses.flatMap((a) => byAddress.get(a) ?? [])));
      const kinds = own.length > 0 ? [] : [...byKind.values()].flatMap((same) => [...same].slice(0, 1));
      return [...new Set([...own, ...behind, ...kinds])];
    },
  };
}
