import { check, judged, skip } from '../check.ts';
import { plural } from '../format.ts';
import { kubectl } from '../fix.ts';
import { eventEvidence, eventsOf, grouped, named, situation, weight } from './service-pods.ts';

export const scheduled = check({
  id: 'pods/scheduled',
  title: 'Each pod has a node',
  needs: ['service', 'pods'],
  uses: ['slices', 'events'],
  codes: ['pods-unschedulable'],
  run({ service, pods, slices, events }) {
    const now = situation(service, pods, slices);
    if (now.own.length === 0) return skip('there are no pods');
    const waiting = now.own.filter((p) => p.status.conditions.some((c) => c.type === 'PodScheduled' && c.status === 'False' && c.reason !== 'SchedulingGated'));
    const gated = now.own.filter((p) => p.status.conditions.some((c) => c.type === 'PodScheduled' && c.reason === 'SchedulingGated'));
    const affected = waiting.length > 0 ? waiting : gated;
    const first = affected[0];
    if (!first) return judged(`on ${plural(new Set(now.own.map((p) => p.spec.nodeName)).size, 'node')}`);
    const why = first.status.conditions.find((c) => c.type === 'PodScheduled')?.message ?? 'the scheduler gives no reason';
    return judged('', [
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
          {
            text: `Compare the requests, nodeSelector and tolerations of pod "${first.metadata.name}" with the nodes`,
            command: kubectl(first.metadata.namespace, 'describe', 'pod', first.metadata.name),
          },
        ],
      }),
    ]);
  },
});
