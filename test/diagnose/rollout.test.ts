/** Rollouts on recorded runs. */
import { expect, test } from 'vitest';
import { rolloutsOf } from '../../src/diagnose/rollout.ts';
import { recorded } from '../support/recordings.ts';

const factsOf = (name: string) => {
  const found = recorded.find((r) => r.name === name);
  if (!found) throw new Error(`no recording ${name}`);
  return found.recording.facts;
};

test('a rollout that has stalled: the old revision serves, the new one does not', () => {
  const [rollout] = rolloutsOf(factsOf('healthy-rollout-stalled'));
  expect(rollout).toMatchObject({
    deployment: 'shop',
    wanted: 2,
    revisions: [
      { revision: 2, pods: 1, ready: 0, endpoints: 0 },
      { revision: 1, pods: 2, ready: 2, endpoints: 2 },
    ],
  });
  expect(rollout?.stalled).toContain('timed out progressing');
});

test('nothing is said of Deployments at rest', () => {
  expect(recorded.filter(({ recording }) => rolloutsOf(recording.facts).length > 0).map((r) => r.name)).toEqual(['healthy-rollout-stalled']);
});
