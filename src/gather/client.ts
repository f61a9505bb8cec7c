import * as v from 'valibot';
import { nearest } from '../catalog/nearest-names.ts';
import { type Cluster, remembering, resources } from '../cluster/index.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import type { Client } from '../facts/facts.ts';
import * as o from '../facts/objects.ts';
import { isFinished, isReady, matchesLabels } from '../facts/selectors.ts';
import { managedBy } from '../probes/debug-pod.ts';
import { collector, fromFailure, parsed, parsedList, read } from './collector.ts';

export const asClient = (pod: o.Pod): Client => ({
  kind: 'pod',
  namespace: pod.metadata.namespace,
  name: pod.metadata.name,
  node: pod.spec.nodeName ?? null,
  labels: pod.metadata.labels ?? {},
  addresses: (pod.status.podIPs ?? []).map((i) => i.ip),
  hostNetwork: pod.spec.hostNetwork,
  pod,
});

/** A debug pod in a namespace, without the labels of anybody. */
export const debugClient = remembering(
  (namespace: string): Client => ({
    kind: 'debug-pod',
    namespace,
    name: '',
    node: null,
    labels: { ...managedBy },
    addresses: [],
    hostNetwork: false,
    pod: null,
  }),
);

/** Somebody outside the cluster. */
export const outside: Client = { kind: 'external', namespace: '', name: '', node: null, labels: {}, addresses: [], hostNetwork: false, pod: null };

async function absent(cluster: Cluster, resource: keyof typeof resources, namespace: string | undefined, kind: string, name: string): Promise<Fact<never>> {
  const all = await cluster.list(resources[resource], { namespace });
  const names = all.ok ? all.value.map((p) => (p as { metadata: { name: string } }).metadata.name) : [];
  const near = nearest(name, names);
  const where = namespace === undefined ? 'this cluster' : `namespace ${namespace}`;
  return unseen('not-found', `--from ${kind}/${name}`, `${where} has no ${kind} "${name}"${near ? `; did you mean "${near}"?` : ''}`);
}

/** Finds the client of the diagnosed connection: a pod, any pod of a workload, a node, or a debug pod of a namespace. */
export const client = collector({
  fact: 'client',
  access: [
    read('pods', ['get', 'list'], 'client'),
    ...['deployments', 'statefulsets', 'daemonsets', 'replicasets'].map((r) => read(r, ['get'], 'client', 'apps')),
    read('nodes', ['get'], 'cluster'),
  ],
  async collect({ cluster, target, signal }) {
    const { from } = target;
    if (from.kind === 'external') return seen(outside);
    if (from.kind === 'namespace') return seen(debugClient(from.namespace));
    if (from.kind === 'node') {
      const node = parsed(await cluster.get(resources.nodes, from.name, undefined, signal), v.nullable(o.node), `node ${from.name}`);
      if (!node.seen) return node;
      if (!node.value) return absent(cluster, 'nodes', undefined, 'node', from.name);
      const addresses = (node.value.status.addresses ?? []).filter((a) => a.type !== 'Hostname').map((a) => a.address);
      return seen({ kind: 'node', namespace: target.namespace, name: from.name, node: from.name, labels: {}, addresses, hostNetwork: true, pod: null });
    }
    if (from.kind === 'pod') {
      const pod = parsed(await cluster.get(resources.pods, from.name, from.namespace, signal), v.nullable(o.pod), `pod ${from.name}`);
      if (!pod.seen) return pod;
      return pod.value ? seen(asClient(pod.value)) : absent(cluster, 'pods', from.namespace, 'pod', from.name);
    }
    const resource = (from.resource ?? 'deployments') as 'deployments' | 'statefulsets' | 'daemonsets' | 'replicasets';
    const found = parsed(await cluster.get(resources[resource], from.name, from.namespace, signal), v.nullable(o.workload), `${resource} ${from.name}`);
    if (!found.seen) return found;
    if (!found.value) return absent(cluster, resource, from.namespace, resource.replace(/s$/, ''), from.name);
    const selector = found.value.spec.selector ?? { matchLabels: {}, matchExpressions: [] };
    const listed = await cluster.list(resources.pods, { namespace: from.namespace, signal });
    if (!listed.ok) return fromFailure(listed.failure);
    const pods = parsedList(listed, o.pod, 'pods');
    if (!pods.seen) return pods;
    const own = pods.value.filter((p) => matchesLabels(selector, p.metadata.labels ?? {}) && !isFinished(p));
    const chosen = own.find(isReady) ?? own.find((p) => p.status.phase === 'Running');
    return chosen ? seen(asClient(chosen)) : unseen('not-found', `--from ${resource.replace(/s$/, '')}/${from.name}`, `it has no running pod`);
  },
});
