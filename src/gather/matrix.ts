/** Every node to every endpoint: which of them reach which. */
import { seen, unseen } from '../facts/fact.ts';
import type { Node } from '../facts/objects.ts';
import { type Endpoint, endpointsOf, isReady } from '../facts/selectors.ts';
import { chooseImage } from '../probes/debug-pod.ts';
import { runOnNodes } from '../probes/node-job.ts';
import { buildSpread, readRecords } from '../probes/script.ts';
import { collector, fromFailure, read, valueOf } from './collector.ts';
import { connectionsOf, toEndpoints } from './connection-plan.ts';
import { imagesOn, policyLabels } from './debug-pod-options.ts';

/** Of more nodes and endpoints a sample is taken; the diagnosis says of how many. */
export const maxNodes = 32;
const maxEndpoints = 24;
/** Connections that one node makes at the same time. */
const atOnce = 4;

/** So many of a list, evenly spread over it. */
const spread = <T>(items: readonly T[], most: number): T[] =>
  items.length <= most ? [...items] : Array.from({ length: most }, (_, i) => items[Math.floor((i * items.length) / most)] as T);

/** The client's node and those of the endpoints first, as far as there is room for half of them; then others. */
export function sample(nodes: readonly Node[], client: string | null, endpoints: readonly Endpoint[]): Node[] {
  const own = nodes.filter((n) => n.metadata.name === client);
  const theirs = spread(
    nodes.filter((n) => n.metadata.name !== client && endpoints.some((e) => e.node === n.metadata.name)),
    maxNodes / 2,
  );
  const others = nodes.filter((n) => !own.includes(n) && !theirs.includes(n));
  return [...own, ...theirs, ...spread(others, maxNodes - own.length - theirs.length)].toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

export const matrix = collector({
  fact: 'matrix',
  after: ['service', 'slices', 'client', 'nodes', 'policies', 'pluginPolicies'],
  access: [
    { ...read('jobs', ['create', 'delete'], 'client', 'batch'), only: 'matrix' },
    { ...read('pods', ['watch', 'delete'], 'client'), only: 'matrix' },
    { ...read('pods/log', ['get'], 'client'), only: 'matrix' },
  ],
  impact: 'pod',
  when({ service, slices }, target) {
    const svc = valueOf(service);
    if (!target.matrix) return 'nobody asked for it (--matrix)';
    return svc && toEndpoints(svc, target.port, endpointsOf(valueOf(slices) ?? [])).length > 0 ? true : 'there is no endpoint to connect to';
  },
  async collect(context, { service, slices, client, nodes, policies, pluginPolicies }) {
    const what = 'connections from every node';
    const svc = valueOf(service);
    if (!svc) return unseen('not-possible', what, 'the Service is not known');
    if (!nodes.seen) return nodes;
    const who = valueOf(client);
    const all = endpointsOf(valueOf(slices) ?? []);
    const planned = toEndpoints(svc, context.target.port, all);
    // Endpoints of different nodes show more than several of one.
    const byNode = [...Map.groupBy(planned, (p) => p.node).values()];
    const tried = planned
      .flatMap((_, round) => byNode.flatMap((own) => own[round] ?? []))
      .slice(0, maxEndpoints)
      .toSorted((a, b) => ((a.node ?? '') < (b.node ?? '') ? -1 : 1));
    const ready = nodes.value.filter(isReady);
    const chosen = sample(ready, who?.node ?? null, all);
    const ran = await runOnNodes(context, {
      namespace: who && who.kind !== 'external' ? who.namespace || context.target.namespace : context.target.namespace,
      image: context.image ?? chooseImage(chosen.flatMap((n) => imagesOn([n], null))),
      owner: context.owner,
      labels: who?.pod ? policyLabels(who, [valueOf(policies) ?? {}, valueOf(pluginPolicies) ?? {}]) : {},
      nodes: new Map(chosen.map((n) => [n.metadata.name, n.metadata.labels['kubernetes.io/hostname'] ?? n.metadata.name])),
      script: buildSpread(
        tried.map((t) => t.task),
        atOnce,
      ),
    });
    if (!ran.ok) return fromFailure(ran.failure);
    const rows = chosen.map(({ metadata: { name: node } }) => {
      const { output = '', problem = '' } = ran.value.get(node) ?? {};
      const list = connectionsOf(tried, readRecords(output));
      return { node, problem: problem || (list.length === 0 ? 'the image has no tool to connect with' : ''), list };
    });
    return seen({ nodesTotal: ready.length, endpointsTotal: planned.length, rows });
  },
});
