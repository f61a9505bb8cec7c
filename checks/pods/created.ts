import { type Fact, unreadOf } from '../../src/facts/fact.ts';
import type { Event, Workload } from '../../src/facts/objects.ts';
import { selects } from '../../src/facts/selectors.ts';
import { check, type Draft, type Evidence, judged, skip, unknown } from '../check.ts';
import { kubectl, patch } from '../fix.ts';
import { plural } from '../format.ts';
import { allowedBy, quotaRaised } from './admission-fixes.ts';
import { nameOf, type Owner, resumed, workloadRef } from './owner.ts';
import { eventEvidence, eventsOf, situation, type Situation, weight } from './service-pods.ts';

type Found = Draft<'no-replicas' | 'pods-quota-exceeded' | 'pods-refused' | 'rollout-stalled' | 'template-not-applied'>;

/** What a controller reported about pods that it could not create: its own condition, and the events of its ReplicaSets. */
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

/** The part of a refusal after the name of the pod. */
const reasonOf = (text: string): string => /(?:is forbidden|denied the request|error looking up)[^:]*: ?(.*)$/.exec(text)?.[1] || text;

/** A workload that wants no pods. */
function noReplicas(owner: Owner): Found {
  const { kind, name, namespace } = workloadRef(owner);
  const isDaemon = kind === 'DaemonSet';
  return {
    code: 'no-replicas',
    severity: 'error',
    confidence: 'confirmed',
    scope: 'all',
    object: workloadRef(owner),
    message: isDaemon ? `DaemonSet "${name}" matches no node, so it has no pods` : `${kind} "${name}" is scaled to zero replicas`,
    evidence: [{ source: `${kind.toLowerCase()}s`, text: isDaemon ? 'status.desiredNumberScheduled: 0' : 'spec.replicas: 0' }],
    fix: isDaemon
      ? [{ text: `Compare nodeSelector and tolerations of DaemonSet "${name}" with the nodes`, command: kubectl(namespace, 'describe', 'daemonset', name) }]
      : [patch(`Scale ${kind} "${name}" up`, namespace, `${kind.toLowerCase()}/${name}`, { spec: { replicas: 1 } })],
  };
}

/** Pods that the API server does not let in. */
function refused(owner: Owner, evidence: readonly Evidence[], now: Situation, missing: number): Found {
  const { kind, name, namespace } = workloadRef(owner);
  const first = evidence[0]?.text ?? '';
  const isQuota = /exceeded quota|failed quota/i.test(first);
  return {
    code: isQuota ? 'pods-quota-exceeded' : 'pods-refused',
    ...weight(now),
    confidence: 'confirmed',
    object: workloadRef(owner),
    message: isQuota
      ? `${kind} "${name}": a ResourceQuota refuses more pods: ${reasonOf(first)}`
      : `${kind} "${name}": the API server refuses its pods: ${reasonOf(first)}`,
    evidence: evidence.slice(0, 3),
    fix: [
      ...(isQuota ? quotaRaised(owner, first, missing) : allowedBy(owner, first)),
      isQuota
        ? { text: 'Raise the ResourceQuota, or free a part of it', command: kubectl(namespace, 'describe', 'resourcequota') }
        : {
            text: `Change the pod template of ${kind} "${name}" so that it is allowed, or change the rule that refuses it`,
            command: kubectl(namespace, 'describe', `${kind.toLowerCase()}/${name}`),
          },
    ],
  };
}

/** Pods that are wanted and were never created, without a reason. */
const neverCreated = (owner: Owner, wanted: number, have: number): Found => ({
  code: 'rollout-stalled',
  severity: 'error',
  confidence: 'likely',
  scope: 'all',
  object: workloadRef(owner),
  message: `${owner.kind} "${owner.workload.metadata.name}" wants ${plural(wanted, 'pod')} and none was created; kube-controller-manager may not run`,
  evidence: [{ source: 'status', text: `spec.replicas ${wanted}, status.replicas ${have}` }],
  fix: [{ text: 'Check that kube-controller-manager runs', command: 'kubectl -n kube-system get pods' }],
});

/** A Deployment that was created paused has no ReplicaSet yet. */
const pausedBefore = (owner: Owner): Found => ({
  code: 'template-not-applied',
  severity: 'error',
  confidence: 'confirmed',
  scope: 'all',
  object: workloadRef(owner),
  message: `${nameOf(owner)} is paused, so its pods are not created`,
  evidence: [{ source: 'deployments', text: 'spec.paused: true' }],
  fix: [resumed(owner)],
});

function stalled(owner: Owner, now: Situation): Found[] {
  const { kind, name, namespace } = workloadRef(owner);
  const condition = owner.workload.status.conditions.find((c) => c.type === 'Progressing' && c.status === 'False' && c.reason === 'ProgressDeadlineExceeded');
  if (!condition) return [];
  return [
    {
      code: 'rollout-stalled',
      ...weight(now),
      confidence: 'confirmed',
      object: workloadRef(owner),
      message: `${kind} "${name}": its rollout makes no progress: ${condition.message}`,
      evidence: [{ source: 'status', text: `Progressing is False: ${condition.reason}` }],
      fix: [
        {
          text: 'Find out why the new pods do not become ready, or go back to the previous revision',
          command: kubectl(namespace, 'rollout', 'undo', `${kind.toLowerCase()}/${name}`),
        },
      ],
    },
  ];
}

export const created = check({
  id: 'pods/created',
  title: "The Service's workload has pods",
  needs: ['service', 'pods'],
  uses: ['slices', 'deployments', 'statefulSets', 'daemonSets', 'replicaSets', 'events'],
  codes: ['no-replicas', 'pods-quota-exceeded', 'pods-refused', 'rollout-stalled', 'template-not-applied'],
  run({ service, pods, slices, deployments, statefulSets, daemonSets, replicaSets, events }) {
    if (!service?.spec.selector) return skip('the Service selects no pods');
    const lists = [
      ['Deployment', deployments],
      ['StatefulSet', statefulSets],
      ['DaemonSet', daemonSets],
      ['ReplicaSet', replicaSets],
    ] as const;
    const owners = lists
      .flatMap(([kind, fact]) => (fact.seen ? fact.value.map((workload): Owner => ({ kind, workload })) : []))
      .filter(
        ({ kind, workload }) =>
          selects(service.spec.selector, workload.spec.template.metadata.labels) && !(kind === 'ReplicaSet' && workload.metadata.ownerReferences.length > 0),
      );
    const now = situation(service, pods, slices);
    const unread = unreadOf(...lists.map(([, fact]) => fact));
    if (owners.length === 0 && unread !== undefined) return unknown(unread);
    if (owners.length === 0) return now.own.length > 0 ? judged([]) : skip('no workload has pods with these labels');

    const findings = owners.flatMap((owner): Found[] => {
      const { kind, workload } = owner;
      const wanted = kind === 'DaemonSet' ? (workload.status.desiredNumberScheduled ?? 0) : (workload.spec.replicas ?? 1);
      const have = workload.status.replicas ?? now.own.length;
      if (wanted === 0) return now.own.length > 0 ? [] : [noReplicas(owner)];
      // Events outlive the fault that they report; they count only while pods are missing.
      const evidence = have < wanted ? refusals(owner, replicaSets, events) : [];
      if (evidence.length > 0) return [refused(owner, evidence, now, wanted - have)];
      if (have === 0 && now.own.length === 0 && workload.spec.paused) return [pausedBefore(owner)];
      if (have === 0 && now.own.length === 0) return [neverCreated(owner, wanted, have)];
      return stalled(owner, now);
    });
    return judged(findings);
  },
});
