import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { pipelineFor } from '../../checks/pipeline.ts';
import { printed, schemaOf } from '../../docs/schemas/make.ts';
import { judgeReach } from '../../src/cli/reach.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { readCapture } from '../../src/facts/capture.ts';
import { cleanDeep } from '../../src/report/clean.ts';
import { targetOf } from '../../src/verdict/judge.ts';

const root = new URL('../../', import.meta.url);
const written = (name: string): object => JSON.parse(readFileSync(new URL(`docs/schemas/${name}.schema.json`, root), 'utf8')) as object;
const names = Object.keys(printed) as (keyof typeof printed)[];

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
const validators = Object.fromEntries(names.map((name) => [name, ajv.compile(written(name))]));

/** What is wrong with a value, as a schema sees it. */
function faults(name: (typeof names)[number], value: unknown): unknown[] {
  const validate = validators[name];
  // As it is printed: what is undefined is not there.
  validate?.(JSON.parse(JSON.stringify(value)));
  return validate?.errors ?? [];
}

test.each(names)('the schema of %s is the one that its type gives (node docs/schemas/make.ts)', (name) => {
  expect(written(name)).toEqual(schemaOf(name));
});

const folders = ['demo/incidents/', 'test/recordings/'].map((f) => new URL(f, root));
const captures = folders.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((f) => f.endsWith('.json') && !f.endsWith('case.json'))
    .map((f) => new URL(f, folder)),
);

test('the diagnosis of each recording fits its schema', () => {
  const wrong = captures.flatMap((file) => {
    const recording = readCapture(readFileSync(file, 'utf8'));
    const found = faults('diagnosis', cleanDeep(diagnose(pipelineFor(targetOf(recording.facts)), recording)));
    return found.length > 0 ? [{ file: file.pathname, found }] : [];
  });
  expect(captures.length).toBeGreaterThan(150);
  expect(wrong).toEqual([]);
});

test('an answer about who may connect fits its schema, and one without its verdict does not', async () => {
  const options = {
    from: undefined,
    to: undefined,
    port: undefined,
    protocol: 'TCP' as const,
    manifests: undefined,
    test: undefined,
    matrix: false,
    namespace: undefined,
    allNamespaces: false,
    output: [],
    requestTimeoutMs: 1000,
    replay: new URL('demo/incidents/policy-default-deny/capture.json', root).pathname,
  };
  const { json } = await judgeReach(options, {});
  expect(json.verdict).toBe('denied');
  expect(faults('reach', json)).toEqual([]);
  expect(faults('reach', { ...json, verdict: undefined })).not.toEqual([]);
});
