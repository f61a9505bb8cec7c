/** Predictions from recorded facts, compared with the connections that were made for real in the same run. */
import { describe, expect, test } from 'vitest';
import type { Connection } from '../../src/facts/facts.ts';
import { predict } from '../../src/model/predict.ts';
import { fits } from '../../src/model/prediction.ts';
import { worldOf } from '../../src/model/world.ts';
import { recorded } from '../support/recordings.ts';

/** Connections of which the facts say for certain how they go, with how they went. */
const settled = recorded.flatMap(({ name, recording, scenario }) => {
  const { connections } = recording.facts;
  if (!connections.seen) return [];
  const world = worldOf(recording.facts);
  return connections.value.list.flatMap((c: Connection) => {
    const prediction = predict(world, c);
    return prediction.fate === 'open' || c.outcome === 'no-answer' ? [] : [{ name, c, prediction, needsConnection: scenario?.needsConnection ?? false }];
  });
});

/** A firewall on the node closes the port, which no fact shows. */
const belowTheFacts = new Set(['node-port-closed', 'dual-node-port-closed']);

describe('predictions on recordings', () => {
  test('there are many', () => {
    expect(settled.filter((s) => s.prediction.fate === 'connects').length).toBeGreaterThan(200);
    expect(settled.filter((s) => s.prediction.fate !== 'connects').length).toBeGreaterThan(50);
  });

  test.each(recorded.filter((r) => !belowTheFacts.has(r.name) && !r.scenario?.needsConnection).map((r) => r.name))(
    '%s: what is predicted for certain is what happened',
    (name) => {
      const wrong = settled
        .filter((s) => s.name === name)
        .filter(({ c, prediction }) => (prediction.fate === 'connects' ? c.outcome !== 'answered' : !fits({ fates: prediction.fates }, c)))
        .map(({ c, prediction }) => `${c.hop} ${c.target}: predicted ${prediction.fate} (${prediction.stops.map((s) => s.why).join('; ')}), ${c.outcome}`);
      expect(wrong).toEqual([]);
    },
  );
});
