/** What is in front of a Service, on facts of a real cluster with one of them changed. */
import { expect, test } from 'vitest';
import type { Facts } from '../../src/facts/facts.ts';
import { reportOf, valueOf } from '../support/recordings.ts';

const host = 'route-healthy-weights.example.com';

/** The path that the one rule of the host claims, and a request to it. */
const claimed =
  (value: string, path = '/shop') =>
  (facts: Facts): Partial<Facts> => {
    const [target, front] = [valueOf(facts.target), valueOf(facts.front)];
    const matches = [{ method: null, headers: [], queryParams: [], path: { type: 'RegularExpression', value } }];
    return {
      target: { seen: true, value: { ...target, front: { kind: 'url', namespace: '', name: '', host, path, scheme: 'http' } } },
      front: {
        seen: true,
        value: {
          ...front,
          routes: {
            seen: true,
            value: valueOf(front.routes).map((r) => ({ ...r, spec: { ...r.spec, rules: r.spec.rules.map((rule) => ({ ...rule, matches })) } })),
          },
        },
      },
    };
  };
const exists = (change: (facts: Facts) => Partial<Facts>) => reportOf('route/exists', change, 'route-host-not-claimed');

test('a regular expression that matches claims the path, and one that does not leaves it without a rule', () => {
  expect(exists(claimed('/sh.p'))).toMatchObject({ status: 'pass', findings: [] });
  expect(exists(claimed('/cart.*')).findings).toMatchObject([{ code: 'route-not-found', message: expect.stringContaining('/shop') as string }]);
});

test('whether an expression of another kind claims the path is not known, and no rule is said to be missing', () => {
  expect(exists(claimed('/(?!cart).*'))).toMatchObject({ status: 'unknown', findings: [], reason: expect.stringContaining('/(?!cart).*') as string });
});
