/** The verdict on small random clusters of which some evidence is refused. */
import { describe, expect, test } from 'vitest';
import type { Code } from '../../src/catalog/codes.ts';
import { unseen } from '../../src/facts/fact.ts';
import type { FactName, Facts } from '../../src/facts/facts.ts';
import { generator } from '../support/random.ts';
import { seed, told, verdictOf } from './judged.ts';
import { type Cluster, clusterOf, factsOf, hidden, hideable } from './worlds.ts';

const count = 40_000;

/** A connection that failed is reported as it is where its cause cannot be seen. */
const readings: readonly Code[] = ['no-ready-endpoints', 'name-not-resolving', 'virtual-ip-failing', 'endpoint-failing'];

/** A refusal shows that nothing listens at the pod's address; without a look into the pod that is all there is to say of a program on its loopback. */
const isPlanted = (code: Code, { planted }: Cluster): boolean =>
  planted.includes(code) || (code === 'target-port-not-listening' && (planted.includes('listens-on-loopback') || planted.includes('headless-port-mismatch')));

describe(`${count} random clusters with evidence refused`, () => {
  test('no fault is named that was not planted, and nothing is healthy unproved', () => {
    const random = generator(seed + 1);
    const draw = (n: number) => Math.floor(random() * n);
    const wrong: string[] = [];
    for (let i = 0; i < count && wrong.length === 0; i++) {
      const cluster = clusterOf(draw);
      const refused = [...new Set(Array.from({ length: 1 + draw(3) }, () => hideable[draw(hideable.length)] as FactName))];
      const facts = { ...factsOf(cluster, draw), ...Object.fromEntries(refused.map((n) => [n, unseen('forbidden', n, 'not allowed')])) } as Facts;
      const verdict = verdictOf(facts);
      const named = verdict.causes.map((c) => c.code);
      const invented = named.some((c) => !isPlanted(c, cluster) && !readings.includes(c));
      const unproved = verdict.status === 'healthy' && cluster.planted.some((p) => !hidden(cluster).has(p));
      const alarm = cluster.planted.length === 0 && verdict.status !== 'healthy' && verdict.status !== 'undecided';
      if (invented || unproved || alarm) wrong.push(`${verdict.status}: ${told(cluster, facts, named, refused)}`);
    }
    expect(wrong).toEqual([]);
  }, 120_000);
});
