import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readRules, withoutAccepted } from '../../src/scan/accepted.ts';
import { asJson, changesSince, fromJson, merged, scanOf, statusOf } from '../../src/scan/scan.ts';
import { isIn, parseShard } from '../../src/scan/shard.ts';
import { scanned, scanOfAll, scanWith } from '../support/scans.ts';

const [cart] = scanned.filter((s) => s.causes[0]?.code === 'selector-mismatch' && s.causes.length === 1);
if (!cart) throw new Error('a selector that matches nothing is among the recordings');

describe('causes that are accepted', () => {
  const rules = readRules('- {code: selector-mismatch, namespace: "ns-*", reason: moved away}', 'ignore.yaml');
  test('a rule takes them out, and keeps the reason', () => {
    const kept = withoutAccepted(cart, rules, undefined);
    expect(kept).toMatchObject({ status: 'healthy', causes: [], ignored: [{ code: 'selector-mismatch', reason: 'moved away' }] });
    expect(kept.summary).toBe('ignored: selector-mismatch (moved away)');
  });
  test.each([
    ['another code', '- {code: no-replicas, reason: x}'],
    ['another namespace', '- {code: selector-mismatch, namespace: prod, reason: x}'],
    ['a name that only begins alike', '- {service: s, reason: x}'],
    ['a dot is no pattern', '- {namespace: "ns..", reason: x}'],
  ])('%s: nothing is taken out', (_, text) => {
    expect(withoutAccepted(cart, readRules(text, 'f'), undefined)).toBe(cart);
  });
  test.each([
    ['selector-mismatch: until March', 'until March'],
    ['no-replicas, selector-mismatch: a: b', 'a: b'],
    ['*: all of it', 'all of it'],
    ['selector-mismatch', 'no reason is given'],
  ])('the annotation %s', (annotation, reason) => {
    expect(withoutAccepted(cart, [], annotation).ignored).toEqual([{ code: 'selector-mismatch', reason }]);
  });
  test('of several causes the others still count', () => {
    const two = scanned.find((s) => s.causes.length > 1);
    const [first, second] = two?.causes ?? [];
    if (!two || !first || !second) throw new Error('a Service with two causes is among the recordings');
    const kept = withoutAccepted(two, [{ code: first.code, reason: 'known' }], undefined);
    expect(kept.causes.map((c) => c.code)).toEqual(two.causes.slice(1).map((c) => c.code));
    expect(kept.summary).toBe(second.message);
  });
  test.each([
    ['- {code: selector-mismatched, reason: x}', 'There is no code "selector-mismatched"; did you mean "selector-mismatch"?'],
    ['- {code: selector-mismatch}', 'ignore.yaml: 0.reason: '],
    ['- {codes: selector-mismatch, reason: x}', 'ignore.yaml: 0.codes: '],
    ['just words', 'ignore.yaml: the whole: '],
    ['- [', 'ignore.yaml is not YAML'],
  ])('a mistake in the file is named: %s', (text, words) => {
    expect(() => readRules(text, 'ignore.yaml')).toThrow(words);
  });
});

describe('parts of a cluster', () => {
  test('every namespace is in exactly one part', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 40 }), (name, of) => {
        expect(Array.from({ length: of }, (_, index) => isIn({ index, of }, name)).filter(Boolean)).toHaveLength(1);
      }),
    );
  });
  test('counted from 0 as from 1', () => {
    const parts = (texts: string[]) => texts.map((t) => parseShard(t).index).toSorted((a, b) => a - b);
    expect(parts(['0/3', '1/3', '2/3'])).toEqual(parts(['1/3', '2/3', '3/3']));
  });
  test.each(['3', '4/3', '0/0', '-1/3', 'a/b', '1/2/3'])('%s is no part', (text) => {
    expect(() => parseShard(text)).toThrow(`--shard "${text}" is not a part; write I/N`);
  });
  test('joined again they are the whole, in whatever order', () => {
    const parts = [0, 1, 2].map((index) => scanWith(scanned.filter((s) => isIn({ index, of: 3 }, s.namespace))));
    const files = parts.map((p, i) => fromJson(JSON.stringify(asJson(p)), `${i}.json`));
    expect(merged(files.toReversed()).services).toEqual(scanOfAll.services);
    expect(merged(files).clusters).toEqual([{ context: 'recorded', requests: 27, error: null }]);
  });
  test.each([
    ['{}', 'f is not a scan (apiVersion'],
    ['[', 'f is not JSON'],
    ['{"apiVersion":"k8s-doctor/v1","kind":"Diagnosis"}', 'f is not a scan (kind'],
  ])('a file that is no scan: %s', (text, words) => {
    expect(() => fromJson(text, 'f')).toThrow(words);
  });
});

test('of a cluster that was not scanned nothing is known', () => {
  const away = { context: 'west', requests: 0, error: 'away' };
  const healthy = scanWith(
    scanned.filter((s) => s.status === 'healthy'),
    { clusters: [...scanOfAll.clusters, away] },
  );
  expect(statusOf(healthy)).toBe('undecided');
  expect(statusOf(scanOf({ ...healthy, services: scanned }))).toBe('faulty');
});

test('what is different between two scans', () => {
  const { appeared, cleared } = changesSince(scanWith(scanned.slice(1)), scanWith(scanned.slice(0, -1)));
  const codes = (s: (typeof scanned)[number] | undefined) => s?.causes.map((c) => c.code) ?? [];
  expect(appeared.flatMap((a) => a.codes)).toEqual(codes(scanned[0]));
  expect(cleared.flatMap((a) => a.codes)).toEqual(codes(scanned.at(-1)));
});
