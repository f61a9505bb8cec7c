import { randomBytes } from 'node:crypto';
import type { Cluster, Result } from '../cluster/index.ts';
import { failed, noRule, ok } from '../cluster/index.ts';

export const managedBy = { 'app.kubernetes.io/managed-by': 'k8s-doctor' } as const;

/** After this many seconds the kubelet ends a debug pod, even if k8s-doctor was killed. */
export const deadlineS = 60;

export interface DebugPodOptions {
  namespace: string;
  image: string;
  /** Who runs this, for a person who finds the pod. */
  owner: string;
  /** Labels besides the project's own, such as the client's labels that policies select. */
  labels?: Record<string, string>;
  /** The pod that it replaces as a client, which then owns it. */
  standsFor?: { name: string; uid: string };
  node?: string | null;
  hostNetwork?: boolean;
  script: string;
}

/** Everything that k8s-doctor has created in the cluster, removed at every end of a run; the removal waits for a running creation. */
export interface Janitor {
  /** `thing`: a name for it, unique in the run. */
  add(thing: string, created: Promise<unknown>, remove: () => Promise<Result<void>>): void;
  /** Removes one, and says so if that fails. */
  remove(thing: string): Promise<Result<void>>;
  /** Removes all that are left. */
  removeAll(): Promise<Result<void>[]>;
}

export function openJanitor(): Janitor {
  interface Thing {
    created: Promise<unknown>;
    remove: () => Promise<Result<void>>;
    /** While it is being removed. */
    removal?: Promise<Result<void>>;
  }
  const things = new Map<string, Thing>();
  async function removed(thing: string, known: Thing): Promise<Result<void>> {
    await known.created;
    const result = await known.remove();
    if (result.ok) things.delete(thing);
    else delete known.removal;
    return result;
  }
  function remove(thing: string): Promise<Result<void>> {
    const known = things.get(thing);
    return known ? (known.removal ??= removed(thing, known)) : Promise.resolve(ok(undefined));
  }
  return {
    add: (thing, created, by) => void things.set(thing, { created, remove: by }),
    remove,
    removeAll: () => Promise.all([...things.keys()].map(remove)),
  };
}

/** For Pod Security `restricted`: no rights but to run as nobody in particular. */
export const restricted = {
  pod: { runAsNonRoot: true, runAsUser: 65534, runAsGroup: 65534, seccompProfile: { type: 'RuntimeDefault' } },
  container: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
} as const;

/** What all debug pods share: no token, small limits, a deadline, and never ready, so that no Service with the same labels sends them a request. */
export const podSpec = (image: string, script: string) => ({
  // API reference, PodReadinessGate.
  readinessGates: [{ conditionType: 'k8s-doctor/never' }],
  restartPolicy: 'Never',
  activeDeadlineSeconds: deadlineS,
  terminationGracePeriodSeconds: 0,
  automountServiceAccountToken: false,
  enableServiceLinks: false,
  securityContext: restricted.pod,
  containers: [
    {
      name: 'probe',
      image,
      imagePullPolicy: 'IfNotPresent',
      command: ['sh', '-c', script],
      securityContext: restricted.container,
      resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '500m', memory: '64Mi' } },
    },
  ],
});

/** The labels and annotations of a debug pod: whose it is, and that no mesh takes it in, by a container of its own or by redirecting its packets. */
export const podMeta = (owner: string, labels?: Record<string, string>) => ({
  labels: { ...labels, ...managedBy, 'sidecar.istio.io/inject': 'false', 'istio.io/dataplane-mode': 'none' },
  annotations: { 'k8s-doctor/owner': owner, 'sidecar.istio.io/inject': 'false', 'linkerd.io/inject': 'disabled' },
});

/** The pod as it is created: `restricted` Pod Security where it does not need the node's network. */
export function manifest(name: string, options: DebugPodOptions): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: options.namespace,
      ...podMeta(options.owner, options.labels),
      // With a controller already, it is no orphan that a ReplicaSet with the same labels would take for its own
      // (Kubernetes documentation, "Non-Template Pod acquisitions"); and it goes when that pod goes.
      ...(options.standsFor && { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', ...options.standsFor, controller: true, blockOwnerDeletion: false }] }),
    },
    spec: {
      ...podSpec(options.image, options.script),
      ...(options.hostNetwork && { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }),
      ...(options.node && { nodeName: options.node, tolerations: [{ operator: 'Exists' }] }),
    },
  };
}

interface PodState {
  spec?: { nodeName?: string };
  status?: {
    phase?: string;
    reason?: string;
    message?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
    containerStatuses?: {
      state?: { waiting?: { reason?: string; message?: string }; terminated?: { exitCode?: number; reason?: string; message?: string } };
    }[];
  };
}

export interface DebugPodRun {
  name: string;
  node: string | null;
  output: string;
}

/** The failure where the run ended before something was created. */
export const ended = (what: string) => failed({ reason: 'timed-out', what, why: 'the run has ended', rule: noRule });

/** States of a container that do not change by waiting. */
export const isStuck = (reason: string | undefined): boolean =>
  /^(ErrImagePull|ImagePullBackOff|InvalidImageName|CreateContainer.*Error|RunContainerError)$/.test(reason ?? '');

/** A name that no other pod has. */
export const debugName = (): string => `k8s-doctor-${randomBytes(4).toString('hex')}`;

/**
 * Creates a pod, follows it until `onState` says that it is done (or the problem because of which it never will be), lets `use` read what
 * it wrote, and removes it in every case.
 */
export async function withPod<S, T>(
  { cluster, janitor, signal }: { cluster: Cluster; janitor: Janitor; signal: AbortSignal },
  { namespace, name, pod, what }: { namespace: string; name: string; pod: object; what: string },
  onState: (state: S) => 'wait' | 'done' | { problem: string },
  use: (last: S) => Promise<Result<T>>,
): Promise<Result<T>> {
  // A run that has ended has been cleaned up after: nothing may be created any more.
  if (signal.aborted) return ended(what);
  const creation = cluster.createPod(namespace, pod);
  const thing = `pod ${namespace}/${name}`;
  janitor.add(thing, creation, () => cluster.deletePod(namespace, name));
  const created = await creation;
  if (!created.ok) return created;
  try {
    let last = {} as S;
    let problem: string | undefined;
    const watched = await cluster.watchPods(namespace, { name }, signal, (state) => {
      last = state as S;
      const now = onState(last);
      if (typeof now === 'object') problem = now.problem;
      return now === 'wait';
    });
    if (problem !== undefined) return failed({ reason: 'not-possible', what, why: problem.slice(0, 300), rule: noRule });
    return watched.ok ? await use(last) : watched;
  } finally {
    // The verdict does not wait for it; the end of the run does.
    void janitor.remove(thing);
  }
}

/**
 * Creates a debug pod whose one process runs the script, waits for its end, reads its log and removes it.
 * An image that can't be pulled or a pod that no node takes ends the wait at once.
 */
export function runDebugPod(
  cluster: Cluster,
  janitor: Janitor,
  options: DebugPodOptions,
  signal: AbortSignal,
  onProgress: (text: string) => void,
): Promise<Result<DebugPodRun>> {
  const name = debugName();
  const { namespace } = options;
  const what = `a debug pod in namespace ${namespace}`;
  onProgress('creating a debug pod');
  return withPod<PodState, DebugPodRun>(
    { cluster, janitor, signal },
    { namespace, name, what, pod: manifest(name, options) },
    ({ status }) => {
      const { waiting, terminated } = status?.containerStatuses?.[0]?.state ?? {};
      const unscheduled = status?.conditions?.find((c) => c.type === 'PodScheduled' && c.status === 'False');
      onProgress(`debug pod: ${waiting?.reason === 'ContainerCreating' ? 'starting' : (status?.phase ?? 'waiting').toLowerCase()}`);
      if (isStuck(waiting?.reason)) return { problem: `${waiting?.reason}: ${waiting?.message ?? ''}` };
      if (unscheduled) return { problem: `no node takes it: ${unscheduled.message ?? unscheduled.reason}` };
      // The pod's phase follows a second later.
      return terminated || status?.phase === 'Succeeded' || status?.phase === 'Failed' ? 'done' : 'wait';
    },
    async ({ spec, status }) => {
      const log = await cluster.logs(namespace, name, 'probe', { tailLines: 5000 });
      if (!log.ok) return log;
      const terminated = status?.containerStatuses?.[0]?.state?.terminated;
      if ((status?.phase === 'Failed' || terminated?.exitCode) && !log.value) {
        const reason = status?.reason ?? terminated?.reason ?? 'an error';
        const why = `it ended with ${reason}: ${status?.message ?? terminated?.message ?? 'its image may have no shell'}`;
        return failed({ reason: 'not-possible', what, why, rule: noRule });
      }
      return ok({ name, node: spec?.nodeName ?? null, output: log.value });
    },
  );
}

const known = [/\bnetshoot\b/, /\bbusybox\b/, /\bdnsutils\b/, /\balpine\b/, /\bcurlimages\/curl\b/, /\bdebian\b/, /\bubuntu\b/];

/** Asked for where no node has an image of the known list. */
export const defaultImage = 'docker.io/library/busybox:1.37';

/** An image with a shell and network tools that the nodes already have; `imagesByNode` holds each node's image names. */
export function chooseImage(imagesByNode: readonly string[][]): string {
  const names = imagesByNode.flat().filter((n) => !n.includes('@sha256:'));
  for (const pattern of known) {
    const have = names.filter((n) => pattern.test(n));
    // The one that most nodes have: where the pod will run is the scheduler's choice.
    const best = [...new Set(have)].toSorted((a, b) => have.filter((n) => n === b).length - have.filter((n) => n === a).length)[0];
    if (best) return best;
  }
  return defaultImage;
}
