import type { Pod } from '../../src/facts/objects.ts';
import { isReady } from '../../src/facts/selectors.ts';
import { check, type Draft, judged, skip } from '../check.ts';
import { plural, some } from '../format.ts';
import { kubectl } from '../fix.ts';
import { eventEvidence, eventsOf, grouped, named, situation, weight } from './service-pods.ts';

type Probe = NonNullable<Pod['spec']['containers'][number]['readinessProbe']>;

/** What a probe asks, as a person would write it. */
function asks(probe: Probe): string {
  if (probe.httpGet) return `GET ${probe.httpGet.path} on port ${probe.httpGet.port}`;
  if (probe.tcpSocket) return `a TCP connection to port ${probe.tcpSocket.port}`;
  if (probe.grpc) return `gRPC health on port ${probe.grpc.port}`;
  return 'a command in the container';
}

export const readiness = check({
  id: 'pods/readiness',
  title: 'Each pod is ready',
  needs: ['service', 'pods'],
  uses: ['slices', 'events', 'nodes', 'listeners'],
  codes: ['readiness-failing', 'readiness-gate-unmet', 'node-not-ready', 'pod-starting'],
  run({ service, pods, slices, events, nodes, listeners }) {
    const now = situation(service, pods, slices);
    if (now.own.length === 0) return skip('there are no pods');
    const findings: Draft<'readiness-failing' | 'readiness-gate-unmet' | 'node-not-ready' | 'pod-starting'>[] = [];

    const nodeDown = (p: Pod) =>
      nodes.seen && nodes.value.some((n) => n.metadata.name === p.spec.nodeName && n.status.conditions.some((c) => c.type === 'Ready' && c.status !== 'True'));
    const lost = now.own.filter(nodeDown);
    const firstLost = lost[0];
    if (firstLost && nodes.seen) {
      const node = nodes.value.find((n) => n.metadata.name === firstLost.spec.nodeName);
      const condition = node?.status.conditions.find((c) => c.type === 'Ready');
      const stillReady = lost.some(isReady);
      findings.push(
        grouped(lost, {
          code: 'node-not-ready',
          ...(stillReady ? { severity: 'error' as const, scope: lost.length === now.own.length ? ('all' as const) : ('part' as const) } : weight(now)),
          confidence: 'confirmed',
          message: `Node ${some([...new Set(lost.map((p) => p.spec.nodeName ?? ''))])}, on which ${named(lost, now.own)} ${lost.length === 1 ? 'runs' : 'run'}, is not ready: ${condition?.message ?? condition?.reason ?? 'it does not report'}`,
          evidence: [{ source: 'nodes', text: `${node?.metadata.name}: Ready is ${condition?.status}${condition?.reason ? ` (${condition.reason})` : ''}` }],
          fix: [{ text: 'See what the node suffers from', command: `kubectl describe node ${node?.metadata.name}` }],
        }),
      );
    }

    // Containers that run, in pods whose node reports: what keeps them from being ready is a probe or a gate.
    const waiting = now.own.filter(
      (p) => !isReady(p) && !lost.includes(p) && p.status.containerStatuses.length > 0 && p.status.containerStatuses.every((s) => s.state.running),
    );
    const gated = waiting.filter((p) => p.status.containerStatuses.every((s) => s.ready));
    const firstGated = gated[0];
    if (firstGated) {
      const unmet = firstGated.spec.readinessGates
        .map((g) => g.conditionType)
        .filter((type) => !firstGated.status.conditions.some((c) => c.type === type && c.status === 'True'));
      findings.push(
        grouped(gated, {
          code: 'readiness-gate-unmet',
          ...weight(now),
          confidence: 'confirmed',
          message:
            unmet.length > 0
              ? `The containers of ${named(gated, now.own)} are ready, but the readiness gate ${unmet.join(', ')} is not met`
              : `The containers of ${named(gated, now.own)} are ready, the pod is not`,
          evidence: [
            {
              source: 'status',
              text: firstGated.status.conditions
                .filter((c) => c.type === 'Ready' || unmet.includes(c.type))
                .map((c) => `${c.type}: ${c.status}${c.message ? ` (${c.message})` : ''}`)
                .join('; '),
            },
          ],
          fix: [
            {
              text: `Check what should set the condition ${unmet.join(', ') || 'Ready'} (a load balancer's controller, an operator)`,
              command: kubectl(firstGated.metadata.namespace, 'describe', 'pod', firstGated.metadata.name),
            },
          ],
        }),
      );
    }

    const failing = waiting.filter((p) => !gated.includes(p));
    const groups = Map.groupBy(failing, (p) => {
      const status = p.status.containerStatuses.find((s) => !s.ready);
      const spec = p.spec.containers.find((c) => c.name === status?.name);
      return `${status?.name} ${status?.started === false} ${JSON.stringify(spec?.readinessProbe ?? null)}`;
    });
    for (const affected of groups.values()) {
      const pod = affected[0] as Pod;
      const status = pod.status.containerStatuses.find((s) => !s.ready);
      const container = pod.spec.containers.find((c) => c.name === status?.name);
      const byStartup = status?.started === false && container?.startupProbe;
      const probe = byStartup ? container?.startupProbe : container?.readinessProbe;
      const said = affected.flatMap((p) =>
        eventsOf(events, 'Pod', p.metadata.name, /^Unhealthy$/)
          .filter((e) => e.message.startsWith(byStartup ? 'Startup' : 'Readiness'))
          .slice(0, 1),
      );
      const result = said[0]?.message.replace(/^(?:Readiness|Startup) probe (?:failed|errored)[^:]*: */, '').trim();
      const heard = listeners.seen ? affected.map((p) => listeners.value[p.metadata.name]).find((l) => l?.seen) : undefined;
      const sockets = heard?.seen ? heard.value.sockets : null;
      const listening = sockets ? [...new Set(sockets.filter((s) => s.protocol === 'tcp').map((s) => `${s.address}:${s.port}`))] : undefined;
      const kind = byStartup ? 'startup' : 'readiness';
      // Without a failed attempt the probe has not been asked yet: the pod is young.
      const young = said.length === 0 && events.seen;
      findings.push(
        grouped(affected, {
          code: young ? 'pod-starting' : 'readiness-failing',
          ...weight(now),
          confidence: 'confirmed',
          message: young
            ? `${named(affected, now.own)} started a moment ago, and ${affected.length === 1 ? 'is' : 'are'} not ready yet`
            : `The ${kind} probe of ${named(affected, now.own)} fails: ${probe ? asks(probe) : 'it'}${result ? ` is answered with: ${result}` : ' does not succeed'}`,
          evidence: [
            ...(probe ? [{ source: 'pods', text: `container ${container?.name}: ${kind} probe asks ${asks(probe)}` }] : []),
            ...said.slice(0, 2).map(eventEvidence),
            ...(listening ? [{ source: 'sockets', text: `${pod.metadata.name} listens on ${some(listening, 5) || 'no TCP port'}` }] : []),
          ],
          fix: [
            {
              text: probe?.httpGet
                ? `Make the program answer ${probe.httpGet.path} with 200, or correct the probe's path and port`
                : 'Make the program pass its probe, or correct the probe',
              command: kubectl(pod.metadata.namespace, 'describe', 'pod', pod.metadata.name),
            },
          ],
        }),
      );
    }
    return judged(`${now.own.filter(isReady).length} of ${plural(now.own.length, 'pod')} ready`, findings);
  },
});
