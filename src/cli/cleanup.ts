import { CannotRun } from '../catalog/cannot-run.ts';
import { connect, type ConnectOptions, resources, type Result } from '../cluster/index.ts';
import { labelText } from '../facts/selectors.ts';
import { managedBy } from '../probes/debug-pod.ts';

interface Found {
  metadata: { namespace: string; name: string };
}

/** Removes all debug pods of k8s-doctor, and the Jobs that made some of them, in a namespace or in all. Throws CannotRun where they can't be listed. */
export async function cleanup(options: ConnectOptions & { allNamespaces: boolean }, env: NodeJS.ProcessEnv, out: NodeJS.WriteStream): Promise<number> {
  const cluster = await connect(options, env);
  try {
    const namespace = options.allNamespaces ? undefined : cluster.namespace;
    const listed = async (resource: typeof resources.pods | typeof resources.jobs) =>
      cluster.list(resource, { namespace, labelSelector: labelText(managedBy) });
    const [jobs, pods] = await Promise.all([listed(resources.jobs), listed(resources.pods)]);
    if (!pods.ok) throw new CannotRun(`The debug pods cannot be listed (${pods.failure.why}); check your rights and the cluster.`);
    let bad = 0;
    const report = (what: string, removed: Result<void>) => {
      if (!removed.ok) bad++;
      out.write(`${what} ${removed.ok ? 'removed' : `not removed (${removed.failure.why})`}\n`);
    };
    // Jobs first: they would create their pods again.
    if (!jobs.ok) out.write(`Jobs of --matrix cannot be listed (${jobs.failure.why}); they end and go by themselves.\n`);
    for (const { metadata: m } of (jobs.ok ? jobs.value : []) as Found[])
      report(`${m.namespace}/${m.name} (Job)`, await cluster.deleteJob(m.namespace, m.name));
    const found = pods.value as Found[];
    const results = await Promise.all(found.map(async ({ metadata: m }) => ({ m, removed: await cluster.deletePod(m.namespace, m.name) })));
    for (const { m, removed } of results) report(`${m.namespace}/${m.name}`, removed);
    if (found.length === 0) out.write(`No debug pods in ${namespace === undefined ? 'the cluster' : `namespace ${namespace}`}.\n`);
    return bad === 0 ? 0 : 1;
  } finally {
    cluster.close();
  }
}
