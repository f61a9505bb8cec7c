import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { CaptureError, readCapture, writeCapture } from '../../src/facts/capture.ts';
import { checksFor, recorded, recordingOf } from '../support/recordings.ts';

const text = writeCapture(recordingOf('healthy-canary'));

describe('a capture file', () => {
  test('comes back as it was written', () => {
    expect(writeCapture(readCapture(text))).toBe(text);
  });

  test.each(recorded.map((r) => [r.name, r] as const))('%s: written and read again, gives the same diagnosis', (_, { recording }) => {
    expect(diagnose(checksFor(recording), readCapture(writeCapture(recording)))).toEqual(diagnose(checksFor(recording), recording));
  });

  test.each([
    ['empty', ''],
    ['cut off', text.slice(0, 5000)],
    ['another kind', text.replace('"Capture"', '"Diagnosis"')],
    ['a list', '[]'],
    ['a fact of another form', text.replace(/"service": \{\s*"seen": true,\s*"value": \{/, '"service": {"seen": true, "value": {"spec": 7, "was": {')],
    ['without its question', text.replace('"target": {', '"tarte": {')],
  ])('that is %s is refused with what is wrong', (_, damaged) => {
    expect(() => readCapture(damaged)).toThrow(CaptureError);
  });

  test('with any value replaced is read or refused, never worse', () => {
    const whole: unknown = JSON.parse(text);
    const paths: (string | number)[][] = [];
    const walk = (value: unknown, path: (string | number)[]) => {
      if (path.length > 0) paths.push(path);
      if (value && typeof value === 'object') for (const [k, x] of Object.entries(value)) walk(x, [...path, k]);
    };
    walk(whole, []);
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, replacement) => {
        const copy = structuredClone(whole) as Record<string, unknown>;
        let at = copy;
        for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
        at[path.at(-1) as string] = replacement;
        try {
          readCapture(JSON.stringify(copy));
        } catch (error) {
          expect(error).toBeInstanceOf(CaptureError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('holds no environment, annotation or command of anybody', () => {
    for (const { name, recording } of recorded) {
      const keys = new Set<string>();
      JSON.stringify(recording, (key, value: unknown) => (keys.add(key), value));
      expect(
        [...keys].filter((k) => ['env', 'envFrom', 'annotations', 'command', 'args', 'managedFields', 'imagePullSecrets'].includes(k)),
        name,
      ).toEqual([]);
    }
  });
});
