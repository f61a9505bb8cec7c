/** What the tests of random clusters share: the verdict on one, and how a failure is described. */
import { pipeline } from '../../checks/pipeline.ts';
import type { Code } from '../../src/catalog/codes.ts';
import { reasoned } from '../../src/verdict/judge.ts';
import type { FactName, Facts } from '../../src/facts/facts.ts';
import type { Cluster } from './worlds.ts';

export const seed = 20261125;

export const verdictOf = (facts: Facts) => reasoned(pipeline, facts).verdict;

/** The cluster on which the verdict is wrong, with what was planted, named and refused. */
export const described = (c: Cluster, facts: Facts, codes: readonly Code[], refused: readonly FactName[] = []): string =>
  JSON.stringify(
    { planted: c.planted, named: codes, refused, cluster: { ...c, closed: [...c.closed], cut: [...c.cut], down: [...c.down] }, connections: facts.connections },
    null,
    1,
  );
