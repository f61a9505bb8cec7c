/** The details of a row as lines: evidence, fixes, the objects as YAML, the connections. */
import { stringify } from 'yaml';
import type { ObjectRef } from '../catalog/finding.ts';
import type { Diagnosis, ProbeReport } from '../diagnose/diagnosis.ts';
import type { CheckReport } from '../verdict/judge.ts';
import type { Facts } from '../facts/facts.ts';
import { isGood, isReady } from '../facts/selectors.ts';
import { wrap } from '../report/text.ts';
import { cellStatus, fixNotes, worstOf } from '../report/view.ts';
import type { Finding } from '../verdict/verdict.ts';
import type { Tone } from './theme.tsx';
import type { Result } from './session.ts';

export interface Line {
  text: string;
  tone?: Tone;
  /** A line of an object that the finding mentions. */
  isMentioned?: boolean;
}

/** A row of the list on the left. */
export type Row =
  | { kind: 'cause'; finding: Finding; index: number }
  | { kind: 'stage'; stage: string; status: CheckReport['status'] }
  | { kind: 'check'; check: CheckReport };

/** Causes first, then each stage with its checks. A filter keeps the checks whose id, title or words hold it. */
export function rowsOf(d: Diagnosis, filter: string): Row[] {
  const wanted = filter.toLowerCase();
  const fits = (c: CheckReport) =>
    !wanted ||
    JSON.stringify([c.id, c.title, c.status, c.summary, c.reason, c.findings.map((f) => [f.code, f.message])])
      .toLowerCase()
      .includes(wanted);
  const causes = wanted ? [] : d.verdict.causes.map((finding, index): Row => ({ kind: 'cause', finding, index }));
  const stages = [...Map.groupBy(d.checks.filter(fits), (c) => c.stage)].flatMap(([stage, own]): Row[] => [
    { kind: 'stage', stage, status: worstOf(own) },
    ...own.map((check): Row => ({ kind: 'check', check })),
  ]);
  return [...causes, ...stages];
}

interface Named {
  metadata: { name: string; namespace?: string };
}

const kinds: Record<string, (facts: Facts) => unknown[]> = {
  Service: ({ service, dnsService }) => [service, dnsService].flatMap((f) => (f.seen && f.value ? [f.value] : [])),
  Pod: ({ pods, client, dnsPods, proxyPods }) => [
    ...[pods, dnsPods, proxyPods].flatMap((f) => (f.seen ? f.value : [])),
    ...(client.seen && client.value?.pod ? [client.value.pod] : []),
  ],
  EndpointSlice: ({ slices, dnsSlices }) => [slices, dnsSlices].flatMap((f) => (f.seen ? f.value : [])),
  NetworkPolicy: ({ policies }) => (policies.seen ? Object.values(policies.value).flatMap((f) => (f.seen ? f.value : [])) : []),
  Node: ({ nodes }) => (nodes.seen ? nodes.value : []),
  Deployment: ({ deployments, dnsWorkload }) => [
    ...(deployments.seen ? deployments.value : []),
    ...(dnsWorkload.seen && dnsWorkload.value ? [dnsWorkload.value] : []),
  ],
  StatefulSet: ({ statefulSets }) => (statefulSets.seen ? statefulSets.value : []),
  ReplicaSet: ({ replicaSets }) => (replicaSets.seen ? replicaSets.value : []),
  DaemonSet: ({ daemonSets, proxyWorkload }) => [
    ...(daemonSets.seen ? daemonSets.value : []),
    ...(proxyWorkload.seen && proxyWorkload.value ? [proxyWorkload.value] : []),
  ],
};

const isNamed = (x: unknown): x is Named => typeof x === 'object' && x !== null && 'metadata' in x;

function objectOf(facts: Facts, ref: ObjectRef): unknown {
  if (ref.kind === 'ConfigMap') return facts.corefile.seen && facts.corefile.value ? { data: { Corefile: facts.corefile.value } } : undefined;
  const found = kinds[ref.kind]?.(facts) ?? [];
  return found.find((o) => isNamed(o) && o.metadata.name === ref.name && (!ref.namespace || o.metadata.namespace === ref.namespace));
}

/** Without the empty parts that the schema adds. */
function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).flatMap(([k, x]) => {
    const inner = bare(x);
    const empty = inner === null || inner === undefined || inner === '' || (typeof inner === 'object' && inner !== null && Object.keys(inner).length === 0);
    return empty ? [] : [[k, inner] as const];
  });
  return Object.fromEntries(kept);
}

/** `key: value` of a YAML line, without quotes. */
const pairIn = (line: string) => /^\s*(?:- )?"?([\w./-]+)"?: "?([^"]+?)"?$/.exec(line);

/** An object as YAML; the lines that the finding mentions are marked: `app=shop`, a port, a name in quotes. */
export function objectLines(facts: Facts, ref: ObjectRef, finding: Finding | undefined): Line[] {
  const object = objectOf(facts, ref);
  if (object === undefined) return [];
  const said = finding ? [finding.message, ...finding.evidence.map((e) => e.text), ...finding.fix.map((f) => `${f.text} ${f.command ?? ''}`)].join(' ') : '';
  const words = new Set(said.match(/[\w./-]*[\w]/g) ?? []);
  const isMentioned = (line: string) => {
    const [, key = '', value = ''] = pairIn(line) ?? [];
    if (!key || key === 'name' || key === 'namespace' || key === 'uid' || /Timestamp|Time$/.test(key)) return false;
    return said.includes(`${key}=${value}`) || (words.has(key) && words.has(value)) || (/[Pp]ort/.test(key) && words.has(value));
  };
  const yaml = stringify(bare(object), { lineWidth: 0 }).trimEnd().split('\n');
  return [
    { text: `${ref.kind} ${ref.namespace ? `${ref.namespace}/` : ''}${ref.name}`, tone: 'bold' },
    ...yaml.map((text): Line => (isMentioned(text) ? { text, isMentioned: true, tone: 'warn' } : { text })),
    { text: '' },
  ];
}

const heading = (text: string): Line => ({ text, tone: 'bold' });
const paragraph = (text: string, width: number, tone: Tone = 'plain', indent = ''): Line[] =>
  wrap(text, Math.max(10, width - indent.length)).map((line) => ({ text: indent + line, tone }));

function findingLines(f: Finding, width: number): Line[] {
  return [
    ...paragraph(f.message, width, f.severity === 'error' ? 'bad' : 'warn'),
    ...paragraph(`${f.issue} · ${f.symptom} · ${f.resolution}`, width, 'accent'),
    ...paragraph(`${f.confidence} · ${f.code}`, width, 'dim'),
    { text: '' },
    ...(f.evidence.length > 0 ? [heading('Why')] : []),
    ...f.evidence.flatMap((e, i) => [
      ...(e.source === f.evidence[i - 1]?.source ? [] : paragraph(e.source, width, 'dim', '  ')),
      ...paragraph(e.text, width, 'plain', '    '),
    ]),
    ...(f.evidence.length > 0 ? [{ text: '' }] : []),
    ...(f.fix.length > 0 ? [heading('Fix')] : []),
    ...f.fix.flatMap((x) => [
      ...paragraph(x.text, width, 'plain', '  '),
      // Broken as it is: what is copied (y) is the whole of it.
      ...(x.command === undefined ? [] : paragraph(x.command, width, 'accent', '    ')),
      ...fixNotes(x).flatMap((n) => paragraph(n, width, 'dim', '    ')),
    ]),
    ...(f.fix.length > 0 ? [{ text: '' }] : []),
  ];
}

const milliseconds = ({ latencyMs: ms }: ProbeReport): string => (ms === null ? '' : ms < 10 ? ms.toFixed(1) : String(Math.round(ms)));
const toneOfProbe = (p: ProbeReport): Tone => (cellStatus(p) === 'pass' ? 'plain' : 'bad');

const probeLine = (p: ProbeReport): Line => ({
  text: `${p.kind.padEnd(8)} ${p.from} → ${p.target}  ${p.outcome}${p.latencyMs === null ? '' : ` ${milliseconds(p)} ms`}${p.detail ? `  ${p.detail}` : ''}`,
  tone: toneOfProbe(p),
});

/** The connections that the stage speaks of: all of them for the path, names for DNS. */
const probesFor = (stage: string, probes: readonly ProbeReport[]): ProbeReport[] =>
  stage === 'path' ? [...probes] : stage === 'dns' ? probes.filter((p) => p.kind === 'dns') : [];

function objectsOf({ facts }: Result, findings: readonly Finding[]): Line[] {
  const refs = new Map<string, [ObjectRef, Finding]>();
  for (const f of findings) {
    const pods = (f.pods ?? []).slice(0, 1).map((name) => ({ kind: 'Pod', namespace: f.object.namespace, name }));
    for (const ref of [f.object, ...(f.also ?? []), ...pods]) refs.set(`${ref.kind} ${ref.namespace}/${ref.name}`, [ref, f]);
  }
  return [...refs.values()].slice(0, 4).flatMap(([ref, f]) => objectLines(facts, ref, f));
}

/** All details of a row, wrapped to a width. */
export function detailOf(row: Row | undefined, result: Result, width: number): Line[] {
  const { diagnosis } = result;
  if (!row) return [];
  if (row.kind === 'cause') return [...findingLines(row.finding, width), ...objectsOf(result, [row.finding])];
  if (row.kind === 'stage') {
    const own = diagnosis.checks.filter((c) => c.stage === row.stage);
    return [
      heading(row.stage),
      ...own.flatMap((c) => paragraph(`${c.title}: ${c.findings[0]?.message ?? c.summary ?? c.reason ?? ''}`, width)),
      { text: '' },
      ...probesFor(row.stage, diagnosis.probes).map(probeLine),
    ];
  }
  const { check } = row;
  const probes = probesFor(check.stage, diagnosis.probes);
  return [
    ...paragraph(check.title, width, 'bold'),
    ...paragraph(`${check.id} · ${check.status} · ${check.durationMs} ms`, width, 'dim'),
    ...(check.summary ? paragraph(check.summary, width, 'good') : []),
    ...(check.reason ? paragraph(check.reason, width, 'warn') : []),
    { text: '' },
    ...check.findings.flatMap((f) => findingLines(f, width)),
    ...(check.findings.length > 0 ? objectsOf(result, check.findings) : []),
    // Without a finding the first stages show the Service.
    ...(check.findings.length === 0 && (check.stage === 'service' || check.stage === 'endpoints')
      ? objectLines(result.facts, { kind: 'Service', namespace: diagnosis.service.namespace, name: diagnosis.service.name }, undefined)
      : []),
    ...(probes.length > 0 ? [heading('Connections'), ...probes.map(probeLine)] : []),
  ];
}

/** A table: the words of its head, and its rows with a tone each. */
export interface Table {
  head: string[];
  rows: { cells: string[]; tone: Tone }[];
}

const yesNo = (is: boolean) => (is ? 'yes' : 'no');

/** Each endpoint: ready, what listens, what the client met, how many nodes reach it. */
export function endpointTable({ diagnosis, facts }: Result): Table {
  const slices = facts.slices.seen ? facts.slices.value : [];
  const made = facts.connections.seen ? facts.connections.value.list : [];
  const listens = facts.listeners.seen ? facts.listeners.value : {};
  const rows = slices.flatMap((slice): Table['rows'] =>
    (slice.endpoints ?? []).flatMap((e) =>
      e.addresses.map((address) => {
        const pod = e.targetRef?.name ?? '';
        const ready = e.conditions?.ready ?? true;
        const direct = made.filter((c) => c.hop === 'endpoint' && (c.pod ? c.pod === pod : c.target.startsWith(`${address}:`)));
        const fact = listens[pod];
        const sockets = fact?.seen ? fact.value.sockets : null;
        const column = diagnosis.matrix?.endpoints.findIndex((m) => m.pod === pod || m.target.startsWith(`${address}:`)) ?? -1;
        const nodes = column >= 0 ? (diagnosis.matrix?.rows ?? []).map((r) => r.outcomes[column] ?? null) : [];
        const outcomes = [...new Set(direct.map((c) => c.outcome))].join(', ');
        return {
          cells: [
            pod || address,
            `${address}:${slice.ports.map((p) => p.port ?? '').join(',')}`,
            e.nodeName ?? '',
            yesNo(ready),
            sockets ? sockets.map((s) => `${s.address}:${s.port}`).join(' ') || 'nothing' : '',
            outcomes || 'not tried',
            nodes.length > 0 ? `${nodes.filter((c) => cellStatus(c) === 'pass').length}/${nodes.length}` : '',
          ],
          tone: direct.some((c) => !isGood(c)) ? 'bad' : ready ? 'plain' : 'warn',
        };
      }),
    ),
  );
  return { head: ['endpoint', 'address', 'node', 'ready', 'listens on', 'from the client', 'from nodes'], rows };
}

/** Each node: whether it is ready, its proxy, what was read of its rules, how many endpoints it reaches. */
export function nodeTable({ diagnosis, facts }: Result): Table {
  const nodes = facts.nodes.seen ? facts.nodes.value : [];
  const proxies = facts.proxyPods.seen ? facts.proxyPods.value : [];
  const rules = facts.nodeRules.seen ? facts.nodeRules.value : {};
  const wrong = diagnosis.checks.filter((c) => c.stage === 'kube-proxy').flatMap((c) => c.findings.flatMap((f) => f.evidence));
  const isJudged = diagnosis.checks.some((c) => c.id === 'kube-proxy/rules' && (c.status === 'pass' || c.status === 'fail'));
  const names = [...new Set([...nodes.map((n) => n.metadata.name), ...Object.keys(rules)])];
  const rows = names.map((name): Table['rows'][number] => {
    const node = nodes.find((n) => n.metadata.name === name);
    const ready = node !== undefined && isReady(node);
    const proxy = proxies.find((p) => p.spec.nodeName === name);
    const fact = rules[name];
    const faults = wrong.filter((e) => e.source === `rules on ${name}`);
    const reach = diagnosis.matrix?.rows.find((r) => r.node === name)?.outcomes ?? [];
    const read = fact === undefined ? 'not read' : fact.seen ? Object.keys(fact.value.modes).join(', ') || 'none' : fact.why;
    return {
      cells: [
        name,
        yesNo(ready),
        proxy ? proxy.metadata.name : 'none',
        faults.length > 0 ? `wrong: ${faults[0]?.text}` : fact?.seen && isJudged ? `${read}, right` : read,
        reach.length > 0 ? `${reach.filter((c) => cellStatus(c) === 'pass').length}/${reach.length}` : '',
      ],
      tone: faults.length > 0 || !ready ? 'bad' : 'plain',
    };
  });
  return { head: ['node', 'ready', 'kube-proxy', 'rules', 'reaches'], rows };
}

export const probeTable = ({ diagnosis }: Result): Table => ({
  head: ['probe', 'from', 'to', 'outcome', 'ms', ''],
  rows: diagnosis.probes.map((p) => ({
    cells: [p.kind, p.from, p.target, p.outcome, milliseconds(p), p.detail],
    tone: toneOfProbe(p),
  })),
});
