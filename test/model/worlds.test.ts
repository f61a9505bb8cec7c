/** The verdict on small random clusters, compared with the faults that were planted in them. */
import { describe, expect, test } from 'vitest';
import { keepFigures } from '../support/figures.ts';
import { generator } from '../support/random.ts';
import { described, seed, verdictOf } from './judged.ts';
import { clusterOf, factsOf, hidden } from './worlds.ts';

const count = Number(process.env['WORLDS'] ?? 20_000);

describe(`${count} random clusters with all evidence`, () => {
  test('the causes are exactly the planted faults that can be seen', () => {
    const random = generator(seed);
    const draw = (n: number) => Math.floor(random() * n);
    const wrong: string[] = [];
    for (let i = 0; i < count; i++) {
      const cluster = clusterOf(draw);
      const facts = factsOf(cluster, draw);
      const verdict = verdictOf(facts);
      const named = [...new Set(verdict.causes.map((c) => c.code))].toSorted();
      const visible = cluster.planted.filter((p) => !hidden(cluster).has(p)).toSorted();
      const statuses = visible.length === 0 ? ['healthy'] : ['faulty', 'degraded'];
      if (named.join() !== visible.join() || !statuses.includes(verdict.status)) wrong.push(`${verdict.status}: ${described(cluster, facts, named)}`);
    }
    keepFigures('worlds', { runs: count, wrong: wrong.length });
    expect(wrong.slice(0, 1)).toEqual([]);
  });
});
