/** What a scan came to: of one cluster, and of several together. */
import * as v from 'valibot';
import { CannotRun } from '../catalog/cannot-run.ts';
import type { Fact } from '../facts/fact.ts';
import type { Finding, Status } from '../verdict/verdict.ts';
import { byCause, byStatus, type CauseGroup } from './by-cause.ts';
import type { Inventory } from './inventory.ts';
import { routeKinds } from '../facts/front.ts';
import { keyOf, notOfService, type Scanned, type ScannedKind } from './judge.ts';
import { everyKind } from './kinds.ts';

export interface Missing {
  context: string;
  /** What could not be listed, and why. */
  what: string;
  why: string;
}

export interface ScannedCluster {
  context: string;
  requests: number;
  /** Why it was not scanned; null: it was. */
  error: string | null;
}

export interface Scan {
  version: string;
  startedAt: string;
  /** Milliseconds. */
  durationMs: number;
  clusters: ScannedCluster[];
  /** Services, and what is in front of them; the worst first. */
  services: Scanned[];
  causes: CauseGroup[];
  missing: Missing[];
}

/** Puts the Services of all clusters in one order, and finds what they have in common. */
export function scanOf(parts: Omit<Scan, 'causes'>): Scan {
  const key = (s: Scanned) => `${s.context}/${keyOf(s)}`;
  const services = parts.services.toSorted((a, b) => byStatus(a.status, b.status) || (key(a) < key(b) ? -1 : 1));
  return { ...parts, services, causes: byCause(services) };
}

/** Only what has these codes among its causes. */
export function only(scan: Scan, codes: readonly string[]): Scan {
  if (codes.length === 0) return scan;
  const services = scan.services.flatMap((s) => {
    const causes = s.causes.filter((c) => codes.includes(c.code));
    return causes.length === 0 ? [] : [{ ...s, causes, summary: causes[0]?.message ?? s.summary }];
  });
  return scanOf({ ...scan, services });
}

/** The worst of all. Of a cluster that was not scanned nothing is known. */
export function statusOf({ services, clusters }: Scan): Status {
  const unscanned: Status[] = clusters.some((c) => c.error !== null) ? ['undecided'] : [];
  return [...services.map((s) => s.status), ...unscanned].toSorted(byStatus)[0] ?? 'healthy';
}

/** The lists that could not be read. */
export const missingOf = (inventory: Inventory, context: string): Missing[] =>
  everyKind(inventory.kinds).flatMap((kind) => {
    const all: Fact<unknown> = kind.store.all();
    return all.seen || all.reason === 'not-found' ? [] : [{ context, what: all.what, why: all.why }];
  });

const text = v.string();
const finding = v.looseObject({ code: text, message: text, scope: v.picklist(['all', 'part']), object: v.object({ kind: text, namespace: text, name: text }) });
const scanFile = v.object({
  apiVersion: v.literal('k8s-doctor/v1'),
  kind: v.literal('Scan'),
  version: text,
  startedAt: text,
  durationMs: v.number(),
  clusters: v.array(v.object({ context: text, requests: v.number(), error: v.nullable(text) })),
  services: v.array(
    v.object({
      context: text,
      namespace: text,
      name: text,
      type: text,
      ports: v.array(text),
      endpoints: v.object({ ready: v.number(), total: v.number() }),
      status: v.picklist(['faulty', 'degraded', 'undecided', 'healthy']),
      summary: text,
      findings: v.array(finding),
      ignored: v.array(v.object({ code: text, reason: text })),
      probed: v.boolean(),
      from: text,
    }),
  ),
  routes: v.optional(
    v.array(
      v.object({
        kind: v.picklist(['Ingress', ...routeKinds]),
        context: text,
        namespace: text,
        name: text,
        hosts: v.array(text),
        status: v.picklist(['faulty', 'degraded', 'undecided', 'healthy']),
        summary: text,
        findings: v.array(finding),
        ignored: v.array(v.object({ code: text, reason: text })),
      }),
    ),
    [],
  ),
  missing: v.array(v.object({ context: text, what: text, why: text })),
});

type ServiceRef = Pick<Scanned, 'context' | 'namespace' | 'name'>;

/** An Ingress or a route, as it is printed. */
export interface RouteJson extends Pick<Scanned, 'context' | 'namespace' | 'name' | 'status' | 'summary' | 'ignored'> {
  kind: Exclude<ScannedKind, 'Service'>;
  hosts: string[];
  causes: string[];
  findings: Finding[];
}

/** What `scan -o json` prints; the shape is a promise: docs/scan.md. */
export interface ScanJson extends Omit<Scan, 'services' | 'causes'> {
  apiVersion: 'k8s-doctor/v1';
  kind: 'Scan';
  /** `causes`: the codes of the findings. */
  services: (Omit<Scanned, 'causes' | 'kind'> & { causes: string[]; findings: Finding[] })[];
  /** Ingresses, and routes of the Gateway API. */
  routes: RouteJson[];
  causes: (Omit<CauseGroup, 'services'> & { services: ServiceRef[]; routes: (ServiceRef & Pick<RouteJson, 'kind'>)[] })[];
}

/** A scan as `-o json` prints it (docs/contract.md). */
export const asJson = ({ services, causes, ...rest }: Scan): ScanJson => ({
  apiVersion: 'k8s-doctor/v1',
  kind: 'Scan',
  ...rest,
  services: services.flatMap(({ kind, ...s }) => (kind === 'Service' ? [{ ...s, causes: s.causes.map((c) => c.code), findings: s.causes }] : [])),
  routes: services.flatMap(({ kind, context, namespace, name, ports, status, summary, causes: own, ignored }) =>
    kind === 'Service' ? [] : [{ kind, context, namespace, name, hosts: ports, status, summary, causes: own.map((c) => c.code), findings: own, ignored }],
  ),
  causes: causes.map((g) => ({
    ...g,
    services: g.services.flatMap((s) => (s.kind === 'Service' ? [refOf(s)] : [])),
    routes: g.services.flatMap(({ kind, ...s }) => (kind === 'Service' ? [] : [{ kind, ...refOf(s) }])),
  })),
});

const refOf = ({ context, namespace, name }: ServiceRef): ServiceRef => ({ context, namespace, name });

/** Reads what `scan -o json` wrote. Throws CannotRun for anything else. */
export function fromJson(content: string, file: string): Scan {
  let given: unknown;
  try {
    given = JSON.parse(content);
  } catch {
    throw new CannotRun(`${file} is not JSON; give a file that "k8s-doctor scan -o json" wrote.`);
  }
  const read = v.safeParse(scanFile, given);
  if (!read.success) {
    const [issue] = read.issues;
    throw new CannotRun(`${file} is not a scan (${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}); give a file that "k8s-doctor scan -o json" wrote.`);
  }
  const { services, routes, ...rest } = read.output;
  const ofService = services.map(({ findings, ...s }): Scanned => ({ ...s, kind: 'Service', causes: findings as unknown as Finding[] }));
  const inFront = routes.map(
    ({ findings, hosts, ...r }): Scanned => ({
      ...r,
      ...notOfService,
      ports: hosts,
      causes: findings as unknown as Finding[],
      from: `namespace/${r.namespace}`,
    }),
  );
  return scanOf({ ...rest, services: [...ofService, ...inFront] });
}

/** Scans of parts of one cluster, or of several, as one. A cluster whose parts were all scanned is listed once. */
export function merged(scans: readonly Scan[]): Scan {
  const clusters = [
    ...Map.groupBy(
      scans.flatMap((s) => s.clusters),
      (c) => c.context,
    ),
  ].map(([context, own]) => ({
    context,
    requests: own.reduce((sum, c) => sum + c.requests, 0),
    error: own.find((c) => c.error !== null)?.error ?? null,
  }));
  const starts = scans.map((s) => s.startedAt).toSorted();
  const missing = new Map(scans.flatMap((s) => s.missing).map((m) => [JSON.stringify(m), m]));
  const services = new Map(scans.flatMap((s) => s.services).map((s) => [`${s.context}/${keyOf(s)}`, s]));
  return scanOf({
    version: scans[0]?.version ?? '',
    startedAt: starts[0] ?? '',
    durationMs: Math.max(0, ...scans.map((s) => s.durationMs)),
    clusters,
    services: [...services.values()],
    missing: [...missing.values()],
  });
}

export interface Changes {
  /** Services with a cause that they did not have, by its code. */
  appeared: { service: Scanned; codes: string[] }[];
  cleared: { service: Scanned; codes: string[] }[];
}

/** What is different since an earlier scan. */
export function changesSince(before: Scan, now: Scan): Changes {
  const key = (s: Scanned) => `${s.context}/${keyOf(s)}`;
  const codesBy = ({ services }: Scan) => new Map(services.map((s) => [key(s), new Set<string>(s.causes.map((c) => c.code))]));
  const [old, recent] = [codesBy(before), codesBy(now)];
  const differences = (services: readonly Scanned[], other: Map<string, Set<string>>) =>
    services.flatMap((service) => {
      const codes = service.causes.map((c): string => c.code).filter((code) => !other.get(key(service))?.has(code));
      return codes.length === 0 ? [] : [{ service, codes }];
    });
  return { appeared: differences(now.services, old), cleared: differences(before.services, recent) };
}
