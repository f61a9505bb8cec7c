import type { Fix } from '../catalog/finding.ts';
import { type Cluster, resources } from '../cluster/index.ts';
import type { FactTypes } from '../facts/facts.ts';
import { redact } from '../facts/redact.ts';

/** By the kind as kubectl takes it: `networkpolicy`. */
export const resourceOf = (kind: string) => Object.values(resources).find((r) => r.kind.toLowerCase() === kind);

/** Asks the API server of each fix that changes one object whether it would take it; nothing is kept (`dryRun=All`). By command. */
export async function tryFixes(cluster: Cluster, fixes: readonly Fix[], signal: AbortSignal): Promise<FactTypes['dryRuns']> {
  const tried = await Promise.all(
    fixes.map(async ({ command, patch }) => {
      const resource = patch && resourceOf(patch.kind);
      if (command === undefined || !patch || !resource) return [];
      const answer = await cluster.dryRun({ resource, namespace: patch.namespace, name: patch.name, type: patch.type, body: patch.body }, signal);
      const message = answer.ok
        ? 'the API server accepts it'
        : answer.failure.reason === 'forbidden'
          ? `not tried: ${redact(answer.failure.why)}`
          : `refused: ${redact(answer.failure.why)}`;
      return [[command, { accepted: answer.ok, message }] as const];
    }),
  );
  return Object.fromEntries(tried.flat());
}
