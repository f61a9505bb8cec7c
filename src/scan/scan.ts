/** What a scan came to: of one cluster, and of several together. */
import * as v from 'valibot';
import { CannotRun } from '../catalog/cannot-run.ts';
import type { Fact } from '../facts/fact.ts';
import type { Finding, Status } from '../verdict/verdict.ts';
import { byCause, byStatus, type CauseGroup } from './by-cause.ts';
import type { Inventory } from './inventory.ts';
import { nameOf, type Scanned } from './judge.ts';
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
  /** The worst first. */
  services: Scanned[];
  causes: CauseGroup[];
  missing: Missing[];
}

/** Puts the Services of all clusters in one order, and finds what they have in common. */
export function scanOf(parts: Omit<Scan, 'causes'>): Scan {
  const key = (s: Scanned) => `${s.context}/${nameOf(s)}`;
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
  missing: v.array(v.object({ context: text, what: text, why: text })),
});

type ServiceRef = Pick<Scanned, 'context' | 'namespace' | 'name'>;

/** What `scan -o json` prints; the shape is a promise: docs/scan.md. */
export interface ScanJson extends Omit<Scan, 'services' | 'causes'> {
  apiVersion: 'k8s-doctor/v1';
  kind: 'Scan';
  /** `causes`: the codes of the findings. */
  services: (Omit<Scanned, 'causes'> & { causes: string[]; findings: Finding[] })[];
  causes: (Omit<CauseGroup, 'services'> & { services: ServiceRef[] })[];
}

/** A scan as `-o json` prints it (docs/contract.md). */
export const asJson = ({ services, causes, ...rest }: Scan): ScanJson => ({
  apiVersion: 'k8s-doctor/v1',
  kind: 'Scan',
  ...rest,
  services: services.map((s) => ({ ...s, causes: s.causes.map((c) => c.code), findings: s.causes })),
  causes: causes.map((g) => ({ ...g, services: g.services.map((s) => ({ context: s.context, namespace: s.namespace, name: s.name })) })),
});

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
  const services = read.output.services.map(({ findings, ...s }): Scanned => ({ ...s, causes: findings as unknown as Finding[] }));
  return scanOf({ ...read.output, services });
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
  const services = new Map(scans.flatMap((s) => s.services).map((s) => [`${s.context}/${nameOf(s)}`, s]));
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
  const key = (s: Scanned) => `${s.context}/${nameOf(s)}`;
  const codesBy = ({ services }: Scan) => new Map(services.map((s) => [key(s), new Set<string>(s.causes.map((c) => c.code))]));
  const [old, recent] = [codesBy(before), codesBy(now)];
  const differences = (services: readonly Scanned[], other: Map<string, Set<string>>) =>
    services.flatMap((service) => {
      const codes = service.causes.map((c): string => c.code).filter((code) => !other.get(key(service))?.has(code));
      return codes.length === 0 ? [] : [{ service, codes }];
    });
  return { appeared: differences(now.services, old), cleared: differences(before.services, recent) };
}
