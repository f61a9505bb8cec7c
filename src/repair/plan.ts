/** Fixes that repair a Service together: each is computed on the world after the one before, and tried on the model. */
import type { Check } from '../../checks/check.ts';
import type { Change, Fix, Predicted } from '../catalog/finding.ts';
import { reasoned } from '../verdict/judge.ts';
import { valueOf } from '../facts/fact.ts';
import type { Facts } from '../facts/facts.ts';
import type { Finding, Verdict } from '../verdict/verdict.ts';
import { affectsOf } from './affects.ts';
import { ownersIn } from './owners.ts';
import { whatIf } from '../what-if/what-if.ts';

/** One cause and the fix that removes it. */
export interface Step {
  cause: Finding;
  fix: Fix & { changes: Change[] };
}

/** More causes than this at once have not been seen; each step judges the whole pipeline again. */
const maxSteps = 6;

const isSame = (a: Finding, b: Finding): boolean =>
  a.code === b.code && a.object.kind === b.object.kind && a.object.name === b.object.name && a.object.namespace === b.object.namespace;

/** What remains, in one clause. */
function textOf(verdict: Verdict, assumes: readonly string[], inFront: boolean): Predicted['text'] {
  const [first] = verdict.causes;
  if (first) return `then this remains: ${first.message}`;
  if (verdict.status !== 'healthy') return `then not everything that decides was seen: ${verdict.summary}`;
  const text = inFront ? 'then requests get through' : 'then the Service is healthy';
  return assumes[0] === undefined ? text : `${text}, as far as is known: ${assumes[0]}`;
}

interface Tried {
  step: Step;
  facts: Facts;
  verdict: Verdict;
}

/** A fix tried on the model; undefined where its cause would stay, or another fault would come of it. */
function tried(pipeline: readonly Check[], now: Facts, before: Verdict, cause: Finding, fix: Fix): Tried | undefined {
  if (!fix.changes || fix.changes.length === 0) return undefined;
  const { facts, assumes } = whatIf(now, fix.changes);
  const { verdict } = reasoned(pipeline, facts);
  if (verdict.causes.some((c) => isSame(c, cause))) return undefined;
  // What only the first fault hid may show now; a Service that was served in part must not be served less.
  if (before.status === 'degraded' && verdict.status === 'faulty') return undefined;
  const inFront = valueOf(facts.target)?.front !== undefined;
  const predicted = { status: verdict.status, text: textOf(verdict, fix.assumes === undefined ? assumes : [fix.assumes, ...assumes], inFront) };
  const affects = [...(fix.affects ?? []), ...affectsOf(now, fix.changes)];
  const owners = ownersIn(now, fix.changes);
  const more = { ...(affects.length > 0 && { affects }), ...(owners.length > 0 && { owners }) };
  return { step: { cause, fix: { ...fix, changes: fix.changes, predicted, ...more } }, facts, verdict };
}

/** A later fix was computed on what the earlier ones make, and its prediction holds only after them. */
function inOrder(step: Step, before: readonly Step[]): Step {
  const { predicted } = step.fix;
  if (before.length === 0 || !predicted) return step;
  const text = `after the fix of ${before.map((s) => s.cause.code).join(' and ')}: ${predicted.text}`;
  return { ...step, fix: { ...step.fix, predicted: { ...predicted, text } } };
}

/** The fixes in the order in which they are to be made, each with what the model predicts after it. Pure. */
export function planOf(pipeline: readonly Check[], facts: Facts, verdict: Verdict): Step[] {
  const placeOf = (f: Finding) => pipeline.findIndex((c) => c.codes.includes(f.code));
  const steps: Step[] = [];
  let now = { facts, verdict };
  while (steps.length < maxSteps) {
    // In the order of the pipeline: a policy is opened for the port that the Service has by then.
    const causes = now.verdict.causes.toSorted((a, b) => placeOf(a) - placeOf(b));
    let found: Tried | undefined;
    for (const { cause, fix } of causes.flatMap((c) => c.fix.map((f) => ({ cause: c, fix: f })))) {
      found = tried(pipeline, now.facts, now.verdict, cause, fix);
      if (found) break;
    }
    if (!found) return steps;
    steps.push(inOrder(found.step, steps));
    now = found;
  }
  return steps;
}

/**
 * The fixes of a cause as they are shown: the one of the plan first, with what is predicted of it. Changes that would not remove
 * the cause are left out.
 */
export function fixesOf(cause: Finding, steps: readonly Step[]): Fix[] {
  const own = steps.filter((s) => isSame(s.cause, cause)).map((s) => s.fix);
  const [first, ...others] = [...own, ...cause.fix.filter((f) => !f.changes)];
  // What it was another way to was left out.
  return first ? [{ ...first, text: first.text.replace(/^Or (\w)/, (_, letter: string) => letter.toUpperCase()) }, ...others] : [];
}
