/** `scan --probe`: the Services that their objects do not settle are diagnosed with connections, as long as the budget lasts. */
import pLimit from 'p-limit';
import { pipeline } from '../../checks/pipeline.ts';
import type { Cluster } from '../cluster/index.ts';
import { diagnose } from '../diagnose/diagnose.ts';
import { type Rule, withoutAccepted } from '../scan/accepted.ts';
import type { Scanned } from '../scan/judge.ts';
import { runLive } from './live-run.ts';
import { onSignals } from './signals.ts';
import { Interrupted, leftText } from './svc-run.ts';
import { parseFrom } from './target.ts';

export interface ProbePlan {
  /** Milliseconds within which diagnoses are begun. */
  budgetMs: number;
  /** So many at once. */
  atOnce: number;
  image: string | undefined;
  version: string;
  accepted: readonly Rule[];
}

/** Milliseconds for one Service. */
const oneTimeoutMs = 30_000;

/** What the objects say least about comes first; null: a connection adds nothing. */
function urgency({ kind, status, causes, type }: Scanned): number | null {
  if (kind !== 'Service' || type === 'ExternalName') return null;
  if (status === 'undecided') return 0;
  if (causes.some((c) => c.confidence !== 'confirmed')) return 1;
  return status === 'healthy' ? 2 : null;
}

/** The Services, those that were diagnosed with their new verdict. Throws Interrupted when a signal ends it. */
export async function probeServices(
  cluster: Cluster,
  services: readonly Scanned[],
  plan: ProbePlan,
  annotationOf: (s: Scanned) => string | undefined,
): Promise<Scanned[]> {
  const ended = new AbortController();
  let by: NodeJS.Signals | undefined;
  const off = onSignals((signal) => {
    by = signal;
    ended.abort();
  });
  const until = performance.now() + plan.budgetMs;
  let left = 0;
  const probe = async (s: Scanned): Promise<Scanned> => {
    if (performance.now() >= until || ended.signal.aborted) return s;
    const target = {
      namespace: s.namespace,
      name: s.name,
      from: parseFrom(s.from, s.namespace),
      probe: 'auto' as const,
      nodes: 'client' as const,
      matrix: false,
    };
    const options = { image: plan.image, nodeImage: undefined, timeoutMs: oneTimeoutMs, version: plan.version };
    const recording = await runLive(cluster, target, options, {
      onEvent: () => {},
      onLeft(why) {
        left++;
        process.stderr.write(leftText(why));
      },
      signal: ended.signal,
    });
    const { connections } = recording.facts;
    if (ended.signal.aborted || !connections.seen || connections.value.list.length === 0) return s;
    const { verdict } = diagnose(pipeline, recording);
    const diagnosed = { ...s, status: verdict.status, summary: verdict.causes[0]?.message ?? verdict.summary, causes: verdict.causes, probed: true };
    return withoutAccepted(diagnosed, plan.accepted, annotationOf(s));
  };
  try {
    const limit = pLimit(plan.atOnce);
    const ranked = services.map((s, i) => ({ s, i, rank: urgency(s) })).toSorted((a, b) => (a.rank ?? 9) - (b.rank ?? 9));
    const probed = await Promise.all(ranked.map(({ s, i, rank }) => limit(async () => ({ s: rank === null ? s : await probe(s), i }))));
    if (by) throw new Interrupted(by, left === 0);
    return probed.toSorted((a, b) => a.i - b.i).map(({ s }) => s);
  } finally {
    off();
  }
}
