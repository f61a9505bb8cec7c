import type { Scanned } from '../../scan/judge.ts';
import type { Scan } from '../../scan/scan.ts';
import { findingText, junitXml, suite } from '../junit.ts';
import { isOfSeveral, placeOf } from './words.ts';

/** One Service as a test case: one that could not be judged is an error; where all causes are ignored it is skipped. */
function testCase(s: Scanned, several: boolean): object {
  const bad = s.status === 'faulty' || s.status === 'degraded';
  const reasons = s.ignored.map((i) => `${i.code}: ${i.reason}`).join('; ');
  return {
    '@_classname': `k8s-doctor.scan.${s.namespace}`,
    '@_name': placeOf(s, several),
    ...(bad && { failure: { '@_type': s.causes[0]?.code ?? s.status, '@_message': s.summary, '#text': s.causes.map(findingText).join('\n\n') } }),
    ...(s.status === 'undecided' && { error: { '@_type': s.status, '@_message': s.summary } }),
    ...(s.status === 'healthy' && reasons !== '' && { skipped: { '@_message': reasons } }),
  };
}

/** A scan as JUnit XML: a suite for each namespace, a case for each Service; a cluster that was not scanned is an error. */
export function scanJunit(scan: Scan): string {
  const several = isOfSeveral(scan);
  const unscanned = scan.clusters.flatMap(({ context, error }) =>
    error === null ? [] : [{ '@_classname': 'k8s-doctor.scan', '@_name': context, error: { '@_type': 'not-scanned', '@_message': error } }],
  );
  const byNamespace = Map.groupBy(scan.services, (s) => `${several ? `${s.context}: ` : ''}${s.namespace}`);
  const suites = [...byNamespace].map(([name, own]) =>
    suite(
      name,
      own.map((s) => testCase(s, several)),
      0,
    ),
  );
  return junitXml([...(unscanned.length > 0 ? [suite('clusters', unscanned, 0)] : []), ...suites], scan.durationMs);
}
