/** One script on each of many nodes: an indexed Job spreads its pods over them, and is removed afterwards. */
import { type Cluster, ok, type Result } from '../cluster/index.ts';
import { deadlineS, debugName, ended, isStuck, type Janitor, managedBy, podMeta, podSpec } from './debug-pod.ts';

export interface NodeRun {
  output: string;
  /** Why there is none; empty where there is. */
  problem: string;
}

interface PodState {
  metadata: { name: string; deletionTimestamp?: string };
  spec?: { nodeName?: string };
  status?: {
    phase?: string;
    message?: string;
    containerStatuses?: { state?: { waiting?: { reason?: string; message?: string } } }[];
    conditions?: { type: string; status: string; message?: string }[];
  };
}

interface JobOptions {
  namespace: string;
  image: string;
  owner: string;
  /** Beside the project's own, such as those of a client that policies select by. */
  labels: Record<string, string>;
  /** By name: the label kubernetes.io/hostname of each. */
  nodes: ReadonlyMap<string, string>;
  script: string;
}

/** No second pod on a node while the first is there: the script has to stay until all have a place. */
const linger = 'sleep 2';

/**
 * The Job: as many pods as nodes, one on each, without retries. Kubernetes ends it after a minute and removes it soon after
 * (API reference, JobSpec: activeDeadlineSeconds, ttlSecondsAfterFinished), even if k8s-doctor was killed.
 */
export function jobManifest(name: string, { namespace, image, owner, labels, nodes, script }: JobOptions): object {
  const meta = podMeta(owner, labels);
  const key = 'kubernetes.io/hostname';
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace, labels: managedBy, annotations: meta.annotations },
    spec: {
      completionMode: 'Indexed',
      completions: nodes.size,
      parallelism: nodes.size,
      backoffLimit: 0,
      activeDeadlineSeconds: deadlineS,
      // Long enough to read what the pods wrote.
      ttlSecondsAfterFinished: 30,
      template: {
        metadata: { ...meta, labels: { ...meta.labels, 'k8s-doctor/job': name } },
        spec: {
          ...podSpec(image, `${script}\n${linger}\n`),
          activeDeadlineSeconds: undefined,
          tolerations: [{ operator: 'Exists' }],
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'In', values: [...nodes.values()] }] }],
              },
            },
            podAntiAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: key, labelSelector: { matchLabels: { 'k8s-doctor/job': name } } }],
            },
          },
        },
      },
    },
  };
}

/** Milliseconds after which a node that has not answered is left out. */
const patienceMs = 25_000;

/** What a pod's state means for its wait: over with words, over without, or going on. */
function endOf({ status }: PodState): string | null {
  const waiting = status?.containerStatuses?.[0]?.state?.waiting;
  if (isStuck(waiting?.reason)) return `${waiting?.reason}: ${waiting?.message ?? ''}`;
  if (status?.phase === 'Succeeded') return '';
  return status?.phase === 'Failed' ? status.message || 'its process failed' : null;
}

/** Runs the script once on each node and answers what each wrote, by node. The Job and its pods are removed in every case. */
export async function runOnNodes(
  context: { cluster: Cluster; janitor: Janitor; signal: AbortSignal; progress(text: string): void },
  options: JobOptions,
): Promise<Result<Map<string, NodeRun>>> {
  const { cluster, janitor, progress } = context;
  const { namespace, nodes } = options;
  const name = debugName();
  const pods = new Map<string, PodState>();
  const thing = `Job ${namespace}/${name}`;
  if (context.signal.aborted) return ended(thing);
  const creation = cluster.createJob(namespace, jobManifest(name, options));
  janitor.add(thing, creation, async () => {
    const removed = await cluster.deleteJob(namespace, name);
    // Garbage collection takes a second or two; what is known by name goes at once.
    const gone = await Promise.all([...pods.keys()].map((pod) => cluster.deletePod(namespace, pod)));
    return [removed, ...gone].find((r) => !r.ok) ?? ok(undefined);
  });
  const created = await creation;
  if (!created.ok) return created;
  try {
    const over = () => [...pods.values()].filter((p) => endOf(p) !== null);
    const signal = AbortSignal.any([context.signal, AbortSignal.timeout(patienceMs)]);
    const watched = await cluster.watchPods(namespace, { labelSelector: `k8s-doctor/job=${name}` }, signal, (pod) => {
      const state = pod as PodState;
      if (!state.metadata.deletionTimestamp) pods.set(state.metadata.name, state);
      progress(`matrix: ${over().length} of ${nodes.size} nodes are done`);
      return over().length < nodes.size;
    });
    if (!watched.ok && !(watched.failure.reason === 'timed-out' && !context.signal.aborted)) return watched;
    const runs = new Map<string, NodeRun>();
    await Promise.all(
      over().map(async (pod) => {
        const problem = endOf(pod) ?? '';
        const log = problem ? ok('') : await cluster.logs(namespace, pod.metadata.name, 'probe', {});
        runs.set(pod.spec?.nodeName ?? '', log.ok ? { output: log.value, problem } : { output: '', problem: log.failure.why });
      }),
    );
    const unplaced = [...pods.values()].map((p) => p.status?.conditions?.find((c) => c.type === 'PodScheduled' && c.status === 'False')?.message).find(Boolean);
    for (const node of nodes.keys())
      if (!runs.has(node)) runs.set(node, { output: '', problem: `no debug pod ran there${unplaced ? `: ${unplaced.slice(0, 200)}` : ''}` });
    return ok(runs);
  } finally {
    // The verdict does not wait for it; the end of the run does.
    void janitor.remove(thing);
  }
}
