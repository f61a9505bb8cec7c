/** All checks judged, in the order of the pipeline, and the reasoning from their findings to causes. */
import type { Check, Stage } from '../../checks/check.ts';
import { clientText } from '../../checks/format.ts';
import { asked } from '../front/asked.ts';
import { callersOf, isExtension } from '../front/extension.ts';
import { type FrontAnswer, isFailure } from '../front/answers.ts';
import { derived } from '../facts/derived.ts';
import { byChoice, type Fact, type Unseen } from '../facts/fact.ts';
import type { Recording } from '../facts/capture.ts';
import type { FactName, Facts, Target } from '../facts/facts.ts';
import { asFinding, type CheckResult, type Finding, reason, type Reasoned } from './verdict.ts';

export type CheckStatus = 'pass' | 'warn' | 'fail' | 'skip' | 'unknown';

/** What a check says of the facts. */
export interface Judged {
  id: string;
  stage: string;
  title: string;
  status: CheckStatus;
  /** Why it was skipped or could not be judged. */
  reason?: string;
  /** What was found to be right, in a few words. */
  summary?: string;
  findings: Finding[];
}

export interface CheckReport extends Judged {
  /** Milliseconds from the start of the run until the check had all its facts. */
  durationMs: number;
}

/** The facts that a check reads. */
export const readBy = derived((check: Check): readonly FactName[] => [...check.needs, ...check.uses]);

const titleOf = derived(({ id, title }: Check) => ({ id, stage: id.split('/')[0] as Stage, title }));

const skipped = (check: Check, reason: string): Judged => ({ ...titleOf(check), status: 'skip', reason, findings: [] });

/** What the user chose not to read is the same fact for all Services of a scan. */
const notAsked = derived((check: Check) => derived((fact: Unseen) => skipped(check, fact.why)));

/** A check is pure: the same facts give the same judgement. In a scan all Services share those of DNS. */
const lastRun = new WeakMap<Check, { facts: Facts; judged: Judged }>();

/** Judges one check. Where a fact that it needs was not seen it is not asked at all. */
export function judge(check: Check, facts: Facts): Judged {
  let chosenAway: Unseen | undefined;
  for (const name of check.needs) {
    const fact: Fact<unknown> = facts[name];
    if (fact.seen) continue;
    if (!byChoice(fact)) return { ...titleOf(check), status: 'unknown', reason: `${fact.what}: ${fact.why}`, findings: [] };
    chosenAway ??= fact;
  }
  if (chosenAway) return notAsked(check)(chosenAway);
  const last = lastRun.get(check);
  if (last && readBy(check).every((name) => facts[name] === last.facts[name])) return last.judged;
  const judged = run(check, facts);
  lastRun.set(check, { facts, judged });
  return judged;
}

function run(check: Check, facts: Facts): Judged {
  const base = titleOf(check);
  const given: Partial<Record<FactName, unknown>> = {};
  for (const name of check.needs) given[name] = (facts[name] as { value: unknown }).value;
  for (const name of check.uses) given[name] = facts[name];
  const judgement = check.run(given as never);
  if (judgement.kind === 'skip') return skipped(check, judgement.reason);
  if (judgement.kind === 'unknown') {
    // The user chose not to test it: nothing is missing then.
    const chosen = check.uses.map((n) => facts[n]).find((f): f is Unseen => !f.seen && f.reason === 'not-asked');
    return chosen ? skipped(check, chosen.why) : { ...base, status: 'unknown', reason: judgement.reason, findings: [] };
  }
  const findings = judgement.findings.map(asFinding);
  return { ...base, status: statusOf(findings), ...(judgement.summary && { summary: judgement.summary }), findings };
}

export const statusOf = (findings: readonly { severity: string }[]): CheckStatus =>
  findings.some((f) => f.severity === 'error') ? 'fail' : findings.some((f) => f.severity === 'warning') ? 'warn' : 'pass';

/** The facts that a pipeline reads, and what else the diagnosis shows: who changed the Corefile, and advice. */
export const wantedBy = (pipeline: readonly Check[]): FactName[] => [
  ...new Set([...pipeline.flatMap(readBy), 'corefileHistory' as const, 'disruptionBudgets' as const]),
];

/** The facts in a fact about several things: one for each namespace, node, pod. */
export const partsOf = (value: unknown): Fact<unknown>[] =>
  value && typeof value === 'object' && !Array.isArray(value)
    ? Object.values(value).filter((part): part is Fact<unknown> => typeof part === 'object' && part !== null && 'seen' in part)
    : [];

export const targetOf = (facts: Facts) => (facts.target as { value: Facts['target'] extends Fact<infer T> ? T : never }).value;

const asWarning = (f: Finding): Finding => (f.severity === 'error' ? { ...f, severity: 'warning' } : f);

const softened = (report: Judged, soften: (f: Finding) => Finding): Judged => {
  const findings = report.findings.map(soften);
  return { ...report, findings, ...(report.status === 'fail' && !findings.some((f) => f.severity === 'error') && { status: 'warn' as const }) };
};

/** What proxies in front of Services do not use: they connect to the endpoints, which they read from the API server. */
const notUsedInFront = ({ stage, id }: Judged, endpointsFail: boolean): boolean =>
  // Where the endpoints fail, the virtual IP fails of the same cause.
  stage === 'dns' || stage === 'kube-proxy' || id === 'path/name' || (id === 'path/virtual-ip' && !endpointsFail);

/** What objects suggest is outweighed by a request that came through. */
function outweighed(f: Finding, { via, url, status }: FrontAnswer): Finding {
  if (f.severity !== 'error' || f.scope !== 'all' || f.failed !== undefined) return f;
  const evidence = [...f.evidence, { source: 'probe', text: `${via}: ${url}: HTTP ${status}` }];
  return { ...f, severity: 'warning', message: `${f.message}; but a request succeeded anyway`, evidence };
}

/** Whether the API server was seen to call everything of that name. */
function isCalled(facts: Facts): boolean {
  const calls = facts.apiServerCalls.seen ? facts.apiServerCalls.value : [];
  const callers = facts.extension.seen ? callersOf(facts.extension.value) : [];
  return callers.length > 0 && callers.every((c) => calls.some((x) => x.of.includes(c.name) && x.succeeded)) && calls.every((x) => x.succeeded !== false);
}

/** What the API server does not use: the cluster's DNS, the rules of other machines, and the client that made the connections here. */
function asTheApiServerSees(facts: Facts, report: Judged): Judged {
  if (isCalled(facts)) return softened(report, asWarning);
  return ['dns', 'kube-proxy', 'network-policy', 'path'].includes(report.stage) ? softened(report, asWarning) : report;
}

/** A client outside the cluster does not use its DNS, and a proxy in front of a Service neither that nor kube-proxy: their faults are reported, and are no cause. */
function asSeenFrom(facts: Facts, report: Judged, endpointsFail: boolean): Judged {
  const target = targetOf(facts);
  if (target.from.kind === 'external' && report.stage === 'dns') return softened(report, asWarning);
  if (!target.front) return report;
  if (isExtension(target)) return asTheApiServerSees(facts, report);
  const byName = facts.service.seen && facts.service.value?.spec.type === 'ExternalName';
  if (!byName && notUsedInFront(report, endpointsFail)) return softened(report, asWarning);
  const answers = facts.frontAnswers.seen ? facts.frontAnswers.value : [];
  // Where a rule does not hold, another one may have answered.
  const [first] = answers;
  if (!first || answers.some(isFailure) || report.stage === 'route') return report;
  return softened(report, (f) => outweighed(f, first));
}

const isUnread = (fact: Fact<unknown>): boolean => !fact.seen && !byChoice(fact) && fact.reason !== 'not-possible';

/** Whether a fact, or a part of it (one namespace, one node), could not be read. Many checks read the same facts, and in a scan many Services share them. */
const isBlindFact = derived((fact: Fact<unknown>): boolean => (fact.seen ? partsOf(fact.value).some(isUnread) : isUnread(fact)));

const isBlind = (check: Check, facts: Facts): boolean => readBy(check).some((name) => isBlindFact(facts[name]));

/** What is said to be reached or not: the Service, or what is in front of it. */
const subjectOf = (target: Target): string => (target.front ? asked(target) : target.name);

/** All checks judged, and what follows from them. */
export function reasoned(pipeline: readonly Check[], facts: Facts): Reasoned & { reports: Judged[] } {
  const target = targetOf(facts);
  const judged = pipeline.map((check) => judge(check, facts));
  const endpointsFail = judged.some((r) => r.id === 'path/endpoints' && r.status === 'fail');
  const reports = judged.map((r) => asSeenFrom(facts, r, endpointsFail));
  const client = facts.client.seen ? facts.client.value : null;
  const results = pipeline.flatMap((check, i): CheckResult[] => {
    const report = reports[i];
    if (!report) return [];
    const { id, status, reason: why, findings } = report;
    return [{ id, status, reason: why, codes: check.codes, blind: status === 'unknown' && isBlind(check, facts), findings }];
  });
  const subject = isExtension(target)
    ? ({ service: asked(target), client: 'the API server', cannot: 'cannot be called by' } as const)
    : ({ service: subjectOf(target), client: clientText(target, client), cannot: 'cannot be reached from' } as const);
  return { reports, ...reason(results, facts, subject) };
}

/** Reports with the time at which each check had all its facts, in milliseconds (`settledMs`: of each fact). */
export const timed = (pipeline: readonly Check[], reports: readonly Judged[], settledMs: Recording['settledMs']): CheckReport[] =>
  pipeline.flatMap((check, i) => {
    const report = reports[i];
    return report ? [{ ...report, durationMs: Math.max(0, ...readBy(check).map((name) => settledMs[name] ?? 0)) }] : [];
  });
