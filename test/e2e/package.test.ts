/** What is published: the npm package in an empty folder, and the single executable in a root that holds it and its C libraries alone. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { describe, expect, test } from 'vitest';
import { must, run } from '../support/kubectl.ts';
import { terminal } from '../support/terminal.ts';

const root = new URL('../../', import.meta.url).pathname;
const service = ['svc', 'kube-dns', '-n', 'kube-system'];

/** Starts the server for assistants and lists its tools. */
async function tools(command: string, args: string[]): Promise<string[]> {
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(new StdioClientTransport({ command, args, env: process.env as Record<string, string> }));
  const { tools: found } = await client.listTools();
  await client.close();
  return found.map((t) => t.name);
}

/** The terminal UI of a program: it diagnoses, stays, and leaves the verdict in the scrollback. */
async function staysInTerminal(words: readonly string[], options: readonly string[] = []): Promise<void> {
  const t = terminal(100, 30, [...service, ...options, '-i'], {}, words);
  try {
    expect(await t.shows('kube-dns answers from', 60_000)).toContain('q quit');
    await t.keys('Tab');
    await t.shows(/address[\s\S]*ready/);
    await t.keys('q');
    await t.shows('exit=0');
    expect(t.isOdd()).toBe(false);
    expect(t.scrollback()).toContain('kube-dns answers from');
  } finally {
    t.close();
  }
}
const allTools = ['diagnose_service', 'scan', 'reach', 'list_services', 'explain'];

test('the package runs in an empty folder, with nothing but itself', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-package-'));
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], { cwd: root, encoding: 'utf8' })) as {
    filename: string;
    files: { path: string }[];
  }[];
  expect(
    packed?.files.filter((f) => !/^(bin\/[\w-]+\.js|dist\/|docs\/(codes|schemas)\/|demo\/incidents\/|package\.json|README\.md|LICENSE)/.test(f.path)),
  ).toEqual([]);
  execFileSync('npm', ['install', '--no-save', '--no-audit', '--no-fund', join(folder, packed?.filename ?? '')], { cwd: folder, stdio: 'ignore' });
  expect(readdirSync(join(folder, 'node_modules')).filter((f) => !f.startsWith('.'))).toEqual(['k8s-doctor']);
  const doctor = join(folder, 'node_modules/.bin/k8s-doctor');
  expect(await run(doctor, ['demo', 'two-faults'])).toMatchObject({ code: 1, stdout: expect.stringContaining('default-deny') as string });
  expect(await run(doctor, [...service, '-o', 'json'])).toMatchObject({ code: 0, stdout: expect.stringContaining('"healthy"') as string });
  expect(await run(join(folder, 'node_modules/.bin/kubectl_complete-doctor'), ['exp'])).toMatchObject({ stdout: 'explain\n:4\n' });
  expect(await tools(doctor, ['mcp'])).toEqual(allTools);
  await staysInTerminal([process.execPath, join(folder, 'node_modules/k8s-doctor/bin/k8s-doctor.js')]);
});

test('two builds have the same bytes', () => {
  const built = () => {
    const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-build-'));
    execFileSync(join(root, 'node_modules/.bin/rolldown'), ['-c', '-d', folder, '--logLevel', 'silent'], { cwd: root, stdio: 'ignore' });
    return readdirSync(folder).map(
      (name) =>
        `${name} ${createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex')}`,
    );
  };
  expect(built()).toEqual(built());
});

// It takes a change of the root, which only root may do, and 130 MB.
describe.skipIf(!process.env['NIGHTLY'] || process.getuid?.() !== 0)('the executable', () => {
  const empty = mkdtempSync(join(tmpdir(), 'k8s-doctor-root-'));
  const inside = (...args: string[]) => run('chroot', [empty, '/k8s-doctor', ...args]);

  test('runs where there is no Node', async () => {
    execFileSync('npm', ['run', '--silent', 'executable'], { cwd: root, stdio: 'ignore' });
    const file = join(root, 'dist/executable', `k8s-doctor-${process.platform}-${process.arch}`);
    copyFileSync(file, join(empty, 'k8s-doctor'));
    for (const [library = ''] of execFileSync('ldd', [file], { encoding: 'utf8' }).matchAll(/\/[^ ]+/g)) {
      mkdirSync(join(empty, dirname(library)), { recursive: true });
      copyFileSync(library, join(empty, library));
    }
    execFileSync('sh', ['-c', `kubectl config view --raw --minify --flatten > ${join(empty, 'kubeconfig')}`]);
    expect(await inside('demo', 'two-faults')).toMatchObject({ code: 1, stdout: expect.stringContaining('default-deny') as string });
    expect(await inside(...service, '--kubeconfig', '/kubeconfig', '-o', 'json')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"healthy"') as string,
    });
    expect(await inside('explain', 'selector-mismatch')).toMatchObject({ code: 0, stderr: '' });
    expect(await tools('chroot', [empty, '/k8s-doctor', 'mcp', '--kubeconfig', '/kubeconfig'])).toEqual(allTools);
    await staysInTerminal(['chroot', empty, '/k8s-doctor'], ['--kubeconfig', '/kubeconfig']);
  });
});

/** A PATH on which kubectl finds the plug-in. */
function withPlugin(): { PATH: string } {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-plugin-'));
  for (const [name, file] of [
    ['kubectl-doctor', 'k8s-doctor.js'],
    ['k8s-doctor', 'k8s-doctor.js'],
    ['kubectl_complete-doctor', 'kubectl_complete-doctor.js'],
  ] as const)
    execFileSync('ln', ['-s', join(root, 'bin', file), join(folder, name)]);
  return { PATH: `${folder}:${process.env['PATH']}` };
}

test('kubectl finds the plug-in and its completion', async () => {
  const env = withPlugin();
  expect(await run('kubectl', ['doctor', 'explain', 'selector-mismatch'], { env })).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('# selector-mismatch') as string,
  });
  expect(await run('kubectl', ['__complete', 'doctor', 'expl'], { env })).toMatchObject({ stdout: 'explain\n:4\n' });
  expect(await must('version', '--client')).toContain('Client Version');
});

// kubectl's own script for bash needs these functions.
const bashCompletion = '/usr/share/bash-completion/bash_completion';

describe.skipIf(!existsSync(bashCompletion))('in bash, a tab', () => {
  const setUp = `source ${bashCompletion}; source <(kubectl completion bash); source <(k8s-doctor completion bash); echo all is re''ady`;

  test.each([
    ['kubectl doctor sv', 'kubectl doctor svc'],
    ['kubectl doctor svc -n kube-system kube-', 'kubectl doctor svc -n kube-system kube-dns'],
    ['kubectl doctor explain policy-denies-in', 'kubectl doctor explain policy-denies-ingress'],
    ['k8s-doctor svc -n kube-sys', 'k8s-doctor svc -n kube-system'],
    ['k8s-doctor svc -n kube-system kube-', 'k8s-doctor svc -n kube-system kube-dns'],
    ['k8s-doctor svc kube-dns -n kube-system --from deploy/core', 'k8s-doctor svc kube-dns -n kube-system --from deploy/coredns'],
  ])('%s', async (typed, whole) => {
    const t = terminal(120, 10, [], withPlugin(), ['bash', '--norc', '-i']);
    try {
      await t.keys(setUp, 'Enter');
      await t.shows('all is ready');
      await t.keys(typed);
      // A busy machine answers too late for a tab or two: a person types another.
      let shown = '';
      for (let tabs = 0; tabs < 5 && !shown.includes(whole); tabs++) {
        await t.keys('Tab');
        shown = await t.shows(whole, 2000).catch(t.screen);
      }
      expect(shown).toContain(whole);
    } finally {
      t.close();
    }
  });
});
