import type { ContainerStatus, Event, Pod } from '../../src/facts/objects.ts';
import { isGood, isReady, isSidecarIn } from '../../src/facts/selectors.ts';
import { check, type Draft, type Evidence, judged, skip, unknown } from '../check.ts';
import { plural } from '../format.ts';
import { kubectl } from '../fix.ts';
import { moreMemory, otherImage, rolledBack } from './container-fixes.ts';
import { ownerFacts, ownerOf } from './owner.ts';
import { containersOf, containerTitle, eventEvidence, eventsOf, grouped, logEvidence, named, situation, weight } from './service-pods.ts';

type Code = 'image-pull-failing' | 'container-crashing' | 'out-of-memory' | 'container-config-error' | 'pod-starting';

interface Trouble {
  code: Code;
  pod: Pod;
  status: ContainerStatus;
  /** Pods with the same text have the same trouble. */
  text: string;
  /** What Kubernetes says of it. */
  why: string;
}

const pulling = /^(ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|ImageInspectError|RegistryUnavailable|SignatureValidationFailed)$/;
const configuration = /^(CreateContainerConfigError|CreateContainerError|RunContainerError|CreatePodSandboxError|PreStartHookError|PostStartHookError)$/;
const starting = /^(ContainerCreating|PodInitializing)$/;

/** An exit code with its signal, reason and last message. */
function exit(t: { exitCode: number; reason?: string | null | undefined; signal?: number | undefined; message?: string | null | undefined }): string {
  const killedBy = t.exitCode > 128 && t.exitCode < 160 ? ` (signal ${t.exitCode - 128})` : '';
  return `exit code ${t.exitCode}${killedBy}${t.reason && t.reason !== 'Error' ? `, ${t.reason}` : ''}${t.message ? `: ${t.message.trim().split('\n').at(-1)}` : ''}`;
}

/** Why a container waits, from its pod's events: its status is `ContainerCreating` until the kubelet updates it. */
function byEvents(status: ContainerStatus, said: readonly Event[]): Omit<Trouble, 'pod' | 'status'> | undefined {
  const pull = said.find((e) => e.reason === 'Failed' && /pull/i.test(e.message) && e.message.includes(status.image));
  if (pull) return { code: 'image-pull-failing', text: status.image, why: pull.message };
  // Other mounts fail for a moment while the kubelet's caches fill.
  const mount = said.find((e) => e.reason === 'FailedMount' && /not found|references non-existent/.test(e.message));
  return mount && { code: 'container-config-error', text: mount.message, why: mount.message };
}

/** `failing`: a connection to the pod failed, so what its containers went through a moment ago counts although they run again. */
function troubleOf(pod: Pod, status: ContainerStatus, said: () => readonly Event[], failing: boolean): Omit<Trouble, 'pod' | 'status'> | undefined {
  const ended = status.state.terminated ?? status.lastState.terminated;
  // Nearly all containers run, and have always done so.
  if (!status.state.waiting && !ended && !pod.status.initContainerStatuses.includes(status)) return undefined;
  const waiting = status.state.waiting?.reason ?? '';
  const why = [waiting, status.state.waiting?.message].filter(Boolean).join(': ');
  if (pulling.test(waiting)) return { code: 'image-pull-failing', text: status.image, why };
  if (configuration.test(waiting)) return { code: 'container-config-error', text: why, why };
  const isInit = pod.status.initContainerStatuses.includes(status) && !isSidecarIn(pod, status.name);
  // A finished init container, or one whose last run is long over and that is ready now, is no trouble.
  if (ended && ended.exitCode !== 0 && (!status.ready || (failing && !isInit))) {
    if (ended.reason === 'OOMKilled') return { code: 'out-of-memory', text: status.name, why };
    return { code: 'container-crashing', text: `${status.name} ${ended.exitCode}`, why };
  }
  // The kubelet restarts a program that ends without an error, too; a server must not end.
  if (!isInit && waiting === 'CrashLoopBackOff') return { code: 'container-crashing', text: `${status.name} ${ended?.exitCode ?? ''}`, why };
  // The other containers wait until an init container has ended.
  if (isInit && status.state.running) return { code: 'pod-starting', text: `init ${status.name}`, why: 'running' };
  if (starting.test(waiting)) return byEvents(status, said()) ?? { code: 'pod-starting', text: waiting, why };
  return undefined;
}

export const containers = check({
  id: 'pods/containers',
  title: "Each pod's containers run",
  needs: ['service', 'pods'],
  uses: ['slices', 'events', 'podLogs', 'connections', 'nodes', ...ownerFacts],
  codes: ['image-pull-failing', 'container-crashing', 'out-of-memory', 'container-config-error', 'pod-starting'],
  run({ service, pods, slices, events, podLogs, connections, nodes, ...owners }) {
    const now = situation(service, pods, slices);
    if (now.own.length === 0) return skip('there are no pods');
    const made = connections.seen ? connections.value.list.filter((c) => c.hop === 'endpoint') : [];
    const isFailing = (p: Pod) => made.some((c) => c.pod === p.metadata.name && !isGood(c));
    const failsThoughReady = (p: Pod) => made.length > 0 && isReady(p) && isFailing(p);
    const troubles = now.own.flatMap((pod): Trouble[] => {
      const found = containersOf(pod).flatMap((status) => {
        const t = troubleOf(pod, status, () => eventsOf(events, 'Pod', pod.metadata.name), failsThoughReady(pod));
        return t ? [{ pod, status, ...t }] : [];
      });
      // Containers after a failing init container wait for it; that is not a fault of their own.
      return found.filter((t) => t.code !== 'pod-starting').length > 0 ? found.filter((t) => t.code !== 'pod-starting').slice(0, 1) : found.slice(0, 1);
    });
    // A container that cannot be created and one that is only starting differ by the events of their pod.
    if (!events.seen && troubles.some((t) => t.code === 'pod-starting' && t.why.startsWith('ContainerCreating')))
      return unknown(`${events.what}: ${events.why}`);
    const groups = Map.groupBy(troubles, (t) => `${t.code} ${t.text}`);
    const findings = [...groups.values()].map((group): Draft<Code> => {
      const { code, pod, status, why } = group[0] as Trouble;
      const affected = group.map((t) => t.pod);
      const { message, evidence, fix } = describeTrouble(code, pod, status, why, named(affected, now.own));
      const owner = ownerOf(pod, owners);
      const changes = [
        ...(code === 'pod-starting' ? [] : rolledBack(owner, status.name, owners.replicaSets)),
        ...(code === 'image-pull-failing' ? otherImage(owner, status.name, status.image, nodes) : []),
        ...(code === 'out-of-memory' ? moreMemory(owner, status.name) : []),
      ];
      const said = eventsOf(
        events,
        'Pod',
        pod.metadata.name,
        code === 'image-pull-failing' ? /^Failed$/ : code === 'pod-starting' ? /^Failed/ : /^(Failed|BackOff)$/,
      );
      const usual = said
        .filter((e) => code !== 'image-pull-failing' || e.message.includes(status.image) || /pull/i.test(e.message))
        .slice(0, 2)
        .map(eventEvidence);
      return grouped(affected, {
        code,
        // A pod that counts as ready gets connections, and they fail.
        ...(affected.some(failsThoughReady)
          ? { severity: 'error' as const, scope: now.own.filter(isReady).every(isFailing) ? ('all' as const) : ('part' as const) }
          : weight(now)),
        confidence: 'confirmed',
        message,
        evidence: [...evidence, ...usual, ...logEvidence(podLogs, pod, status.name)],
        fix: [...changes, ...fix],
      });
    });
    return judged(findings);
  },
});

function describeTrouble(
  code: Code,
  pod: Pod,
  status: ContainerStatus,
  why: string,
  who: string,
): { message: string; evidence: Evidence[]; fix: Draft['fix'] } {
  const { namespace, name } = pod.metadata;
  const waiting = status.state.waiting;
  const ended = status.state.terminated ?? status.lastState.terminated;
  const describe = kubectl(namespace, 'describe', 'pod', name);
  const title = containerTitle(pod, status.name);
  const line = (text: string): Evidence => ({ source: 'status', text: `${name}, container ${status.name}: ${text}` });
  switch (code) {
    case 'image-pull-failing':
      return {
        message: `${title} of ${who}: image ${status.image} cannot be pulled`,
        evidence: [line(why)],
        fix: [{ text: `Correct the image name and tag of container "${status.name}", or the imagePullSecrets for its registry`, command: describe }],
      };
    case 'container-config-error':
      return {
        message: `${title} of ${who} cannot start: ${waiting?.message || why}`,
        evidence: [line(why)],
        fix: [{ text: 'Create the ConfigMap or Secret that it refers to, or correct the reference in the pod template', command: describe }],
      };
    case 'out-of-memory':
      return {
        message: `${title} of ${who} is killed because it uses more memory than its limit (${plural(status.restartCount, 'restart')})`,
        evidence: ended ? [line(exit(ended))] : [],
        fix: [{ text: `Raise the memory limit of container "${status.name}", or reduce its memory use`, command: describe }],
      };
    case 'container-crashing':
      return {
        message: `${title} of ${who} ends soon after its start with ${ended ? exit(ended) : 'an unknown exit code'} (${plural(status.restartCount, 'restart')})`,
        evidence: [line(`${waiting?.reason ?? (status.state.terminated ? 'terminated' : 'restarted')}${ended ? `, last run: ${exit(ended)}` : ''}`)],
        fix: [
          {
            text: `Read the last log lines of container "${status.name}", and correct its configuration or command`,
            command: kubectl(namespace, 'logs', name, '-c', status.name, '--previous'),
          },
        ],
      };
    case 'pod-starting':
      return {
        message: status.state.running
          ? `${title} of ${who} has not finished: it runs since ${status.state.running.startedAt ?? 'its start'}, and the other containers wait for it`
          : `${title} of ${who} is still starting`,
        evidence: [line(status.state.running ? `running since ${status.state.running.startedAt ?? 'its start'}` : (waiting?.reason ?? 'starting'))],
        fix: status.state.running
          ? [{ text: `Read the log of container "${status.name}": what does it wait for?`, command: kubectl(namespace, 'logs', name, '-c', status.name) }]
          : [{ text: 'Wait until it has started, or read the events of the pod', command: describe }],
      };
  }
}
