/** Requests for which the API server has to call a webhook or an APIService: what it answers is the proof. */
import type { Cluster } from '../cluster/index.ts';
import { seen } from '../facts/fact.ts';
import type { Webhook } from '../facts/extension.ts';
import type { FactTypes } from '../facts/facts.ts';
import * as o from '../facts/objects.ts';
import { resources } from '../cluster/index.ts';
import { redact } from '../facts/redact.ts';
import { matchesLabels } from '../facts/selectors.ts';
import { type Caller, callersOf, callsFor } from '../front/extension.ts';
import { collector, parsedList, read, valueOf } from './collector.ts';
import { whereCalled } from './extension.ts';

type Call = FactTypes['apiServerCalls'][number];

/** So many webhooks of a configuration are tried. */
const maxCalls = 4;

/** The least objects of kinds that webhooks are often for; a dry run of them is validated and not kept. */
const least: Readonly<Record<string, (name: string, labels: object) => object>> = {
  configmaps: (name, labels) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels } }),
  serviceaccounts: (name, labels) => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, labels } }),
  services: (name, labels) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name, labels }, spec: { ports: [{ port: 80 }] } }),
  pods: (name, labels) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: { containers: [{ name: 'c', image: 'registry.k8s.io/pause:3.10' }] },
  }),
  deployments: (name, labels) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels },
    spec: {
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'registry.k8s.io/pause:3.10' }] } },
    },
  }),
};

const groupOf = (plural: string): string => (plural === 'deployments' ? 'apps' : '');

/** Whether a rule is for the creation of such an object (API reference, RuleWithOperations). */
export function isForCreating({ operations, apiGroups, apiVersions, resources: plurals, scope }: Webhook['rules'][number], plural: string): boolean {
  const has = (all: readonly string[], one: string) => all.includes(one) || all.includes('*');
  return (
    has(operations, 'CREATE') &&
    has(apiGroups, groupOf(plural)) &&
    has(apiVersions, 'v1') &&
    (has(plurals, plural) || plurals.includes('*/*')) &&
    scope !== 'Cluster'
  );
}

/** A request, in a dry run, for which the API server has to call a webhook. */
async function callOfWebhook(
  cluster: Cluster,
  caller: Caller & { webhook: NonNullable<Caller['webhook']> },
  namespaces: readonly o.Namespace[],
  signal: AbortSignal,
): Promise<Call> {
  const { webhook, name } = caller;
  const notAsked = (message: string): Call => ({ asked: '', of: [name], succeeded: null, message });
  const place = namespaces.find((n) => webhook.namespaceSelector == null || matchesLabels(webhook.namespaceSelector, n.metadata.labels));
  if (!place) return notAsked('no namespace matches its namespaceSelector');
  const labels = webhook.objectSelector?.matchLabels ?? {};
  if (webhook.objectSelector && !matchesLabels(webhook.objectSelector, labels)) return notAsked('its objectSelector needs labels that are not known');
  const resource = Object.keys(least).find((plural) => webhook.rules.some((r) => isForCreating(r, plural)));
  const make = resource === undefined ? undefined : least[resource];
  if (resource === undefined || !make) return notAsked(`it is called for ${callsFor(webhook)}, which cannot be tried without an object of yours`);
  const namespace = place.metadata.name;
  const answer = await cluster.create(
    { group: groupOf(resource), version: 'v1', plural: resource },
    namespace,
    make(`k8s-doctor-${Date.now().toString(36)}`, labels),
    true,
    signal,
  );
  const asked = `a dry run of creating one of ${resource} in namespace ${namespace}`;
  // Only its own failure says something of the webhook; that it denies the object shows that it answers.
  if (answer.ok) {
    const open =
      webhook.failurePolicy === 'Ignore' ? 'its failurePolicy is Ignore' : webhook.matchConditions.length > 0 ? 'its matchConditions may leave it out' : '';
    return { asked, of: [name], succeeded: open === '' ? true : null, message: open === '' ? '' : `accepted, which proves nothing: ${open}` };
  }
  const why = redact(answer.failure.why);
  if (why.includes('failed calling webhook')) return { asked, of: [/failed calling webhook "([^"]+)"/.exec(why)?.[1] ?? name], succeeded: false, message: why };
  if (why.includes(`admission webhook "${name}" denied`)) return { asked, of: [name], succeeded: true, message: why };
  return { asked, of: [name], succeeded: null, message: why };
}

export const apiServerCalls = collector({
  fact: 'apiServerCalls',
  after: ['extension'],
  access: [{ ...read('namespaces', ['list'], 'cluster'), only: 'front' }],
  impact: 'exec',
  when: whereCalled,
  async collect({ cluster, signal, progress }, { extension: fact }) {
    const known = valueOf(fact);
    if (!known) return seen([]);
    const callers = callersOf(known);
    progress('having the API server call it');
    const api = valueOf(known.apiService);
    if (api) {
      const { group, version } = api.spec;
      const answer = await cluster.serves(group, version, signal);
      return seen([
        { asked: `GET /apis/${group}/${version}`, of: [api.metadata.name], succeeded: answer.ok, message: answer.ok ? '' : redact(answer.failure.why) },
      ]);
    }
    const listed = parsedList(await cluster.list(resources.namespaces, { signal }), o.namespace, 'namespaces');
    if (!listed.seen) return listed;
    // The webhook's own namespace last: many leave it out, so that they can start.
    const own = new Set(callers.map((c) => c.service?.namespace));
    const order = listed.value.toSorted((a, b) => Number(own.has(a.metadata.name)) - Number(own.has(b.metadata.name)));
    const calls: Call[] = [];
    for (const caller of callers.slice(0, maxCalls))
      if (caller.webhook) calls.push(await callOfWebhook(cluster, { ...caller, webhook: caller.webhook }, order, signal));
    return seen(calls);
  },
});
