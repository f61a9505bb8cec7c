/** Takes a fix back, from its undo file. */
import { CannotRun } from '../catalog/cannot-run.ts';
import { type Cluster, connect } from '../cluster/index.ts';
import { readUndo, restore, type UndoEntry, type Restored } from '../repair/undo.ts';
import { clean } from '../report/clean.ts';
import type { FixOptions } from './fix.ts';
import type { Screen } from './output.ts';
import { canPrompt, confirm } from './yes-no-prompt.ts';

const nameOf = ({ kind, namespace, name }: UndoEntry) => clean(`${kind} ${namespace ? `${namespace}/` : ''}${name}`);

const said: Record<Restored['result'], string> = {
  restored: 'is as it was',
  unchanged: 'is as it was already',
  'not-possible': 'was restarted, which cannot be taken back',
  'changed-since': 'is left alone',
  failed: 'could not be changed',
};

/** Takes the changes back, the last one first, and answers a line for each. Throws CannotRun where some could not be; the others are. */
export async function takenBack(cluster: Cluster, file: string, force: boolean): Promise<string> {
  const { changes } = readUndo(file);
  const lines: string[] = [];
  const left: string[] = [];
  // The first entry of an object holds how it was; later ones are steps in between.
  const firsts = changes.filter((e, i) => changes.findIndex((o) => nameOf(o) === nameOf(e)) === i);
  const lastOf = (e: UndoEntry) => changes.findLast((o) => nameOf(o) === nameOf(e) && o.after !== undefined)?.after;
  for (const e of firsts.toReversed()) {
    const after = lastOf(e);
    const done = await restore(cluster, after === undefined ? e : { ...e, after }, force);
    const why = done.result === 'changed-since' ? done.why : done.result === 'failed' ? done.failure.why : '';
    lines.push(`${nameOf(e)} ${said[done.result]}${why ? `: ${clean(why)}` : ''}`);
    if (done.result === 'changed-since' || done.result === 'failed') left.push(nameOf(e));
  }
  if (left.length > 0)
    throw new CannotRun(`${lines.join('\n')}\n${left.join(', ')} not taken back; see what changed there, then give --force to overwrite it.`);
  return lines.join('\n');
}

/** `fix --undo FILE`. Answers 0 where everything is as it was. */
export async function revert(options: FixOptions, file: string, screen: Screen): Promise<number> {
  const undo = readUndo(file);
  screen.paint.erase();
  const cluster = await connect({ ...options, asGroups: options.asGroup, namespace: undo.service.namespace }, screen.env);
  try {
    if (cluster.context !== undo.context && !options.force)
      throw new CannotRun(
        `${file} was written for context "${clean(undo.context)}", not "${clean(cluster.context)}"; give --context, or --force if it is the same cluster.`,
      );
    const objects = [...new Set(undo.changes.map(nameOf))].join(', ');
    if (!options.yes) {
      if (!canPrompt(false, screen.env)) throw new CannotRun('Nobody can be asked here: run it in a terminal, or give --yes to undo without asking.');
      if (!(await confirm(`Restore ${objects} as before ${undo.madeAt}?`, new AbortController().signal))) return 1;
    }
    screen.stdout.write(`${await takenBack(cluster, file, options.force)}\n`);
    return 0;
  } finally {
    cluster.close();
  }
}
