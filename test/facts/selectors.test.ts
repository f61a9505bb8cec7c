import { describe, expect, test } from 'vitest';
import { endpointsOf, firstMismatch, matchesLabels, selects, targetsOf } from '../../src/facts/selectors.ts';
import type { EndpointSlice } from '../../src/facts/objects.ts';

describe('a Service selector', () => {
  test('wants every pair', () => {
    expect(selects({ app: 'a', tier: 'web' }, { app: 'a', tier: 'web', more: 'x' })).toBe(true);
    expect(selects({ app: 'a', tier: 'web' }, { app: 'a' })).toBe(false);
  });
  test('selects nothing where it is empty or absent', () => {
    expect(selects({}, { app: 'a' })).toBe(false);
    expect(selects(null, { app: 'a' })).toBe(false);
  });
});

describe('a LabelSelector (metav1.LabelSelectorRequirement)', () => {
  const one = (operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist', values: string[] = []) => ({
    matchLabels: {},
    matchExpressions: [{ key: 'k', operator, values }],
  });
  test('selects everything where it is empty', () => {
    expect(matchesLabels({ matchLabels: {}, matchExpressions: [] }, {})).toBe(true);
  });
  test.each([
    ['In', ['a', 'b'], { k: 'a' }, true],
    ['In', ['a', 'b'], { k: 'c' }, false],
    ['In', ['a'], {}, false],
    ['NotIn', ['a'], { k: 'b' }, true],
    ['NotIn', ['a'], { k: 'a' }, false],
    ['NotIn', ['a'], {}, true],
    ['Exists', [], { k: '' }, true],
    ['Exists', [], {}, false],
    ['DoesNotExist', [], {}, true],
    ['DoesNotExist', [], { k: 'a' }, false],
  ] as const)('%s %j against %j is %s', (operator, values, labels, expected) => {
    expect(matchesLabels(one(operator, [...values]), labels)).toBe(expected);
  });
  test('says what does not fit', () => {
    expect(firstMismatch({ matchLabels: { role: 'API' } }, { role: 'api' })).toBe('wants role=API, it has role=api');
    expect(firstMismatch({ matchLabels: { role: 'API' } }, {})).toBe('wants role=API, there is no label role');
  });
});

describe('endpoints', () => {
  const slice = (conditions: object): EndpointSlice => ({
    metadata: { name: 's', namespace: 'n', labels: {}, ownerReferences: [] },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'], conditions }],
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
  });

  test('an unknown condition counts as true (EndpointConditions.ready)', () => {
    expect(endpointsOf([slice({})])[0]).toMatchObject({ ready: true, serving: true, terminating: false, port: 8080 });
  });
  test('serving follows ready where it is not given', () => {
    expect(endpointsOf([slice({ ready: false })])[0]).toMatchObject({ ready: false, serving: false });
  });
  test('terminating endpoints that still serve are used where none is ready', () => {
    const last = endpointsOf([slice({ ready: false, serving: true, terminating: true })]);
    expect(targetsOf({ name: 'http', protocol: 'TCP' }, last)).toHaveLength(1);
    expect(targetsOf({ name: 'http', protocol: 'TCP' }, [...last, ...endpointsOf([slice({ ready: true })])])).toHaveLength(1);
  });
  test('ports are tied by name and protocol', () => {
    expect(targetsOf({ name: 'web', protocol: 'TCP' }, endpointsOf([slice({})]))).toEqual([]);
    expect(targetsOf({ name: 'http', protocol: 'UDP' }, endpointsOf([slice({})]))).toEqual([]);
  });
});
