import type { Fact } from '../../src/facts/fact.ts';
import type { Event, Workload } from '../../src/facts/objects.ts';
import { selects } from '../../src/facts/selectors.ts';
import { check, type Draft, type Evidence, judged, skip } from '../check.ts';
import { plural } from '../format.ts';
import { kubectl } from '../fix.ts';
import { eventEvidence, eventsOf, situation, weight } from './service-pods.ts';

type Found = Draft<'no-replicas' | 'pods-quota-exceeded' | 'pods-refused' | 'rollout-stalled'>;
interface Owner {
  kind: 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'ReplicaSet';
  workload: Workload;
}

/** What a controller reported of pods that it could not create: its own condition, and the events of its ReplicaSets. */
function refusals(owner: Owner, replicaSets: Fact<Workload[]>, events: Fact<Event[]>): Evidence[] {
  const name = owner.workload.metadata.name;
  const sets = replicaSets.seen ? replicaSets.value.filter((r) => r.metadata.ownerReferences.some((o) => o.kind === owner.kind && o.name === name)) : [];
  const conditions = [owner.workload, ...sets].flatMap((w) =>
    w.status.conditions
      .filter((c) => c.type === 'ReplicaFailure' && c.status === 'True')
      .map((c) => ({ source: 'status', text: `${w.metadata.name}: ${c.message ?? c.reason}` })),
  );
  const said = [{ kind: owner.kind, name }, ...sets.map((s) => ({ kind: 'ReplicaSet', name: s.metadata.name }))].flatMap((o) =>
    eventsOf(events, o.kind, o.name, /^FailedCreate$/)
      .slice(0, 1)
      .map(eventEvidence),
  );
  return [...conditions, ...said];
}

/** The telling part of a refusal: what follows the name of the pod. */
const reasonOf = (text: string): string => /(?:is forbidden|denied the request|error looking up)[^:]*: ?(.*)$/.exec(text)?.[1] || text;

export const created = check({
  id: 'pods/created',
  title: 'The workload behind the Service has pods',
  needs: ['service', 'pods'],
  uses: ['slices', 'deployments', 'statefulSets', 'daemonSets', 'replicaSets', 'events'],
  codes: ['no-replicas', 'pods-quota-exceeded', 'pods-refused', 'rollout-stalled'],
  run({ service, pods, slices, deployments, statefulSets, daemonSets, replicaSets, events }) {
    if (!service?.spec.selector) return skip('the Service selects no pods');
    const owners = (
      [
        ['Deployment', deployments],
        ['StatefulSet', statefulSets],
        ['DaemonSet', daemonSets],
        ['ReplicaSet', replicaSets],
      ] as const
    )
      .flatMap(([kind, fact]) => (fact.seen ? fact.value.map((workload): Owner => ({ kind, workload })) : []))
      .filter(
        ({ kind, workload }) =>
          selects(service.spec.selector, workload.spec.template.metadata.labels) && !(kind === 'ReplicaSet' && workload.metadata.ownerReferences.length > 0),
      );
    const now = situation(service, pods, slices);
    if (owners.length === 0) return now.own.length > 0 ? judged('') : skip('no workload has pods with these labels');

    const findings: Found[] = [];
    for (const owner of owners) {
      const { kind, workload } = owner;
      const { name, namespace } = workload.metadata;
      const object = { kind, namespace, name };
      const wanted = kind === 'DaemonSet' ? (workload.status.desiredNumberScheduled ?? 0) : (workload.spec.replicas ?? 1);
      const have = workload.status.replicas ?? now.own.length;
      if (wanted === 0) {
        if (now.own.length > 0) continue;
        findings.push({
          code: 'no-replicas',
          severity: 'error',
          confidence: 'confirmed',
          scope: 'all',
          object,
          message: kind === 'DaemonSet' ? `DaemonSet "${name}" fits no node, so it has no pods` : `${kind} "${name}" is scaled to zero replicas`,
          evidence: [{ source: `${kind.toLowerCase()}s`, text: kind === 'DaemonSet' ? 'status.desiredNumberScheduled: 0' : 'spec.replicas: 0' }],
          fix:
            kind === 'DaemonSet'
              ? [{ text: 'Check its nodeSelector and tolerations against the nodes', command: kubectl(namespace, 'describe', 'daemonset', name) }]
              : [{ text: 'Scale it up', command: kubectl(namespace, 'scale', `${kind.toLowerCase()}/${name}`, '--replicas=1') }],
        });
        continue;
      }
      const evidence = refusals(owner, replicaSets, events);
      const first = evidence[0]?.text ?? '';
      // Old events outlive what they tell of; they count only while pods are missing.
      if (evidence.length > 0 && have < wanted) {
        const quota = /exceeded quota|failed quota/i.test(first);
        findings.push({
          code: quota ? 'pods-quota-exceeded' : 'pods-refused',
          ...weight(now),
          confidence: 'confirmed',
          object,
          message: quota
            ? `A ResourceQuota lets no more pods of ${kind} "${name}" in: ${reasonOf(first)}`
            : `The API server refuses the pods of ${kind} "${name}": ${reasonOf(first)}`,
          evidence: evidence.slice(0, 3),
          fix: quota
            ? [{ text: 'Compare the quota with what is used, and raise it or free some', command: kubectl(namespace, 'describe', 'resourcequota') }]
            : [
                {
                  text: 'Change the pod template so that it is let in, or the rule that refuses it',
                  command: kubectl(namespace, 'describe', `${kind.toLowerCase()}/${name}`),
                },
              ],
        });
        continue;
      }
      if (have === 0 && now.own.length === 0) {
        findings.push({
          code: 'rollout-stalled',
          severity: 'error',
          confidence: 'likely',
          scope: 'all',
          object,
          message: `${kind} "${name}" wants ${plural(wanted, 'pod')}, and none has been created; the controller manager may not be running`,
          evidence: [{ source: 'status', text: `spec.replicas ${wanted}, status.replicas ${have}` }],
          fix: [{ text: 'Check the controller manager', command: 'kubectl -n kube-system get pods' }],
        });
        continue;
      }
      const stalled = workload.status.conditions.find((c) => c.type === 'Progressing' && c.status === 'False' && c.reason === 'ProgressDeadlineExceeded');
      if (stalled) {
        findings.push({
          code: 'rollout-stalled',
          ...weight(now),
          confidence: 'confirmed',
          object,
          message: `The rollout of ${kind} "${name}" has stalled: ${stalled.message}`,
          evidence: [{ source: 'status', text: `Progressing is False: ${stalled.reason}` }],
          fix: [
            { text: 'See why the new pods do not become ready, or go back', command: kubectl(namespace, 'rollout', 'undo', `${kind.toLowerCase()}/${name}`) },
          ],
        });
      }
    }
    return judged('', findings);
  },
});
