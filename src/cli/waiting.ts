/** Looks again until a Service is as good as it has to be: after a deployment. */
import { CannotRun } from '../catalog/cannot-run.ts';
import type { Diagnosis } from '../diagnose/diagnosis.ts';
import type { Recording } from '../facts/capture.ts';
import { clean } from '../report/clean.ts';
import { exitFor } from './output.ts';
import { pauseOrSignal } from './signals.ts';
import { Interrupted, type SvcOptions } from './svc-run.ts';

/** Between two looks, in milliseconds. */
const everyMs = 2000;
/** One look takes at most so long, in milliseconds. */
const oneLookMs = 30_000;
/** Connections are made again after so long, in milliseconds, also where the objects are as they were. */
const againMs = 30_000;

export interface Look {
  recording: Recording;
  diagnosis: Diagnosis;
}

const causesOf = ({ verdict }: Diagnosis): string => `${verdict.status} ${verdict.causes.map((c) => `${c.code} ${c.message}`).join('\n')}`;

/**
 * Looks until the Service is good enough for `--fail-on`, or the time (`timeoutMs`) is over; answers the last look with connections. Between those
 * it reads objects only: connections are made when the objects name no cause, or others than before. Throws what the first look throws; a
 * later look that could not be made is made again.
 */
export async function waitFor(options: SvcOptions, look: (options: SvcOptions) => Promise<Look>): Promise<Look> {
  const started = performance.now();
  const left = () => options.timeoutMs - (performance.now() - started);
  const once = (probe: SvcOptions['probe']) => look({ ...options, probe, timeoutMs: Math.max(1000, Math.min(oneLookMs, left())) });
  let full = await once(options.probe);
  let lookedAt = performance.now();
  let objects = '';
  let said = '';
  while (exitFor(full.diagnosis, options.failOn) !== 0 && left() > everyMs) {
    const line = `${full.diagnosis.verdict.status}  ${full.diagnosis.verdict.summary}`;
    if (line !== said && !options.quiet) process.stderr.write(`${clean(line)}; waiting\n`);
    said = line;
    const signal = await pauseOrSignal(everyMs);
    if (signal) throw new Interrupted(signal, true);
    try {
      const now = options.probe === 'none' ? undefined : causesOf((await once('none')).diagnosis);
      if (now !== undefined && now === objects && performance.now() - lookedAt < againMs) continue;
      full = await once(options.probe);
      objects = now ?? '';
      lookedAt = performance.now();
    } catch (error) {
      if (!(error instanceof CannotRun)) throw error;
      if (!options.quiet) process.stderr.write(`${error.message} Trying again.\n`);
    }
  }
  return full;
}
