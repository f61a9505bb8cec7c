import { describe, expect, test } from 'vitest';
import { codes } from '../../src/catalog/codes.ts';
import type { Draft } from '../../src/catalog/finding.ts';
import { codesInChains, followsFrom, isDerived } from '../../src/verdict/chains.ts';

const finding = (code: Draft['code'], more: Partial<Draft> = {}): Draft => ({
  code,
  severity: 'error',
  confidence: 'confirmed',
  scope: 'all',
  object: { kind: 'Service', namespace: 'shop', name: 'shop' },
  message: '',
  evidence: [],
  fix: [],
  ...more,
});

describe('what follows from what', () => {
  test.each(codesInChains)('%s does not follow from itself, by any way: two that explain each other would both vanish', (code) => {
    const reached = new Set([code]);
    for (const from of reached) for (const next of codesInChains) if (followsFrom(next, from)) reached.add(next);
    expect([...reached].filter((c) => c !== code && followsFrom(code, c))).toEqual([]);
    expect(codes).toHaveProperty(code);
  });
  test('only for the same pods', () => {
    const crash = finding('container-crashing', { pods: ['a'] });
    expect(isDerived(finding('readiness-failing', { pods: ['a'] }), crash)).toBe(true);
    expect(isDerived(finding('readiness-failing', { pods: ['a', 'b'] }), crash)).toBe(false);
  });
  test('only for the same nodes', () => {
    const down = finding('kube-proxy-down', { nodes: ['node1'] });
    expect(isDerived(finding('kube-proxy-rules-missing', { nodes: ['node1'] }), down)).toBe(true);
    expect(isDerived(finding('kube-proxy-rules-missing', { nodes: ['node2'] }), down)).toBe(false);
  });
  test('several faults, each of some pods, leave no ready endpoint together', () => {
    const none = finding('no-ready-endpoints', { pods: ['a', 'b'] });
    expect(isDerived(none, finding('readiness-failing', { pods: ['a'] }))).toBe(true);
    expect(isDerived(none, finding('node-not-ready', { pods: ['client'] }))).toBe(false);
  });
  test('a finding that names no pods or nodes is about all of them', () => {
    expect(isDerived(finding('readiness-failing', { pods: ['a'] }), finding('container-crashing'))).toBe(true);
    expect(isDerived(finding('readiness-failing'), finding('container-crashing', { pods: ['a'] }))).toBe(true);
    expect(isDerived(finding('no-ready-endpoints', { pods: ['a'] }), finding('readiness-failing'))).toBe(true);
    expect(isDerived(finding('no-ready-endpoints'), finding('readiness-failing', { pods: ['a'] }))).toBe(true);
  });
  test('a pod that is only starting follows from faults of other pods, too, and from nothing that is not in front of it', () => {
    const starting = finding('pod-starting', { pods: ['a'] });
    const before = codesInChains.filter((code) => followsFrom('pod-starting', code));
    expect(before.length).toBeGreaterThan(0);
    for (const code of before) expect(isDerived(starting, finding(code, { pods: ['b'] })), code).toBe(true);
    expect(isDerived(starting, finding('no-ready-endpoints', { pods: ['a'] }))).toBe(false);
  });
  test('what is in front of a Service fails by any fault of the whole Service, and by none of a part', () => {
    for (const code of ['route-request-failing', 'extension-call-failing'] as const) {
      expect(isDerived(finding(code), finding('selector-mismatch'))).toBe(true);
      expect(isDerived(finding(code), finding('selector-mismatch', { scope: 'part' }))).toBe(false);
      expect(isDerived(finding(code), finding('route-request-failing'))).toBe(false);
      expect(isDerived(finding(code), finding('extension-call-failing'))).toBe(false);
    }
  });
});
