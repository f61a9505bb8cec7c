import { nearest } from '../../src/catalog/nearest-names.ts';
import type { Fact } from '../../src/facts/fact.ts';
import type { FactTypes } from '../../src/facts/facts.ts';
import type { Node, Pod } from '../../src/facts/objects.ts';
import { amount, askedBy, keptOff, requested } from '../../src/facts/scheduling.ts';
import { isReady } from '../../src/facts/selectors.ts';
import { check, type Fix, judged, skip } from '../check.ts';
import { plural } from '../format.ts';
import { kubectl } from '../fix.ts';
import { containersPatch, nameOf, type Owner, ownerFacts, ownerOf, templatePatch } from './owner.ts';
import { quantity } from './quantity.ts';
import { eventEvidence, eventsOf, grouped, named, situation, weight } from './service-pods.ts';

/** The nodes' own values of a label that a nodeSelector asks for. */
function selectorFix(owner: Owner, pod: Pod, nodes: readonly Node[]): Fix[] {
  const wanted = Object.entries(pod.spec.nodeSelector ?? {}).filter(([key, value]) => !nodes.some((n) => n.metadata.labels[key] === value));
  const changes = wanted.map(([key, value]) => {
    const there = [...new Set(nodes.flatMap((n) => n.metadata.labels[key] ?? []))];
    return [key, there.length === 1 ? (there[0] ?? null) : (nearest(value, there) ?? null)] as const;
  });
  if (changes.length === 0) return [];
  const text = changes.map(([key, value]) => (value === null ? `remove ${key}` : `${key}=${value}`)).join(', ');
  return [
    {
      ...templatePatch(owner, `Correct the nodeSelector of ${nameOf(owner)}: ${text}`, { nodeSelector: Object.fromEntries(changes) }),
      ...(changes.some(([, value]) => value === null) && { assumes: 'its programs run on any node' }),
    },
  ];
}

/** Shares of the free room that pods get: all of it would leave nothing for others. */
const share = 0.5;
/** Steps in which requests are written: thousandths of a CPU, and bytes. */
const steps: Record<string, number> = { cpu: 0.01, memory: 2 ** 20 };

/** Requests of one resource with which all pods that wait find room on the nodes. */
function requestFix(owner: Owner, waiting: readonly Pod[], nodes: readonly Node[], used: FactTypes['nodeRequests'], resource: string): Fix[] {
  const step = steps[resource];
  const spec = owner.workload.spec.template.spec;
  if (step === undefined) return [];
  const withoutRequests = (c: (typeof spec.containers)[number]) => ({ ...c, resources: { requests: {}, limits: {} } });
  const others = { ...spec, initContainers: spec.initContainers.map(withoutRequests), containers: spec.containers.map(withoutRequests) };
  const free = nodes
    .filter((n) => keptOff(others, n) === undefined)
    .map((n) => amount(n.status.allocatable[resource] ?? '0') - (used[n.metadata.name]?.[resource] ?? 0));
  const most = Math.max(0, ...free);
  const each = Math.floor((most * share) / Math.ceil(waiting.length / Math.max(1, free.length)) / step) * step;
  const have = requested(spec, resource);
  if (each <= 0 || each >= have) return [];
  // Each container keeps its part of the whole.
  const requests = [...spec.initContainers, ...spec.containers].flatMap((c) => {
    const own = askedBy(c, resource);
    const value = quantity(Math.max(step, Math.floor((own / have) * (each / step)) * step));
    return own > 0 ? [[c.name, { resources: { requests: { [resource]: value } } }] as const] : [];
  });
  const text = `Lower the ${resource} request of ${nameOf(owner)} from ${quantity(have)} to ${quantity(each)}, which fits on a node (${quantity(Math.floor(most / step) * step)} is free on the emptiest)`;
  return [{ ...containersPatch(owner, text, new Map(requests)), assumes: `its programs run with ${quantity(each)} of ${resource}` }];
}

function fixes(owner: Owner | undefined, waiting: readonly Pod[], why: string, nodes: Fact<Node[]>, used: Fact<FactTypes['nodeRequests']>): Fix[] {
  const [first] = waiting;
  if (!owner || !first || !nodes.seen) return [];
  const ready = nodes.value.filter((n) => isReady(n) && !n.spec.unschedulable);
  const selector = selectorFix(owner, first, ready);
  if (selector.length > 0) return selector;
  const short = /Insufficient (\S+?)[,.]/.exec(`${why}.`)?.[1];
  return short !== undefined && used.seen ? requestFix(owner, waiting, ready, used.value, short) : [];
}

export const scheduled = check({
  id: 'pods/scheduled',
  title: 'Each pod has a node',
  needs: ['service', 'pods'],
  uses: ['slices', 'events', 'nodes', 'nodeRequests', ...ownerFacts],
  codes: ['pods-unschedulable'],
  run({ service, pods, slices, events, nodes, nodeRequests, ...owners }) {
    const now = situation(service, pods, slices);
    if (now.own.length === 0) return skip('there are no pods');
    const waiting = now.own.filter((p) => p.status.conditions.some((c) => c.type === 'PodScheduled' && c.status === 'False' && c.reason !== 'SchedulingGated'));
    const gated = now.own.filter((p) => p.status.conditions.some((c) => c.type === 'PodScheduled' && c.reason === 'SchedulingGated'));
    const affected = waiting.length > 0 ? waiting : gated;
    const first = affected[0];
    if (!first) return judged([], `on ${plural(new Set(now.own.map((p) => p.spec.nodeName)).size, 'node')}`);
    const why = first.status.conditions.find((c) => c.type === 'PodScheduled')?.message ?? 'the scheduler gives no reason';
    return judged([
      grouped(affected, {
        code: 'pods-unschedulable',
        ...weight(now),
        confidence: 'confirmed',
        message: `The scheduler finds no node for ${named(affected, now.own)}: ${why}`,
        evidence: [
          { source: 'status', text: `${first.metadata.name}: PodScheduled is False: ${why}` },
          ...eventsOf(events, 'Pod', first.metadata.name, /^FailedScheduling$/)
            .slice(0, 1)
            .map(eventEvidence),
        ],
        fix: [
          ...fixes(ownerOf(first, owners), waiting, why, nodes, nodeRequests),
          {
            text: `Compare the requests, nodeSelector and tolerations of pod "${first.metadata.name}" with the nodes`,
            command: kubectl(first.metadata.namespace, 'describe', 'pod', first.metadata.name),
          },
        ],
      }),
    ]);
  },
});
