import { type Fact, type Unseen, unreadOf, unseen, valueOf } from '../../src/facts/fact.ts';
import type { Connections, FactTypes } from '../../src/facts/facts.ts';
import { isGood, isReady } from '../../src/facts/selectors.ts';
import { getsThrough, placeOf, placeOfClient } from '../../src/model/forwarding.ts';
import type { Pod, Workload } from '../../src/facts/objects.ts';
import { check, type Draft, type Evidence, judged, type ObjectRef, skip, unknown } from '../check.ts';
import { fixBy, kubectl, patch, restartOf } from '../fix.ts';
import { plural, probeEvidence, some } from '../format.ts';
import { logLines } from './evidence.ts';
import { dnsElsewhere } from '../platform.ts';

type Found = Draft<'dns-pods-down'>;
type Logs = Fact<FactTypes['dnsLogs']>;

const namesOf = (pods: readonly Pod[]): string[] => pods.map((p) => p.metadata.name);
const verb = (n: number, one: string, many: string) => (n === 1 ? one : many);

const errorsOf = (dnsLogs: Logs, pod: string): Evidence[] =>
  // Each start names the configuration, which says nothing of what fails.
  logLines(dnsLogs, (l) => /ERROR|FATAL|panic|plugin\/|Error/i.test(l) && !l.includes('Running configuration'), 3)
    .filter(({ key }) => key.startsWith(`${pod}/`))
    .map(({ line }) => ({ source: 'log', text: `${pod}: ${line}` }));

const restartsOf = (p: Pod) => p.status.containerStatuses.reduce((n, s) => n + s.restartCount, 0);

function podEvidence(p: Pod): Evidence {
  const states = p.status.containerStatuses.map((s) => s.state.waiting?.reason ?? s.lastState.terminated?.reason ?? (s.ready ? 'ready' : 'not ready'));
  const restarts = restartsOf(p) > 0 ? `, ${plural(restartsOf(p), 'restart')}` : '';
  return { source: 'pods', text: `${p.metadata.name}: ${states.join(', ') || p.status.phase}${restarts}` };
}

/** As kubeadm creates it (kubernetes/kubernetes, cmd/kubeadm/app/phases/addons/dns/manifests.go). */
const coreDnsRights = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name: 'system:coredns' },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:coredns' },
  subjects: [{ kind: 'ServiceAccount', name: 'coredns', namespace: 'kube-system' }],
};

/** No DNS pod is ready: scaled to zero, without rights, or failing. */
function noneReady(live: readonly Pod[], workload: Workload | null, object: ObjectRef, dnsLogs: Logs): Found {
  const isZero = workload?.spec.replicas === 0;
  // Without its rights CoreDNS starts, waits for the API, and knows no Service.
  const refusal = /cannot (?:list|watch) resource "([a-z]+)"/;
  const refused = refusal.exec(logLines(dnsLogs, (l) => refusal.test(l), 1)[0]?.line ?? '')?.[1];
  const mayNot = refused === undefined ? '' : `; CoreDNS may not list ${refused} (RBAC)`;
  const first = live[0]?.metadata.name ?? '';
  return {
    code: 'dns-pods-down',
    severity: 'error',
    confidence: 'confirmed',
    scope: 'all',
    object,
    message: isZero
      ? `Deployment "${object.name}" in kube-system is scaled to zero replicas, so no DNS server runs`
      : live.length === 0
        ? `Deployment "${object.name}" in kube-system has no pods, so no DNS server runs`
        : `${live.length === 1 ? 'The only DNS pod is not ready' : `None of ${live.length} DNS pods is ready`} (${some(namesOf(live))})${mayNot}`,
    evidence: [
      { source: 'deployments', text: `${object.name}: spec.replicas ${workload?.spec.replicas ?? 'unknown'}, ready ${workload?.status.readyReplicas ?? 0}` },
      ...live.slice(0, 3).map(podEvidence),
      ...(first ? errorsOf(dnsLogs, first) : []),
    ],
    fix:
      isZero || live.length === 0
        ? [patch(`Scale Deployment "${object.name}" up to two replicas`, 'kube-system', `deployment/${object.name}`, { spec: { replicas: 2 } })]
        : refused === undefined
          ? [{ text: 'Read why CoreDNS does not start', command: kubectl('kube-system', 'logs', first, '--previous') }]
          : [
              fixBy('Give CoreDNS its ClusterRole system:coredns again', {
                how: 'create',
                kind: 'clusterrolebinding',
                namespace: '',
                name: 'system:coredns',
                manifest: coreDnsRights,
              }),
            ],
  };
}

/** Ready pods in which nothing listens, as the kubelet reports it. A port-forward that fails in another way says nothing about the pod. */
function silent(ready: readonly Pod[], dnsAnswers: Fact<FactTypes['dnsAnswers']>, object: ObjectRef, dnsLogs: Logs): Found[] {
  if (!dnsAnswers.seen) return [];
  const answers = dnsAnswers.value;
  const failing = ready.filter((p) => {
    const a = answers[p.metadata.name];
    return a && !a.seen && a.reason === 'unreachable' && a.why.startsWith('nothing listens');
  });
  if (failing.length === 0) return [];
  return [
    {
      code: 'dns-pods-down',
      severity: 'error',
      confidence: 'confirmed',
      scope: failing.length === ready.length ? 'all' : 'part',
      object,
      message: `${failing.length} of ${plural(ready.length, 'ready DNS pod')} ${verb(failing.length, 'does', 'do')} not answer (${some(namesOf(failing))})`,
      evidence: failing.flatMap((p) => {
        const a = answers[p.metadata.name];
        return [{ source: 'dns', text: `${p.metadata.name}: ${a && !a.seen ? a.why : ''}` }, ...errorsOf(dnsLogs, p.metadata.name)];
      }),
      fix: [
        {
          ...fixBy(
            `Delete the pods that do not answer; Deployment "${object.name}" replaces them`,
            ...namesOf(failing).map((name) => restartOf('kube-system', name)),
          ),
          assumes: 'new pods answer',
        },
      ],
    },
  ];
}

/** Replicas that do not answer the client, while others do: a share of all lookups fails. */
function silentForClient(
  ready: readonly Pod[],
  { list, from, node }: Connections,
  { dnsAnswers, forwarding, client }: { [Name in 'dnsAnswers' | 'forwarding' | 'client']: Fact<FactTypes[Name]> },
  object: ObjectRef,
): Found[] | Unseen {
  const asked = list.filter((c) => c.hop === 'dns-server' && c.target.endsWith('/UDP') && c.pod !== null);
  const ways = asked.flatMap((c) => {
    const replica = c.outcome === 'dns-timed-out' ? ready.find((p) => p.metadata.name === c.pod) : undefined;
    return replica ? [{ c, through: getsThrough(forwarding, placeOfClient(valueOf(client), node), placeOf(replica), replica.status.podIPs[0]?.ip ?? '') }] : [];
  });
  // A packet that a node does not pass on says nothing of the replica that it was sent to.
  const lost = ways.filter((w) => w.through === true).map((w) => w.c);
  const unread = ways.map((w) => w.through).find((t) => typeof t === 'object');
  if (unread && asked.some((c) => c.outcome === 'answered')) return unread;
  if (lost.length === 0 || !asked.some((c) => c.outcome === 'answered')) return [];
  const names = [...new Set(lost.map((c) => c.pod ?? ''))];
  const answersItself = names.some((n) => dnsAnswers.seen && dnsAnswers.value[n]?.seen);
  return [
    {
      code: 'dns-pods-down',
      severity: 'error',
      confidence: 'confirmed',
      scope: 'part',
      object,
      message: `${names.length} of ${plural(asked.length, 'DNS replica')} ${verb(names.length, 'does', 'do')} not answer the client (${some(names)}): about ${names.length} in ${asked.length} lookups is lost${answersItself ? '; on its own loopback it answers, so the network to it fails' : ''}`,
      evidence: asked.slice(0, 6).map((c) => probeEvidence(from, c)),
      fix: [
        {
          ...fixBy(`Delete the pod; Deployment "${object.name}" makes another, with another address`, ...names.map((name) => restartOf('kube-system', name))),
          assumes: 'the new pod can be reached',
        },
        { text: `If new pods fail there too, check the network of the node of "${names[0]}"` },
      ],
    },
  ];
}

function someNotReady(live: readonly Pod[], object: ObjectRef, dnsLogs: Logs): Found[] {
  const waiting = live.filter((p) => !isReady(p));
  if (waiting.length === 0) return [];
  return [
    {
      code: 'dns-pods-down',
      severity: 'warning',
      confidence: 'confirmed',
      scope: 'part',
      object,
      message: `${waiting.length} of ${plural(live.length, 'DNS pod')} ${verb(waiting.length, 'is', 'are')} not ready (${some(namesOf(waiting))}); the others serve`,
      evidence: waiting.slice(0, 2).flatMap((p) => [{ source: 'pods', text: `${p.metadata.name} is not ready` }, ...errorsOf(dnsLogs, p.metadata.name)]),
      fix: [
        { text: `Read the events of pod "${waiting[0]?.metadata.name}"`, command: kubectl('kube-system', 'describe', 'pod', waiting[0]?.metadata.name ?? '') },
      ],
    },
  ];
}

export const replicas = check({
  id: 'dns/replicas',
  title: "The cluster's DNS pods run and answer",
  needs: ['dnsPods'],
  uses: ['dnsWorkload', 'dnsService', 'dnsAnswers', 'dnsLogs', 'connections', 'forwarding', 'client', 'nodes'],
  codes: ['dns-pods-down'],
  run({ dnsPods, dnsWorkload, dnsService, dnsAnswers, dnsLogs, connections, forwarding, client, nodes }) {
    const elsewhere = dnsElsewhere({ nodes, connections }, dnsPods);
    if (elsewhere !== undefined) return skip(elsewhere);
    const live = dnsPods.filter((p) => !p.metadata.deletionTimestamp);
    const ready = live.filter(isReady);
    const workload = dnsWorkload.seen ? dnsWorkload.value : null;
    if (live.length === 0 && !workload && !(dnsService.seen && dnsService.value))
      return unknown('this cluster has another DNS than CoreDNS in kube-system, which is not judged');
    const object = { kind: 'Deployment', namespace: 'kube-system', name: workload?.metadata.name ?? 'coredns' };
    const summary = `${ready.length} of ${plural(live.length, 'DNS pod')} ready`;
    if (ready.length === 0) return judged([noneReady(live, workload, object, dnsLogs)], summary);
    const failing = silent(ready, dnsAnswers, object, dnsLogs);
    const forClient = failing.length === 0 && connections.seen ? silentForClient(ready, connections.value, { dnsAnswers, forwarding, client }, object) : [];
    const findings = [...failing, ...(Array.isArray(forClient) ? forClient : []), ...someNotReady(live, object, dnsLogs)];
    if (!Array.isArray(forClient) && findings.length === 0) return unknown(`${forClient.what}: ${forClient.why}`);
    // Where the client got an answer of a replica, it is known without asking it from here.
    const heard = new Set((connections.seen ? connections.value.list : []).flatMap((c) => (c.hop === 'dns-server' && isGood(c) ? [c.pod] : [])));
    const unasked = ready
      .filter((p) => !heard.has(p.metadata.name))
      .map((p) =>
        dnsAnswers.seen ? (dnsAnswers.value[p.metadata.name] ?? unseen('not-possible', `an answer of ${p.metadata.name}`, 'it was not asked')) : dnsAnswers,
      );
    const unread = unreadOf(...unasked);
    if (findings.length === 0 && unread !== undefined) return unknown(`${summary}; ${unread}`);
    return judged(findings, summary);
  },
});
