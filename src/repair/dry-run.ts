import * as v from 'valibot';
import type { Change, Fix } from '../catalog/finding.ts';
import { type Cluster, resources } from '../cluster/index.ts';
import { seen, unseen } from '../facts/fact.ts';
import type { Facts, FactTypes } from '../facts/facts.ts';
import { redact } from '../facts/redact.ts';
import { send } from './send.ts';

/** Asks the API server of each fix whether it would take its changes, with the user's own rights; nothing is kept (`dryRun=All`). By command. */
export async function tryFixes(cluster: Cluster, fixes: readonly Fix[], signal: AbortSignal): Promise<FactTypes['dryRuns']> {
  const tried = await Promise.all(
    fixes.map(async ({ command, changes = [] }) => {
      // A pod that is deleted is no change that admission judges.
      const judged = changes.filter((c) => c.how !== 'restart');
      if (command === undefined || judged.length === 0) return [];
      const answers = await Promise.all(judged.map((change) => send(cluster, change, { dryRun: true, signal })));
      const refusal = answers.find((a) => !a.ok);
      const message =
        !refusal || refusal.ok
          ? 'the API server accepts it'
          : refusal.failure.reason === 'forbidden'
            ? `not tried: ${redact(refusal.failure.why)}`
            : `refused: ${redact(refusal.failure.why)}`;
      return [[command, { accepted: !refusal, message }] as const];
    }),
  );
  return Object.fromEntries(tried.flat());
}

const named = v.array(
  v.object({
    metadata: v.object({ name: v.string() }),
    spec: v.optional(v.object({ selector: v.nullish(v.record(v.string(), v.string()), {}) }), { selector: {} }),
  }),
);

/** The other Services of a namespace, to see which of them notice that pods are replaced. */
export async function otherServices(
  cluster: Cluster,
  { namespace, name }: { namespace: string; name: string },
  signal: AbortSignal,
): Promise<Facts['otherServices']> {
  const listed = await cluster.list(resources.services, { namespace, signal });
  const what = `the other Services of namespace ${namespace}`;
  if (!listed.ok) return unseen('not-needed', what, listed.failure.why);
  const read = v.safeParse(named, listed.value);
  if (!read.success) return unseen('malformed', what, read.issues[0].message);
  return seen(read.output.filter((s) => s.metadata.name !== name).map((s) => ({ name: s.metadata.name, selector: s.spec.selector })));
}

/** Whether changes replace pods in a namespace. */
export const replacesPods = (changes: readonly Change[], namespace: string): boolean =>
  changes.some((c) => c.namespace === namespace && ['deployment', 'statefulset', 'daemonset', 'pod'].includes(c.kind));
