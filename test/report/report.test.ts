import stringWidth from 'string-width';
import fc from 'fast-check';
import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { pipeline } from '../../checks/pipeline.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { clean, cleanDeep } from '../../src/report/clean.ts';
import { render } from '../../src/report/render.ts';
import { checksFor, recorded, recordingOf } from '../support/recordings.ts';

const plain = { colour: false, unicode: true, columns: 80 };
const of = (name: string): Diagnosis => diagnose(pipeline, recordingOf(name));

describe('text from the cluster', () => {
  test.each([
    ['\u001b[31mred\u001b[0m', 'red'],
    ['a\u001b]0;title\u0007b', 'ab'],
    ['a\u001b]8;;http://x\u001b\\b', 'ab'],
    ['pay\u202egnp.exe', 'paygnp.exe'],
    ['a\u0000b\u0008c\u009b31m', 'abc31m'],
    ['one\ntwo\tthree', 'one two three'],
    ['zero\u200bwidth\ufeff', 'zerowidth'],
    ['größe 名前 🚀', 'größe 名前 🚀'],
  ])('%j is shown as %j', (hostile, shown) => {
    expect(clean(hostile)).toBe(shown);
  });
  test('no control character survives, in whatever it hides', () => {
    // oxlint-disable-next-line no-control-regex
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test(clean(text))));
  });
  test('reaches every string of a diagnosis', () => {
    const hostile = JSON.parse(JSON.stringify(of('selector-letter-case')).replaceAll('app=', '\\u001b[2Japp=')) as Diagnosis;
    expect(JSON.stringify(cleanDeep(hostile))).not.toContain('u001b');
  });
});

describe('as text', () => {
  test.each(recorded.map((r) => [r.name, r] as const))('%s: verdict first, no line too wide but commands', async (_, { recording }) => {
    const diagnosis = diagnose(checksFor(recording), recording);
    const lines = (await render(diagnosis, 1, 'text', plain)).split('\n');
    expect(lines[0]).toMatch({ healthy: /^✓ /, faulty: /^✗ /, degraded: /^▲ /, undecided: /^\? / }[diagnosis.verdict.status]);
    const commands = new Set(diagnosis.checks.flatMap((c) => c.findings.flatMap((f) => f.fix.map((x) => x.command ?? ''))));
    const long = lines.filter(
      (l) =>
        stringWidth(l) > 80 &&
        !commands.has(l.trim()) &&
        l.trim().includes(' ') &&
        !/ · .*  (confirmed|likely|possible) · /.test(l) &&
        !l
          .trimStart()
          .split(/\s{2,}/)
          .some((w) => w.split(' ').some((x) => x.length > 50)),
    );
    expect(long).toEqual([]);
  });
  test('names issue, symptom and resolution of the table, and the fix', async () => {
    const text = await render(of('selector-letter-case'), 1, 'text', plain);
    expect(text).toContain('Selector mismatch · Empty endpoints · Correct pod labels or service selector');
    expect(text).toContain('kubectl -n sc-selector-letter-case patch service shop');
  });
  test('both causes of two are in it, numbered', async () => {
    const text = await render(of('two-faults'), 1, 'text', plain);
    expect(text).toMatch(/ 1\. /);
    expect(text).toMatch(/ 2\. /);
  });
  test('without colour there is no escape; with it there is', async () => {
    expect(await render(of('two-faults'), 1, 'text', plain)).not.toContain('\u001b');
    expect(await render(of('two-faults'), 1, 'text', { ...plain, colour: true })).toContain('\u001b[31;1m');
  });
  test('ASCII marks in a locale without the others', async () => {
    expect(await render(of('healthy-canary'), 1, 'text', { ...plain, unicode: false })).toMatch(/^\+ shop answers/);
  });
});

describe('as JSON', () => {
  const names = (value: object) => Object.keys(value).toSorted();
  test('has the shape that docs/contract.md promises', () => {
    const d = of('two-faults');
    expect(names(d)).toEqual([
      'apiVersion',
      'checks',
      'client',
      'durationMs',
      'kind',
      'missing',
      'path',
      'probes',
      'service',
      'startedAt',
      'verdict',
      'version',
    ]);
    expect(names(d.service)).toEqual(['clusterIPs', 'name', 'namespace', 'ports', 'type']);
    expect(names(d.client ?? {})).toEqual(['kind', 'name', 'namespace', 'node']);
    expect(names(d.verdict)).toEqual(['causes', 'status', 'summary']);
    expect(d.path.map((h) => h.hop)).toEqual(['client', 'dns', 'virtual IP', 'proxy rules', 'policy', 'endpoint', 'container']);
    for (const finding of d.verdict.causes) {
      for (const name of ['code', 'issue', 'symptom', 'resolution', 'severity', 'confidence', 'object', 'message', 'evidence', 'fix', 'docs'])
        expect(finding).toHaveProperty(name);
      expect(names(finding.object)).toEqual(['kind', 'name', 'namespace']);
    }
    for (const check of d.checks) for (const name of ['id', 'stage', 'title', 'status', 'durationMs', 'findings']) expect(check).toHaveProperty(name);
    for (const probe of d.probes) expect(names(probe)).toEqual(['detail', 'from', 'kind', 'latencyMs', 'outcome', 'target']);
  });
  test('YAML says the same', async () => {
    const d = of('two-faults');
    expect(parse(await render(d, 1, 'yaml', plain))).toEqual(JSON.parse(await render(d, 1, 'json', plain)));
  });
});
