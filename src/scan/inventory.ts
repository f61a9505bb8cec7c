/**
 * What a scan knows: each list read once, page by page, each object reduced to what the checks read as it comes, and indexed once. The facts
 * of one Service are then looked up, in a time that does not grow with the cluster.
 */
import * as v from 'valibot';
import { type Cluster, type ListOptions, type Resource, resources } from '../cluster/index.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import { type FactName, factNames, type Facts, type FactTypes } from '../facts/facts.ts';
import * as o from '../facts/objects.ts';
import { redactDeep } from '../facts/redact.ts';
import { labelText, ownLabels, selects } from '../facts/selectors.ts';
import { fromFailure } from '../gather/collector.ts';
import { collectors, gather } from '../gather/gather.ts';
import { requestsByNode, withChange, withoutSecrets } from '../gather/reduced.ts';
import { listPluginPolicies } from '../gather/policies.ts';
import { managedBy, openJanitor } from '../probes/debug-pod.ts';

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

/** Reads a list by a schema; one item that does not fit makes the whole of it `malformed`. */
async function listed<S extends v.GenericSchema>(
  cluster: Cluster,
  resource: Resource,
  options: ListOptions,
  schema: S,
  reduce: (item: v.InferOutput<S>) => v.InferOutput<S> = (item) => item,
  before: (raw: unknown) => unknown = (raw) => raw,
): Promise<Fact<v.InferOutput<S>[]>> {
  const items: v.InferOutput<S>[] = [];
  let bad: Fact<never> | undefined;
  const ran = await cluster.each(resource, options, (raw) => {
    const read = v.safeParse(schema, before(raw), { abortEarly: true });
    if (read.success) items.push(reduce(read.output));
    else bad ??= unseen('malformed', resource.plural, `${v.getDotPath(read.issues[0]) ?? ''}: ${read.issues[0].message}`);
  });
  return ran.ok ? (bad ?? seen(items)) : fromFailure(ran.failure);
}

interface Object {
  metadata: { namespace: string; name: string };
}

const byNamespace = <T extends Object>(list: Fact<T[]>): ((namespace: string) => Fact<T[]>) => {
  if (!list.seen) return () => list;
  const groups = Map.groupBy(list.value, (item) => item.metadata.namespace);
  const none: Fact<T[]> = seen([]);
  const facts = new Map([...groups].map(([namespace, items]) => [namespace, seen(items)] as const));
  return (namespace) => facts.get(namespace) ?? none;
};

const once = <K, T>(make: (key: K) => T): ((key: K) => T) => {
  const known = new Map<K, T>();
  return (key) => {
    if (!known.has(key)) known.set(key, make(key));
    return known.get(key) as T;
  };
};

/** The pods of a namespace, by each label, by address, and one of each kind for what only resembles them. */
export function podIndex(pods: readonly o.Pod[]) {
  const byLabel = new Map<string, o.Pod[]>();
  const byAddress = new Map<string, o.Pod>();
  const kinds = new Map<string, o.Pod>();
  for (const pod of pods) {
    const labels = Object.entries(pod.metadata.labels);
    for (const [key, value] of labels) {
      const label = `${key}=${value}`;
      const same = byLabel.get(label);
      if (same) same.push(pod);
      else byLabel.set(label, [pod]);
    }
    for (const { ip } of pod.status.podIPs) if (!pod.spec.hostNetwork) byAddress.set(ip, pod);
    const kind = labelText(ownLabels(pod.metadata.labels));
    if (!kinds.has(kind)) kinds.set(kind, pod);
  }
  const selected = (selector: Record<string, string> | null | undefined): o.Pod[] => {
    const lists = Object.entries(selector ?? {}).map(([key, value]) => byLabel.get(`${key}=${value}`) ?? []);
    const [shortest = []] = lists.toSorted((a, b) => a.length - b.length);
    return shortest.filter((p) => selects(selector, p.metadata.labels));
  };
  return { selected, byAddress, kinds: [...kinds.values()] };
}

export interface Inventory {
  services: readonly o.Service[];
  find(namespace: string, name: string): o.Service | undefined;
  factsOf(service: o.Service): Facts;
}

/** Reads what a scan of one namespace, or of all, needs. The Services themselves must be readable; every other list may be refused. */
export async function takeInventory(cluster: Cluster, namespace: string | undefined, signal: AbortSignal): Promise<Fact<Inventory>> {
  const here: ListOptions = { namespace, signal };
  const context = {
    cluster,
    target: {
      namespace: namespace ?? system,
      name: '',
      from: { kind: 'namespace' as const, namespace: system, name: '' },
      probe: 'none' as const,
      nodes: 'client' as const,
      matrix: false,
    },
    janitor: openJanitor(),
    signal,
    image: undefined,
    nodeImage: undefined,
    owner: '',
    progress: () => {},
  };
  const shared = gather(context, ofCluster);
  const list = <S extends v.GenericSchema>(resource: Resource, schema: S, reduce?: (item: v.InferOutput<S>) => v.InferOutput<S>) =>
    listed(cluster, resource, here, schema, reduce);
  const [services, slices, pods, deployments, replicaSets, statefulSets, daemonSets, events, namespaces, policies, systemPolicies, plugin] = await Promise.all([
    list(resources.services, o.service),
    listed(cluster, resources.endpointslices, here, o.endpointSlice, undefined, withChange),
    list(resources.pods, o.pod, withoutSecrets),
    list(resources.deployments, o.workload),
    list(resources.replicasets, o.workload),
    list(resources.statefulsets, o.workload),
    list(resources.daemonsets, o.workload),
    listed(cluster, resources.events, { ...here, fieldSelector: 'type!=Normal' }, o.event, redactDeep),
    listed(cluster, resources.namespaces, { signal }, o.namespace),
    list(resources.networkpolicies, o.networkPolicy),
    namespace === undefined || namespace === system ? undefined : listed(cluster, resources.networkpolicies, { namespace: system, signal }, o.networkPolicy),
    listPluginPolicies(cluster, namespace === undefined ? undefined : [...new Set([namespace, system])], signal),
  ]);
  if (!services.seen) return services;
  const settled = new Map(await Promise.all(ofCluster.map(async (name) => [name, (await shared[name]).fact] as const)));

  const podsIn = byNamespace(pods);
  const indexOf = once((ns: string) => {
    const own = podsIn(ns);
    return podIndex(own.seen ? own.value : []);
  });
  const slicesBy = slices.seen
    ? Map.groupBy(slices.value, (s) => `${s.metadata.namespace}/${s.metadata.labels['kubernetes.io/service-name'] ?? ''}`)
    : new Map<string, o.EndpointSlice[]>();
  const [deploymentsIn, replicaSetsIn, statefulSetsIn, daemonSetsIn, eventsIn, policiesIn] = [
    deployments,
    replicaSets,
    statefulSets,
    daemonSets,
    events,
    policies,
  ].map((fact) => byNamespace(fact as Fact<Object[]>)) as unknown as [
    (ns: string) => Facts['deployments'],
    (ns: string) => Facts['replicaSets'],
    (ns: string) => Facts['statefulSets'],
    (ns: string) => Facts['daemonSets'],
    (ns: string) => Facts['events'],
    (ns: string) => Fact<o.NetworkPolicy[]>,
  ];
  const namespaceBy = new Map((namespaces.seen ? namespaces.value : []).map((n) => [n.metadata.name, seen(n)] as const));
  const namespaceOf = (name: string): Fact<o.Namespace | null> => (namespaces.seen ? (namespaceBy.get(name) ?? seen(null)) : namespaces);
  const policiesOf = (ns: string) => (ns === system && systemPolicies ? systemPolicies : policiesIn(ns));

  /** What all Services of a namespace share; policies are put in order once for each such record. */
  const ofNamespace = once((ns: string): Partial<Facts> => {
    const places = [...new Set([ns, system])];
    const own: FactTypes['policies'] = Object.fromEntries(places.map((p) => [p, policiesOf(p)]));
    const others = plugin.seen ? seen(concerning(plugin.value, places)) : plugin;
    return {
      deployments: deploymentsIn(ns),
      replicaSets: replicaSetsIn(ns),
      statefulSets: statefulSetsIn(ns),
      daemonSets: daemonSetsIn(ns),
      events: eventsIn(ns),
      policies: seen(own),
      pluginPolicies: others,
      namespaces: seen(Object.fromEntries(places.map((p) => [p, namespaceOf(p)]))),
      networkDaemons: daemonsFor(daemonSets, settled.get('proxyPods') as Facts['proxyPods'], own, others),
    };
  });

  const blank = Object.fromEntries(factNames.map((name) => [name, unread(name)])) as unknown as Facts;
  const common = { ...blank, ...Object.fromEntries(settled) };
  let requests: Facts['nodeRequests'] | undefined;
  const requestsOfAll = () => (requests ??= seen(requestsByNode((pods.seen ? pods.value : []).flatMap(onNode))));

  const known = new Map(services.value.map((s) => [`${s.metadata.namespace}/${s.metadata.name}`, s]));
  return seen({
    services: services.value,
    find: (ns, name) => known.get(`${ns}/${name}`),
    factsOf(service) {
      const { namespace: ns, name } = service.metadata;
      const own = slicesBy.get(`${ns}/${name}`) ?? [];
      const mine = podsOfService(service, own, indexOf(ns));
      const isShort = mine.some((p) => p.status.conditions.some((c) => c.type === 'PodScheduled' && /Insufficient/.test(c.message ?? '')));
      return {
        ...common,
        ...ofNamespace(ns),
        target: seen({ ...context.target, namespace: ns, name, from: { kind: 'namespace', namespace: ns, name: '' } }),
        service: seen(service),
        slices: slices.seen ? seen(own) : slices,
        pods: pods.seen ? seen(mine) : pods,
        client: seen({ kind: 'debug-pod', namespace: ns, name: '', node: null, labels: { ...managedBy }, addresses: [], hostNetwork: false, pod: null }),
        ...(isShort && pods.seen && namespace === undefined && { nodeRequests: requestsOfAll() }),
      };
    },
  });
}

const impacts = new Map(collectors.map((c) => [c.fact, c.impact]));

/** What a scan leaves out: what changes something in the cluster, and what is read for one Service alone. */
const unread = (name: FactName) =>
  (impacts.get(name) ?? 'read') === 'read' ? unseen('not-needed', name, 'a scan does not read it') : unseen('not-asked', name, '--probe none');

const onNode = (pod: o.Pod) => (pod.spec.nodeName === undefined ? [] : [{ spec: { ...pod.spec, nodeName: pod.spec.nodeName } }]);

/** The pods that a Service selects, and those behind its addresses; where it selects none, one of each kind of its namespace. */
export function podsOfService(service: o.Service, slices: readonly o.EndpointSlice[], index: ReturnType<typeof podIndex>): o.Pod[] {
  const selected = index.selected(service.spec.selector);
  const behind = slices.flatMap((s) => s.endpoints.flatMap((e) => e.addresses.flatMap((a) => index.byAddress.get(a) ?? [])));
  return [...new Set([...selected, ...behind, ...(selected.length === 0 ? index.kinds : [])])];
}

type PluginPolicies = FactTypes['pluginPolicies'];

/** The plug-ins' policies that can concern some namespaces, filed as a run for one Service files them. */
const concerning = (all: PluginPolicies, places: readonly string[]): PluginPolicies =>
  Object.fromEntries(
    Object.entries(all).flatMap(([key, fact]): [string, PluginPolicies[string]][] => {
      if (!fact.seen || !fact.value.some((p) => p.metadata.namespace)) return [[key, fact]];
      return places.map((ns) => [key.includes(' in ') ? key : `${key} in ${ns}`, seen(fact.value.filter((p) => p.metadata.namespace === ns))]);
    }),
  );

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
