/** The Action's own shell lines, run as GitHub runs them, on recorded incidents. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { run } from '../support/kubectl.ts';

const root = new URL('../../', import.meta.url).pathname;

interface Step {
  id?: string;
  shell?: string;
  env?: Record<string, string>;
  run?: string;
}
interface Action {
  inputs: Record<string, { default?: string }>;
  outputs: Record<string, { value: string }>;
  runs: { steps: Step[] };
}
const action = parse(readFileSync(join(root, '.github/actions/diagnose/action.yml'), 'utf8')) as Action;

/** Runs a step with the given inputs; `k8s-doctor` is the source, which reads a recording in the place of a cluster. */
async function stepped(step: Step, inputs: Record<string, string>, recording: string) {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-action-'));
  const program = `#!/bin/sh\nexec ${process.execPath} ${join(root, 'bin/k8s-doctor.js')} "$@" --replay ${join(root, recording)}\n`;
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin', 'k8s-doctor'), program, { mode: 0o755 });
  const [output, summary] = [join(folder, 'output'), join(folder, 'summary')];
  for (const file of [output, summary]) writeFileSync(file, '');
  const all = { ...Object.fromEntries(Object.entries(action.inputs).map(([name, i]) => [name, i.default ?? ''])), ...inputs };
  const filled = (text: string) => text.replaceAll(/\$\{\{ inputs\.([\w-]+) \}\}/g, (_, name: string) => all[name] ?? '');
  const env = Object.fromEntries(Object.entries(step.env ?? {}).map(([name, value]) => [name, filled(value)]));
  const ran = await run('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', step.run ?? ''], {
    cwd: folder,
    env: { ...env, PATH: `${join(folder, 'bin')}:${process.env['PATH']}`, GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: summary },
  });
  return { ran, folder, output: readFileSync(output, 'utf8'), summary: readFileSync(summary, 'utf8') };
}

const diagnose = action.runs.steps.find((s) => s.id === 'diagnose') ?? {};

test('a fault: an annotation, the summary, the outputs, the reports, and the step fails', async () => {
  const { ran, folder, output, summary } = await stepped(
    diagnose,
    { service: 'frontend-web', namespace: 'shop' },
    'demo/incidents/policy-default-deny/capture.json',
  );
  expect(ran.code, ran.stderr).toBe(1);
  expect(ran.stdout).toMatch(/^::error title=Network policy blocking%3A policy-denies-ingress::\S.*$/m);
  expect(output).toBe('status=faulty\ncodes=policy-denies-ingress\n');
  expect(summary).toMatch(/^#+ .*cannot be reached/m);
  for (const file of ['report.html', 'junit.xml', 'report.sarif']) expect(readFileSync(join(folder, 'k8s-doctor', file), 'utf8')).not.toBe('');
});

test('a healthy Service: no annotation, and the step passes', async () => {
  const { ran, output } = await stepped(diagnose, { service: 'frontend-web' }, 'demo/incidents/healthy/capture.json');
  expect(ran.code, ran.stderr).toBe(0);
  expect(ran.stdout).not.toContain('::');
  expect(output).toBe('status=healthy\ncodes=\n');
});

test('what is in an input is no command', async () => {
  const { ran, folder } = await stepped(
    diagnose,
    { service: '$(touch pwned); `touch pwned`', namespace: '"; touch pwned #' },
    'demo/incidents/healthy/capture.json',
  );
  expect(ran.stderr).not.toContain('touch:');
  expect(await run('ls', [folder])).toMatchObject({ stdout: expect.not.stringContaining('pwned') as string });
});

test('each output comes from the step that writes it', () => {
  expect(Object.values(action.outputs).map((o) => o.value)).toEqual(['${{ steps.diagnose.outputs.status }}', '${{ steps.diagnose.outputs.codes }}']);
});
