import { describe, expect, test } from 'vitest';
import { CannotRun } from '../../src/catalog/cannot-run.ts';
import { parseOutputs } from '../../src/cli/output.ts';
import { formats } from '../../src/report/render.ts';
import { parseFrom, parseService } from '../../src/cli/target.ts';

describe('a Service, as a person has it at hand', () => {
  test.each([
    ['web', { name: 'web' }],
    ['shop/web', { name: 'web', namespace: 'shop' }],
    ['svc/web', { name: 'web' }],
    ['web.shop', { name: 'web', namespace: 'shop' }],
    ['web.shop.svc', { name: 'web', namespace: 'shop' }],
    ['web.shop.svc.cluster.local', { name: 'web', namespace: 'shop', domain: 'cluster.local' }],
    ['web.shop.svc.cluster.local.:8080', { name: 'web', namespace: 'shop', port: '8080', domain: 'cluster.local' }],
    ['web:http', { name: 'web', port: 'http' }],
    ['http://web.shop/x?y', { name: 'web', namespace: 'shop', port: '80' }],
    ['https://web.shop:8443/', { name: 'web', namespace: 'shop', port: '8443' }],
    ['redis://web.shop', { name: 'web', namespace: 'shop' }],
  ])('%s', (text, expected) => {
    expect(parseService(text)).toEqual(expected);
  });
  test.each(['', 'a/b/c', 'web.shop.pod.cluster.local', 'shop/web.other', 'we b', '../x', 'http://'])('%j is refused with a sentence', (text) => {
    expect(() => parseService(text)).toThrow(CannotRun);
  });
});

describe('--from', () => {
  test.each([
    [undefined, { kind: 'namespace', namespace: 'shop', name: '' }],
    ['pod/a', { kind: 'pod', namespace: 'shop', name: 'a' }],
    ['other/pod/a', { kind: 'pod', namespace: 'other', name: 'a' }],
    ['deploy/a', { kind: 'workload', namespace: 'shop', name: 'a', resource: 'deployments' }],
    ['other/sts/a', { kind: 'workload', namespace: 'other', name: 'a', resource: 'statefulsets' }],
    ['namespace/b', { kind: 'namespace', namespace: 'b', name: '' }],
    ['node/n1', { kind: 'node', namespace: '', name: 'n1' }],
    ['external', { kind: 'external', namespace: '', name: '' }],
  ])('%s', (text, expected) => {
    expect(parseFrom(text, 'shop')).toEqual(expected);
  });
  test.each(['a', 'pod/', 'job/a', 'x/node/n1', 'a/b/c/d', 'internal'])('%j is refused with a sentence', (text) => {
    expect(() => parseFrom(text, 'shop')).toThrow(CannotRun);
  });
});

describe('-o', () => {
  test('text unless something else goes to the screen', () => {
    expect(parseOutputs([], formats)).toEqual([{ format: 'text' }]);
    expect(parseOutputs(['json=x.json'], formats)).toEqual([{ format: 'json', file: 'x.json' }, { format: 'text' }]);
    expect(parseOutputs(['json'], formats)).toEqual([{ format: 'json' }]);
  });
  test.each([[['xml']], [['json=']], [['json', 'yaml']]])('%j is refused with a sentence', (values) => {
    expect(() => parseOutputs(values, formats)).toThrow(CannotRun);
  });
});
