/** Which Services a change of an object can concern: only these are judged again. */
import type { EndpointSlice, Event, Pod, Service, Workload } from '../facts/objects.ts';
import { type Labels, selects } from '../facts/selectors.ts';
import { mayTakeRequests } from '../front/controllers.ts';
import type { Inventory } from './inventory.ts';
import type { Kind } from './kinds.ts';
import type { Named } from './store.ts';

const system = 'kube-system';

export interface Change {
  kind: Kind;
  /** Undefined: the object is new. */
  former: Named | undefined;
  /** Undefined: the object is gone. */
  now: Named | undefined;
}

export interface Affected {
  services: readonly Service[];
  /** True where it may be a part of the cluster's own: its DNS, kube-proxy, a node. */
  cluster: boolean;
  /** True where what is in front of Services may be another. */
  fronts: boolean;
}

/** `isFine`: whether a Service is healthy by the last judgement. */
export function affectedBy(change: Change, inventory: Inventory, isFine: (service: Service) => boolean): Affected {
  const { kinds } = inventory;
  const ofFronts: readonly { resource: Kind['resource'] }[] = [kinds.ingresses, kinds.ingressClasses, ...Object.values(kinds.gatewayApi).flat()];
  if (ofFronts.some((k) => k.resource === change.kind.resource)) return { services: [], cluster: false, fronts: true };
  const { kind, former, now } = change;
  // Pods come and go all the time; of those only the ones that take requests matter here.
  const isProxy = kind.resource === kinds.pods.resource && [former, now].some((p) => p !== undefined && mayTakeRequests((p as Pod).metadata.labels));
  const concerned: readonly { resource: Kind['resource'] }[] = [kinds.services, kinds.namespaces];
  return { ...servicesBehind(change, inventory, isFine), fronts: isProxy || concerned.some((k) => k.resource === kind.resource) };
}

function servicesBehind({ kind, former, now }: Change, inventory: Inventory, isFine: (service: Service) => boolean): Omit<Affected, 'fronts'> {
  const { kinds } = inventory;
  const namespace = (now ?? former)?.metadata.namespace ?? '';
  const states = [former, now].filter((o) => o !== undefined);
  const here = (): Service[] => {
    const own = kinds.services.store.in(namespace);
    return own.seen ? own.value : [];
  };
  const is = (other: { resource: Kind['resource'] }) => kind.resource === other.resource;
  const inSystem = namespace === system;

  if (is(kinds.services)) return { services: now ? [now as Service] : [], cluster: inSystem };
  if (is(kinds.slices)) {
    const owners = new Set(states.map((s) => (s as EndpointSlice).metadata.labels['kubernetes.io/service-name']));
    return { services: here().filter((s) => owners.has(s.metadata.name)), cluster: inSystem };
  }
  /** Where nothing is selected, any pod or template of the namespace may explain it. */
  const isEmpty = (s: Service) => !inventory.selectsPods(s) || inventory.slicesOf(s).every((slice) => slice.endpoints.length === 0);
  const byLabels = (all: readonly Labels[], isBehind: (s: Service) => boolean) =>
    here().filter((s) => all.some((labels) => selects(s.spec.selector, labels)) || isEmpty(s) || isBehind(s));
  if (is(kinds.pods)) {
    const pods = states as Pod[];
    const addresses = new Set(pods.flatMap((p) => p.status.podIPs.map((i) => i.ip)));
    const isBehind = (s: Service) => inventory.slicesOf(s).some((slice) => slice.endpoints.some((e) => e.addresses.some((a) => addresses.has(a))));
    const services = byLabels(
      pods.map((p) => p.metadata.labels),
      isBehind,
    );
    return { services, cluster: inSystem };
  }
  if (is(kinds.deployments) || is(kinds.replicaSets) || is(kinds.statefulSets) || is(kinds.daemonSets)) {
    const services = byLabels(
      states.map((w) => (w as Workload).spec.template.metadata.labels),
      () => false,
    );
    return { services, cluster: inSystem };
  }
  // An event explains what is wrong, and breaks nothing by itself.
  if (is(kinds.events)) return { services: (now as Event | undefined) === undefined ? [] : here().filter((s) => !isFine(s)), cluster: false };
  if (is(kinds.namespaces)) {
    const own = kinds.services.store.in((now ?? former)?.metadata.name ?? '');
    return { services: own.seen ? own.value : [], cluster: false };
  }
  if (is(kinds.nodes)) return { services: [], cluster: true };
  // Policies: those of kube-system guard the DNS of all.
  return { services: namespace === '' || inSystem ? inventory.services() : here(), cluster: false };
}
