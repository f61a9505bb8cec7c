/** The built program, as a person would run it by mistake. */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { doctor, run } from '../support/kubectl.ts';

const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-test-'));
const root = new URL('../../', import.meta.url).pathname;
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const config = (server: string, user = 'user: {token: x}') => `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "${server}", insecure-skip-tls-verify: true}}]
users: [{name: u, ${user}}]
contexts: [{name: here, context: {cluster: c, user: u}}, {name: broken, context: {cluster: gone, user: u}}]
current-context: here
`;
const away = file('away.yaml', config('https://127.0.0.1:1'));
const env = (kubeconfig: string) => ({ KUBECONFIG: kubeconfig, HOME: folder, KUBERNETES_SERVICE_HOST: '' });

beforeAll(() => {
  if (!existsSync(join(root, 'dist/main.js'))) throw new Error('build the program first: npm run build');
});

/** One sentence (or two) on stderr, nothing on stdout, exit 3, no stack trace. */
async function refused(args: string[], kubeconfig: string, says: RegExp): Promise<void> {
  const ran = await doctor(args, { env: env(kubeconfig) });
  expect(ran.stderr).toMatch(says);
  expect(ran.stderr.trim().split('\n')).toHaveLength(1);
  expect(ran.stderr).not.toMatch(/\bat .*:\d+:\d+/);
  expect(ran.stdout).toBe('');
  expect(ran.code).toBe(3);
}

const svc = ['svc', 'web', '-q'];

describe('credentials', () => {
  test('no kubeconfig at all', () => refused(svc, '', /No kubeconfig was found.*k8s-doctor demo/));
  test('a kubeconfig that is not there', () => refused(svc, join(folder, 'none.yaml'), /cannot be read \(ENOENT\)/));
  test('one that is not YAML', () => refused(svc, file('bad.yaml', 'a: [b'), /is not valid/));
  test('an alias of what is not there', () => refused(svc, file('alias.yaml', 'users: *nobody'), /is not valid \(Unresolved alias/));
  test('an empty one', () => refused(svc, file('empty.yaml', ''), /is not valid|no current context|none/));
  test('an unknown context, with the nearest', () => refused([...svc, '--context', 'hre'], away, /"hre" is not in the kubeconfig; did you mean "here"\?/));
  test('a context whose cluster is not there', () =>
    refused([...svc, '--context', 'broken'], away, /cluster "gone", which is not in the kubeconfig \(it has: c\)/));
  test('a server that is not a URL', () =>
    refused(svc, file('url.yaml', config('not a url')), /"server" of cluster "c" .* is not a URL of http or https \("not a url"\)/));
  test('the API server is away', () => refused(svc, away, /context "here" cannot be reached \(the connection was refused\)/));
  test('a credential plug-in that is not installed, with its hint', () =>
    refused(
      svc,
      file(
        'plugin.yaml',
        config(
          'https://127.0.0.1:1',
          'user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin, installHint: "Install it with: get-plugin"}}',
        ),
      ),
      /"no-such-plugin".*is not installed.*Install it with: get-plugin/,
    ));
  test('a credential plug-in gets the version to answer in', async () => {
    const plugin = file(
      'plugin.sh',
      `printf '%s' "$KUBERNETES_EXEC_INFO" >${join(folder, 'info.json')}; echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t"}}'`,
    );
    await refused(
      svc,
      file('exec.yaml', config('https://127.0.0.1:1', `user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [${plugin}]}}`)),
      /cannot be reached/,
    );
    expect(JSON.parse(readFileSync(join(folder, 'info.json'), 'utf8'))).toMatchObject({
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      spec: { interactive: false },
    });
  });
  test('the proxy of the environment is used, but not for this machine', async () => {
    const proxied = { ...env(file('far.yaml', config('https://cluster.invalid:6443'))), HTTPS_PROXY: 'http://127.0.0.1:1' };
    expect((await doctor(svc, { env: proxied })).stderr).toContain('the connection was refused');
    expect((await doctor(svc, { env: { ...proxied, NO_PROXY: 'cluster.invalid' } })).stderr).toMatch(/does not resolve|could not be resolved/);
  });
  test('of several files the first to name a context wins, as with kubectl', async () => {
    const second = file('second.yaml', config('https://127.0.0.1:2').replace('current-context: here', 'current-context: broken'));
    const ran = await doctor(svc, { env: env(`${away}:${join(folder, 'missing.yaml')}:${second}`) });
    expect(ran.stderr).toContain('context "here" cannot be reached');
  });
});

describe('options', () => {
  test.each([
    [['svc', 'web', '--prob', 'none'], /prob/],
    [['svc', 'web', '--probe', 'maybe'], /Choices: "auto", "none"/],
    [['svc', 'web', '-n'], /Not enough arguments|needs|namespace/],
    [['svc', 'web', '-n', 'a', '-n', 'b'], /given more than once/],
    [['svc', 'web', '--timeout', 'soon'], /--timeout "soon" is not a time/],
    [['svc', 'web', '-o', 'xml'], /"xml" is not a format; choose one of text, wide, json, yaml/],
    [['svc', 'a/web', '-n', 'b'], /in namespace a, but -n says b/],
    [['svc', 'web', '--from', 'me'], /--from "me" is not known/],
    [['svc'], /Which Service\?/],
    [['swc', 'web'], /Did you mean svc\?|Unknown/],
    [['explain', 'selector-mismach'], /did you mean "selector-mismatch"\?/],
    [['demo', 'wrng-port'], /There is no recorded incident/],
  ])('%j', (args, says) => refused(args, away, says));

  test('no command: the help, and exit 3', async () => {
    const ran = await doctor([], { env: env(away) });
    expect(ran.stderr).toContain('k8s-doctor svc');
    expect(ran.code).toBe(3);
  });
  test('options of a command that is not named', () => refused(['--replay', 'x.json'], away, /^Which command\? Run "k8s-doctor --help"/));
  test('-v shows where it happened', async () => {
    const ran = await doctor([...svc, '-v', '--context', 'x'], { env: env(away) });
    expect(ran.stderr).toMatch(/\bat .*:\d+/);
  });
});

describe('captures', () => {
  test('one that is not there', () => refused(['svc', '--replay', join(folder, 'no.json')], away, /capture .* cannot be read \(ENOENT\)/));
  test('a damaged one', () => refused(['svc', '--replay', file('cut.json', '{"apiVersion": "k8s-d')], away, /is damaged or is none/));
  test.each([
    ['--capture', '/missing/x.json'],
    ['-o', 'json=/missing/x.json'],
  ])('%s %s is refused before anything is run', async (option, value) => {
    // The API server is away, too: a run would have reported that.
    await refused([...svc, option, value], away, /\/missing\/x\.json cannot be written \(ENOENT\)/);
  });
  test('one that cannot be written in the end loses nothing: the diagnosis is printed first', async () => {
    const ran = await doctor(['svc', '--replay', join(root, 'test/recordings/healthy-canary.json'), '--capture', folder], { env: env(away) });
    expect(ran.stdout).toContain('shop answers from pod/client');
    expect(ran.stderr).toMatch(/cannot be written \(EISDIR\)/);
    expect(ran.code).toBe(3);
  });
});

test('an older Node prints which version is needed', async () => {
  const text = "Object.defineProperty(process.versions, 'node', { value: '20.1.0' })";
  const ran = await run(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(text)}`, join(root, 'bin/k8s-doctor.js'), '--version']);
  expect(ran.stderr).toContain('needs Node 22.19 or newer');
  expect(ran.code).toBe(3);
});

test('--version and --help', async () => {
  expect((await doctor(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  // Written by the build, and made again by the parser: the same text.
  const help = await doctor(['--help']);
  expect((await doctor(['--help', '--color'])).stdout).toBe(help.stdout);
  expect(help.stdout).toContain('svc [name]');
  expect(help.code).toBe(0);
});
