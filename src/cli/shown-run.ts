/** One run whose progress a person sees, who can end it and is asked where something would stay in the cluster. */
import type { Cluster } from '../cluster/index.ts';
import type { Recording } from '../facts/capture.ts';
import type { Target } from '../facts/facts.ts';
import { refuse, runLive } from './live-run.ts';
import { progressOn } from './progress.ts';
import { onSignals } from './signals.ts';
import { Interrupted, leftText, type SvcOptions } from './svc-run.ts';
import { canPrompt, confirm } from './yes-no-prompt.ts';

/** Diagnoses against a live cluster. Throws Interrupted where a signal ended it, CannotRun where there is nothing to diagnose. */
export async function runShown(cluster: Cluster, target: Target, options: SvcOptions, env: NodeJS.ProcessEnv): Promise<Recording> {
  const ending = new AbortController();
  const progress = progressOn(process.stderr, options);
  let interrupted: NodeJS.Signals | undefined;
  const off = onSignals((signal) => {
    interrupted = signal;
    ending.abort();
  });
  let isClean = true;
  try {
    const recording = await runLive(cluster, target, options, {
      onEvent: progress.onEvent,
      onLeft(why) {
        isClean = false;
        progress.end();
        process.stderr.write(leftText(why));
      },
      consent: canPrompt(options.quiet, env)
        ? (question) => {
            progress.end();
            return confirm(question, ending.signal);
          }
        : undefined,
      signal: ending.signal,
    });
    if (interrupted) throw new Interrupted(interrupted, isClean);
    refuse(recording.facts, cluster.context);
    return recording;
  } finally {
    progress.end();
    off();
  }
}
