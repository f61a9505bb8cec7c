/**
 * What a scan knows: each list read once, page by page, each object reduced to what the checks read as it comes, and indexed once. The facts
 * of one Service are then looked up, in a time that does not grow with the cluster. The objects can change afterwards (`watch.ts`).
 */
import { isDeepStrictEqual } from 'node:util';
import { type Cluster, ok, type Resource, type Result } from '../cluster/index.ts';
import { type Fact, seen, type Unseen, unseen } from '../facts/fact.ts';
import { type Client, type FactName, factNames, type Facts, type FactTypes, type Target } from '../facts/facts.ts';
import type * as o from '../facts/objects.ts';
import { isFinished, selects } from '../facts/selectors.ts';
import { debugClient } from '../gather/client.ts';
import { fromFailure } from '../gather/collector.ts';
import { collectors, gather } from '../gather/gather.ts';
import { policiesAmong, type PolicyPlace, policyKey } from '../gather/policies.ts';
import { requestsByNode } from '../gather/reduced.ts';
import { openJanitor } from '../probes/debug-pod.ts';
import { everyKind, type Kind, type Kinds, listOptions, ownKinds, servedKinds } from './kinds.ts';
import { type PodIndex, podIndex } from './pod-index.ts';
import { everywhere, type Named, type Scope } from './store.ts';

const system = 'kube-system';

/** Facts of the whole cluster, which every Service of it shares. */
const ofCluster: readonly FactName[] = [
  'nodes',
  'dnsService',
  'dnsSlices',
  'dnsPods',
  'dnsWorkload',
  'dnsLogs',
  'corefile',
  'corefileCustom',
  'corefileHistory',
  'nodeLocalPods',
  'proxyPods',
  'proxyWorkload',
  'proxyMode',
  'ciliumPods',
];

export interface Inventory {
  kinds: Kinds;
  /** Asks which kinds this cluster serves besides those of every cluster, and answers them. */
  discover(signal: AbortSignal): Promise<Kind[]>;
  services(): o.Service[];
  find(namespace: string, name: string): o.Service | undefined;
  /** What is known for one Service, as its client sees it: a debug pod in its namespace, if nobody else is named. */
  factsOf(service: o.Service, client?: Client): Facts;
  slicesOf(service: o.Service): o.EndpointSlice[];
  selectsPods(service: o.Service): boolean;
  /** Takes in the present state of an object. Answers its former one, or `same` where nothing that the checks read is different. */
  put(kind: Kind, item: Named): Named | 'same' | undefined;
  /** An object is gone. Answers what it was. */
  remove(kind: Kind, namespace: string, name: string): Named | undefined;
  /** Reads again what belongs to the whole cluster: its nodes, DNS and kube-proxy. True where something is different. */
  readCluster(signal: AbortSignal): Promise<boolean>;
  /** Answers what is held without another request. */
  held: Cluster;
  /** Of each list that was read: its version, from which a watch goes on. */
  versions: Map<Kind, Map<Scope, string>>;
}

/** What is listed so far: objects, and how many more the API server says there are. */
export interface Progress {
  listed: number;
  remaining: number;
}

/** Reads what a scan of some namespaces, or of all (undefined), needs. The Services themselves must be readable; every other list may be refused. */
export async function takeInventory(
  cluster: Cluster,
  scopes: readonly Scope[],
  signal: AbortSignal,
  onProgress: (progress: Progress) => void = () => {},
): Promise<Fact<Inventory>> {
  const inventory = openInventory(cluster, scopes);
  const progress = { listed: 0, remaining: 0 };
  const left = new Map<string, number>();
  const listed = (kinds: readonly Kind[]) =>
    kinds.flatMap((kind) =>
      kind.scopes.map((scope) =>
        listInto(inventory, cluster, kind, scope, signal, (count, remaining) => {
          progress.listed += count;
          left.set(`${kind.resource.plural} ${scope}`, remaining);
          progress.remaining = [...left.values()].reduce((sum, n) => sum + n, 0);
          onProgress(progress);
        }),
      ),
    );
  // The lists that every cluster has do not wait for what it serves besides.
  await Promise.all([...listed(everyKind(inventory.kinds)), inventory.discover(signal).then((more) => Promise.all(listed(more)))]);
  const services = inventory.kinds.services.store.all();
  if (!services.seen) return services;
  await inventory.readCluster(signal);
  return seen(inventory);
}

/** Lists one kind in one scope, and takes in what it holds. */
export async function listInto(
  inventory: Inventory,
  cluster: Cluster,
  kind: Kind,
  scope: Scope,
  signal: AbortSignal,
  onPage: (count: number, remaining: number) => void = () => {},
  onItem: (item: Named, former: ReturnType<Inventory['put']>) => void = () => {},
): Promise<Result<void>> {
  let bad: Unseen | undefined;
  const ran = await cluster.each(
    kind.resource,
    listOptions(kind, scope, signal),
    (raw) => {
      const item = kind.read(raw);
      if (item.seen) onItem(item.value, inventory.put(kind, item.value));
      else bad ??= item;
    },
    onPage,
  );
  const failure = ran.ok ? bad : fromFailure(ran.failure);
  kind.store.listed(scope, failure);
  if (!ran.ok) return ran;
  let versions = inventory.versions.get(kind);
  if (!versions) inventory.versions.set(kind, (versions = new Map<Scope, string>()));
  versions.set(scope, ran.value);
  return ok(undefined);
}

/** An inventory that holds nothing yet. */
export function openInventory(cluster: Cluster, scopes: readonly Scope[]): Inventory {
  let places: Fact<PolicyPlace[]> = unseen('not-needed', 'policies of other kinds', 'what the cluster serves was not asked for yet');
  const kinds: Kinds = { ...ownKinds(scopes), ...servedKinds(scopes, [], []) };
  const pods = new Map<string, PodIndex>();
  const slices = new Map<string, Map<string, o.EndpointSlice>>();
  const slicesOf = ({ metadata }: o.Service) => [...(slices.get(`${metadata.namespace}/${metadata.name}`)?.values() ?? [])];
  const ownerOf = (slice: o.EndpointSlice) => `${slice.metadata.namespace}/${slice.metadata.labels['kubernetes.io/service-name'] ?? ''}`;
  const podsIn = (ns: string): PodIndex => {
    let index = pods.get(ns);
    if (!index) pods.set(ns, (index = podIndex()));
    return index;
  };

  /** Keeps the indexes; an object is in them as it is in the store. */
  function reindex(kind: Kind, former: Named | undefined, now: Named | undefined): void {
    if (kind.resource === kinds.pods.resource) {
      if (former) podsIn(former.metadata.namespace).remove(former as o.Pod);
      if (now) podsIn(now.metadata.namespace).add(now as o.Pod);
    }
    if (kind.resource === kinds.slices.resource) {
      if (former) slices.get(ownerOf(former as o.EndpointSlice))?.delete(former.metadata.name);
      if (now) {
        const key = ownerOf(now as o.EndpointSlice);
        const own = slices.get(key);
        if (own) own.set(now.metadata.name, now as o.EndpointSlice);
        else slices.set(key, new Map([[now.metadata.name, now as o.EndpointSlice]]));
      }
    }
    if (kind.resource === kinds.pods.resource) sumOfRequests = undefined;
    if (decidesPolicies(kind)) shared.clear();
  }

  /** The plug-ins' policies that can concern some namespaces, filed as a run for one Service files them. */
  function pluginPolicies(at: readonly string[]): Facts['pluginPolicies'] {
    if (!places.seen) return places;
    const found = kinds.plugin.flatMap((place) =>
      (place.namespaced ? at : [undefined]).flatMap((ns): [string, Fact<o.PluginPolicy[]>][] => {
        const fact = place.store.in(ns ?? '');
        // The group is there without this kind.
        return !fact.seen && fact.reason === 'not-found' ? [] : [[policyKey(place, ns), fact]];
      }),
    );
    return seen(Object.fromEntries(found));
  }

  let common: Facts = nothingRead();
  let sumOfRequests: Facts['nodeRequests'] | undefined;
  const ownPolicyResources: readonly Resource[] = [kinds.policies.resource, kinds.namespaces.resource, kinds.daemonSets.resource];
  const decidesPolicies = ({ resource }: Kind) => ownPolicyResources.includes(resource) || kinds.plugin.some((p) => p.resource === resource);
  /** What policies are decided by in some namespaces; they are put in order once for each such record. */
  const shared = new Map<string, Partial<Facts>>();
  function policyFacts(at: readonly string[]): Partial<Facts> {
    const known = shared.get(at.join());
    if (known) return known;
    const policies: FactTypes['policies'] = Object.fromEntries(at.map((p) => [p, kinds.policies.store.in(p)]));
    const plugin = pluginPolicies(at);
    const namespaceOf = (name: string): Fact<o.Namespace | null> => {
      const all = kinds.namespaces.store.in('');
      return all.seen ? seen(kinds.namespaces.store.get('', name) ?? null) : all;
    };
    const facts: Partial<Facts> = {
      policies: seen(policies),
      pluginPolicies: plugin,
      namespaces: seen(Object.fromEntries(at.map((p) => [p, namespaceOf(p)]))),
      networkDaemons: daemonsFor(kinds.daemonSets.store.all(), common.proxyPods, policies, plugin),
    };
    shared.set(at.join(), facts);
    return facts;
  }

  const target = {
    namespace: system,
    name: '',
    from: { kind: 'namespace' as const, namespace: system, name: '' },
    probe: 'none' as const,
    nodes: 'client' as const,
    matrix: false,
  };

  const held = fromStores(cluster, kinds);
  return {
    kinds,
    held,
    versions: new Map(),
    async discover(signal) {
      const served = await cluster.apiVersions(signal);
      places = policiesAmong(served);
      Object.assign(kinds, servedKinds(scopes, places.seen ? places.value : [], served.ok ? served.value : []));
      return [...Object.values(kinds.gatewayApi).flat(), ...kinds.plugin];
    },
    services: () => {
      const all = kinds.services.store.all();
      return all.seen ? all.value : [];
    },
    find: (ns, name) => kinds.services.store.get(ns, name),
    slicesOf,
    selectsPods: (service) => podsIn(service.metadata.namespace).hasOf(service),
    factsOf(service, client = debugClient(service.metadata.namespace)) {
      const { namespace: ns, name } = service.metadata;
      const places = [...new Set([ns, client.namespace || ns, system])];
      const own = slicesOf(service);
      const listedSlices = kinds.slices.store.in(ns);
      const listedPods = kinds.pods.store.in(ns);
      const mine = podsIn(ns).of(service, own);
      const isShort = mine.some((p) => p.status.conditions.some((c) => c.type === 'PodScheduled' && /Insufficient/.test(c.message ?? '')));
      return {
        ...common,
        ...policyFacts(places),
        deployments: kinds.deployments.store.in(ns),
        replicaSets: kinds.replicaSets.store.in(ns),
        statefulSets: kinds.statefulSets.store.in(ns),
        daemonSets: kinds.daemonSets.store.in(ns),
        events: kinds.events.store.in(ns),
        target: seen({ ...target, namespace: ns, name, from: fromOf(client) }),
        service: seen(service),
        slices: listedSlices.seen ? seen(own) : listedSlices,
        pods: listedPods.seen ? seen(mine) : listedPods,
        client: seen(client),
        ...(isShort && kinds.pods.store.covers(everywhere) && { nodeRequests: (sumOfRequests ??= requestsOfAll(kinds)) }),
      };
    },
    put(kind, item) {
      const former = kind.store.put(item);
      if (former !== 'same') reindex(kind, former, item);
      return former;
    },
    remove(kind, ns, name) {
      const former = kind.store.remove(ns, name);
      if (former) reindex(kind, former, undefined);
      return former;
    },
    async readCluster(stop) {
      const context = {
        cluster: held,
        target,
        janitor: openJanitor(),
        signal: stop,
        image: undefined,
        nodeImage: undefined,
        owner: '',
        progress: () => {},
      };
      const gathered = gather(context, ofCluster);
      const settled = await Promise.all(ofCluster.map(async (name) => [name, (await gathered[name]).fact] as const));
      const now = { ...common, ...Object.fromEntries(settled) };
      if (settled.every(([name]) => isDeepStrictEqual(now[name], common[name]))) return false;
      common = now;
      shared.clear();
      return true;
    },
  };
}

const fromOf = ({ kind, namespace, name }: Client): Target['from'] =>
  kind === 'pod' ? { kind, namespace, name } : kind === 'external' ? { kind, namespace, name } : { kind: 'namespace', namespace, name: '' };

/** Facts of which a scan has read none. */
export const nothingRead = (): Facts => Object.fromEntries(factNames.map((name) => [name, unread(name)])) as unknown as Facts;

const impacts = new Map(collectors.map((c) => [c.fact, c.impact]));

/** What a scan leaves out: what changes something in the cluster, and what is read for one Service alone. */
const unread = (name: FactName) =>
  (impacts.get(name) ?? 'read') === 'read' ? unseen('not-needed', name, 'a scan does not read it') : unseen('not-asked', name, '--probe none');

/** Answers what is held already, without another request; the collectors of the cluster's own parts ask as they do for one Service. */
function fromStores(cluster: Cluster, kinds: Kinds): Cluster {
  const held = (resource: Resource, namespace: string | undefined) =>
    everyKind(kinds).find((k) => k.resource.plural === resource.plural && k.resource.group === resource.group && k.store.covers(namespace));
  return {
    ...cluster,
    async get(resource, name, namespace, signal) {
      const kind = held(resource, namespace);
      return kind ? ok(kind.store.get(namespace ?? '', name) ?? null) : cluster.get(resource, name, namespace, signal);
    },
    async list(resource, options) {
      const kind = options.fieldSelector === undefined ? held(resource, options.namespace) : undefined;
      if (!kind) return cluster.list(resource, options);
      const items = options.namespace === undefined ? kind.store.all() : kind.store.in(options.namespace);
      const wanted = Object.fromEntries((options.labelSelector?.split(',') ?? []).map((pair) => pair.split('=') as [string, string]));
      const isWanted = (item: Named & { metadata: { labels?: Record<string, string> } }) =>
        options.labelSelector === undefined || selects(wanted, item.metadata.labels ?? {});
      return ok(items.seen ? items.value.filter(isWanted) : []);
    },
  };
}

const requestsOfAll = ({ pods }: Kinds): Facts['nodeRequests'] => {
  const all = pods.store.all();
  if (!all.seen) return all;
  const onNode = (pod: o.Pod) => (pod.spec.nodeName === undefined ? [] : [{ spec: { ...pod.spec, nodeName: pod.spec.nodeName } }]);
  return seen(requestsByNode(all.value.filter((p) => !isFinished(p)).flatMap(onNode)));
};

/** Who enforces policies is asked for only where there are some, or where no kube-proxy runs. */
function daemonsFor(
  daemonSets: Fact<o.Workload[]>,
  proxyPods: Facts['proxyPods'],
  policies: FactTypes['policies'],
  plugin: Facts['pluginPolicies'],
): Facts['networkDaemons'] {
  const some = [policies, plugin.seen ? plugin.value : {}].some((f) => Object.values(f).some((list) => list.seen && list.value.length > 0));
  if (!some && !(proxyPods.seen && proxyPods.value.length === 0)) return unseen('not-needed', 'networkDaemons', 'there are no policies, and kube-proxy runs');
  if (!daemonSets.seen) return daemonSets;
  return seen(
    daemonSets.value.map((d) => ({ namespace: d.metadata.namespace, name: d.metadata.name, images: d.spec.template.spec.containers.map((c) => c.image) })),
  );
}
