import { describe, expect, test } from 'vitest';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { anonymized } from '../../src/facts/anonymize.ts';
import { readCapture, type Recording, writeCapture } from '../../src/facts/capture.ts';
import { vocabulary as words } from '../../src/facts/vocabulary.ts';
import { checksFor, recorded } from '../support/recordings.ts';
import { wordsOfTheCode } from './vocabulary.ts';

const key = Buffer.from('the same in every run of the tests');

/** What a diagnosis says without naming anybody. */
function said(recording: Recording) {
  const { verdict, checks, probes } = diagnose(checksFor(recording), recording);
  return {
    status: verdict.status,
    causes: verdict.causes.map((c) => `${c.code} ${c.confidence} ${c.scope} ${c.object.kind}`),
    checks: checks.map((c) => `${c.id} ${c.status} ${c.findings.map((f) => `${f.code} ${f.severity} ${f.fix.length}`).join()}`),
    probes: probes.map((p) => `${p.kind} ${p.outcome}`),
  };
}

/** The words of the names that objects have, and their addresses. */
function namesIn(value: unknown, found: Set<string>): Set<string> {
  if (Array.isArray(value)) for (const item of value) namesIn(item, found);
  else if (typeof value === 'object' && value !== null)
    for (const [k, item] of Object.entries(value)) {
      if (typeof item === 'string' && /^(name|namespace|nodeName|hostname|podIP|ip)$/.test(k)) found.add(item);
      else namesIn(item, found);
    }
  return found;
}

describe.each(recorded.map((r) => [r.name, r.recording] as const))('%s', (_, recording) => {
  const hidden = anonymized(recording, key);

  test('a replay says the same about other names', () => {
    expect(said(readCapture(writeCapture(hidden)))).toEqual(said(recording));
  });

  test('nobody is named', () => {
    const text = writeCapture({ ...hidden, settledMs: {} });
    const leaked = [...namesIn(recording.facts, new Set())]
      .flatMap((name) => (/^[\d.:a-f]+$/.test(name) && /[.:]/.test(name) ? [name] : (name.match(/[A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*/g) ?? [])))
      .filter(
        (word) =>
          word.length > 1 &&
          !words.has(word.toLowerCase()) &&
          !/^(v?\d+|\d+[munkKMGTPE]i?)$/.test(word) &&
          !/^(127\.|169\.254\.|0\.0\.0\.0|::1?$|fe80)/.test(word),
      )
      .filter((word) => new RegExp(`(?<![\\w.:])${word.replaceAll('.', '\\.')}(?![\\w.:])`).test(text));
    expect(leaked).toEqual([]);
  });
});

test('another key gives other names', () => {
  const [first] = recorded;
  if (!first) throw new Error('no recording');
  expect(writeCapture(anonymized(first.recording))).not.toBe(writeCapture(anonymized(first.recording)));
});

test('every word that the code compares with is in the vocabulary (node test/facts/vocabulary.ts)', () => {
  expect(wordsOfTheCode().filter((word) => !words.has(word))).toEqual([]);
});
