/** Patterns with `*` and `?` against the same as a regular expression, where that is quick. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesGlob } from '../../src/dns/glob.ts';

const byExpression = (pattern: string, text: string) =>
  new RegExp(
    `^${pattern
      .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
    's',
  ).test(text);

test.each([
  ['shop-*', 'shop-api', true],
  ['shop-*', 'shop', false],
  ['*', '', true],
  ['', '', true],
  ['', 'a', false],
  ['?', '', false],
  ['a?c*', 'abc', true],
  ['*.override', 'hosts.override', true],
  ['a.c', 'abc', false],
] as const)('"%s" and "%s": %s', (pattern, text, expected) => {
  expect(matchesGlob(pattern, text)).toBe(expected);
});

const some = (...characters: string[]) => fc.string({ unit: fc.constantFrom(...characters), maxLength: 8 });

test('as a regular expression has it', () => {
  fc.assert(
    fc.property(some('a', 'b', '.', '*', '?'), some('a', 'b', '.'), (pattern, text) => {
      expect(matchesGlob(pattern, text)).toBe(byExpression(pattern, text));
    }),
    { numRuns: 5000 },
  );
});

test('a pattern for which a regular expression would take for ever', () => {
  expect(matchesGlob(`${'*a'.repeat(60)}*b`, 'a'.repeat(253))).toBe(false);
});
