/** What `fix` shows: the cause, each change as a diff, what else it touches, and what follows. */
import type { Diagnosis } from '../diagnose/diagnosis.ts';
import type { Step } from '../repair/plan.ts';
import type { Trial } from '../repair/trial.ts';
import { ownerText } from '../repair/owners.ts';
import { wrap } from './text.ts';
import { clientName, headline } from './view.ts';

export interface FixTextOptions {
  colour: boolean;
  unicode: boolean;
  /** Columns to wrap at. */
  columns: number;
}

const tones = { '+': '32', '-': '31', ' ': '2' } as const;

function painter({ colour, columns }: FixTextOptions) {
  const width = Math.max(40, Math.min(columns, 120));
  const paint = (code: string, text: string) => (colour && code ? `\u001b[${code}m${text}\u001b[0m` : text);
  const lines: string[] = [];
  const put = (text: string, indent: number, code = '') => {
    for (const line of wrap(text, width - indent)) lines.push(`${' '.repeat(indent)}${paint(code, line)}`);
  };
  return { paint, lines, put };
}

const objectOf = ({ change }: Trial): string =>
  `${change.how === 'create' ? 'new ' : ''}${change.kind} ${change.namespace ? `${change.namespace}/` : ''}${change.name}`;

/** The changes of a plan, each under the cause that it removes. */
export function planText(diagnosis: Diagnosis, steps: readonly Step[], trials: readonly Trial[], options: FixTextOptions): string {
  const { lines, put, paint } = painter(options);
  put(headline(diagnosis, clientName(diagnosis)).text, 0, '1');
  if (diagnosis.verdict.changed) put(`Changed: ${diagnosis.verdict.changed.text}`, 2);
  let next = 0;
  for (const [i, { cause, fix }] of steps.entries()) {
    lines.push('');
    put(`${steps.length > 1 ? `${i + 1}. ` : ''}${cause.message}`, 2);
    put(`Fix: ${fix.text}`, 2, '1');
    for (const trial of trials.slice(next, next + fix.changes.length)) {
      lines.push(`    ${paint('36', objectOf(trial))}`);
      for (const l of trial.lines) lines.push(`      ${paint(tones[l.mark], `${l.mark} ${l.text}`)}`);
      for (const owner of trial.owners) put(ownerText(owner), 4, '33');
      put(trial.refusal ? `Not tried: ${trial.refusal.why}` : 'The API server accepts it (dry run)', 4, trial.refusal ? '33' : '2');
    }
    next += fix.changes.length;
    for (const other of fix.affects ?? []) put(`Also: ${other}`, 4, '33');
    if (fix.predicted) put(`Predicted: ${fix.predicted.text}`, 4);
    if (fix.command !== undefined) lines.push(`    ${paint('36', fix.command)}`);
  }
  lines.push('');
  return lines.join('\n');
}

/** Where no change of an object repairs it: the causes, with what a person can do about each. */
export function unfixedText(diagnosis: Diagnosis, options: FixTextOptions, wasChanged: boolean): string {
  const { lines, put, paint } = painter(options);
  const { causes, summary } = diagnosis.verdict;
  put(causes.length > 0 ? headline(diagnosis, clientName(diagnosis)).text : summary, 0, '1');
  for (const cause of causes) {
    lines.push('');
    put(cause.message, 2);
    for (const fix of cause.fix) {
      put(`Fix: ${fix.text}`, 2, '1');
      if (fix.command !== undefined) lines.push(`    ${paint('36', fix.command)}`);
    }
  }
  lines.push('');
  put(`${wasChanged ? 'Nothing more' : 'Nothing'} was changed: no change of an object that k8s-doctor can make is known to repair this.`, 0);
  return lines.join('\n');
}
