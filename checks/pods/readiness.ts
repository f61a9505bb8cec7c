import type { Fact } from '../../src/facts/fact.ts';
import type { FactTypes } from '../../src/facts/facts.ts';
import type { ContainerStatus, Event, Node, Pod } from '../../src/facts/objects.ts';
import { derived } from '../../src/facts/derived.ts';
import { isReady, isSidecarIn, lastingStatuses } from '../../src/facts/selectors.ts';
import { check, type Draft, type Fix, judged, skip, unknown } from '../check.ts';
import { kubectl, patch } from '../fix.ts';
import { plural, some } from '../format.ts';
import { nameOf, objectOf, type Owner, ownerFacts, ownerOf, type Workloads } from './owner.ts';
import { probeFix } from './probe-fixes.ts';
import { containerTitle, eventEvidence, eventsOf, grouped, named, situation, type Situation, weight } from './service-pods.ts';

type Found = Draft<'readiness-failing' | 'readiness-gate-unmet' | 'node-not-ready' | 'pod-starting'>;
type Probe = NonNullable<Pod['spec']['containers'][number]['readinessProbe']>;

/** The request of a probe: `GET /healthz on port 8080`. */
function requestOf(probe: Probe): string {
  if (probe.httpGet) return `GET ${probe.httpGet.path} on port ${probe.httpGet.port}`;
  if (probe.tcpSocket) return `a TCP connection to port ${probe.tcpSocket.port}`;
  if (probe.grpc) return `gRPC health on port ${probe.grpc.port}`;
  return 'a command in the container';
}

const describePod = (pod: Pod): string => kubectl(pod.metadata.namespace, 'describe', 'pod', pod.metadata.name);

/** The container whose probe fails: it runs, and is not ready. */
const failingIn = (p: Pod): ContainerStatus | undefined => lastingStatuses(p).find((s) => s.state.running && !s.ready);

const specOf = (p: Pod, name: string | undefined) => [...p.spec.initContainers, ...p.spec.containers].find((c) => c.name === name);

/** Pods on a node that is not ready. */
function onLostNode(lost: readonly Pod[], now: Situation, nodes: readonly Node[]): Found[] {
  const [first] = lost;
  if (!first) return [];
  const node = nodes.find((n) => n.metadata.name === first.spec.nodeName);
  const condition = node?.status.conditions.find((c) => c.type === 'Ready');
  const scope = lost.length === now.own.length ? ('all' as const) : ('part' as const);
  const names = some([...new Set(lost.map((p) => p.spec.nodeName ?? ''))]);
  return [
    grouped(lost, {
      code: 'node-not-ready',
      // While the pods still count as ready, connections are sent to them.
      ...(lost.some(isReady) ? { severity: 'error' as const, scope } : weight(now)),
      confidence: 'confirmed',
      message: `Node ${names} is not ready and runs ${named(lost, now.own)}: ${condition?.message ?? condition?.reason ?? 'it does not report its status'}`,
      evidence: [{ source: 'nodes', text: `${node?.metadata.name}: Ready is ${condition?.status}${condition?.reason ? ` (${condition.reason})` : ''}` }],
      fix: [{ text: `Check node ${node?.metadata.name}: its conditions and its kubelet`, command: `kubectl describe node ${node?.metadata.name}` }],
      nodes: [...new Set(lost.flatMap((p) => p.spec.nodeName ?? []))],
    }),
  ];
}

/** The template without gates that nothing meets; where the template has none, a webhook adds them to each pod. */
function withoutGates(owner: Owner | undefined, unmet: readonly string[]): Fix[] {
  const gates = owner?.workload.spec.template.spec.readinessGates ?? [];
  if (!owner || unmet.length === 0 || !unmet.every((type) => gates.some((g) => g.conditionType === type))) return [];
  const left = gates.filter((g) => !unmet.includes(g.conditionType));
  const body = [
    left.length === 0
      ? { op: 'remove', path: '/spec/template/spec/readinessGates' }
      : { op: 'replace', path: '/spec/template/spec/readinessGates', value: left },
  ];
  const text = `Remove the readiness gate ${unmet.join(', ')} from ${nameOf(owner)}`;
  return [{ ...patch(text, owner.workload.metadata.namespace, objectOf(owner), body, 'json'), assumes: 'no controller is to set this condition' }];
}

/** Pods whose containers are ready while a readiness gate is not met. */
function onUnmetGate(gated: readonly Pod[], now: Situation, owners: Workloads): Found[] {
  const [first] = gated;
  if (!first) return [];
  const unmet = first.spec.readinessGates
    .map((g) => g.conditionType)
    .filter((type) => !first.status.conditions.some((c) => c.type === type && c.status === 'True'));
  const conditions = first.status.conditions.filter((c) => c.type === 'Ready' || unmet.includes(c.type));
  const who = named(gated, now.own);
  return [
    grouped(gated, {
      code: 'readiness-gate-unmet',
      ...weight(now),
      confidence: 'confirmed',
      message:
        unmet.length > 0
          ? `The readiness gate ${unmet.join(', ')} of ${who} is not met; the containers are ready`
          : `The containers of ${who} are ready, the pod is not`,
      evidence: [{ source: 'status', text: conditions.map((c) => `${c.type}: ${c.status}${c.message ? ` (${c.message})` : ''}`).join('; ') }],
      fix: [
        ...withoutGates(ownerOf(first, owners), unmet),
        {
          text: `Check the controller that sets the condition ${unmet.join(', ') || 'Ready'} (a load balancer's controller, an operator)`,
          command: describePod(first),
        },
      ],
    }),
  ];
}

/** What is known of the insides of the pods, and of the workloads that make them. */
interface Inside {
  listeners: Fact<FactTypes['listeners']>;
  probeAnswers: Fact<FactTypes['probeAnswers']>;
  owners: Workloads;
}

/** Pods with the same container and the same probe, whose probe does not succeed. */
function onProbe(affected: readonly [Pod, ...Pod[]], now: Situation, events: Fact<Event[]>, { listeners, probeAnswers, owners }: Inside): Found {
  const [pod] = affected;
  const status = failingIn(pod);
  const container = specOf(pod, status?.name);
  const byStartup = status?.started === false && container?.startupProbe;
  const probe = byStartup ? container?.startupProbe : container?.readinessProbe;
  const kind = byStartup ? 'startup' : 'readiness';
  const said = affected.flatMap((p) =>
    eventsOf(events, 'Pod', p.metadata.name, /^Unhealthy$/)
      .filter((e) => e.message.startsWith(byStartup ? 'Startup' : 'Readiness'))
      .slice(0, 1),
  );
  const result = said[0]?.message.replace(/^(?:Readiness|Startup) probe (?:failed|errored)[^:]*: */, '').trim();
  // Without a failed attempt the probe has not run yet: the pod is young.
  const isYoung = said.length === 0 && events.seen;
  const who = named(affected, now.own);
  const one = affected.length === 1;
  return grouped(affected, {
    code: isYoung ? 'pod-starting' : 'readiness-failing',
    ...weight(now),
    confidence: 'confirmed',
    message: isYoung
      ? `${who} started a moment ago and ${one ? 'is' : 'are'} not ready yet`
      : `The ${kind} probe of ${status && isSidecarIn(pod, status.name) ? `${containerTitle(pod, status.name).toLowerCase()} in ` : ''}${who} fails: ${probe ? requestOf(probe) : 'it'}${result ? ` returns: ${result}` : ' does not succeed'}`,
    evidence: [
      ...(probe ? [{ source: 'pods', text: `container ${container?.name}: ${kind} probe is ${requestOf(probe)}` }] : []),
      ...said.slice(0, 2).map(eventEvidence),
      ...listeningEvidence(affected, listeners),
    ],
    fix: [
      ...(isYoung ? [] : affected.flatMap((p) => probeFix(ownerOf(p, owners), p, container?.name ?? '', kind, probe, probeAnswers)).slice(0, 1)),
      {
        text: isYoung
          ? 'Wait, and look again; if nothing changes, read the events of the pod'
          : probe?.httpGet
            ? `Make the program answer GET ${probe.httpGet.path} with 200, or correct path and port of the ${kind} probe`
            : `Make the program pass its ${kind} probe, or correct the probe`,
        command: describePod(pod),
      },
    ],
  });
}

function listeningEvidence([pod, ...others]: readonly [Pod, ...Pod[]], listeners: Fact<FactTypes['listeners']>) {
  const found = listeners.seen ? [pod, ...others].map((p) => listeners.value[p.metadata.name]).find((l) => l?.seen) : undefined;
  const sockets = found?.seen ? found.value.sockets : null;
  if (!sockets) return [];
  const tcp = [...new Set(sockets.filter((s) => s.protocol === 'tcp').map((s) => `${s.address}:${s.port}`))];
  return [{ source: 'sockets', text: `${pod.metadata.name} listens on ${some(tcp, 5) || 'no TCP port'}` }];
}

/** Containers start only after each sidecar before them has started, by its startup probe. */
const blockedBySidecar = (p: Pod): boolean => p.status.initContainerStatuses.some((s) => isSidecarIn(p, s.name) && s.state.running && s.started === false);

/** Container, kind of probe and the probe itself: pods for which they are the same have the same fault. */
function sameProbe(p: Pod): string {
  const status = failingIn(p);
  const spec = specOf(p, status?.name);
  return `${status?.name} ${status?.started === false} ${JSON.stringify(spec?.readinessProbe ?? null)}`;
}

const downAmong = derived(
  (nodes: readonly Node[]) =>
    new Set(nodes.filter((n) => n.status.conditions.some((c) => c.type === 'Ready' && c.status !== 'True')).map((n) => n.metadata.name)),
);

export const readiness = check({
  id: 'pods/readiness',
  title: 'Each pod is ready',
  needs: ['service', 'pods'],
  uses: ['slices', 'events', 'nodes', 'listeners', 'probeAnswers', ...ownerFacts],
  codes: ['readiness-failing', 'readiness-gate-unmet', 'node-not-ready', 'pod-starting'],
  run({ service, pods, slices, events, nodes, listeners, probeAnswers, ...owners }) {
    const now = situation(service, pods, slices);
    if (now.own.length === 0) return skip('there are no pods');
    const known = nodes.seen ? nodes.value : [];
    const lost = now.own.filter((p) => p.spec.nodeName != null && downAmong(known).has(p.spec.nodeName));
    // Containers that run, in pods whose node reports: a probe or a gate is the reason why they are not ready.
    const waiting = now.own.filter(
      (p) =>
        !isReady(p) && !lost.includes(p) && p.status.containerStatuses.length > 0 && (lastingStatuses(p).every((s) => s.state.running) || blockedBySidecar(p)),
    );
    const isMarked = (p: Pod) => lastingStatuses(p).every((s) => s.ready) && p.spec.readinessGates.length === 0;
    // Without a gate of its own such a pod is marked by the node controller.
    if (!nodes.seen && waiting.some(isMarked)) return unknown(`${nodes.what}: ${nodes.why}`);
    const gated = waiting.filter((p) => lastingStatuses(p).every((s) => s.ready));
    const failing = Map.groupBy(
      waiting.filter((p) => failingIn(p) !== undefined),
      sameProbe,
    );
    // A probe that failed and one that has not run yet differ by their events only.
    if (!events.seen && failing.size > 0 && !now.othersServe) return unknown(`${events.what}: ${events.why}`);
    const findings = [
      ...onLostNode(lost, now, known),
      ...onUnmetGate(gated, now, owners),
      ...[...failing.values()].flatMap(([first, ...others]) => (first ? [onProbe([first, ...others], now, events, { listeners, probeAnswers, owners })] : [])),
    ];
    return judged(findings, `${now.own.filter(isReady).length} of ${plural(now.own.length, 'pod')} ready`);
  },
});
