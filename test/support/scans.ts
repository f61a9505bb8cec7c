/** Scans made of recorded facts: each recording as one Service of a cluster. */
import { notOfService, type Scanned } from '../../src/scan/judge.ts';
import { type Scan, scanOf } from '../../src/scan/scan.ts';
import { reasoned, targetOf } from '../../src/verdict/judge.ts';
import { checksFor, recorded } from './recordings.ts';

const context = 'recorded';

const ofService = { kind: 'Service', type: 'ClusterIP', endpoints: { ready: 1, total: 2 }, probed: false } as const;

export const scanned: Scanned[] = recorded.map(({ name, recording }) => {
  const { verdict } = reasoned(checksFor(recording), recording.facts);
  const front = targetOf(recording.facts).front?.kind;
  const isFront = front === 'ingress' || front === 'route';
  return {
    ...(isFront ? { ...notOfService, kind: front === 'ingress' ? ('Ingress' as const) : ('HTTPRoute' as const) } : ofService),
    context,
    namespace: `ns-${name.slice(0, 1)}`,
    name,
    ports: ['80→8080'],
    status: verdict.status,
    summary: verdict.causes[0]?.message ?? verdict.summary,
    causes: verdict.causes,
    ignored: [],
    from: isFront ? `namespace/ns-${name.slice(0, 1)}` : 'namespace/shop',
  };
});

export const scanWith = (services: readonly Scanned[], more: Partial<Scan> = {}): Scan =>
  scanOf({
    version: '0.0.0',
    startedAt: '2026-11-26T00:00:00.000Z',
    durationMs: 1200,
    clusters: [{ context, requests: 9, error: null }],
    missing: [],
    ...more,
    services: [...services],
  });

export const scanOfAll: Scan = scanWith(scanned);
