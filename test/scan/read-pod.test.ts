/** The quick reader of pods against the schema: real pods as the API server sends them, recorded ones, and both with fields changed. */
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { valueOf } from '../../src/facts/fact.ts';
import * as o from '../../src/facts/objects.ts';
import { withoutSecrets } from '../../src/gather/reduced.ts';
import { podReader } from '../../src/scan/read-pod.ts';
import { recorded } from '../support/recordings.ts';

const sent = (JSON.parse(gunzipSync(readFileSync(new URL('../bench/recorded/objects.json.gz', import.meta.url))).toString()) as { pods: unknown[] }).pods;
const pods: unknown[] = [...sent, ...recorded.flatMap(({ recording }) => valueOf(recording.facts.pods) ?? [])];

function bySchema(pod: unknown): unknown {
  const read = v.safeParse(o.pod, pod, { abortEarly: true });
  return read.success ? { seen: true, value: withoutSecrets(read.output) } : { seen: false, reason: 'malformed' };
}

test('every pod that was recorded', () => {
  const read = podReader();
  expect(pods.length).toBeGreaterThan(200);
  for (const pod of pods) expect(read(pod)).toEqual(bySchema(pod));
});

/** Paths to all fields of a value. */
const pathsIn = (value: unknown, path: (string | number)[] = []): (string | number)[][] =>
  typeof value === 'object' && value !== null ? Object.entries(value).flatMap(([k, x]) => [[...path, k], ...pathsIn(x, [...path, k])]) : [];

const others: unknown[] = [undefined, null, 7, '', 'other', [], {}, [null], { a: 1 }, true];

/** A copy with one field changed; `undefined` takes it out. */
function changed(pod: unknown, path: readonly (string | number)[], other: unknown): unknown {
  const copy: unknown = structuredClone(pod);
  let at = copy as Record<string, unknown>;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
  const last = String(path.at(-1));
  if (other === undefined) delete at[last];
  else at[last] = other;
  // As it comes from an API server: a list has no gaps.
  return JSON.parse(JSON.stringify(copy));
}

test('whatever field is changed', () => {
  const read = podReader();
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.constantFrom(...others), (which, where, other) => {
      const pod = pods[which % pods.length];
      const paths = pathsIn(pod);
      const path = paths[where % paths.length] ?? [];
      const one = changed(pod, path, other);
      const { seen, ...rest } = read(one);
      expect(seen ? { seen, ...rest } : { seen, reason: 'malformed' }, `${path.join('.')} = ${JSON.stringify(other)}`).toEqual(bySchema(one));
    }),
    { numRuns: 4000 },
  );
});

test('words that may quote a secret are kept without it', () => {
  const read = podReader();
  const words = pods.flatMap((pod) =>
    pathsIn(pod).flatMap((path) =>
      path[0] === 'status' && ['message', 'reason', 'image'].includes(String(path.at(-1))) ? [changed(pod, path, 'password=hunter2hunter2')] : [],
    ),
  );
  expect(words.length).toBeGreaterThan(100);
  for (const pod of words) expect(JSON.stringify(read(pod))).not.toContain('hunter2');
});
