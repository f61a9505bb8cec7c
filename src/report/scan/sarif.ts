import { keyOf } from '../../scan/judge.ts';
import { statusOf, type Scan } from '../../scan/scan.ts';
import { sarif } from '../sarif.ts';

/** The causes of a scan as SARIF 2.1.0: a result for each Service and cause, so that each can be followed and closed by itself. */
export const scanSarif = (scan: Scan): string =>
  sarif(
    scan.version,
    scan.startedAt,
    { status: statusOf(scan), services: scan.services.length, clusters: scan.clusters },
    scan.services.flatMap((s) => s.causes.map((f) => ({ f, properties: { cluster: s.context, service: keyOf(s), cause: true } }))),
  );
