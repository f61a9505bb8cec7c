import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';

/** What a scenario's case.json expects; see test/e2e/scenarios/README.md. */
export interface Expectation {
  status: string | string[];
  exit?: number | number[];
  /** One code of each group must be among the causes. */
  causes?: (string | string[])[];
  issue?: string;
  mentions?: string[];
  /** Texts that nothing of the output may have. */
  unmentioned?: string[];
  never?: string[];
}

export interface Case {
  title: string;
  /** Default: `sc-` and the scenario's name. */
  namespace?: string;
  args: string[];
  /** A connection shows something else than the objects. */
  needsConnection?: boolean;
  wait?: string[][];
  /** Only on a cluster with both families of addresses. */
  families?: 'dual';
  /** Only where kube-proxy runs in one of these modes. */
  modes?: string[];
  /** Pods with the same labels in other namespaces would change the result. */
  alone?: boolean;
  /** What has to be installed in the cluster besides. */
  needs?: 'contour' | 'istio';
  /** True for one that is much like others: not with every change. */
  nightly?: boolean;
  /** Seconds to let pass after the break. */
  settle?: number;
  expect: Expectation;
}

const listOf = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);

/** What falls short of the expectation, as sentences; empty where the diagnosis is right. */
export function shortfalls(expect: Expectation, exit: number, diagnosis: Diagnosis): string[] {
  const causes = diagnosis.verdict.causes;
  const codes: string[] = causes.map((c) => c.code);
  const text = JSON.stringify(diagnosis);
  const wrong: string[] = [];
  if (expect.exit !== undefined && !listOf(expect.exit).includes(exit)) wrong.push(`exit ${exit}, expected ${String(expect.exit)}`);
  if (!listOf(expect.status).includes(diagnosis.verdict.status)) wrong.push(`status ${diagnosis.verdict.status}, expected ${String(expect.status)}`);
  for (const group of expect.causes ?? [])
    if (!listOf(group).some((c) => codes.includes(c))) wrong.push(`no cause of ${String(group)} among [${codes.join(', ')}]`);
  if ((expect.causes ?? []).length === 0 && listOf(expect.status).includes('healthy') && codes.length > 0)
    wrong.push(`causes [${codes.join(', ')}] where none is expected`);
  if (expect.issue && causes[0]?.issue !== expect.issue) wrong.push(`first cause's issue is ${causes[0]?.issue}, expected ${expect.issue}`);
  for (const code of expect.never ?? []) if (codes.includes(code)) wrong.push(`wrongly blames ${code}`);
  for (const mention of expect.mentions ?? []) if (!text.includes(JSON.stringify(mention).slice(1, -1))) wrong.push(`does not mention ${mention}`);
  for (const word of expect.unmentioned ?? []) if (text.includes(JSON.stringify(word).slice(1, -1))) wrong.push(`mentions ${word}`);
  return wrong;
}
