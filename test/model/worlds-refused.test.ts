/** The verdict on small random clusters of which some evidence is refused. */
import { describe, expect, test } from 'vitest';
import { unseen } from '../../src/facts/fact.ts';
import type { FactName } from '../../src/facts/facts.ts';
import { keepFigures } from '../support/figures.ts';
import { generator } from '../support/random.ts';
import { described, seed, verdictOf } from './judged.ts';
import { clusterOf, factsOf, hidden, hideable } from './worlds.ts';

const count = Number(process.env['WORLDS'] ?? 20_000);

describe(`${count} random clusters with evidence refused`, () => {
  test('only planted faults are named, and nothing is healthy unproved', () => {
    const random = generator(seed + 1);
    const draw = (n: number) => Math.floor(random() * n);
    const wrong: string[] = [];
    for (let i = 0; i < count; i++) {
      const cluster = clusterOf(draw);
      const refused = [...new Set(Array.from({ length: 1 + draw(3) }, () => hideable[draw(hideable.length)] as FactName))];
      const facts = { ...factsOf(cluster, draw), ...Object.fromEntries(refused.map((n) => [n, unseen('forbidden', n, 'not allowed')])) };
      const verdict = verdictOf(facts);
      const named = verdict.causes.map((c) => c.code);
      const invented = named.some((c) => !cluster.planted.includes(c));
      const unproved = verdict.status === 'healthy' && cluster.planted.some((p) => !hidden(cluster).has(p));
      const alarm = cluster.planted.length === 0 && verdict.status !== 'healthy' && verdict.status !== 'undecided';
      if (invented || unproved || alarm) wrong.push(`${verdict.status}: ${described(cluster, facts, named, refused)}`);
    }
    keepFigures('refused', { runs: count, wrong: wrong.length });
    expect(wrong.slice(0, 1)).toEqual([]);
  });
});
