import { pipelineFor } from '../../checks/pipeline.ts';
import { CannotRun } from '../catalog/cannot-run.ts';
import { diagnose } from '../diagnose/diagnose.ts';
import { watchEveryMs } from '../diagnose/progress.ts';
import type { Recording } from '../facts/capture.ts';
import { cleanDeep } from '../report/clean.ts';
import { targetOf } from '../verdict/judge.ts';
import { type Format, formats } from '../report/render.ts';
import { canDraw, isDrawable } from './first-paint.ts';
import { checkFiles, replayed, save } from './captures.ts';
import { exitFor, type Output, parseOutputs, type Screen, watchOutputs, writeOutputs } from './output.ts';
import { runShown } from './shown-run.ts';
import { pauseOrSignal } from './signals.ts';
import { Interrupted, prepare, type SvcOptions } from './svc-run.ts';
import { type Look, waitFor } from './waiting.ts';

/** Judged by the checks that its question asks for. */
export const diagnosisOf = (recording: Recording, earlier?: Recording) => diagnose(pipelineFor(targetOf(recording.facts)), recording, earlier);

/** Diagnoses one Service, live or from a recording, and prints it. Answers the exit status; throws CannotRun where nothing can be said. */
export async function svc(options: SvcOptions, screen: Screen): Promise<number> {
  const outputs = parseOutputs(options.output, formats);
  checkFiles(options, outputs);
  if (wantsUi(options, outputs, screen.env)) return (await import('./terminal-ui.ts')).svcUi(options, outputs, screen);
  screen.paint.erase();
  if (options.watch) return watched(options, outputs, screen);
  const earlier = options.since === undefined ? undefined : replayed(options.since);
  const { recording, diagnosis } = await looked(options, async (how) => {
    const recording = how.replay !== undefined ? replayed(how.replay) : await live(how, screen.env);
    return { recording, diagnosis: diagnosisOf(recording, earlier) };
  });
  await writeOutputs(diagnosis, recording.requests, outputs, screen);
  if (options.capture !== undefined) save(recording, options.capture, options.anonymize);
  return exitFor(diagnosis, options.failOn);
}

/** One look, or as many as `--wait` takes. Throws CannotRun where waiting makes no sense. */
export function looked(options: SvcOptions, look: (options: SvcOptions) => Promise<Look>): Promise<Look> {
  if (!options.wait) return look(options);
  if (options.replay !== undefined) throw new CannotRun('A recording does not change; leave --wait out.');
  return waitFor(options, look);
}

/**
 * Whether this run is drawn: by default where a person sits at a terminal and the screen is to get text. A recording needs
 * no live view. Throws CannotRun where it was asked for and can't be.
 */
function wantsUi(options: SvcOptions, outputs: readonly Output<Format>[], env: NodeJS.ProcessEnv): boolean {
  const asked = options.ui === 'always' || options.interactive;
  if (options.wait && (asked || options.watch)) throw new CannotRun('--wait prints one verdict and ends; leave -i, --ui always and --watch out.');
  if (options.wait) return false;
  if (options.ui === 'never') {
    if (options.interactive) throw new CannotRun('-i is the terminal UI, and --ui never says to do without; leave one of them out.');
    return false;
  }
  if (asked && !canDraw(env))
    throw new CannotRun(`${options.interactive ? '-i' : '--ui always'} needs a terminal that can draw; run it in one, or leave it out for text.`);
  if (asked) return options.replay === undefined || options.interactive;
  return isDrawable(env) && !options.quiet && options.replay === undefined && outputs.some((o) => !o.file && o.format === 'text');
}

/** Runs again and again, and prints a line whenever the verdict is another. Ends by a signal, with the last verdict's status. */
async function watched(options: SvcOptions, outputs: readonly Output<Format>[], screen: Screen): Promise<number> {
  if (options.replay !== undefined) throw new CannotRun('A recording does not change; leave --watch out.');
  const report = watchOutputs(outputs);
  let before = '';
  let status = 2;
  let latest: Look | undefined;
  const writeFiles = async (goesOn: boolean): Promise<void> => {
    const { changes, files } = report;
    if (latest) await writeOutputs(latest.diagnosis, latest.recording.requests, files, screen, { goesOn, changes });
  };
  for (;;) {
    try {
      const recording = await live({ ...options, quiet: true }, screen.env);
      const diagnosis = cleanDeep(diagnosisOf(recording));
      const { verdict } = diagnosis;
      status = exitFor(diagnosis, options.failOn);
      const line = `${verdict.status}  ${verdict.summary}`;
      const dated = `${diagnosis.startedAt.slice(11, 19)}Z  ${line}`;
      if (line !== before) screen.stdout.write(`${report.asLines ? JSON.stringify(diagnosis) : dated}\n`);
      if (line !== before && before !== '') report.add(dated);
      before = line;
      latest = { recording, diagnosis };
      await writeFiles(true);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      break;
    }
    if (await pauseOrSignal(watchEveryMs)) break;
  }
  await writeFiles(false);
  return status;
}

async function live(options: SvcOptions, env: NodeJS.ProcessEnv): Promise<Recording> {
  const { cluster, target } = await prepare(options, env);
  try {
    return await runShown(cluster, target, options, env);
  } finally {
    cluster.close();
  }
}
