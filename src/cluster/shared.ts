import type { Cluster, ListOptions, Resource } from './cluster.ts';
import { ok } from './failure.ts';

interface Named {
  metadata: { name: string; labels?: Record<string, string> };
}

const serviceName = 'kubernetes.io/service-name';

/**
 * The same cluster for many diagnoses: what is asked twice is fetched once, and single Services and their EndpointSlices are
 * looked up in the lists of their namespace.
 */
export function shared(cluster: Cluster): Cluster {
  const known = new Map<string, unknown>();
  const once = <T>(key: readonly unknown[], fetch: () => T): T => {
    const name = JSON.stringify(key);
    if (!known.has(name)) known.set(name, fetch());
    return known.get(name) as T;
  };
  const list = (resource: Resource, { signal, ...options }: ListOptions) =>
    once(['list', resource, options], () => cluster.list(resource, { ...options, signal }));
  return {
    ...cluster,
    async get(resource, name, namespace, signal) {
      // Of kube-system one Service is asked for by name, which takes a smaller right than to list them.
      if (resource.plural !== 'services' || namespace === 'kube-system')
        return once(['get', resource, name, namespace], () => cluster.get(resource, name, namespace, signal));
      const all = await list(resource, { namespace, signal });
      return all.ok ? ok((all.value as Named[]).find((o) => o.metadata.name === name) ?? null) : all;
    },
    async list(resource, options) {
      const { labelSelector = '', ...rest } = options;
      const [label, wanted] = labelSelector.split('=');
      if (resource.plural !== 'endpointslices' || label !== serviceName || options.namespace === 'kube-system') return list(resource, options);
      const all = await list(resource, rest);
      return all.ok ? ok((all.value as Named[]).filter((o) => o.metadata.labels?.[serviceName] === wanted)) : all;
    },
    logs: (namespace, pod, container, { signal, ...options }) =>
      once(['logs', namespace, pod, container, options], () => cluster.logs(namespace, pod, container, { ...options, signal })),
    apiVersions: (signal) => once(['apiVersions'], () => cluster.apiVersions(signal)),
  };
}
