import { describe, expect, test } from 'vitest';
import { type Code, codes } from '../../src/catalog/codes.ts';
import { explains } from '../../src/verdict/explanations.ts';

/** All codes that follow from one, directly or not. */
function followers(code: Code, seen = new Set<Code>()): Set<Code> {
  for (const next of explains[code] ?? []) {
    if (seen.has(next)) continue;
    seen.add(next);
    followers(next, seen);
  }
  return seen;
}

describe('which finding explains which', () => {
  test.each(Object.keys(explains) as Code[])('%s does not explain itself, by whatever way: two that explain each other would both vanish', (code) => {
    expect([...followers(code)]).not.toContain(code);
  });
  test('symptoms that a connection shows are explained by something', () => {
    const explained = new Set(Object.values(explains).flat());
    for (const symptom of ['no-ready-endpoints', 'name-not-resolving', 'virtual-ip-failing', 'endpoint-failing'] as const) {
      expect(explained).toContain(symptom);
      expect(codes).toHaveProperty(symptom);
    }
  });
});
