import type { Check, Stage } from '../../checks/check.ts';
import { clientText } from '../../checks/format.ts';
import { byChoice, type Fact, type Unseen } from '../facts/fact.ts';
import type { Recording } from '../facts/capture.ts';
import { type FactName, type Facts, type FactTypes, factNames } from '../facts/facts.ts';
import { asFinding, type Finding, reason, type Reasoned } from '../verdict/verdict.ts';
import type { CheckReport, CheckStatus, Diagnosis, Hop, Matrix, Missing, ProbeReport } from './diagnosis.ts';

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
  const judgement = check.run(given as never);
  if (judgement.kind === 'skip') return { ...base, status: 'skip', reason: judgement.reason, findings: [] };
  if (judgement.kind === 'unknown') {
    // The user chose not to test it: nothing is missing then.
    const chosen = check.uses.map((n) => facts[n]).find((f): f is Unseen => !f.seen && f.reason === 'not-asked');
    return chosen ? { ...base, status: 'skip', reason: chosen.why, findings: [] } : { ...base, status: 'unknown', reason: judgement.reason, findings: [] };
  }
  const findings = judgement.findings.map(asFinding);
  return { ...base, status: statusOf(findings), ...(judgement.summary && { summary: judgement.summary }), findings };
}

const statusOf = (findings: readonly { severity: string }[]): CheckStatus =>
  findings.some((f) => f.severity === 'error') ? 'fail' : findings.some((f) => f.severity === 'warning') ? 'warn' : 'pass';

/** The facts that a pipeline reads. */
export const wantedBy = (pipeline: readonly Check[]): FactName[] => [...new Set(pipeline.flatMap((c) => [...c.needs, ...c.uses]))];

/** The facts in a fact about several things: one for each namespace, node, pod. */
const partsOf = (value: unknown): Fact<unknown>[] =>
  value && typeof value === 'object' && !Array.isArray(value)
    ? Object.values(value).filter((part): part is Fact<unknown> => typeof part === 'object' && part !== null && 'seen' in part)
    : [];

const targetOf = (facts: Facts) => (facts.target as { value: Facts['target'] extends Fact<infer T> ? T : never }).value;

/** A client outside the cluster does not use its DNS: a fault of DNS is reported, and is not a cause. */
function asSeenFrom(target: { from: { kind: string } }, report: CheckReport): CheckReport {
  if (target.from.kind !== 'external' || report.stage !== 'dns') return report;
  const findings = report.findings.map((f) => (f.severity === 'error' ? { ...f, severity: 'warning' as const } : f));
  return { ...report, findings, ...(report.status === 'fail' && { status: 'warn' as const }) };
}

const isUnread = (fact: Fact<unknown>): boolean => !fact.seen && !byChoice(fact) && fact.reason !== 'not-possible';

/** Whether a fact that a check reads, or a part of it (one namespace, one node), could not be read. */
const isBlind = (check: Check, facts: Facts): boolean =>
  [...check.needs, ...check.uses].some((name) => {
    const fact: Fact<unknown> = facts[name];
    return fact.seen ? partsOf(fact.value).some(isUnread) : isUnread(fact);
  });

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

/** The whole diagnosis from sealed facts. Pure: a replay of a recording prints what the run printed. */
export function diagnose(pipeline: readonly Check[], recording: Recording): Diagnosis {
  const { facts } = recording;
  const target = targetOf(facts);
  const client = facts.client.seen ? facts.client.value : null;
  const { reports, verdict, findings } = reasoned(pipeline, recording);
  const tried = facts.dryRuns.seen ? facts.dryRuns.value : {};
  /** The patch and the failed connections stay internal: the command shows what the one does, `probes` the others. */
  const shown = (f: Finding): Finding => {
    const fix = f.fix.map(({ text, command }) => ({ text, ...(command !== undefined && { command, ...(tried[command] && { tried: tried[command] }) }) }));
    const copy: Finding = { ...f, fix };
    delete copy.failed;
    return copy;
  };
  const checks = reports.map((r) => {
    const after = r.findings.map((f) => shown(findings.get(f) ?? f));
    return { ...r, findings: after, ...(r.status === 'fail' || r.status === 'warn' ? { status: statusOf(after) } : {}) };
  });
  const service = facts.service.seen ? facts.service.value : null;
  return {
    apiVersion: 'k8s-doctor/v1',
    kind: 'Diagnosis',
    version: recording.version,
    service: {
      namespace: target.namespace,
      name: target.name,
      type: service?.spec.type ?? null,
      clusterIPs: service?.spec.clusterIPs ?? [],
      ports: (service?.spec.ports ?? []).map((p) => ({ name: p.name, port: p.port, protocol: p.protocol, targetPort: p.targetPort ?? p.port })),
    },
    client: client && {
      kind: client.kind,
      namespace: client.namespace,
      name: client.name,
      node: client.node ?? (facts.connections.seen ? facts.connections.value.node : null),
    },
    startedAt: recording.startedAt,
    durationMs: recording.durationMs,
    verdict: { ...verdict, causes: verdict.causes.map(shown) },
    checks,
    probes: probesOf(facts),
    path: pathOf(checks, facts),
    ...(facts.matrix.seen && { matrix: matrixOf(facts.matrix.value) }),
    missing: missingOf(facts),
  };
}

function probesOf(facts: Facts): ProbeReport[] {
  const made = facts.connections.seen ? facts.connections.value : undefined;
  const byApiServer = facts.viaApiServer.seen ? facts.viaApiServer.value : [];
  const connections = [...(made?.list ?? []), ...byApiServer].map((c) => ({
    kind: c.hop === 'payload' || c.hop === 'http' || c.hop === 'health-check' || c.hop === 'target-port' ? c.hop : c.kind,
    from: c.from ?? made?.from ?? '',
    target: c.target,
    outcome: c.outcome,
    latencyMs: c.latencyMs,
    detail: c.detail || c.answers.join(', '),
  }));
  const replicas = (facts.dnsAnswers.seen ? Object.entries(facts.dnsAnswers.value) : []).map(([pod, a]) => ({
    kind: 'dns',
    from: 'port-forward',
    target: `${pod}:53`,
    outcome: a.seen
      ? a.value.addresses.length > 0
        ? 'answered'
        : a.value.rcode === 'NXDOMAIN' || a.value.rcode === 'NOERROR'
          ? 'name-not-found'
          : 'dns-failed'
      : a.reason,
    latencyMs: a.seen ? a.value.latencyMs : null,
    detail: a.seen ? `${a.value.question}: ${a.value.rcode} ${a.value.addresses.join(', ')}`.trim() : a.why,
  }));
  return [...connections, ...replicas];
}

function matrixOf({ nodesTotal, endpointsTotal, rows }: FactTypes['matrix']): Matrix {
  const endpoints = [...new Map(rows.flatMap((r) => r.list).map((c) => [`${c.target} ${c.servicePort}`, c])).entries()];
  return {
    nodesTotal,
    endpointsTotal,
    endpoints: endpoints.map(([, { target, pod, node }]) => ({ target, pod, node })),
    rows: rows.map(({ node, problem, list }) => {
      const made = new Map(list.map((c) => [`${c.target} ${c.servicePort}`, c]));
      const outcomes = endpoints.map(([key]) => {
        const cell = made.get(key);
        return cell ? { outcome: cell.outcome, latencyMs: cell.latencyMs } : null;
      });
      return { node, problem, outcomes };
    }),
  };
}

/** The checks of each hop of the packet's path. */
const hops: readonly [Hop['hop'], readonly string[]][] = [
  ['dns', ['path/name', 'dns/', 'network-policy/dns', 'service/external-name']],
  ['virtual IP', ['path/virtual-ip', 'path/load-balancer', 'path/node-ports', 'path/health-check', 'service/exists', 'service/port']],
  ['proxy rules', ['kube-proxy/', 'service/traffic-policy']],
  ['policy', ['network-policy/ingress', 'network-policy/egress']],
  ['endpoint', ['path/endpoints', 'endpoints/']],
  ['container', ['pods/']],
];

const isOf = (prefix: string, id: string) => (prefix.endsWith('/') ? id.startsWith(prefix) : id === prefix);

/** The state of the hops between client and container, from the checks so far. */
export const hopsOf = (checks: readonly CheckReport[]): Hop[] =>
  hops.map(([hop, prefixes]) => {
    // In the order of the prefixes: the most telling checks are first.
    const own = prefixes.flatMap((p) => checks.filter((c) => isOf(p, c.id)));
    const bad = own.find((c) => c.status === 'fail') ?? own.find((c) => c.status === 'warn') ?? own.find((c) => c.status === 'unknown');
    const good = own.find((c) => c.status === 'pass' && c.summary) ?? own.find((c) => c.status === 'pass');
    const state = bad ? (bad.status === 'fail' ? 'failed' : bad.status === 'warn' ? 'warning' : 'unknown') : good ? 'ok' : 'none';
    return { hop, state, detail: bad ? (bad.findings[0]?.message ?? bad.reason ?? '') : (good?.summary ?? own[0]?.reason ?? '') };
  });

/** The hop that a check speaks of, where it speaks of one. */
export const hopOf = (checkId: string): Hop['hop'] | undefined => hops.find(([, prefixes]) => prefixes.some((p) => isOf(p, checkId)))?.[0];

function pathOf(checks: readonly CheckReport[], facts: Facts): Hop[] {
  const client = facts.client.seen ? facts.client.value : null;
  const first: Hop = {
    hop: 'client',
    state: client ? 'ok' : 'unknown',
    detail: client ? [client.name || client.namespace || client.kind, client.node].filter(Boolean).join(' on ') : facts.client.seen ? '' : facts.client.why,
  };
  return [first, ...hopsOf(checks)];
}

/** What could not be read, with the rule to grant; what the user chose not to try is listed once, without one.  */
function missingOf(facts: Facts): Missing[] {
  const found: Missing[] = [];
  const add = (f: Unseen) => {
    if (f.reason === 'not-needed' || found.some((m) => m.what === f.what && m.why === f.why)) return;
    found.push({ what: f.what, why: f.why, grant: f.grant ?? null });
  };
  for (const name of factNames) {
    const fact: Fact<unknown> = facts[name];
    if (!fact.seen) add(fact);
    else for (const part of partsOf(fact.value)) if (!part.seen) add(part);
  }
  return found;
}
