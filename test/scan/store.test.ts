import { expect, test } from 'vitest';
import { unseen } from '../../src/facts/fact.ts';
import { openStore } from '../../src/scan/store.ts';

const pod = (namespace: string, name: string, more: object = {}) => ({ metadata: { namespace, name }, ...more });
const failure = unseen('forbidden', 'pods', 'not allowed to list pods');

test.each([
  ['of one namespace', 'shop'],
  ['of all', undefined],
])('a list %s holds what is in a namespace', (_, scope) => {
  const store = openStore<ReturnType<typeof pod>>('pods');
  store.put(pod('shop', 'a'));
  store.listed(scope);
  expect(store.in('shop')).toEqual({ seen: true, value: [pod('shop', 'a')] });
  expect([store.covers('shop'), store.covers(undefined)]).toEqual([true, scope === undefined]);
});

test('what was not listed is not empty, and what could not be listed says why', () => {
  const store = openStore('pods');
  store.listed('shop', failure);
  expect(store.in('shop')).toBe(failure);
  expect(store.in('other')).toMatchObject({ seen: false, reason: 'not-needed' });
  expect(store.all()).toBe(failure);
  expect(store.covers('shop')).toBe(false);
});

test('the same fact until something changes', () => {
  const store = openStore<ReturnType<typeof pod>>('pods');
  store.listed(undefined);
  store.put(pod('shop', 'a'));
  const before = store.in('shop');
  store.put(pod('pay', 'b'));
  expect(store.put(pod('shop', 'a'))).toBe('same');
  expect(store.in('shop')).toBe(before);
  expect(store.put(pod('shop', 'a', { ready: true }))).toEqual(pod('shop', 'a'));
  expect(store.in('shop')).toEqual({ seen: true, value: [pod('shop', 'a', { ready: true })] });
  expect(store.remove('shop', 'a')).toEqual(pod('shop', 'a', { ready: true }));
  expect(store.remove('shop', 'a')).toBeUndefined();
  expect(store.in('shop')).toEqual({ seen: true, value: [] });
});
