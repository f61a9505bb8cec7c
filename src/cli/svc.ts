import { pipeline } from '../../checks/pipeline.ts';
import { CannotRun } from '../catalog/words.ts';
import { type Cluster, connect } from '../cluster/index.ts';
import { diagnose } from '../diagnose/diagnose.ts';
import { watchEveryMs } from '../diagnose/progress.ts';
import type { Recording } from '../facts/capture.ts';
import type { Target } from '../facts/facts.ts';
import { cleanDeep } from '../report/clean.ts';
import { type Format, formats } from '../report/render.ts';
import { canDraw, isDrawable } from './first-paint.ts';
import { ask, canAsk } from './ask.ts';
import { checkFolder, replayed, save } from './captures.ts';
import { refuse, runLive } from './live.ts';
import { exitStatus, type Output, parseOutputs, type Screen, writeOutputs } from './output.ts';
import { progressOn } from './progress.ts';
import { onSignals } from './signals.ts';
import { parseFrom, parseNodes, parsePath, parseService } from './target.ts';

export interface SvcOptions {
  name: string | undefined;
  namespace: string | undefined;
  context: string | undefined;
  cluster: string | undefined;
  user: string | undefined;
  kubeconfig: string | undefined;
  as: string | undefined;
  asGroup: string[] | undefined;
  /** Milliseconds for one request. */
  requestTimeoutMs: number;
  /** Milliseconds for the whole run. */
  timeoutMs: number;
  from: string | undefined;
  port: string | undefined;
  probe: Target['probe'];
  /** Path of a GET. */
  http: string | undefined;
  image: string | undefined;
  nodeImage: string | undefined;
  /** As typed: `all`, `client`, or how many. */
  nodes: string;
  matrix: boolean;
  output: string[];
  capture: string | undefined;
  replay: string | undefined;
  quiet: boolean;
  /** Stay in the terminal UI after the verdict. */
  interactive: boolean;
  watch: boolean;
  ui: 'auto' | 'always' | 'never';
  version: string;
}

/** Diagnoses one Service, live or from a recording, and prints it. Answers the exit status; throws CannotRun where nothing can be said. */
export async function svc(options: SvcOptions, screen: Screen): Promise<number> {
  const outputs = parseOutputs(options.output, formats);
  // Told before the run, not after it: a diagnosis of an incident is not to be had twice.
  for (const file of [options.capture, ...outputs.map((o) => o.file)]) if (file !== undefined) checkFolder(file);
  if (wantsUi(options, outputs, screen.env)) return (await import('./ui.ts')).svcUi(options, outputs, screen);
  screen.paint.erase();
  if (options.watch) return watched(options, screen);
  const recording = options.replay !== undefined ? replayed(options.replay) : await live(options, screen.env);
  const diagnosis = diagnose(pipeline, recording);
  await writeOutputs(diagnosis, recording.requests, outputs, screen);
  if (options.capture !== undefined) save(recording, options.capture);
  return exitStatus[diagnosis.verdict.status];
}

/**
 * Whether this run is drawn: by default where a person sits at a terminal and the screen is to get text. A recording needs
 * no live view. Throws CannotRun where it was asked for and can't be.
 */
function wantsUi(options: SvcOptions, outputs: readonly Output<Format>[], env: NodeJS.ProcessEnv): boolean {
  const asked = options.ui === 'always' || options.interactive;
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
async function watched(options: SvcOptions, screen: Screen): Promise<number> {
  if (options.replay !== undefined) throw new CannotRun('A recording does not change; leave --watch out.');
  let before = '';
  let status = 2;
  for (;;) {
    try {
      const diagnosis = cleanDeep(diagnose(pipeline, await live({ ...options, quiet: true }, screen.env)));
      const { verdict } = diagnosis;
      status = exitStatus[verdict.status];
      const line = `${verdict.status}  ${verdict.summary}`;
      if (line !== before) screen.stdout.write(`${diagnosis.startedAt.slice(11, 19)}Z  ${line}\n`);
      before = line;
    } catch (error) {
      if (error instanceof Interrupted) return status;
      throw error;
    }
    const interrupted = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => done(false), watchEveryMs);
      const off = onSignals(() => done(true));
      const done = (how: boolean) => {
        clearTimeout(timer);
        off();
        resolve(how);
      };
    });
    if (interrupted) return status;
  }
}

/** The way to the cluster, and the sentence that is asked of it. Sends nothing yet. Throws CannotRun for what can't be meant. */
export async function prepare(options: SvcOptions, env: NodeJS.ProcessEnv): Promise<{ cluster: Cluster; target: Target }> {
  if (options.name === undefined) throw new CannotRun('Which Service? Give its name: k8s-doctor svc NAME.');
  const named = parseService(options.name);
  if (named.namespace !== undefined && options.namespace !== undefined && named.namespace !== options.namespace) {
    throw new CannotRun(`"${options.name}" is in namespace ${named.namespace}, but -n says ${options.namespace}; leave one of them out.`);
  }
  const cluster = await connect({ ...options, asGroups: options.asGroup, namespace: named.namespace ?? options.namespace }, env);
  const port = options.port ?? named.port;
  const target: Target = {
    namespace: cluster.namespace,
    name: named.name,
    ...(port !== undefined && { port }),
    ...(named.domain !== undefined && { domain: named.domain }),
    from: parseFrom(options.from, cluster.namespace),
    probe: options.probe,
    nodes: parseNodes(options.nodes),
    matrix: options.matrix,
    ...(options.http !== undefined && { http: parsePath(options.http) }),
  };
  if (target.probe === 'ephemeral' && target.from.kind !== 'pod' && target.from.kind !== 'workload')
    throw new CannotRun('--probe ephemeral adds a container to a pod; say which with --from pod/NAME or --from deploy/NAME.');
  return { cluster, target };
}

/** What a person is to know of a thing that a run created and could not remove. */
export const leftText = (why: string): string => `A debug pod could not be removed (${why}); it ends by itself, or run "k8s-doctor cleanup".\n`;

async function live(options: SvcOptions, env: NodeJS.ProcessEnv): Promise<Recording> {
  const { cluster, target } = await prepare(options, env);
  const ending = new AbortController();
  const progress = progressOn(process.stderr, options.quiet);
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
      consent: canAsk(options.quiet, env)
        ? (question) => {
            progress.end();
            return ask(question, ending.signal);
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
    cluster.close();
  }
}

/** Ended by a signal; what the run had created is removed by then, or was complained of. */
export class Interrupted extends Error {
  readonly signal: NodeJS.Signals;
  constructor(signal: NodeJS.Signals, clean: boolean) {
    super(clean ? 'Interrupted; nothing is left behind in the cluster.' : 'Interrupted.');
    this.signal = signal;
  }
}
