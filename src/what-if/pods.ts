/** Pods as their workload's template makes them. */
import type { Node, Pod, Workload } from '../facts/objects.ts';
import { keptOff } from '../facts/scheduling.ts';
import { familyOf, isReady, isSidecar } from '../facts/selectors.ts';

type Template = Workload['spec']['template'];
type Container = Pod['spec']['containers'][number];

export const json = JSON.stringify;
/** A container without what only judges it. */
const program = ({ name, image, restartPolicy, resources, portHints }: Container): unknown => ({ name, image, restartPolicy, resources, portHints });
/** The same without the room that it gets: a program listens where it does with more memory, too. */
export const withoutRoom = ({ name, image, portHints }: Container): unknown => ({ name, image, portHints });
/** What decides where a pod may run. */
const placing = (spec: Template['spec']) => json([spec.nodeSelector, spec.affinity, spec.tolerations, spec.containers.map((c) => c.resources)]);

/** Whether what keeps a pod from being ready would be the same in a pod of the new template. */
export function isStillBroken(pod: Pod, before: Template['spec'], after: Template['spec'], nodes: readonly Node[]): boolean {
  if (isReady(pod)) return false;
  if (pod.spec.nodeName === undefined) return placing(before) === placing(after) || !nodes.some((n) => keptOff(after, n) === undefined);
  const statuses = [...pod.status.initContainerStatuses, ...pod.status.containerStatuses];
  const ill = statuses.find((s) => s.state.waiting || s.state.terminated?.exitCode) ?? statuses.find((s) => !s.ready);
  const [old, now] = [before, after].map((t) => [...t.initContainers, ...t.containers].find((c) => c.name === ill?.name));
  if (!old || !now) return false;
  if (/Image|ErrImage/.test(ill?.state.waiting?.reason ?? '')) return old.image === now.image;
  if (ill?.state.running)
    return (
      json([old.readinessProbe, old.startupProbe]) === json([now.readinessProbe, now.startupProbe]) &&
      json(before.readinessGates) === json(after.readinessGates)
    );
  return json(program(old)) === json(program(now));
}

const running = (c: Container) => ({ name: c.name, ready: true, started: true, restartCount: 0, image: c.image, state: { running: {} }, lastState: {} });

/** An address of each of a node's ranges; of those for documentation where the ranges are not known (RFC 5737, RFC 3849). */
function freeAddresses(node: Node | undefined, index: number): string[] {
  const known = node?.spec.podCIDRs ?? [];
  const last = 200 + (index % 50);
  return (known.length > 0 ? known : ['192.0.2.0/24', '2001:db8::/64']).map((range) =>
    familyOf(range) === 'IPv6' ? range.replace(/:[^:/]*\/\d+$/, `:${last.toString(16)}`) : range.replace(/\d+\/\d+$/, String(last)),
  );
}

/** A pod of a template that runs and is ready, in the place of one that was there or on some node. */
export function readyPod(w: Workload, kind: string, index: number, old: Pod | undefined, node: Node | undefined): Pod {
  const { template } = w.spec;
  const name = old?.metadata.name ?? `${w.metadata.name}-${index}`;
  const nodeName = old?.spec.nodeName ?? node?.metadata.name;
  const ips = old && old.status.podIPs.length > 0 ? old.status.podIPs : freeAddresses(node, index).map((ip) => ({ ip }));
  return {
    metadata: {
      ...(old?.metadata ?? {
        name,
        namespace: w.metadata.namespace,
        uid: undefined,
        ownerReferences: [{ kind, name: w.metadata.name, controller: true, uid: undefined }],
      }),
      deletionTimestamp: null,
      labels: { ...template.metadata.labels },
    },
    spec: { ...template.spec, nodeName, hostname: old?.spec.hostname },
    status: {
      phase: 'Running',
      podIP: ips[0]?.ip,
      podIPs: ips,
      hostIP: old?.status.hostIP,
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: template.spec.containers.map(running),
      initContainerStatuses: template.spec.initContainers.filter(isSidecar).map(running),
    },
  };
}

/** The status of a workload whose pods are all ready. */
export const statusOf = (n: number): Workload['status'] => ({
  replicas: n,
  readyReplicas: n,
  updatedReplicas: n,
  desiredNumberScheduled: n,
  numberReady: n,
  conditions: [{ type: 'Available', status: 'True' }],
});
