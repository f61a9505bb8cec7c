/** Causes that people know of and accept, with their reason: from a file of rules, or from the annotation of a Service. */
import * as v from 'valibot';
import { parse } from 'yaml';
import { CannotRun } from '../catalog/cannot-run.ts';
import { knownCode } from '../catalog/known-code.ts';
import type { Scanned } from './judge.ts';

/** Absent fields match everything; in a name, `*` matches any letters. */
const rule = v.strictObject({
  code: v.optional(v.string()),
  namespace: v.optional(v.string()),
  service: v.optional(v.string()),
  reason: v.pipe(v.string(), v.nonEmpty('say why')),
});
export type Rule = v.InferOutput<typeof rule>;

export interface Accepted {
  code: string;
  reason: string;
}

/** Reads a list of rules in YAML or JSON. Throws CannotRun with the place of the first mistake. */
export function readRules(text: string, file: string): Rule[] {
  let given: unknown;
  try {
    given = parse(text, { logLevel: 'error' });
  } catch (error) {
    throw new CannotRun(`${file} is not YAML (${(error as Error).message.split('\n')[0]}); write a list of {code, namespace, service, reason}.`);
  }
  const read = v.safeParse(v.nullable(v.array(rule)), given);
  if (!read.success) {
    const [issue] = read.issues;
    throw new CannotRun(`${file}: ${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}; write a list of {code, namespace, service, reason}.`);
  }
  const rules = read.output ?? [];
  for (const { code } of rules) if (code !== undefined) knownCode(code);
  return rules;
}

const asPattern = (text: string) => new RegExp(`^${text.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`);
const matches = (pattern: string | undefined, text: string): boolean => pattern === undefined || asPattern(pattern).test(text);

/** `selector-mismatch,no-replicas: until the move in March`, or `*` for all codes. */
function ofAnnotation(text: string): { codes: string[]; reason: string } {
  const [codesText = '', ...reason] = text.split(':');
  return { codes: codesText.split(',').map((c) => c.trim()), reason: reason.join(':').trim() || 'no reason is given' };
}

/** A Service without the causes that somebody accepts; these are kept apart, with the reason. */
export function withoutAccepted(scanned: Scanned, rules: readonly Rule[], annotation: string | undefined): Scanned {
  const own = annotation === undefined ? undefined : ofAnnotation(annotation);
  const reasonFor = (code: string): string | undefined => {
    if (own && (own.codes.includes(code) || own.codes.includes('*'))) return own.reason;
    return rules.find((r) => matches(r.code, code) && matches(r.namespace, scanned.namespace) && matches(r.service, scanned.name))?.reason;
  };
  const judged = scanned.causes.map((cause) => ({ cause, reason: reasonFor(cause.code) }));
  const ignored = judged.flatMap(({ cause, reason }): Accepted[] => (reason === undefined ? [] : [{ code: cause.code, reason }]));
  if (ignored.length === 0) return scanned;
  const causes = judged.flatMap(({ cause, reason }) => (reason === undefined ? [cause] : []));
  const status = causes.length === 0 ? 'healthy' : causes.some((c) => c.scope === 'all') ? 'faulty' : 'degraded';
  const summary = causes[0]?.message ?? `ignored: ${ignored.map((i) => `${i.code} (${i.reason})`).join(', ')}`;
  return { ...scanned, status, summary, causes, ignored };
}
