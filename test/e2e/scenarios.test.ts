/**
 * Breaks Services in the cluster that KUBECONFIG names, one scenario after another, and judges what the program says.
 * SCENARIOS: further folders of scenarios (colon-separated). ONLY: their names (comma-separated). NIGHTLY: all, not only the most telling ones.
 * CAPTURE_DIR: record each there.
 */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { type Case, shortfalls } from '../support/expectation.ts';
import { keepFigures } from '../support/figures.ts';
import { debugPods, deleteNamespace, doctor, kubectl } from '../support/kubectl.ts';
import { broken, foldersOf, healed, isAlone, isFor, isForNow, kindOfCluster } from '../support/scenarios.ts';

const own = new URL('./scenarios', import.meta.url).pathname;
const only = process.env['ONLY']?.split(',');
const kind = await kindOfCluster();
const folders = foldersOf([own, ...(process.env['SCENARIOS']?.split(':').filter(Boolean) ?? [])]).filter(
  (folder) => (only ? only.includes(basename(folder)) : isForNow(folder)) && isFor(folder, kind),
);

/** The incidents of the demo keep their capture beside them. */
const captureOf = (folder: string, dir: string): string =>
  folder.includes('demo/incidents') ? join(folder, 'capture.json') : join(dir, `${basename(folder)}.json`);

/** Milliseconds that each diagnosis took. */
const times: number[] = [];

const counts = { broken: { runs: 0, right: 0 }, healthy: { runs: 0, right: 0 } };
afterAll(() => {
  for (const [name, { runs, right }] of Object.entries(counts)) keepFigures(name, { runs, wrong: runs - right });
});

async function diagnosed(folder: string, scenario: Case, namespace: string): Promise<{ exit: number; diagnosis: Diagnosis }> {
  try {
    await broken(folder, scenario, namespace);
    const capture = process.env['CAPTURE_DIR'] ? ['--capture', captureOf(folder, process.env['CAPTURE_DIR'])] : [];
    const ran = await doctor([...scenario.args.map((a) => a.replaceAll('{ns}', namespace)), '-o', 'json', ...capture]);
    times.push(ran.ms);
    try {
      return { exit: ran.code, diagnosis: JSON.parse(ran.stdout) as Diagnosis };
    } catch {
      throw new Error(`no JSON, exit ${ran.code}: ${ran.stderr.slice(-500)}`);
    }
  } finally {
    try {
      await healed(folder, namespace);
    } finally {
      // A scenario that names its namespace shares it with others, and leaves it only when it is gone.
      await deleteNamespace(namespace, scenario.namespace !== undefined);
    }
  }
}

async function judged(name: string, folder: string): Promise<void> {
  const scenario = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')) as Case;
  const count = scenario.expect.status === 'healthy' ? counts.healthy : counts.broken;
  count.runs++;
  const { exit, diagnosis } = await diagnosed(folder, scenario, scenario.namespace ?? `sc-${name}`);
  const missing = shortfalls(scenario.expect, exit, diagnosis);
  if (missing.length === 0) count.right++;
  // What was said instead is all that is left of a failure that does not come again.
  const said = diagnosis.verdict.causes.flatMap((c) => [c.message, ...c.evidence.map((e) => `  ${e.source}: ${e.text}`)]);
  expect(missing, [scenario.title, ...said].join('\n')).toEqual([]);
}

describe('scenarios', () => {
  const named = folders.map((folder) => [basename(folder), folder] as const);
  // oxlint-disable-next-line vitest/expect-expect
  test.concurrent.each(named.filter(([, folder]) => !isAlone(folder)))('%s', judged);
  // oxlint-disable-next-line vitest/expect-expect
  test.each(named.filter(([, folder]) => isAlone(folder)))('%s', judged);

  test('no debug pod is left behind, and the cluster answers', async () => {
    const sorted = times.toSorted((a, b) => a - b);
    const seconds = (ms: number | undefined) => ((ms ?? Number.NaN) / 1000).toFixed(2);
    console.log(`time to a verdict: median ${seconds(sorted[Math.floor(sorted.length / 2)])} s, longest ${seconds(sorted.at(-1))} s`);
    expect(await debugPods()).toBe('');
    expect((await kubectl('get', '--raw', '/readyz')).stdout).toBe('ok');
  });
});
