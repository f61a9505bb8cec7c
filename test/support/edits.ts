/** Recorded facts with something changed, for tests of what a check says then. */
import type { FactName, Facts, FactTypes } from '../../src/facts/facts.ts';
import { valueOf } from './recordings.ts';

export type Edit = (facts: Facts) => Partial<Facts>;

/** One fact with a change of its value. Throws where the recording does not have it. */
export const edited =
  <N extends FactName>(name: N, change: (value: FactTypes[N]) => void): Edit =>
  (facts) => {
    const value: FactTypes[N] = structuredClone(valueOf<FactTypes[N]>(facts[name] as never));
    change(value);
    return Object.fromEntries([[name, { seen: true, value }]]);
  };

/** Several edits, one after the other. */
export const all =
  (...edits: Edit[]): Edit =>
  (facts) =>
    edits.reduce((now, edit) => ({ ...now, ...edit({ ...facts, ...now }) }), {} as Partial<Facts>);
