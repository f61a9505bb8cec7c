import type { CheckReport, CheckStatus, Diagnosis, Matrix } from '../diagnose/diagnosis.ts';
import type { Finding, Status } from '../verdict/verdict.ts';

/** One line of the pipeline: a stage, or how it stands. */
export interface StageRow {
  stage: string;
  status: CheckStatus;
  text: string;
}

/** Marks carry the meaning without colours; the plain ones are for locales and terminals that lack the others. */
export const unicodeMarks: Record<CheckStatus, string> = { pass: '✓', warn: '▲', fail: '✗', skip: '·', unknown: '?' };
export const asciiMarks: Record<CheckStatus, string> = { pass: '+', warn: '!', fail: 'x', skip: '-', unknown: '?' };
/** A verdict is marked as a check that came out so. */
export const verdictMark: Record<Status, CheckStatus> = { healthy: 'pass', degraded: 'warn', faulty: 'fail', undecided: 'unknown' };

const worst: CheckStatus[] = ['fail', 'warn', 'unknown', 'pass', 'skip'];

/** A stage stands as its worst check. */
export const worstOf = (checks: readonly CheckReport[]): CheckStatus => worst.find((s) => checks.some((c) => c.status === s)) ?? 'skip';

/** The first reason, or another that says the same and more. */
const fullest = ([first = '', ...others]: readonly string[]): string =>
  others.filter((r) => r.startsWith(first)).toSorted((a, b) => b.length - a.length)[0] ?? first;

/** Each stage's state in one line: its worst check, or what its first checks found to be right. */
export function stageRows(checks: readonly CheckReport[], causes: readonly Finding[]): StageRow[] {
  return [...Map.groupBy(checks, (c) => c.stage)].map(([stage, own]) => {
    const status = worstOf(own);
    const telling = own.filter((c) => c.status === status);
    // What stands above in full is only named here.
    const told = (f: Finding) => (causes.some((c) => c.code === f.code && c.message === f.message) ? `${f.code}, see above` : f.message);
    const texts =
      status === 'fail' || status === 'warn'
        ? telling.flatMap((c) => c.findings.filter((f) => f.severity !== 'info').map(told))
        : status === 'pass'
          ? telling.map((c) => c.summary ?? '').filter(Boolean)
          : [fullest(telling.map((c) => c.reason ?? ''))];
    const text = [...new Set(texts)].slice(0, 3).join(status === 'pass' ? ' · ' : '; ');
    return { stage, status, text };
  });
}

export interface Headline {
  status: Status;
  /** One sentence that can be read out in a call. */
  text: string;
}

/** The headline without the cause, which follows it on a line of its own. */
export function headline(d: Diagnosis, client: string): Headline {
  const { status, causes, summary } = d.verdict;
  const name = d.service.name;
  const where = ` (namespace ${d.service.namespace})`;
  if (causes.length === 0) return { status, text: summary };
  return { status, text: status === 'faulty' ? `${name} cannot be reached from ${client}${where}` : `${name} fails for some${where}` };
}

export function clientName(d: Diagnosis): string {
  const c = d.client;
  if (!c) return 'the client';
  if (c.kind === 'external') return 'outside of the cluster';
  return c.kind === 'debug-pod' ? `a pod in namespace ${c.namespace}` : `${c.kind}/${c.name}`;
}

/** How one cell of the matrix stands; null: no connection was tried. */
export const cellStatus = (cell: { outcome: string } | null): CheckStatus =>
  cell === null ? 'skip' : cell.outcome === 'answered' || cell.outcome === 'no-answer' ? 'pass' : 'fail';

/** `3 of 3 nodes, 24 of 100 endpoints (a sample)`. */
export function matrixSize(m: Matrix): string {
  const nodes = m.rows.filter((r) => r.outcomes.some((o) => o !== null)).length;
  const isSample = m.rows.length < m.nodesTotal || m.endpoints.length < m.endpointsTotal;
  return `${nodes} of ${m.nodesTotal} nodes, ${m.endpoints.length} of ${m.endpointsTotal} endpoints${isSample ? ' (a sample)' : ''}`;
}
