import type { Fix } from '../catalog/finding.ts';
import type { Cluster } from '../cluster/index.ts';
import type { FactTypes } from '../facts/facts.ts';
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
