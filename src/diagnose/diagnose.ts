import { advise } from '../advice/advice.ts';
import type { Check } from '../../checks/check.ts';
import type { Recording } from '../facts/capture.ts';
import type { Fact, Unseen } from '../facts/fact.ts';
import { type Facts, type FactTypes, factNames, type Target } from '../facts/facts.ts';
import { fixesOf, planOf } from '../repair/plan.ts';
import type { Finding } from '../verdict/verdict.ts';
import { type Earlier, whatChanged } from '../verdict/what-changed.ts';
import type { Diagnosis, Hop, Matrix, Missing, ProbeReport } from './diagnosis.ts';
import { concerning } from './progress.ts';
import { rolloutsOf } from './rollout.ts';
import type { CheckReport } from '../verdict/judge.ts';
import { partsOf, reasoned, statusOf, targetOf, timed } from '../verdict/judge.ts';

/** The whole diagnosis from sealed facts. Pure: a replay of a recording prints what the run printed. `earlier`: a capture to compare with. */
export function diagnose(pipeline: readonly Check[], recording: Recording, earlier?: Earlier): Diagnosis {
  const { facts } = recording;
  const target = targetOf(facts);
  const client = facts.client.seen ? facts.client.value : null;
  const { reports, verdict, findings } = reasoned(pipeline, facts);
  const steps = planOf(pipeline, facts, verdict);
  const tried = facts.dryRuns.seen ? facts.dryRuns.value : {};
  /** The changes and the failed connections stay internal: the command shows what the ones do, `probes` the others. */
  const shown = (f: Finding): Finding => {
    // Where nothing is broken nothing is proposed: what a connection contradicts must not be repaired.
    const proposed = verdict.causes.includes(f) ? fixesOf(f, steps) : verdict.status === 'healthy' ? [] : f.fix.filter((own) => !own.changes);
    const fix = proposed.map((own) => {
      const answer = own.command === undefined ? undefined : tried[own.command];
      const visible = { ...own, ...(answer && { tried: answer }) };
      delete visible.changes;
      delete visible.assumes;
      return visible;
    });
    const copy: Finding = { ...f, fix };
    delete copy.failed;
    return copy;
  };
  const checks = concerning(timed(pipeline, reports, recording.settledMs)).map((r) => {
    const after = r.findings.map((f) => shown(findings.get(f) ?? f));
    return { ...r, findings: after, ...(r.status === 'fail' || r.status === 'warn' ? { status: statusOf(after) } : {}) };
  });
  const changed = whatChanged(facts, recording.startedAt, verdict.causes, earlier);
  const service = facts.service.seen ? facts.service.value : null;
  const rollouts = rolloutsOf(facts);
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
    ...(target.front && { front: frontOf(facts, target.front) }),
    client: client && {
      kind: client.kind,
      namespace: client.namespace,
      name: client.name,
      node: client.node ?? (facts.connections.seen ? facts.connections.value.node : null),
    },
    startedAt: recording.startedAt,
    durationMs: recording.durationMs,
    verdict: { ...verdict, causes: verdict.causes.map(shown), ...(changed && { changed }) },
    checks,
    probes: probesOf(facts),
    path: pathOf(checks, facts),
    ...(facts.matrix.seen && { matrix: matrixOf(facts.matrix.value) }),
    missing: missingOf(facts),
    ...(rollouts.length > 0 && { rollouts }),
    ...(target.advice && { advice: advise(facts) }),
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
  ['policy', ['network-policy/ingress', 'network-policy/egress', 'mesh/']],
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

/** What was asked about in front of the Service, and a request for it. */
function frontOf(facts: Facts, front: NonNullable<Target['front']>): NonNullable<Diagnosis['front']> {
  const answered = facts.frontAnswers.seen ? facts.frontAnswers.value[0]?.url : undefined;
  const url = answered ?? (front.host === undefined ? '' : `${front.scheme ?? 'http'}://${front.host}${front.path ?? '/'}`);
  return { kind: front.kind, namespace: front.namespace, name: front.name, url };
}
