/** What makes the API server call a Service: webhook configurations and APIServices. */
import * as v from 'valibot';
import { type Cluster, resources } from '../cluster/index.ts';
import * as e from '../facts/extension.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import type { Target } from '../facts/facts.ts';
import * as o from '../facts/objects.ts';
import { redact } from '../facts/redact.ts';
import { callersOf, type Extension, type ExtensionKind, isExtension, isExtensionKind } from '../front/extension.ts';
import { collector, parsed, parsedList, read, valueOf } from './collector.ts';

const configurations = {
  ValidatingWebhookConfiguration: resources.validatingwebhookconfigurations,
  MutatingWebhookConfiguration: resources.mutatingwebhookconfigurations,
};

/** caBundle is base64 of PEM. */
function withPem<T extends { caBundle?: string }>(holder: T): T {
  if (!holder.caBundle) return holder;
  const pem = Buffer.from(holder.caBundle, 'base64').toString('latin1');
  return { ...holder, caBundle: (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).join('\n') };
}

interface RawConfiguration {
  webhooks?: { clientConfig: { caBundle?: string; url?: string } }[];
}
const readable = (kind: string, raw: RawConfiguration) => ({
  ...raw,
  kind,
  webhooks: (raw.webhooks ?? []).map((w) => {
    const { url, ...config } = withPem(w.clientConfig);
    return { ...w, clientConfig: { ...config, ...(url !== undefined && { url: redact(url) }) } };
  }),
});

async function webhooksNamed(cluster: Cluster, name: string, signal: AbortSignal): Promise<Extension['webhooks']> {
  const found = await Promise.all(
    Object.entries(configurations).map(async ([kind, resource]) => {
      const answer = await cluster.get(resource, name, undefined, signal);
      return parsed(
        answer.ok && answer.value ? { ok: true, value: readable(kind, answer.value as RawConfiguration) } : answer,
        v.nullable(e.webhookConfiguration),
        `${kind} ${name}`,
      );
    }),
  );
  const unread = found.find((f) => !f.seen);
  return unread && !unread.seen ? unread : seen(found.flatMap((f) => valueOf(f) ?? []));
}

async function apiServiceNamed(cluster: Cluster, name: string, signal: AbortSignal): Promise<Extension['apiService']> {
  const answer = await cluster.get(resources.apiservices, name, undefined, signal);
  const raw = answer.ok ? (answer.value as { spec?: { caBundle?: string } } | null) : null;
  return parsed(raw?.spec ? { ok: true, value: { ...raw, spec: withPem(raw.spec) } } : answer, v.nullable(e.apiService), `APIService ${name}`);
}

/** The names of all webhook configurations, or of all APIServices. */
async function namesOf(cluster: Cluster, kind: ExtensionKind, signal: AbortSignal): Promise<string[]> {
  const lists = await Promise.all((kind === 'webhook' ? Object.values(configurations) : [resources.apiservices]).map((r) => cluster.list(r, { signal })));
  return [...new Set(lists.flatMap((l) => (l.ok ? (l.value as { metadata: { name: string } }[]).map((i) => i.metadata.name) : [])))].toSorted();
}

/** The addresses behind the Service `kubernetes`, which the API servers write themselves. */
async function apiServerAddresses(cluster: Cluster, signal: AbortSignal): Promise<Fact<string[]>> {
  const slices = parsedList(
    await cluster.list(resources.endpointslices, { namespace: 'default', labelSelector: 'kubernetes.io/service-name=kubernetes', signal }),
    o.endpointSlice,
    'the addresses of the API servers',
  );
  return slices.seen ? seen([...new Set(slices.value.flatMap((s) => s.endpoints.flatMap((x) => x.addresses)))]) : slices;
}

/** A webhook configuration or APIService, the Services that it names, and where the API servers are. */
export async function readExtension(cluster: Cluster, kind: ExtensionKind, name: string, signal: AbortSignal): Promise<Extension> {
  const [webhooks, apiService, apiServers] = await Promise.all([
    kind === 'webhook' ? webhooksNamed(cluster, name, signal) : Promise.resolve<Extension['webhooks']>(seen([])),
    kind === 'apiservice' ? apiServiceNamed(cluster, name, signal) : Promise.resolve<Extension['apiService']>(seen(null)),
    apiServerAddresses(cluster, signal),
  ]);
  const named: Extension = { webhooks, apiService, names: [], services: {}, apiServers };
  const callers = callersOf(named);
  const isAbsent = kind === 'webhook' ? valueOf(webhooks)?.length === 0 : apiService.seen && apiService.value === null;
  const places = new Map(callers.flatMap((c) => (c.service ? [[`${c.service.namespace}/${c.service.name}`, c.service] as const] : [])));
  const services = await Promise.all(
    [...places].map(
      async ([place, { namespace, name: own }]) =>
        [place, parsed(await cluster.get(resources.services, own, namespace, signal), v.nullable(o.service), `the Service ${place}`)] as const,
    ),
  );
  return { ...named, names: isAbsent ? await namesOf(cluster, kind, signal) : [], services: Object.fromEntries(services) };
}

const inFront = 'front' as const;
/** Whether a fact about the API server's calls is wanted. */
export const whereCalled = (_: unknown, target: Target): true | string => (isExtension(target) ? true : 'the question does not begin at the API server');

export const extension = collector({
  fact: 'extension',
  access: [
    ...Object.values(configurations).map(({ group, plural }) => ({ ...read(plural, ['get', 'list'], 'cluster', group), only: inFront })),
    { ...read('apiservices', ['get', 'list'], 'cluster', resources.apiservices.group), only: inFront },
    { ...read('services', ['get'], 'cluster'), only: inFront },
    { ...read('endpointslices', ['list'], 'cluster', 'discovery.k8s.io'), only: inFront },
  ],
  when: whereCalled,
  async collect({ cluster, target, signal, extension: known }) {
    const { front } = target;
    if (!front || !isExtensionKind(front.kind)) return unseen('not-needed', 'what the API server calls', 'it is not asked about');
    return seen(known ?? (await readExtension(cluster, front.kind, front.name, signal)));
  },
});
