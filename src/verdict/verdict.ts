import { type Code, issueOf } from '../catalog/codes.ts';
import type { Draft } from '../catalog/finding.ts';
import type { Connection, Facts } from '../facts/facts.ts';
import { isGood } from '../facts/selectors.ts';
import { explains, mild, type Symptom, symptoms } from './explanations.ts';

export type Status = 'healthy' | 'degraded' | 'faulty' | 'undecided';

/** A finding as it is shown, with its row of the issue table. */
export interface Finding extends Draft {
  issue: string;
  symptom: string;
  resolution: string;
  docs: string;
}

export interface CheckResult {
  id: string;
  status: 'pass' | 'warn' | 'fail' | 'skip' | 'unknown';
  findings: Finding[];
}

export interface Verdict {
  status: Status;
  summary: string;
  causes: Finding[];
}

export const asFinding = (draft: Draft): Finding => ({ ...draft, ...issueOf(draft.code), docs: `docs/codes/${draft.code}.md` });

const isSymptom = (code: Code): code is Symptom => (symptoms as readonly Code[]).includes(code);

/** True where a cause concerns all pods that the other finding concerns; no pods named means all of them. */
const concerns = (cause: Draft, other: Draft): boolean =>
  mild.includes(other.code) || !cause.pods || !other.pods || other.pods.every((p) => cause.pods?.includes(p));

/** Wrong rules for a Service explain a name that does not resolve only where they are the rules for DNS itself. */
const aboutDns = (cause: Draft, other: Draft): boolean =>
  other.code !== 'name-not-resolving' || !cause.code.startsWith('kube-proxy-rules') || [cause.object, ...(cause.also ?? [])].some((o) => o.name === 'kube-dns');

const explainedBy = (other: Finding, cause: Finding): boolean =>
  cause !== other && cause.severity === 'error' && (explains[cause.code]?.includes(other.code) ?? false) && concerns(cause, other) && aboutDns(cause, other);

/** The same fault of the same pods, found by two checks: the one with more pods stays; with equally many, the first. */
const isSame = (other: Finding, one: Finding, later: boolean): boolean =>
  other.code === one.code &&
  (other.pods?.length ?? 0) > 0 &&
  (other.pods ?? []).every((p) => one.pods?.includes(p)) &&
  (later || (one.pods?.length ?? 0) > (other.pods?.length ?? 0));

/** The connections that fail where a finding's symptom exists; empty where none was tried. */
function trials(finding: Draft, symptom: Symptom, made: readonly Connection[]): Connection[] {
  if (symptom === 'name-not-resolving') return made.filter((c) => c.hop === 'name');
  // A policy may allow nodes and deny other addresses: a connection from a node proves nothing about those.
  if (symptom === 'node-port-failing') return finding.code.startsWith('policy-denies') ? [] : made.filter((c) => c.hop === 'node-port');
  if (symptom === 'load-balancer-failing') return made.filter((c) => c.hop === 'load-balancer');
  if (symptom === 'virtual-ip-failing') return made.filter((c) => c.hop === 'virtual-ip');
  if (symptom === 'endpoint-failing') return made.filter((c) => c.hop === 'endpoint' && (!finding.pods || (c.pod !== null && finding.pods.includes(c.pod))));
  return [];
}

const followsFrom = (finding: Draft): Symptom[] => (explains[finding.code] ?? []).filter(isSymptom);

/** The connections that must fail because of a finding, were tried, and did not fail. */
function overruled(finding: Finding, all: readonly Finding[], made: readonly Connection[]): Connection[] {
  const expected = followsFrom(finding);
  const shown = all.some((f) => f !== finding && (expected as readonly Code[]).includes(f.code) && concerns(finding, f));
  if (shown) return [];
  const tried = expected.flatMap((s) => trials(finding, s, made));
  return tried.length > 0 && tried.every((c) => c.outcome === 'answered') ? tried : [];
}

/** A connection outweighs what objects suggest: the finding becomes a warning that says so. */
function weigh(finding: Finding, all: readonly Finding[], made: readonly Connection[], from: string): Finding {
  if (finding.severity !== 'error') return finding;
  const against = overruled(finding, all, made);
  if (against.length === 0) return finding;
  const contradiction = { source: 'probe', text: `${from} → ${against[0]?.target} answered anyway` };
  // A status that Kubernetes itself reports stays a fault, but it does not (yet) break this client.
  if (finding.confidence === 'confirmed') return { ...finding, scope: 'part', evidence: [...finding.evidence, contradiction] };
  return {
    ...finding,
    severity: 'warning',
    message: `${finding.message}; but the connection succeeded anyway`,
    evidence: [...finding.evidence, contradiction],
  };
}

/** A failed connection that nothing explains: the objects are right, so the fault is below them. */
function unexplained(cause: Finding, made: readonly Connection[], policiesAllow: boolean): Finding {
  if (cause.code !== 'endpoint-failing' && cause.code !== 'virtual-ip-failing') return cause;
  const lost = cause.code === 'endpoint-failing' && trials(cause, cause.code, made).some((c) => c.outcome === 'timed-out' || c.outcome === 'no-route');
  // A lost packet looks like a policy's denial.
  if (lost && policiesAllow)
    return {
      ...cause,
      message: `${cause.message}; NetworkPolicies allow it: check the routes and firewalls between the nodes, then the program itself`,
    };
  return { ...cause, message: `${cause.message}; no object explains it: the fault is likely below Kubernetes, or in the program itself` };
}

/** A connection that shows a cause's symptom confirms the cause and becomes its evidence. */
function confirm(cause: Finding, explained: readonly Finding[], made: readonly Connection[]): Finding {
  const shown = explained.filter((f) => isSymptom(f.code));
  const proof = shown
    .flatMap((f) => f.evidence)
    .filter((e) => e.source === 'probe' && !cause.evidence.some((have) => have.text === e.text))
    .slice(0, 4);
  const failed = followsFrom(cause)
    .flatMap((s) => trials(cause, s, made))
    .filter((c) => !isGood(c));
  // A policy drops packets; a refusal is the pod's own answer and proves nothing about the policy.
  const fits = cause.code.startsWith('policy-denies')
    ? failed.some((c) => c.outcome === 'timed-out' || c.outcome === 'dns-timed-out' || c.outcome === 'no-route')
    : failed.length > 0;
  return { ...cause, confidence: fits && cause.confidence === 'likely' ? 'confirmed' : cause.confidence, evidence: [...cause.evidence, ...proof] };
}

const decisiveness = (f: Finding): number => (f.scope === 'all' ? 0 : 4) + (isSymptom(f.code) ? 2 : 0) + (f.confidence === 'confirmed' ? 0 : 1);

export interface Reasoned {
  verdict: Verdict;
  /** The checks' findings after the reasoning, in the same order. */
  findings: Map<Finding, Finding>;
}

/** Reasons from findings to causes. Pure: the same results and facts give the same verdict in any order. */
export function reason(results: readonly CheckResult[], facts: Facts, subject: { service: string; client: string }): Reasoned {
  const connections = facts.connections.seen ? facts.connections.value : undefined;
  const made = connections?.list ?? [];
  const all = results.flatMap((r) => r.findings);
  const weighed = new Map(all.map((f) => [f, weigh(f, all, made, connections?.from ?? 'the client')]));
  const checkOf = new Map(results.flatMap((r) => r.findings.map((f) => [weighed.get(f), r.id])));
  const errors = [...weighed.values()].filter((f) => f.severity === 'error' && f.confidence !== 'possible');
  const roots = errors.filter(
    (f, i) => !errors.some((cause, j) => explainedBy(f, cause) || (checkOf.get(f) !== checkOf.get(cause) && isSame(f, cause, i > j))),
  );
  const policiesAllow = ['network-policy/ingress', 'network-policy/egress'].every((id) => results.some((r) => r.id === id && r.status === 'pass'));
  const causes = roots.map((cause) => {
    const explained = errors.filter((f) => explainedBy(f, cause));
    const settled = unexplained(confirm(cause, explained, made), made, policiesAllow);
    for (const [before, after] of weighed) if (after === cause) weighed.set(before, settled);
    return settled;
  });
  causes.sort((a, b) => decisiveness(a) - decisiveness(b));

  // A hint is not a cause; it leaves the verdict open where no connection decided it.
  const suspicion = [...weighed.values()].find((f) => f.severity === 'error' && f.confidence === 'possible');
  const status = statusOf(causes, suspicion, results, facts);
  return { verdict: { status, causes, summary: summarize(status, causes, suspicion, facts, subject) }, findings: weighed };
}

function statusOf(causes: readonly Finding[], suspicion: Finding | undefined, results: readonly CheckResult[], facts: Facts): Status {
  if (causes.length > 0) return causes.some((c) => c.scope === 'all') ? 'faulty' : 'degraded';
  // A connection that succeeded proves more than an object that was not read.
  if (facts.connections.seen)
    return results.some((r) => r.id.startsWith('path/') && r.status === 'unknown') || facts.connections.value.list.length === 0 ? 'undecided' : 'healthy';
  if (suspicion) return 'undecided';
  const notLooked = facts.connections.reason === 'not-asked' || facts.connections.reason === 'not-needed';
  return notLooked && !results.some((r) => r.status === 'unknown') ? 'healthy' : 'undecided';
}

function summarize(
  status: Status,
  causes: readonly Finding[],
  suspicion: Finding | undefined,
  facts: Facts,
  { service, client }: { service: string; client: string },
): string {
  const first = causes[0];
  const more = causes.length > 1 ? ` (and ${causes.length - 1} more cause${causes.length > 2 ? 's' : ''})` : '';
  if (status === 'faulty' && first) return `${service} cannot be reached from ${client}: ${first.message}${more}`;
  if (status === 'degraded' && first) return `${service}: some connections from ${client} fail: ${first.message}${more}`;
  const connections = facts.connections.seen ? facts.connections.value : undefined;
  if (status === 'healthy' && connections) {
    const ports = connections.list.filter((c) => c.hop === 'node-port');
    const balanced = connections.list.filter((c) => c.hop === 'load-balancer');
    const ways = [
      ...(balanced.length > 0 ? ['at its load balancer'] : []),
      ...(ports.length > 0 ? [`on ${ports.filter((c) => c.outcome === 'answered').length} of ${ports.length} node ports`] : []),
    ];
    if (ways.length > 0) return `${service} answers from ${client} ${ways.join(' and ')}`;
    const direct = connections.list.filter((c) => c.hop === 'endpoint');
    const answered = direct.filter((c) => c.outcome === 'answered');
    if (direct.length === 0) return `${service} works from ${client}: its name resolves`;
    if (answered.length === 0) return `${service}: no problem found from ${client}; over UDP no endpoint refused, and silence proves nothing`;
    const total = Math.max(connections.endpointsTotal, direct.length);
    return `${service} answers from ${client}: ${answered.length} of ${total} endpoint${total === 1 ? '' : 's'}${total > direct.length ? ` (${direct.length} were tried)` : ''}`;
  }
  if (status === 'healthy')
    return `${service}: no problem found in its objects; connections were not tested${facts.connections.seen ? '' : ` (${facts.connections.why})`}`;
  if (!facts.service.seen) return `${service} could not be read: ${facts.service.why}`;
  const why = facts.connections.seen ? 'some of the evidence is missing' : `no connection could be made (${facts.connections.why})`;
  if (suspicion) return `${service} possibly fails: ${suspicion.message}; ${why}`;
  return `${service}: no problem found, but this is not proved: ${why}`;
}
