/** What a service mesh has to say about the Service: asked for only where its kinds are served, and only for the namespaces concerned. */
import * as v from 'valibot';
import { type Cluster, ok, type Resource, resources } from '../cluster/index.ts';
import { type Fact, seen } from '../facts/fact.ts';
import type { FactTypes } from '../facts/facts.ts';
import * as m from '../facts/mesh.ts';
import { labelText } from '../facts/selectors.ts';
import { serviceNamed } from '../mesh/hosts.ts';
import { rootNamespace } from '../mesh/member.ts';
import { type Access, collector, fromFailure, parsed, parsedList, read, valueOf } from './collector.ts';
import { concerned } from './policies.ts';

type Mesh = NonNullable<FactTypes['mesh']>;

const istio = { security: ['v1', 'v1beta1'], networking: ['v1', 'v1beta1', 'v1alpha3'] } as const;
/** A mesh's kinds: where they are served, and which namespaces can hold one that matters. `root`: Istio's root namespace counts, too. */
const kinds = {
  peerAuthentications: { group: 'security.istio.io', versions: istio.security, plural: 'peerauthentications', root: true, schema: m.peerAuthentication },
  authorizations: { group: 'security.istio.io', versions: istio.security, plural: 'authorizationpolicies', root: true, schema: m.istioAuthorization },
  destinationRules: { group: 'networking.istio.io', versions: istio.networking, plural: 'destinationrules', root: true, schema: m.destinationRule },
  virtualServices: { group: 'networking.istio.io', versions: istio.networking, plural: 'virtualservices', root: true, schema: m.virtualService },
  sidecars: { group: 'networking.istio.io', versions: istio.networking, plural: 'sidecars', root: true, schema: m.sidecar },
  servers: { group: 'policy.linkerd.io', versions: ['v1beta3', 'v1beta2', 'v1beta1'], plural: 'servers', root: false, schema: m.linkerdServer },
  linkerdAuthorizations: { group: 'policy.linkerd.io', versions: ['v1alpha1'], plural: 'authorizationpolicies', root: false, schema: m.linkerdAuthorization },
  meshTls: { group: 'policy.linkerd.io', versions: ['v1alpha1'], plural: 'meshtlsauthentications', root: false, schema: m.meshTlsAuthentication },
  networks: { group: 'policy.linkerd.io', versions: ['v1alpha1'], plural: 'networkauthentications', root: false, schema: m.networkAuthentication },
  serverAuthorizations: { group: 'policy.linkerd.io', versions: ['v1beta1'], plural: 'serverauthorizations', root: false, schema: m.serverAuthorization },
} as const;
type KindKey = keyof typeof kinds;

/** One kind in some namespaces; where one of them cannot be read, the kind is not known. */
async function listed(
  cluster: Cluster,
  key: KindKey,
  apiVersions: readonly string[],
  places: readonly string[],
  signal: AbortSignal,
): Promise<Fact<unknown[]>> {
  const { group, versions, plural, schema } = kinds[key];
  const version = versions.find((x) => apiVersions.includes(`${group}/${x}`));
  if (version === undefined) return seen([]);
  const resource: Resource = { group, version, plural };
  const found = await Promise.all(
    places.map(async (namespace): Promise<Fact<unknown[]>> => {
      const answer = await cluster.list(resource, { namespace, signal });
      // The group is there without this kind.
      if (!answer.ok && answer.failure.reason === 'not-found') return seen([]);
      return parsedList(answer, schema, `${plural} of ${group} in ${namespace}`);
    }),
  );
  return found.find((f) => !f.seen) ?? seen(found.flatMap((f) => valueOf(f) ?? []));
}

const raw = v.object({
  metadata: v.object({
    name: v.string(),
    namespace: v.string(),
    labels: v.nullish(v.record(v.string(), v.string())),
    annotations: v.nullish(v.record(v.string(), v.string())),
  }),
  spec: v.object({
    serviceAccountName: v.optional(v.string(), 'default'),
    hostNetwork: v.optional(v.boolean(), false),
    containers: v.array(v.object({ name: v.string(), ports: v.nullish(v.array(v.object({ name: v.optional(v.string(), ''), containerPort: v.number() }))) })),
    initContainers: v.nullish(v.array(v.object({ name: v.string() })), []),
  }),
  status: v.object({ podIPs: v.nullish(v.array(v.object({ ip: v.string() })), []) }),
});
const asMeshPod = ({ metadata, spec, status }: v.InferOutput<typeof raw>): m.MeshPod => ({
  namespace: metadata.namespace,
  name: metadata.name,
  labels: metadata.labels ?? {},
  proxySettings: Object.fromEntries(
    m.meshAnnotations.flatMap((key) => {
      const value = metadata.annotations?.[key];
      return value === undefined ? [] : [[key, value]];
    }),
  ),
  serviceAccount: spec.serviceAccountName,
  containers: [...spec.containers, ...(spec.initContainers ?? [])].map((c) => c.name),
  addresses: (status.podIPs ?? []).map((i) => i.ip),
  hostNetwork: spec.hostNetwork,
  ports: spec.containers.flatMap((c) => (c.ports ?? []).map((p) => ({ name: p.name, port: p.containerPort }))),
});

const webhook = v.object({
  metadata: v.object({ name: v.string(), labels: v.nullish(v.record(v.string(), v.string())) }),
  webhooks: v.nullish(m.injector.entries.webhooks, []),
});
/** Istio's own label on the webhooks that add its sidecar. */
const injectorLabel = 'app=sidecar-injector';

export const mesh = collector({
  fact: 'mesh',
  after: ['service', 'client'],
  access: [
    ...Object.values(kinds).map((kind): Access => read(kind.plural, ['list'], 'cluster', kind.group)),
    read('mutatingwebhookconfigurations', ['list'], 'cluster', 'admissionregistration.k8s.io'),
    read('pods', ['list'], 'service'),
    read('pods', ['get'], 'client'),
    read('services', ['list'], 'cluster'),
  ],
  when: ({ service }) => (valueOf(service) ? true : 'the Service is not known'),
  async collect({ cluster, target, signal }, { service, client }) {
    const versions = await cluster.apiVersions(signal);
    if (!versions.ok) return fromFailure(versions.failure);
    const groups = new Set(versions.value.map((x) => x.split('/')[0]));
    if (!Object.values(kinds).some((k) => groups.has(k.group))) return seen(null);
    const isIstio = groups.has('security.istio.io');
    const places = concerned(target).filter((n) => n !== 'kube-system' || target.namespace === n);
    const withRoot = [...new Set([...places, rootNamespace])];
    const lists = async (): Promise<Pick<Mesh, KindKey>> => {
      const found = (Object.keys(kinds) as KindKey[]).map(async (key) => {
        const all = await listed(cluster, key, versions.value, kinds[key].root ? withRoot : places, signal);
        return [key, all] as const;
      });
      return Object.fromEntries(await Promise.all(found)) as Pick<Mesh, KindKey>;
    };
    const selector = valueOf(service)?.spec.selector ?? {};
    const who = valueOf(client)?.pod;
    const own = async (): Promise<Mesh['pods']> => {
      if (Object.keys(selector).length === 0) return seen([]);
      const answer = await cluster.list(resources.pods, { namespace: target.namespace, labelSelector: labelText(selector), signal });
      const pods = parsedList(answer, raw, 'the pods behind the Service');
      return pods.seen ? seen(pods.value.map(asMeshPod)) : pods;
    };
    const its = async (): Promise<Mesh['client']> => {
      if (!who) return seen(null);
      const pod = parsed(await cluster.get(resources.pods, who.metadata.name, who.metadata.namespace, signal), v.nullable(raw), 'the client');
      return pod.seen ? seen(pod.value && asMeshPod(pod.value)) : pod;
    };
    const injectors = async (): Promise<Mesh['injectors']> => {
      if (!isIstio) return seen([]);
      const answer = parsedList(
        await cluster.list(resources.mutatingwebhookconfigurations, { labelSelector: injectorLabel, signal }),
        webhook,
        'MutatingWebhookConfigurations',
      );
      if (!answer.seen) return answer;
      return seen(
        answer.value.map(({ metadata, webhooks }) => ({
          name: metadata.name,
          revision: metadata.labels?.['istio.io/rev'] ?? 'default',
          webhooks: webhooks ?? [],
        })),
      );
    };
    const [pods, self, known, all] = await Promise.all([own(), its(), injectors(), lists()]);
    return seen({ ...all, pods, client: self, injectors: known, destinations: await destinationsOf(cluster, valueOf(all.virtualServices) ?? [], signal) });
  },
});

/** Whether there are the Services that routes send to, by `namespace/name`: each namespace is listed once. */
async function destinationsOf(cluster: Cluster, virtualServices: readonly m.VirtualService[], signal: AbortSignal): Promise<Mesh['destinations']> {
  const named = virtualServices.flatMap(({ metadata, spec }) =>
    [...spec.http, ...spec.tcp].flatMap((r) => r.route.flatMap(({ destination }) => serviceNamed(destination.host, metadata.namespace) ?? [])),
  );
  const byNamespace = Map.groupBy(named, (s) => s.namespace);
  const found = await Promise.all(
    [...byNamespace].map(async ([namespace, services]) => {
      const answer = await cluster.list(resources.services, { namespace, signal });
      const names = parsedList(answer.ok ? ok(answer.value) : answer, v.object({ metadata: v.object({ name: v.string() }) }), `Services in ${namespace}`);
      return services.map(({ name }): [string, Fact<boolean>] => [
        `${namespace}/${name}`,
        names.seen ? seen(names.value.some((s) => s.metadata.name === name)) : names,
      ]);
    }),
  );
  return Object.fromEntries(found.flat());
}
