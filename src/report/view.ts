import type { Diagnosis, Matrix } from '../diagnose/diagnosis.ts';
import type { CheckReport, CheckStatus } from '../verdict/judge.ts';
import type { Fix } from '../catalog/finding.ts';
import type { Finding, Status } from '../verdict/verdict.ts';

/** One line of the pipeline: a stage with its status. */
export interface StageRow {
  stage: string;
  status: CheckStatus;
  text: string;
}

/** Marks have their meaning without colours; the ASCII ones are for locales and terminals without the others. */
export const unicodeMarks: Record<CheckStatus, string> = { pass: '✓', warn: '▲', fail: '✗', skip: '·', unknown: '?' };
export const asciiMarks: Record<CheckStatus, string> = { pass: '+', warn: '!', fail: 'x', skip: '-', unknown: '?' };
/** A verdict has the mark of a check with the same result. */
export const verdictMark: Record<Status, CheckStatus> = { healthy: 'pass', degraded: 'warn', faulty: 'fail', undecided: 'unknown' };

const worst: CheckStatus[] = ['fail', 'warn', 'unknown', 'pass', 'skip'];

/** The status of a stage is that of its worst check. */
export const worstOf = (checks: readonly CheckReport[]): CheckStatus => worst.find((s) => checks.some((c) => c.status === s)) ?? 'skip';

/** The first reason, or another that says the same and more. */
const fullest = ([first = '', ...others]: readonly string[]): string =>
  others.filter((r) => r.startsWith(first)).toSorted((a, b) => b.length - a.length)[0] ?? first;

/** Of a passing stage the line is the summary of one of these checks, the first that has one. */
const summaryChecks = [
  'service/exists',
  'service/external-name',
  'endpoints/ready',
  'pods/readiness',
  'network-policy/ingress',
  'mesh/tls',
  'dns/answers',
  'dns/replicas',
  'kube-proxy/rules',
  'kube-proxy/running',
  'path/load-balancer',
  'path/node-ports',
  'path/endpoints',
  'path/virtual-ip',
  'path/name',
];

function passText(passed: readonly CheckReport[]): string {
  const withSummary = passed.filter((c) => c.summary);
  const best = summaryChecks.flatMap((id) => withSummary.filter((c) => c.id === id))[0] ?? withSummary[0];
  return best?.summary ?? '';
}

/** Warnings of all checks, in the order of the pipeline. */
export const warningsOf = (d: Diagnosis): Finding[] => d.checks.flatMap((c) => c.findings).filter((f) => f.severity === 'warning');

/** Each stage in one line with the one fact that matters: its worst finding, or the best summary. `above`: findings that are printed in full before. */
export function stageRows(checks: readonly CheckReport[], above: readonly Finding[]): StageRow[] {
  return [...Map.groupBy(checks, (c) => c.stage)].map(([stage, own]) => {
    const status = worstOf(own);
    const worstChecks = own.filter((c) => c.status === status);
    if (status === 'pass') return { stage, status, text: passText(worstChecks) };
    if (status === 'skip' || status === 'unknown') return { stage, status, text: fullest(worstChecks.map((c) => c.reason ?? '')) };
    const found = worstChecks.flatMap((c) => c.findings.filter((f) => f.severity !== 'info'));
    const isAbove = (f: Finding) => above.some((c) => c.code === f.code && c.message === f.message);
    const worst = found.find(isAbove) ?? found.find((f) => f.severity === 'error') ?? found[0];
    return { stage, status, text: worst ? (isAbove(worst) ? `${worst.code}, see above` : worst.message) : '' };
  });
}

export interface Headline {
  status: Status;
  /** One sentence that can be read out in a call. */
  text: string;
}

/** Whether the API server is the client, by a webhook or an APIService. */
const isCalled = ({ front }: Diagnosis): boolean => front?.kind === 'webhook' || front?.kind === 'apiservice';

/** What fails for whom; the cause follows on a line of its own. */
export function headline(d: Diagnosis, client: string): Headline {
  const { status, causes, summary } = d.verdict;
  const { front } = d;
  const kinds = { ingress: 'Ingress', route: 'Route', webhook: 'Webhook configuration', apiservice: 'APIService' };
  const name = front ? (front.kind === 'url' ? front.url : `${kinds[front.kind]} "${front.name}"`) : d.service.name;
  const namespace = front ? front.namespace : d.service.namespace;
  const where = namespace === '' ? '' : ` (namespace ${namespace})`;
  if (causes.length === 0) return { status, text: summary };
  return {
    status,
    text:
      status === 'faulty'
        ? `${name} ${isCalled(d) ? 'cannot be called by' : 'cannot be reached from'} ${client}${where}`
        : `${name}: some connections from ${client} fail${where}`,
  };
}

export function clientName(d: Diagnosis): string {
  const c = d.client;
  if (isCalled(d)) return 'the API server';
  if (!c) return 'the client';
  if (c.kind === 'external') return 'outside the cluster';
  return c.kind === 'debug-pod' ? `a pod in namespace ${c.namespace}` : `${c.kind}/${c.name}`;
}

/** The status of one cell of the matrix; null: no connection was tried. */
export const cellStatus = (cell: { outcome: string } | null): CheckStatus =>
  cell === null ? 'skip' : cell.outcome === 'answered' || cell.outcome === 'no-answer' ? 'pass' : 'fail';

/** `3 of 3 nodes, 24 of 100 endpoints (a sample)`. */
export function matrixSize(m: Matrix): string {
  const nodes = m.rows.filter((r) => r.outcomes.some((o) => o !== null)).length;
  const isSample = m.rows.length < m.nodesTotal || m.endpoints.length < m.endpointsTotal;
  return `${nodes} of ${m.nodesTotal} nodes, ${m.endpoints.length} of ${m.endpointsTotal} endpoints${isSample ? ' (a sample)' : ''}`;
}

/** What is known of a fix beside its text: what follows, what the API server says, whom it touches, who owns the object. */
export const fixNotes = ({ predicted, tried, affects = [], owners = [] }: Fix): string[] => [
  ...(predicted ? [`predicted: ${predicted.text}`] : []),
  ...(tried ? [`dry run: ${tried.message}`] : []),
  ...affects.map((a) => `also affects: ${a}`),
  ...owners,
];

/** A rollout in one line: what is behind the Service of each revision. */
export function rolloutText({
  deployment,
  wanted,
  maxUnavailable,
  progressDeadlineSeconds,
  stalled,
  revisions,
}: NonNullable<Diagnosis['rollouts']>[number]): string {
  const each = revisions.map(
    (r, i) =>
      `${i === 0 ? 'new' : 'old'} ${r.replicaSet}${r.revision === null ? '' : ` (revision ${r.revision})`}: ${r.ready} of ${r.pods} pods ready, ${r.endpoints} behind the Service`,
  );
  const rule = `maxUnavailable ${maxUnavailable} of ${wanted}, progressDeadlineSeconds ${progressDeadlineSeconds}`;
  return `Deployment ${deployment}: ${each.join('; ')}; ${rule}${stalled === null ? '' : `; ${stalled}`}`;
}
