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
});
