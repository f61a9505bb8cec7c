import { type Cluster, failed, noRule, ok, type Result } from '../cluster/index.ts';
import { deadlineS, debugName, ended, isStuck, restricted } from './debug-pod.ts';

interface PodState {
  status?: {
    ephemeralContainerStatuses?: {
      name: string;
      state?: { waiting?: { reason?: string; message?: string }; terminated?: { reason?: string; message?: string } };
    }[];
  };
}

/**
 * Runs a script in an ephemeral container of a pod: with the pod's own addresses, and under the same policies. Its process
 * ends by itself, within a minute whatever happens; the container stays listed in the pod for as long as the pod lives.
 * Kubernetes documentation, "Ephemeral Containers".
 */
export async function runEphemeral(
  cluster: Cluster,
  where: { namespace: string; pod: string },
  image: string,
  script: string,
  signal: AbortSignal,
  onProgress: (text: string) => void,
): Promise<Result<string>> {
  const name = debugName();
  const what = `an ephemeral container in pod ${where.namespace}/${where.pod}`;
  onProgress(`adding an ephemeral container (${image}) to pod/${where.pod}; it stays listed there`);
  if (signal.aborted) return ended(what);
  const added = await cluster.addEphemeralContainer(where.namespace, where.pod, {
    name,
    image,
    imagePullPolicy: 'IfNotPresent',
    // The script waits for all that it started, so the watcher must not be its child.
    command: ['sh', '-c', `sh -c "$0" & p=$!; (sleep ${deadlineS}; kill -9 $p) </dev/null >/dev/null 2>&1 & wait $p`, script],
    securityContext: { ...restricted.pod, ...restricted.container },
  } as { name: string });
  if (!added.ok) return added;
  let problem: string | undefined;
  const watched = await cluster.watchPods(where.namespace, { name: where.pod }, signal, (pod) => {
    const state = (pod as PodState).status?.ephemeralContainerStatuses?.find((s) => s.name === name)?.state;
    if (isStuck(state?.waiting?.reason)) problem = `${state?.waiting?.reason}: ${state?.waiting?.message ?? ''}`;
    return problem === undefined && !state?.terminated;
  });
  if (problem !== undefined) return failed({ reason: 'not-possible', what, why: problem.slice(0, 300), rule: noRule });
  if (!watched.ok) return watched;
  const log = await cluster.logs(where.namespace, where.pod, name, { tailLines: 5000 });
  return log.ok ? ok(log.value) : log;
}
