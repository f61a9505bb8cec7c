/** The terminal UI, from its start to the verdict that stays in the scrollback. */
import { CannotRun } from '../catalog/cannot-run.ts';
import type { Recording } from '../facts/capture.ts';
import type { Format } from '../report/render.ts';
import type { AppProps } from '../tui/app.tsx';
import { type Ending, start } from '../tui/start.tsx';
import type { Asked } from '../tui/session.ts';
import { replayed, save } from './captures.ts';
import { exitFor, type FailOn, isUnicode, type Output, type Screen, writeOutputs } from './output.ts';
import { type LiveSession, liveSession, replaySession, resultOf } from './ui-session.ts';
import { onSignals } from './signals.ts';
import { Interrupted, leftText, prepare, type SvcOptions } from './svc-run.ts';

type Ended = Ending & { signal: NodeJS.Signals | null };

/** Draws until it ends. A signal to the process ends it in good order: what a run created is removed, the terminal restored. */
async function drawn(props: Omit<AppProps, 'end' | 'unicode' | 'colour'>, screen: Screen): Promise<Ended> {
  const end = new AbortController();
  let signal: NodeJS.Signals | null = null;
  const off = onSignals((s) => {
    signal = s;
    end.abort();
  });
  screen.paint.erase();
  try {
    const rest = { end: end.signal, unicode: isUnicode(screen.env), colour: screen.colour };
    let ending = await start({ ...props, ...rest });
    // A live view that stays open: the diagnosis is inspected on a screen of its own.
    if (props.inline && ending.stay && ending.result) ending = await start({ ...props, ...rest, inline: false, given: ending.result });
    return { ...ending, signal };
  } finally {
    off();
  }
}

/** Prints the last verdict after the UI has closed, as text mode prints it. Returns the exit status. */
async function leftBehind(
  { result, interrupted, error, signal }: Ended,
  isClean: boolean,
  outputs: readonly Output<Format>[],
  screen: Screen,
  failOn: FailOn,
): Promise<number> {
  if (result) await writeOutputs(result.diagnosis, result.requests, outputs, screen);
  if (interrupted) throw new Interrupted(signal ?? 'SIGINT', isClean);
  if (result) return exitFor(result.diagnosis, failOn);
  if (error) throw new CannotRun(error);
  return 0;
}

async function withSession(session: LiveSession, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } finally {
    session.close();
    for (const why of session.left) process.stderr.write(leftText(why));
  }
}

/** The view to inspect the result of a recording. */
export async function inspectRecording(recording: Recording, outputs: readonly Output<Format>[], screen: Screen, failOn: FailOn): Promise<number> {
  const given = resultOf(recording);
  const { namespace, name } = given.diagnosis.service;
  const asked = { namespace, name, from: undefined };
  const ending = await drawn({ session: replaySession(recording), asked, namespace, inline: false, watch: false, given, from: undefined }, screen);
  return leftBehind(ending, true, outputs, screen, failOn);
}

/** `svc NAME` in a terminal: a live view that the verdict replaces, or, with -i or --watch, a view to inspect the result. */
export async function svcUi(options: SvcOptions, outputs: readonly Output<Format>[], screen: Screen): Promise<number> {
  if (options.replay !== undefined) return inspectRecording(replayed(options.replay), outputs, screen, options.failOn);
  const { cluster, target } = await prepare(options, screen.env, screen.paint.erase);
  const { namespace, name, from: _, ...base } = target;
  const session = liveSession(cluster, options, base, screen.env);
  return withSession(session, async () => {
    const asked: Asked = { namespace, name, from: options.from };
    const inline = !options.interactive && !options.watch;
    const ending = await drawn({ session, asked, namespace, inline, watch: options.watch, given: null, from: options.from }, screen);
    const recording = session.last();
    if (recording && options.capture !== undefined) save(recording, options.capture, options.anonymize);
    return leftBehind(ending, session.left.length === 0, outputs, screen, options.failOn);
  });
}

/** `k8s-doctor` alone: the explorer. */
export async function explore(options: SvcOptions, screen: Screen): Promise<number> {
  const { cluster } = await prepare({ ...options, name: 'any' }, screen.env, screen.paint.erase);
  const session = liveSession(cluster, options, { probe: 'auto', nodes: 10, matrix: false }, screen.env);
  return withSession(session, async () => {
    const ending = await drawn({ session, asked: null, namespace: cluster.namespace, inline: false, watch: false, given: null, from: options.from }, screen);
    // Quitting is the normal end; only a signal from outside is an interruption.
    const ended = ending.signal === null ? { ...ending, interrupted: false, error: '' } : ending;
    return leftBehind(ended, session.left.length === 0, [{ format: 'text' }], screen, options.failOn);
  });
}
