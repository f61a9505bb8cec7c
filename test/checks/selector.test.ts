/** Which labels a fix proposes, on recorded incidents and on small changes of them. */
import { describe, expect, test } from 'vitest';
import { seen } from '../../src/facts/fact.ts';
import type { Facts } from '../../src/facts/facts.ts';
import { recordingOf, reportOf, valueOf } from '../support/recordings.ts';

const found = (incident: string, change: (facts: Facts) => Partial<Facts> = () => ({})) => reportOf('endpoints/selector', change, incident).findings[0];

/** The pairs that the fix changes in the selector. */
const patched = (incident: string, change?: (facts: Facts) => Partial<Facts>): unknown =>
  found(incident, change)?.fix[0]?.changes?.flatMap((c) => (c.how === 'patch' ? [(c.body as { spec: { selector: unknown } }).spec.selector] : []))[0];

const selecting =
  (selector: Record<string, string>) =>
  (facts: Facts): Partial<Facts> => {
    const service = valueOf(facts.service);
    return service ? { service: seen({ ...service, spec: { ...service.spec, selector } }) } : {};
  };

describe('the labels that a Service is pointed at', () => {
  test('none where nothing is near: not the client, not a Job, not just any application', () => {
    expect(found('selector-nothing-near')?.fix.some((f) => f.changes)).toBe(false);
    expect(found('selector-nothing-near')?.message).toContain('no pod has app=no-other-scenario-has-this');
  });
  test('never those of the client, however near', () => {
    expect(patched('selector-nothing-near', selecting({ app: 'clients' }))).toBeUndefined();
  });
  test('never those of a Job', () => {
    expect(patched('selector-nothing-near', selecting({ app: 'shop-migrat' }))).toBeUndefined();
  });
  test("those of the workload with the Service's name, before nearer ones of another application", () => {
    expect(patched('selector-namesake')).toEqual({ app: 'storefront' });
  });
  test('pod-template-hash is dropped, never replaced', () => {
    expect(patched('selector-pod-template-hash')).toEqual({ 'pod-template-hash': null });
  });
  test('a value under another key moves there', () => {
    expect(patched('selector-typo', selecting({ 'app.kubernetes.io/name': 'shop' }))).toEqual({ 'app.kubernetes.io/name': null, app: 'shop' });
  });
  test('a selector never becomes empty', () => {
    expect(patched('selector-pod-template-hash', selecting({ 'pod-template-hash': '5d9f7c6b4' }))).toMatchObject({ 'pod-template-hash': null, app: 'shop' });
  });
  test('a few letters, letter case', () => {
    expect(patched('selector-typo')).toEqual({ app: 'shop' });
    expect(patched('selector-typo', selecting({ app: 'Shop' }))).toEqual({ app: 'shop' });
  });
  test('a workload that could not be read may have the right labels', () => {
    const report = reportOf(
      'endpoints/selector',
      () => ({ deployments: { seen: false, reason: 'forbidden', what: 'deployments', why: 'not allowed' } }),
      'selector-nothing-near',
    );
    expect(report).toMatchObject({ status: 'unknown', findings: [] });
    expect(report.reason).toContain('deployments: not allowed');
  });
});

describe('two workloads behind one selector', () => {
  test('the fix names the pods that get no more requests', () => {
    expect(recordingOf('selector-overlap').facts.pods.seen).toBe(true);
    const [finding] = reportOf('endpoints/overlap', () => ({}), 'selector-overlap').findings;
    expect(finding?.fix[0]?.text).toMatch(/so 1 pod of Deployment worker \(worker-[\w-]+\) gets no more requests/);
  });
  test.each(['canary-wrong-port', 'canary-other-port'])('%s is no overlap', (incident) => {
    expect(reportOf('endpoints/overlap', () => ({}), incident).findings).toEqual([]);
  });
});
