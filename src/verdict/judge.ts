/** All checks judged, in the order of the pipeline, and the reasoning from their findings to causes. */
import type { Check, Judgement, Stage } from '../../checks/check.ts';
import { clientText } from '../../checks/format.ts';
import type { Code } from '../catalog/codes.ts';
import { byChoice, type Fact, type Unseen } from '../facts/fact.ts';
import type { Recording } from '../facts/capture.ts';
import type { FactName, Facts } from '../facts/facts.ts';
import { asFinding, type Finding, reason, type Reasoned } from './verdict.ts';

export type CheckStatus = 'pass' | 'warn' | 'fail' | 'skip' | 'unknown';

export interface CheckReport {
  id: string;
  stage: string;
  title: string;
  status: CheckStatus;
  /** Milliseconds from the start of the run until the check had all its facts. */
  durationMs: number;
  /** Why it was skipped or could not be judged. */
  reason?: string;
  /** What was found to be right, in a few words. */
  summary?: string;
  findings: Finding[];
}

/** A check is pure: the same facts give the same judgement. In a scan all Services share those of DNS. */
const lastRun = new WeakMap<Check, { facts: Fact<unknown>[]; judgement: Judgement<Code> }>();

function run(check: Check, facts: Facts, given: Partial<Record<FactName, unknown>>): Judgement<Code> {
  const read = [...check.needs, ...check.uses].map((name): Fact<unknown> => facts[name]);
  const last = lastRun.get(check);
  if (last?.facts.every((fact, i) => fact === read[i])) return last.judgement;
  const judgement = check.run(given as never);
  lastRun.set(check, { facts: read, judgement });
  return judgement;
}

/** Judges one check. Where a fact that it needs was not seen it is not asked at all. */
export function judge(check: Check, facts: Facts, durationMs: number): CheckReport {
  const base = { id: check.id, stage: check.id.split('/')[0] as Stage, title: check.title, durationMs };
  const given: Partial<Record<FactName, unknown>> = {};
  let chosenAway: Unseen | undefined;
  for (const name of check.needs) {
    const fact: Fact<unknown> = facts[name];
    if (fact.seen) given[name] = fact.value;
    else if (!byChoice(fact)) return { ...base, status: 'unknown', reason: `${fact.what}: ${fact.why}`, findings: [] };
    else chosenAway ??= fact;
  }
  if (chosenAway) return { ...base, status: 'skip', reason: chosenAway.why, findings: [] };
  for (const name of check.uses) given[name] = facts[name];
  const judgement = run(check, facts, given);
  if (judgement.kind === 'skip') return { ...base, status: 'skip', reason: judgement.reason, findings: [] };
  if (judgement.kind === 'unknown') {
    // The user chose not to test it: nothing is missing then.
    const chosen = check.uses.map((n) => facts[n]).find((f): f is Unseen => !f.seen && f.reason === 'not-asked');
    return chosen ? { ...base, status: 'skip', reason: chosen.why, findings: [] } : { ...base, status: 'unknown', reason: judgement.reason, findings: [] };
  }
  const findings = judgement.findings.map(asFinding);
  return { ...base, status: statusOf(findings), ...(judgement.summary && { summary: judgement.summary }), findings };
}

export const statusOf = (findings: readonly { severity: string }[]): CheckStatus =>
  findings.some((f) => f.severity === 'error') ? 'fail' : findings.some((f) => f.severity === 'warning') ? 'warn' : 'pass';

/** The facts that a pipeline reads, and what else the diagnosis shows: who changed the Corefile. */
export const wantedBy = (pipeline: readonly Check[]): FactName[] => [
  ...new Set([...pipeline.flatMap((c) => [...c.needs, ...c.uses]), 'corefileHistory' as const]),
];

/** The facts in a fact about several things: one for each namespace, node, pod. */
export const partsOf = (value: unknown): Fact<unknown>[] =>
  value && typeof value === 'object' && !Array.isArray(value)
    ? Object.values(value).filter((part): part is Fact<unknown> => typeof part === 'object' && part !== null && 'seen' in part)
    : [];

export const targetOf = (facts: Facts) => (facts.target as { value: Facts['target'] extends Fact<infer T> ? T : never }).value;

/** A client outside the cluster does not use its DNS: a fault of DNS is reported, and is not a cause. */
function asSeenFrom(target: { from: { kind: string } }, report: CheckReport): CheckReport {
  if (target.from.kind !== 'external' || report.stage !== 'dns') return report;
  const findings = report.findings.map((f) => (f.severity === 'error' ? { ...f, severity: 'warning' as const } : f));
  return { ...report, findings, ...(report.status === 'fail' && { status: 'warn' as const }) };
}

const isUnread = (fact: Fact<unknown>): boolean => !fact.seen && !byChoice(fact) && fact.reason !== 'not-possible';

/** Many checks read the same facts, and in a scan many Services share them. */
const known = new WeakMap<Fact<unknown>, boolean>();

/** Whether a fact, or a part of it (one namespace, one node), could not be read. */
function isBlindFact(fact: Fact<unknown>): boolean {
  const before = known.get(fact);
  if (before !== undefined) return before;
  const isBlind = fact.seen ? partsOf(fact.value).some(isUnread) : isUnread(fact);
  known.set(fact, isBlind);
  return isBlind;
}

const isBlind = (check: Check, facts: Facts): boolean => [...check.needs, ...check.uses].some((name) => isBlindFact(facts[name]));

/** All checks judged, and what follows from them. */
export function reasoned(pipeline: readonly Check[], recording: Recording): Reasoned & { reports: CheckReport[] } {
  const { facts } = recording;
  const target = targetOf(facts);
  const settledMs = (check: Check) => Math.max(0, ...[...check.needs, ...check.uses].map((n) => recording.settledMs[n] ?? 0));
  const reports = pipeline.map((check) => asSeenFrom(target, judge(check, facts, settledMs(check))));
  const client = facts.client.seen ? facts.client.value : null;
  const results = pipeline.flatMap((check, i) => {
    const report = reports[i];
    return report ? [{ ...report, codes: check.codes, blind: isBlind(check, facts) }] : [];
  });
  return { reports, ...reason(results, facts, { service: target.name, client: clientText(target, client) }) };
}
