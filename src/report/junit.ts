import { XMLBuilder } from 'fast-xml-parser';
import type { Diagnosis } from '../diagnose/diagnosis.ts';
import type { CheckReport } from '../verdict/judge.ts';
import type { Finding } from '../verdict/verdict.ts';

export const seconds = (ms: number) => (ms / 1000).toFixed(3);

export const findingText = (f: Finding): string =>
  [`${f.code}: ${f.message}`, ...f.evidence.map((e) => `  ${e.source}: ${e.text}`), ...f.fix.map((x) => `  fix: ${x.command ?? x.text}`)].join('\n');

/** One check as a test case: what could not be judged is an error, what did not apply is skipped. */
function testCase(check: CheckReport): object {
  const text = check.findings.map(findingText).join('\n');
  const first = check.findings[0];
  return {
    '@_classname': `k8s-doctor.${check.stage}`,
    '@_name': `${check.id}: ${check.title}`,
    '@_time': seconds(check.durationMs),
    ...(check.status === 'fail' && { failure: { '@_type': first?.code ?? '', '@_message': first?.message ?? '', '#text': text } }),
    ...(check.status === 'unknown' && { error: { '@_type': 'unknown', '@_message': check.reason ?? '' } }),
    ...(check.status === 'skip' && { skipped: { '@_message': check.reason ?? '' } }),
    ...(check.status === 'warn' && { 'system-out': text }),
  };
}

/** Test cases under one name, with their counts. */
export function suite(name: string, cases: readonly object[], ms: number): object {
  const count = (key: string) => cases.filter((c) => key in c).length;
  return {
    '@_name': name,
    '@_tests': cases.length,
    '@_failures': count('failure'),
    '@_errors': count('error'),
    '@_skipped': count('skipped'),
    '@_time': seconds(ms),
    testcase: cases,
  };
}

export function junitXml(suites: readonly object[], ms: number): string {
  const builder = new XMLBuilder({ ignoreAttributes: false, format: true, suppressEmptyNode: true });
  return `<?xml version="1.0" encoding="UTF-8"?>\n${builder.build({ testsuites: { '@_name': 'k8s-doctor', '@_time': seconds(ms), testsuite: suites } })}`;
}

/** The diagnosis as JUnit XML, as CI systems read it: a suite for each stage, a case for each check; the verdict comes first. */
export function renderJunit(d: Diagnosis): string {
  const { status, summary, causes } = d.verdict;
  const bad = status === 'faulty' || status === 'degraded';
  const verdict = {
    '@_classname': 'k8s-doctor.verdict',
    '@_name': `${d.service.namespace}/${d.service.name} can be reached`,
    '@_time': seconds(d.durationMs),
    ...(bad && { failure: { '@_type': status, '@_message': summary, '#text': causes.map(findingText).join('\n\n') } }),
    ...(status === 'undecided' && { error: { '@_type': status, '@_message': summary } }),
  };
  const stages = [...Map.groupBy(d.checks, (c) => c.stage)].map(([stage, own]) =>
    suite(stage, own.map(testCase), Math.max(0, ...own.map((c) => c.durationMs))),
  );
  return junitXml([suite('verdict', [verdict], d.durationMs), ...stages], d.durationMs);
}
