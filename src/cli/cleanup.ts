import { CannotRun } from '../catalog/words.ts';
import { connect, type ConnectOptions, resources } from '../cluster/index.ts';
import { labelText } from '../facts/selectors.ts';
import { managedBy } from '../probes/debug-pod.ts';

interface Found {
  metadata: { namespace: string; name: string };
}

/** Removes all debug pods of k8s-doctor in a namespace, or in all. Throws CannotRun where they can't be listed. */
export async function cleanup(options: ConnectOptions & { allNamespaces: boolean }, env: NodeJS.ProcessEnv, out: NodeJS.WriteStream): Promise<number> {
  const cluster = await connect(options, env);
  try {
    const namespace = options.allNamespaces ? undefined : cluster.namespace;
    const found = await cluster.list(resources.pods, {
      namespace,
      labelSelector: labelText(managedBy),
    });
    if (!found.ok) throw new CannotRun(`The debug pods cannot be listed (${found.failure.why}); check your rights and the cluster.`);
    const pods = found.value as Found[];
    const results = await Promise.all(pods.map(async (p) => ({ pod: p, removed: await cluster.deletePod(p.metadata.namespace, p.metadata.name) })));
    for (const { pod, removed } of results)
      out.write(`${pod.metadata.namespace}/${pod.metadata.name} ${removed.ok ? 'removed' : `not removed (${removed.failure.why})`}\n`);
    if (pods.length === 0) out.write(`No debug pods in ${namespace === undefined ? 'the cluster' : `namespace ${namespace}`}.\n`);
    return results.every((r) => r.removed.ok) ? 0 : 1;
  } finally {
    cluster.close();
  }
}
