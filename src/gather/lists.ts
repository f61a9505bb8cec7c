/** The facts that are plain reads of the API server. */
import * as v from 'valibot';
import { ok, resources } from '../cluster/index.ts';
import { type Fact, seen } from '../facts/fact.ts';
import type { Target } from '../facts/facts.ts';
import * as o from '../facts/objects.ts';
import { redactDeep } from '../facts/redact.ts';
import { isFinished, labelText, selects } from '../facts/selectors.ts';
import { collector, fromFailure, parsed, parsedList, read, valueOf } from './collector.ts';
import { requestsByNode, resourcesOnly, withChange, withoutCredentials, withoutDigests, withoutSecrets } from './reduced.ts';

const system = 'kube-system';

/** What was asked about in front of Services may have none behind it. */
const behindIt = (_: unknown, { name }: Target) => (name === '' ? 'no Service is behind what was asked about' : true);

export const service = collector({
  fact: 'service',
  access: [read('services', ['get'], 'service')],
  when: behindIt,
  async collect({ cluster, target, signal }) {
    return parsed(
      await cluster.get(resources.services, target.name, target.namespace, signal),
      v.nullable(o.service),
      `the Service ${target.namespace}/${target.name}`,
    );
  },
});

/** Where the Service does not exist: those of its namespace, and those of its name elsewhere. */
export const nearServices = collector({
  fact: 'nearServices',
  after: ['service'],
  access: [read('services', ['list'], 'cluster')],
  when: ({ service }) => (service.seen && service.value === null ? true : 'the Service exists'),
  async collect({ cluster, target, signal }) {
    const names = v.array(v.object({ metadata: o.meta }));
    const [here, elsewhere] = await Promise.all([
      cluster.list(resources.services, { namespace: target.namespace, signal }),
      cluster.list(resources.services, { fieldSelector: `metadata.name=${target.name}`, signal }),
    ]);
    const found = [here, elsewhere].flatMap((r) => (r.ok ? [parsed(r, names, 'Services')] : []));
    if (found.length === 0 && !here.ok) return fromFailure(here.failure);
    return seen(found.flatMap((f) => valueOf(f) ?? []).map((s) => ({ namespace: s.metadata.namespace, name: s.metadata.name })));
  },
});

export const slices = collector({
  fact: 'slices',
  access: [read('endpointslices', ['list'], 'service', 'discovery.k8s.io')],
  when: behindIt,
  async collect({ cluster, target, signal }) {
    // discovery.k8s.io/v1: the label ties a slice to its Service.
    const answer = await cluster.list(resources.endpointslices, {
      namespace: target.namespace,
      labelSelector: `kubernetes.io/service-name=${target.name}`,
      signal,
    });
    return parsedList(answer.ok ? ok(answer.value.map(withChange)) : answer, o.endpointSlice, 'EndpointSlices');
  },
});

export const pods = collector({
  fact: 'pods',
  access: [read('pods', ['list'], 'service')],
  when: behindIt,
  async collect({ cluster, target, signal }) {
    const found = parsedList(await cluster.list(resources.pods, { namespace: target.namespace, signal }), o.pod, 'pods');
    return found.seen ? seen(found.value.map(withoutSecrets)) : found;
  },
});

export const strayPods = collector({
  fact: 'strayPods',
  after: ['service', 'pods'],
  access: [read('pods', ['list'], 'cluster')],
  when({ service, pods }) {
    const selector = valueOf(service)?.spec.selector;
    if (!selector || Object.keys(selector).length === 0) return 'the Service has no selector';
    const some = valueOf(pods)?.some((p) => selects(selector, p.metadata.labels));
    return some ? 'pods of the namespace match' : true;
  },
  async collect({ cluster, signal }, { service }) {
    const labelSelector = labelText(valueOf(service)?.spec.selector);
    const found = parsedList(await cluster.list(resources.pods, { labelSelector, signal }), o.pod, 'pods');
    if (!found.seen) return found;
    // A pod on its way out is no place where the Service could have been meant to be.
    const lasting = found.value.filter((p) => !isFinished(p) && !p.metadata.deletionTimestamp);
    return seen(lasting.slice(0, 20).map((p) => ({ namespace: p.metadata.namespace, name: p.metadata.name })));
  },
});

const workloads = (
  fact: 'deployments' | 'replicaSets' | 'statefulSets' | 'daemonSets',
  plural: 'deployments' | 'replicasets' | 'statefulsets' | 'daemonsets',
) =>
  collector({
    fact,
    access: [read(plural, ['list'], 'service', 'apps')],
    async collect({ cluster, target, signal }) {
      return parsedList(await cluster.list(resources[plural], { namespace: target.namespace, signal }), o.workload, plural);
    },
  });

export const deployments = workloads('deployments', 'deployments');
export const replicaSets = workloads('replicaSets', 'replicasets');
export const statefulSets = workloads('statefulSets', 'statefulsets');
export const daemonSets = workloads('daemonSets', 'daemonsets');

export const disruptionBudgets = collector({
  fact: 'disruptionBudgets',
  access: [{ ...read('poddisruptionbudgets', ['list'], 'service', 'policy'), only: 'advice' }],
  when: (_, target) => target.advice ?? 'advice was not asked for',
  async collect({ cluster, target, signal }) {
    const place = { group: 'policy', version: 'v1', plural: 'poddisruptionbudgets' };
    return parsedList(await cluster.list(place, { namespace: target.namespace, signal }), o.disruptionBudget, 'PodDisruptionBudgets');
  },
});

export const events = collector({
  fact: 'events',
  access: [read('events', ['list'], 'service')],
  async collect({ cluster, target, signal }) {
    const found = parsedList(await cluster.list(resources.events, { namespace: target.namespace, fieldSelector: 'type!=Normal', signal }), o.event, 'events');
    return found.seen ? seen(redactDeep(found.value)) : found;
  },
});

export const nodes = collector({
  fact: 'nodes',
  access: [read('nodes', ['list'], 'cluster')],
  async collect({ cluster, signal }) {
    const found = parsedList(await cluster.list(resources.nodes, { signal }), o.node, 'nodes');
    return found.seen ? seen(found.value.map(withoutDigests)) : found;
  },
});

export const nodeRequests = collector({
  fact: 'nodeRequests',
  after: ['pods'],
  access: [read('pods', ['list'], 'cluster')],
  when({ pods }) {
    const isShort = valueOf(pods)?.some((p) => p.status.conditions.some((c) => c.type === 'PodScheduled' && /Insufficient/.test(c.message ?? '')));
    return isShort ? true : 'no pod waits for room on a node';
  },
  async collect({ cluster, signal }) {
    const fieldSelector = 'spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed';
    const found = parsedList(await cluster.list(resources.pods, { fieldSelector, signal }), resourcesOnly, 'pods of the whole cluster');
    if (!found.seen) return found;
    return seen(requestsByNode(found.value));
  },
});

export const dnsService = collector({
  fact: 'dnsService',
  access: [read('services', ['get'], 'kube-system')],
  async collect({ cluster, signal }) {
    return parsed(await cluster.get(resources.services, 'kube-dns', system, signal), v.nullable(o.service), 'the Service kube-system/kube-dns');
  },
});

export const dnsSlices = collector({
  fact: 'dnsSlices',
  access: [read('endpointslices', ['list'], 'kube-system', 'discovery.k8s.io')],
  async collect({ cluster, signal }) {
    return parsedList(
      await cluster.list(resources.endpointslices, { namespace: system, labelSelector: 'kubernetes.io/service-name=kube-dns', signal }),
      o.endpointSlice,
      'EndpointSlices of kube-dns',
    );
  },
});

/** Pods of a part of the cluster, by the first of these labels that any has. */
const systemPods = (fact: 'dnsPods' | 'proxyPods' | 'nodeLocalPods' | 'ciliumPods', what: string, ...labels: [string, ...string[]]) =>
  collector({
    fact,
    access: [read('pods', ['list'], 'kube-system')],
    async collect({ cluster, signal }) {
      let found: Fact<o.Pod[]> = seen([]);
      for (const labelSelector of labels) {
        found = parsedList(await cluster.list(resources.pods, { namespace: system, labelSelector, signal }), o.pod, `${what} pods`);
        if (!found.seen) return found;
        if (found.value.length > 0) return seen(redactDeep(found.value));
      }
      return found;
    },
  });

export const dnsPods = systemPods('dnsPods', 'kube-dns', 'k8s-app=kube-dns');
// Some managed clusters run it as static pods, with a label of their own.
export const proxyPods = systemPods('proxyPods', 'kube-proxy', 'k8s-app=kube-proxy', 'component=kube-proxy');

export const dnsWorkload = collector({
  fact: 'dnsWorkload',
  access: [read('deployments', ['list'], 'kube-system', 'apps')],
  async collect({ cluster, signal }) {
    const found = parsedList(
      await cluster.list(resources.deployments, { namespace: system, labelSelector: 'k8s-app=kube-dns', signal }),
      o.workload,
      'the Deployment of the cluster DNS',
    );
    return found.seen ? seen(found.value[0] ?? null) : found;
  },
});

export const proxyWorkload = collector({
  fact: 'proxyWorkload',
  access: [read('daemonsets', ['get'], 'kube-system', 'apps')],
  async collect({ cluster, signal }) {
    return parsed(await cluster.get(resources.daemonsets, 'kube-proxy', system, signal), v.nullable(o.workload), 'the DaemonSet kube-system/kube-proxy');
  },
});

/** The agents of Cilium, which may handle Services in kube-proxy's place. */
export const ciliumPods = systemPods('ciliumPods', 'cilium', 'k8s-app=cilium');

export const proxyMode = collector({
  fact: 'proxyMode',
  access: [read('configmaps', ['get'], 'kube-system')],
  async collect({ cluster, signal }) {
    const what = 'the ConfigMap kube-system/kube-proxy';
    const found = parsed(await cluster.get(resources.configmaps, 'kube-proxy', system, signal), v.nullable(o.configMap), what);
    if (!found.seen) return found;
    const config = found.value?.data?.['config.conf'] ?? found.value?.data?.['config'];
    if (config === undefined) return seen(null);
    // KubeProxyConfiguration v1alpha1, `mode`: left open, it is iptables on Linux.
    const mode = /^mode:[ \t]*["']?(\w*)["']?[ \t]*$/m.exec(config)?.[1];
    return seen(mode || 'iptables');
  },
});

export const nodeLocalPods = systemPods('nodeLocalPods', 'node-local-dns', 'k8s-app=node-local-dns');

export const corefileCustom = collector({
  fact: 'corefileCustom',
  access: [read('configmaps', ['get'], 'kube-system')],
  async collect({ cluster, signal }) {
    const found = parsed(
      await cluster.get(resources.configmaps, 'coredns-custom', system, signal),
      v.nullable(o.configMap),
      'the ConfigMap kube-system/coredns-custom',
    );
    if (!found.seen) return found;
    if (!found.value) return seen(null);
    return seen(Object.fromEntries(Object.entries(found.value.data ?? {}).map(([file, text]) => [file, withoutCredentials(text)])));
  },
});

const coredns = 'the ConfigMap kube-system/coredns';

export const corefile = collector({
  fact: 'corefile',
  access: [read('configmaps', ['get'], 'kube-system')],
  async collect({ cluster, signal }) {
    const found = parsed(await cluster.get(resources.configmaps, 'coredns', system, signal), v.nullable(o.configMap), coredns);
    if (!found.seen) return found;
    const text = found.value?.data?.['Corefile'];
    return seen(text === undefined ? null : withoutCredentials(text));
  },
});

export const corefileHistory = collector({
  fact: 'corefileHistory',
  after: ['corefile', 'dnsPods'],
  access: [read('configmaps', ['get'], 'kube-system')],
  when: ({ corefile }) => (valueOf(corefile) == null ? 'there is no Corefile' : true),
  async collect({ cluster, signal }) {
    const found = parsed(await cluster.get(resources.configmaps, 'coredns', system, signal), v.nullable(o.configMap), coredns);
    return found.seen ? seen(found.value?.metadata.history ?? []) : found;
  },
});
