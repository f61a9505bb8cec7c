/** Reports as programs of others read them: the parsers behind common actions and dashboards, installed for the occasion. They need no cluster, but a package index. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { render } from '../../src/report/render.ts';
import { checksFor, recorded } from '../support/recordings.ts';
import { run } from '../support/kubectl.ts';

const root = new URL('../../', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-consumers-'));
const diagnoses = recorded.map(({ name, recording }) => ({ name, requests: recording.requests, d: diagnose(checksFor(recording), recording) }));
const quiet = { cwd: folder, stdio: 'ignore' } as const;

/** Every recorded incident as one file each. */
async function written(format: 'junit' | 'sarif'): Promise<string[]> {
  const files = [];
  for (const { name, requests, d } of diagnoses) {
    const file = `${name}.${format}`;
    writeFileSync(join(folder, file), await render(d, requests, format, { colour: false, unicode: true, columns: 80 }));
    files.push(file);
  }
  return files;
}

describe.skipIf(!process.env['NIGHTLY'])('what is published, read by others', () => {
  beforeAll(() => {
    execFileSync('python3', ['-m', 'venv', 'python'], quiet);
    execFileSync('python/bin/pip', ['install', '--quiet', 'junitparser', 'sarif-tools'], quiet);
    execFileSync('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '@microsoft/sarif-multitool', 'publint', '@arethetypeswrong/cli'], quiet);
  }, 300_000);

  test('JUnit by junitparser: the same counts as in the diagnosis', async () => {
    const files = await written('junit');
    const script = `import json, sys, junitparser
print(json.dumps([[sum(getattr(s, k) for s in junitparser.JUnitXml.fromfile(f)) for k in ("tests", "failures", "errors", "skipped")] for f in sys.argv[1:]]))`;
    const read = JSON.parse(execFileSync('python/bin/python', ['-c', script, ...files], { cwd: folder, encoding: 'utf8' })) as number[][];
    // The verdict is a test of its own before those of the checks.
    const counted = diagnoses.map(({ d }) => {
      const of = (status: string) => d.checks.filter((c) => c.status === status).length;
      const { status } = d.verdict;
      const isBad = status === 'faulty' || status === 'degraded';
      return [d.checks.length + 1, of('fail') + (isBad ? 1 : 0), of('unknown') + (status === 'undecided' ? 1 : 0), of('skip')];
    });
    expect(read).toEqual(counted);
  });

  test('SARIF by sarif-tools: each finding', async () => {
    await written('sarif');
    execFileSync('python/bin/sarif', ['csv', '--output', 'all.csv', folder], { cwd: folder, stdio: 'ignore' });
    const rows = readFileSync(join(folder, 'all.csv'), 'utf8')
      .trim()
      .split(/\r?\n(?=k8s-doctor,)/);
    expect(rows.length - 1).toBe(diagnoses.reduce((n, { d }) => n + d.checks.reduce((m, c) => m + c.findings.length, 0), 0));
  });

  test('SARIF by the rules of the format and of GitHub', async () => {
    const files = await written('sarif');
    const validator = join(folder, 'node_modules/.bin', 'sarif-multitool');
    for (const kind of ['Sarif', 'Ghas']) {
      const { stdout } = await run(validator, ['validate', ...files, '--rule-kind', kind], { cwd: folder });
      expect(stdout).toContain(`${files.length} files scanned`);
      expect(stdout.split('\n').filter((line) => /: error /.test(line))).toEqual([]);
    }
  });

  test('the package by publint and by arethetypeswrong', async () => {
    expect(await run(join(folder, 'node_modules/.bin/publint'), [root])).toMatchObject({ code: 0, stdout: expect.stringContaining('All good') as string });
    expect(await run(join(folder, 'node_modules/.bin/attw'), ['--pack', root])).toMatchObject({ code: 0 });
  });
});
