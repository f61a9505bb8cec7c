/** What fuzzing by coverage found worth keeping, and what it begins with, through each parser. */
import { describe, expect, test } from 'vitest';
import { corpusOf } from './corpus.ts';
import { fuzzTargets } from './targets.ts';

describe.each(Object.entries(fuzzTargets))('%s', (name, { seeds, run }) => {
  test('answers, or refuses by the error that it documents', () => {
    const inputs = [...seeds().map((seed) => Buffer.from(seed)), ...corpusOf(name)];
    expect(inputs.length).toBeGreaterThan(0);
    for (const input of inputs) expect(() => run(input), input.toString('base64')).not.toThrow();
  });
});
