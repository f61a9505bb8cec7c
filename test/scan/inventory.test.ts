/** What a scan gives the checks for one Service, held to what a run for that Service alone has. */
import { describe, expect, test } from 'vitest';
import { pipeline } from '../../checks/pipeline.ts';
import { unseen } from '../../src/facts/fact.ts';
import { type FactName, factNames, type Facts } from '../../src/facts/facts.ts';
import { collectors } from '../../src/gather/gather.ts';
import { podIndex } from '../../src/scan/pod-index.ts';
import { reasoned } from '../../src/verdict/judge.ts';
import { recorded } from '../support/recordings.ts';

const changing = new Set<FactName>(collectors.filter((c) => c.impact !== 'read').map((c) => c.fact));

/** The recorded facts as `--probe none` gathers them. */
const withoutProbes = (facts: Facts): Facts => ({
  ...facts,
  ...Object.fromEntries(factNames.filter((n) => changing.has(n)).map((n) => [n, unseen('not-asked', n, '--probe none')])),
});

describe('the pods of a Service, without the others of its namespace', () => {
  test.each(recorded.map((r) => [r.name, r] as const))('%s: the same verdict', (_, { recording }) => {
    const facts = withoutProbes(recording.facts);
    if (!facts.service.seen || !facts.service.value || !facts.pods.seen || !facts.slices.seen) return expect(facts.service).toBeDefined();
    const index = podIndex();
    for (const pod of facts.pods.value) index.add(pod);
    const pods = index.of(facts.service.value, facts.slices.value);
    const judged = (f: Facts) => {
      const { verdict } = reasoned(pipeline, f);
      return [verdict.status, ...verdict.causes.map((c) => c.code)];
    };
    expect(judged({ ...facts, pods: { seen: true, value: pods } })).toEqual(judged(facts));
  });
});
