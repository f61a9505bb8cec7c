/**
 * Breaks Services in the cluster that KUBECONFIG names, one scenario after another, and judges what the program says.
 * SCENARIOS: further folders of scenarios (colon-separated). ONLY: their names (comma-separated). CAPTURE_DIR: record each there.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { type Case, shortfalls } from '../support/expectation.ts';
import { createNamespace, debugPods, deleteNamespace, doctor, kubectl, must, run } from '../support/kubectl.ts';

const own = new URL('./scenarios', import.meta.url).pathname;
const only = process.env['ONLY']?.split(',');
const folders = [own, ...(process.env['SCENARIOS']?.split(':').filter(Boolean) ?? [])]
  .flatMap((dir) => readdirSync(dir).map((name) => join(dir, name)))
  .filter((folder) => existsSync(join(folder, 'case.json')) && (!only || only.includes(basename(folder))));

/** The incidents of the demo keep their capture beside them. */
const captureOf = (folder: string, dir: string): string =>
  folder.includes('demo/incidents') ? join(folder, 'capture.json') : join(dir, `${basename(folder)}.json`);

/** Milliseconds that each diagnosis took. */
const times: number[] = [];

async function script(folder: string, name: string, namespace: string): Promise<void> {
  if (!existsSync(join(folder, name))) return;
  const ran = await run('bash', ['-e', join(folder, name)], { env: { NS: namespace }, cwd: folder });
  if (ran.code !== 0) throw new Error(`${name}: ${ran.stderr.trim()}`);
}

async function diagnosed(folder: string, scenario: Case, namespace: string): Promise<{ exit: number; diagnosis: Diagnosis }> {
  await createNamespace(namespace);
  try {
    await must('-n', namespace, 'apply', '-f', join(folder, 'objects.yaml'));
    for (const wait of scenario.wait ?? []) await must('-n', namespace, 'wait', '--timeout=60s', ...wait);
    await script(folder, 'break.sh', namespace);
    await new Promise((r) => setTimeout(r, (scenario.settle ?? 2) * 1000));
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
      await script(folder, 'heal.sh', namespace);
    } finally {
      // A scenario that names its namespace shares it with others, and leaves it only when it is gone.
      await deleteNamespace(namespace, scenario.namespace !== undefined);
    }
  }
}

describe('scenarios', () => {
  test.each(folders.map((folder) => [basename(folder), folder]))('%s', async (name, folder) => {
    const scenario = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')) as Case;
    const { exit, diagnosis } = await diagnosed(folder, scenario, scenario.namespace ?? `sc-${name}`);
    expect(shortfalls(scenario.expect, exit, diagnosis), scenario.title).toEqual([]);
  });

  test('no debug pod is left behind, and the cluster answers', async () => {
    const sorted = times.toSorted((a, b) => a - b);
    const seconds = (ms: number | undefined) => ((ms ?? Number.NaN) / 1000).toFixed(2);
    console.log(`time to a verdict: median ${seconds(sorted[Math.floor(sorted.length / 2)])} s, longest ${seconds(sorted.at(-1))} s`);
    expect(await debugPods()).toBe('');
    expect((await kubectl('get', '--raw', '/readyz')).stdout).toBe('ok');
  });
});
