/** Policies of every kind, the namespaces that they select by, and what enforces them. */
import * as v from 'valibot';
import { type Cluster, ok, type Resource, resources, type Result } from '../cluster/index.ts';
import { type Fact, seen } from '../facts/fact.ts';
import type { Target } from '../facts/facts.ts';
import * as o from '../facts/objects.ts';
import { redactDeep } from '../facts/redact.ts';
import { policyKinds } from '../policy/kinds.ts';
import { type Access, collector, fromFailure, parsed, parsedList, read, valueOf } from './collector.ts';

const system = 'kube-system';

/** Namespaces whose labels can matter: the Service's, the client's, and that of the cluster's DNS. */
export const concerned = (target: Target): string[] => [
  ...new Set([target.namespace, ...(target.from.kind === 'node' || target.from.kind === 'external' ? [] : [target.from.namespace]), system]),
];

export const namespaces = collector({
  fact: 'namespaces',
  access: [read('namespaces', ['get'], 'service'), read('namespaces', ['get'], 'client'), read('namespaces', ['get'], 'kube-system')],
  async collect({ cluster, target, signal }) {
    const found = await Promise.all(
      concerned(target).map(
        async (name) => [name, parsed(await cluster.get(resources.namespaces, name, undefined, signal), v.nullable(o.namespace), `namespace ${name}`)] as const,
      ),
    );
    return seen(Object.fromEntries(found));
  },
});

export const policies = collector({
  fact: 'policies',
  access: (['service', 'client', 'kube-system'] as const).map((scope) => read('networkpolicies', ['list'], scope, 'networking.k8s.io')),
  async collect({ cluster, target, signal }) {
    const found = await Promise.all(
      concerned(target).map(
        async (namespace) =>
          [
            namespace,
            parsedList(await cluster.list(resources.networkpolicies, { namespace, signal }), o.networkPolicy, `NetworkPolicies in ${namespace}`),
          ] as const,
      ),
    );
    return seen(Object.fromEntries(found));
  },
});

/** A kind of policy that this cluster serves. */
export interface PolicyPlace {
  kind: string;
  namespaced: boolean;
  resource: Resource;
  /** Items of a list do not say what they are. */
  named(raw: unknown): unknown;
}

/** The kinds of policies that plug-ins define and this cluster serves. */
export async function servedPolicies(cluster: Cluster, signal: AbortSignal | undefined): Promise<Fact<PolicyPlace[]>> {
  return policiesAmong(await cluster.apiVersions(signal));
}

/** The kinds of policies among the versions that the API server knows. */
export function policiesAmong(versions: Result<string[]>): Fact<PolicyPlace[]> {
  if (!versions.ok) return fromFailure(versions.failure);
  return seen(
    policyKinds.flatMap(({ kind, apiVersions, plural, namespaced }) => {
      const apiVersion = apiVersions.find((x) => versions.value.includes(x));
      const [group = '', version = ''] = apiVersion?.split('/') ?? [];
      const named = (raw: unknown) => ({ ...(raw as object), apiVersion, kind });
      return apiVersion === undefined ? [] : [{ kind, namespaced, resource: { group, version, plural }, named }];
    }),
  );
}

/** By what a list of policies is filed in the facts: `AdminNetworkPolicy`, `CiliumNetworkPolicy in shop`. */
export const policyKey = ({ kind }: PolicyPlace, namespace: string | undefined): string =>
  `${kind === 'NetworkPolicy' ? 'Calico NetworkPolicy' : kind}${namespace === undefined ? '' : ` in ${namespace}`}`;

/** The policies of all kinds that plug-ins define and this cluster serves, in some namespaces, or (undefined) in all. */
export async function listPluginPolicies(
  cluster: Cluster,
  namespaces: readonly string[] | undefined,
  signal: AbortSignal | undefined,
): Promise<Fact<Record<string, Fact<o.PluginPolicy[]>>>> {
  const places = await servedPolicies(cluster, signal);
  if (!places.seen) return places;
  const asked = places.value.flatMap((place) => (place.namespaced && namespaces ? namespaces : [undefined]).map((namespace) => ({ place, namespace })));
  const found = await Promise.all(
    asked.map(async ({ place, namespace }): Promise<[string, Fact<o.PluginPolicy[]>][]> => {
      const key = policyKey(place, namespace);
      const listed = await cluster.list(place.resource, { namespace, signal });
      // The group is there without this kind.
      if (!listed.ok && listed.failure.reason === 'not-found') return [];
      const policies = parsedList(listed.ok ? ok(listed.value.map(place.named)) : listed, o.pluginPolicy, key);
      return [[key, policies.seen ? seen(redactDeep(policies.value)) : policies]];
    }),
  );
  return seen(Object.fromEntries(found.flat()));
}

export const pluginPolicies = collector({
  fact: 'pluginPolicies',
  access: policyKinds.flatMap((kind): Access[] =>
    kind.apiVersions.flatMap((x) =>
      (kind.namespaced ? (['service', 'client', 'kube-system'] as const) : (['cluster'] as const)).map((scope) =>
        read(kind.plural, ['list'], scope, x.split('/')[0]),
      ),
    ),
  ),
  collect: ({ cluster, target, signal }) => listPluginPolicies(cluster, concerned(target), signal),
});

export const networkDaemons = collector({
  fact: 'networkDaemons',
  after: ['policies', 'pluginPolicies', 'proxyPods'],
  access: [read('daemonsets', ['list'], 'cluster', 'apps'), read('daemonsets', ['list'], 'kube-system', 'apps')],
  when({ policies, pluginPolicies, proxyPods }) {
    // Another program may handle Services then.
    if (valueOf(proxyPods)?.length === 0) return true;
    const some = [policies, pluginPolicies].some((f) =>
      Object.values(valueOf<Record<string, Fact<unknown[]>>>(f) ?? {}).some((list) => (valueOf(list)?.length ?? 0) > 0),
    );
    return some ? true : 'there are no policies, and kube-proxy runs';
  },
  async collect({ cluster, signal }) {
    const everywhere = await cluster.list(resources.daemonsets, { signal });
    // Where only kube-system may be read: most plug-ins run there.
    const listed =
      !everywhere.ok && everywhere.failure.reason === 'forbidden' ? await cluster.list(resources.daemonsets, { namespace: system, signal }) : everywhere;
    const found = parsedList(listed, o.workload, 'DaemonSets');
    if (!found.seen) return found;
    return seen(
      found.value.map((d) => ({
        namespace: d.metadata.namespace,
        name: d.metadata.name,
        images: d.spec.template.spec.containers.map((c) => c.image),
      })),
    );
  },
});
