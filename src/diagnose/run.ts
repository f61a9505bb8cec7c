import type { Check } from '../../checks/check.ts';
import type { Recording } from '../facts/capture.ts';
import { type FactName, factNames, type Facts } from '../facts/facts.ts';
import { type Fact, seen } from '../facts/fact.ts';
import type { Context } from '../gather/collector.ts';
import { otherServices, replacesPods, tryFixes } from '../repair/dry-run.ts';
import { gather, notWaitedFor } from '../gather/gather.ts';
import { planOf } from '../repair/plan.ts';
import { judge, readBy, reasoned, wantedBy } from '../verdict/judge.ts';
import { type ProgressEvent, stageOf } from './progress.ts';

/** Whether the cause is certain whatever else is read: an object shows it, and no connection can speak against it, or Kubernetes itself reports it. */
function isDecided(pipeline: readonly Check[], facts: Facts): boolean {
  const { verdict } = reasoned(pipeline, facts);
  const isTried = facts.connections.seen || facts.connections.why !== notWaitedFor;
  return verdict.status === 'faulty' && (isTried || verdict.causes[0]?.confidence === 'confirmed');
}

/** Gathers what the pipeline reads and judges each check as soon as its facts are there. Ends when all are, or when the context's signal aborts. */
export async function record(
  pipeline: readonly Check[],
  context: Omit<Context, 'progress'>,
  version: string,
  onEvent: (event: ProgressEvent) => void,
): Promise<Recording> {
  const started = new Date();
  const gathering = gather(
    { ...context, progress: (text, fact) => onEvent({ type: 'waiting', stage: stageOf(fact), text, at: Date.now() }) },
    wantedBy(pipeline),
    (facts) => isDecided(pipeline, facts),
  );
  await Promise.all(
    pipeline.map(async (check) => {
      const names = readBy(check);
      const settled = await Promise.all(names.map((n) => gathering[n]));
      const facts = Object.fromEntries(names.map((n, i) => [n, settled[i]?.fact])) as unknown as Facts;
      onEvent({ type: 'checked', report: { ...judge(check, facts), durationMs: Math.max(0, ...settled.map((s) => s.ms)) } });
    }),
  );
  const read: Partial<Record<FactName, Fact<unknown>>> = {};
  const settledMs: Recording['settledMs'] = {};
  for (const name of factNames) {
    const { fact, ms } = await gathering[name];
    read[name] = fact;
    settledMs[name] = ms;
  }
  const facts = read as Facts;
  if (context.target.probe !== 'none' && !context.signal.aborted) {
    const fixes = planOf(pipeline, facts, reasoned(pipeline, facts).verdict).map((s) => s.fix);
    const { target } = context;
    if (
      replacesPods(
        fixes.flatMap((f) => f.changes),
        target.namespace,
      )
    )
      facts.otherServices = await otherServices(context.cluster, target, context.signal);
    if (fixes.length > 0) facts.dryRuns = seen(await tryFixes(context.cluster, fixes, context.signal));
  }
  return {
    version,
    startedAt: started.toISOString(),
    durationMs: Date.now() - started.getTime(),
    requests: context.cluster.requests(),
    settledMs,
    facts,
  };
}
