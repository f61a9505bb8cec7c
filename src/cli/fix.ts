/** Repairs a Service: diagnoses, shows the changes and what else they touch, asks, applies, and proves the result by a real connection. */
import { setTimeout as pause } from 'node:timers/promises';
import { pipeline } from '../../checks/pipeline.ts';
import { CannotRun } from '../catalog/cannot-run.ts';
import type { Cluster } from '../cluster/index.ts';
import { diagnose } from '../diagnose/diagnose.ts';
import type { Diagnosis } from '../diagnose/diagnosis.ts';
import { reasoned } from '../verdict/judge.ts';
import type { Recording } from '../facts/capture.ts';
import type { Target } from '../facts/facts.ts';
import { apply } from '../repair/apply.ts';
import { planOf, type Step } from '../repair/plan.ts';
import { type Trial, tryChange } from '../repair/trial.ts';
import { saveUndo, type UndoEntry, undoFileFor, undoOf } from '../repair/undo.ts';
import { cleanDeep, cleanLines } from '../report/clean.ts';
import { planText, unfixedText } from '../report/fix.ts';
import { formats } from '../report/render.ts';
import { checkFiles, replayed, save } from './captures.ts';
import { exitStatus, isUnicode, type Output, parseOutputs, type Screen, writeOutputs } from './output.ts';
import { runShown } from './shown-run.ts';
import { onSignals } from './signals.ts';
import { Interrupted, prepare, type SvcOptions } from './svc-run.ts';
import { revert, takenBack } from './undo.ts';
import { canPrompt, confirm } from './yes-no-prompt.ts';

export interface FixOptions extends SvcOptions {
  /** Change without asking. */
  yes: boolean;
  /** An undo file, to take a fix back. */
  undo: string | undefined;
  /** Also where another owner would revert it, or somebody changed it since. */
  force: boolean;
}

/** How long after a change the Service may take to answer, and the time between two looks, in milliseconds. */
const settleMs = 120_000;
const lookEveryMs = 2000;
/** Another fault that shows in so many looks in a row is not one of the change itself. */
const lasting = 3;
/** So often a plan is made: for faults that others hide, and because objects change under it. */
const maxRounds = 4;

/** One run of `fix`. */
interface Job {
  cluster: Cluster;
  target: Target;
  options: FixOptions;
  screen: Screen;
  /** Writes for a person: on stdout, or on stderr where stdout is for a program. */
  say(text: string): void;
  undoFile: string;
  /** The capture of --since. */
  earlier: Recording | undefined;
}

/** Repairs the Service, or takes a fix back. Answers the exit status of the last diagnosis; throws CannotRun where nothing can be done. */
export async function fix(options: FixOptions, screen: Screen): Promise<number> {
  if (options.undo !== undefined) return revert(options, options.undo, screen);
  if (options.replay !== undefined) throw new CannotRun('A recording has no cluster to change; leave --replay out, or use svc --replay to see the fixes.');
  if (options.interactive || options.watch || options.wait) throw new CannotRun('fix asks once and ends; leave -i, --watch and --wait out.');
  const outputs = parseOutputs(options.output, formats);
  checkFiles(options, outputs);
  const earlier = options.since === undefined ? undefined : replayed(options.since);
  screen.paint.erase();
  if (!options.yes && !canPrompt(false, screen.env))
    throw new CannotRun('Nobody can be asked here: run it in a terminal, or give --yes to change without asking.');
  const { cluster, target } = await prepare(options, screen.env);
  const isForPerson = outputs.some((o) => !o.file && (o.format === 'text' || o.format === 'wide'));
  const stream = isForPerson ? screen.stdout : process.stderr;
  const job: Job = { cluster, target, options, screen, say: (text) => void stream.write(`${text}\n`), undoFile: undoFileFor(target), earlier };
  try {
    const last = await repaired(job);
    if (options.capture !== undefined) save(last.recording, options.capture, options.anonymize);
    await writeOutputs(
      last.diagnosis,
      last.recording.requests,
      isForPerson ? outputs.filter((o): o is Output<'json'> => o.file !== undefined) : outputs,
      screen,
    );
    return exitStatus[last.diagnosis.verdict.status];
  } finally {
    cluster.close();
  }
}

interface Seen {
  recording: Recording;
  diagnosis: Diagnosis;
}

async function look({ cluster, target, options, screen, earlier }: Job, quiet: boolean): Promise<Seen> {
  const recording = await runShown(cluster, target, { ...options, quiet: options.quiet || quiet }, screen.env);
  return { recording, diagnosis: cleanDeep(diagnose(pipeline, recording, earlier)) };
}

/** Rounds of diagnosing, asking, changing and waiting, until the Service answers or nothing more can be done. */
async function repaired(job: Job): Promise<Seen> {
  const { cluster, options, say, undoFile } = job;
  let entries: UndoEntry[] = [];
  let now = await look(job, false);
  if (now.diagnosis.verdict.status === 'healthy') {
    say(`Nothing to fix: ${now.diagnosis.verdict.summary}`);
    return now;
  }
  for (let round = 1; ; round++) {
    const steps = planFor(now);
    if (steps.length === 0) {
      say(unfixedText(now.diagnosis, shown(job), entries.length > 0));
      return now;
    }
    const trials = await Promise.all(steps.flatMap((s) => s.fix.changes).map((change) => tryChange(cluster, change)));
    say(planText(now.diagnosis, cleanDeep(steps), cleanDeep(trials, cleanLines), shown(job)));
    if (!(await isWanted(job, steps, trials))) return now;

    say(undoLine(undoFile));
    const done = await apply(cluster, trials, entries, (changes) => saveUndo(undoFile, undoOf(cluster.context, options.version, job.target, changes)));
    ({ entries } = done);
    if (done.result === 'failed') throw new CannotRun(`${objectOf(done.change)} could not be changed (${done.failure.why}); the changes before it were made.`);
    if (done.result === 'changed-since') {
      if (round >= maxRounds) throw new CannotRun(`${objectOf(done.change)} changes all the time; see who changes it, then try again.`);
      say(`${objectOf(done.change)} was changed by somebody else since it was read; diagnosing again.`);
      now = await look(job, false);
      continue;
    }
    say('Changed; waiting until it answers.');
    now = await settled(job, steps);
    if (now.diagnosis.verdict.status === 'healthy' || round >= maxRounds || !isNext(steps, now)) return proved(job, now, steps);
    say('The first fault is gone, and shows another one.');
  }
}

const objectOf = ({ kind, namespace, name }: { kind: string; namespace: string; name: string }) => `${kind} ${namespace ? `${namespace}/` : ''}${name}`;
const planFor = ({ recording }: Seen): Step[] => planOf(pipeline, recording.facts, reasoned(pipeline, recording.facts).verdict);

/** Whether a cause that was to be removed is still there. */
const isUnchanged = (steps: readonly Step[], now: Seen): boolean =>
  now.diagnosis.verdict.causes.some((c) => steps.some((s) => s.cause.code === c.code && s.cause.object.kind === c.object.kind));

/** Whether the causes now are others than those that were fixed, and can be fixed too: the first ones hid them. */
const isNext = (steps: readonly Step[], now: Seen): boolean => !isUnchanged(steps, now) && planFor(now).at(-1)?.fix.predicted?.status === 'healthy';

/** Waits until the Service answers, by real connections, or until it shows another fault for a while. Throws Interrupted, which names the undo file. */
async function settled(job: Job, steps: readonly Step[]): Promise<Seen> {
  const deadline = Date.now() + settleMs;
  const ending = new AbortController();
  let interrupted: NodeJS.Signals | undefined;
  const off = onSignals((signal) => {
    interrupted = signal;
    ending.abort();
  });
  let others = 0;
  try {
    for (;;) {
      await pause(lookEveryMs, undefined, { signal: ending.signal });
      const now = await look(job, true);
      others = isNext(steps, now) ? others + 1 : 0;
      if (now.diagnosis.verdict.status === 'healthy' || others >= lasting || Date.now() > deadline) return now;
    }
  } catch (error) {
    if (!interrupted) throw error;
    const isClean = !(error instanceof Interrupted) || error.isClean;
    throw new Interrupted(interrupted, isClean, ` The changes were made and not verified. ${undoLine(job.undoFile)}`);
  } finally {
    off();
  }
}

const shown = ({ screen }: Job) => ({ colour: screen.colour, unicode: isUnicode(screen.env), columns: screen.stdout.columns ?? 100 });
const undoLine = (file: string): string => `Undo  k8s-doctor fix --undo ${file}`;

/** Whether the changes are to be made: they can be, no other owner would revert them, and the person wants it. */
async function isWanted(job: Job, steps: readonly Step[], trials: readonly Trial[]): Promise<boolean> {
  const { options, say } = job;
  const refusal = trials.find((t) => t.refusal);
  if (refusal?.refusal) {
    say(`Not changed: ${refusal.change.kind} ${refusal.change.name}: ${refusal.refusal.why}.`);
    return false;
  }
  const owners = revertersOf(trials);
  if (owners.length > 0 && !options.force) {
    say(`Not changed: ${owners.join(', ')} would put it back. Change it there, or give --force to change it here until then.`);
    return false;
  }
  const last = steps.at(-1)?.fix.predicted;
  if (options.yes && last && last.status !== 'healthy') {
    say(`Not changed: these changes do not repair it by themselves; ${last.text}.`);
    return false;
  }
  const ending = new AbortController();
  return options.yes || confirm(`Make ${steps.length === 1 ? 'this change' : `these ${steps.length} changes`}?`, ending.signal);
}

const revertersOf = (trials: readonly Trial[]): string[] => [...new Set(trials.flatMap((t) => t.owners.filter((o) => o.reverts).map((o) => o.name)))];

/** What came of the changes; where the Service does not answer, they can be taken back. */
async function proved(job: Job, now: Seen, steps: readonly Step[]): Promise<Seen> {
  const { say, undoFile, options, screen } = job;
  const { verdict, probes } = now.diagnosis;
  if (verdict.status === 'healthy') {
    say(probes.length > 0 ? `Repaired: ${verdict.summary}` : `Its objects are right now; no connection was made to prove it: ${verdict.summary}`);
    return now;
  }
  say(`Not repaired within ${settleMs / 1000} s: ${verdict.summary}`);
  // A run that nobody watches leaves no change behind that did not help.
  const isUndone = options.yes ? isUnchanged(steps, now) : canPrompt(false, screen.env) && (await confirm('Undo the changes?', new AbortController().signal));
  if (isUndone) say(await takenBack(job.cluster, undoFile, false));
  return now;
}
