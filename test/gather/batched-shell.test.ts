/** Commands run by this machine's own shell, as they are by that of a container. */
import { spawn } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { failed, ok } from '../../src/cluster/index.ts';
import { type Shell, batched } from '../../src/gather/batched-shell.ts';

const rule = { apiGroups: [], resources: [], verbs: [] };
/** Runs programs for real; notes which. Without `sh` it is a container that has none. */
function machine(sh = true): { shell: Shell; ran: string[] } {
  const ran: string[] = [];
  const shell: Shell = ([program = '', ...args], onLine) =>
    new Promise((resolve) => {
      ran.push(program);
      const missing = () => resolve(failed({ reason: 'not-possible', what: program, why: `the image has no "${program}"`, rule }));
      if (program === 'sh' && !sh) return missing();
      const child = spawn(program, args);
      let [out, err] = ['', ''];
      child.stdout.on('data', (c) => (out += String(c)));
      child.stderr.on('data', (c) => (err += String(c)));
      child.on('error', missing);
      child.on('close', (code) => {
        out.split('\n').slice(0, -1).forEach(onLine);
        resolve(ok({ exitCode: code ?? 1, stderr: err }));
      });
      return undefined;
    });
  return { shell, ran };
}

async function runAll(shell: Shell, ...commands: string[][]) {
  return Promise.all(
    commands.map(async (command) => {
      const lines: string[] = [];
      const result = await shell(command, (l) => lines.push(l));
      return { lines, exitCode: result.ok ? result.value.exitCode : result.failure.reason, stderr: result.ok ? result.value.stderr : '' };
    }),
  );
}

const commands = [
  ['printf', 'a b\\n\\n== c\\n'],
  ['ls', '/missing/at all'],
  ['no-such-program', 'x'],
  ['echo', "it's $HOME"],
];
describe.each([true, false])('commands asked for batched (a shell: %s)', (sh) => {
  test('each gets its own lines, its own end', async () => {
    const { shell, ran } = machine(sh);
    const [printed, listed, missing, quoted] = await runAll(batched(shell), ...commands);
    expect(printed).toMatchObject({ lines: ['a b', '', '== c'], exitCode: 0 });
    expect(listed?.exitCode).not.toBe(0);
    expect(listed?.stderr).toContain('No such file or directory');
    expect(missing?.exitCode).toBe('not-possible');
    expect(quoted?.lines).toEqual(["it's $HOME"]);
    expect(ran.filter((p) => p === 'sh')).toHaveLength(1);
    expect(ran).toHaveLength(sh ? 1 : 1 + commands.length);
  });
});

test('a connection that is lost ends all that had not ended', async () => {
  const cut: Shell = async (_, onLine) => {
    onLine('== k8s-doctor ended with 0');
    onLine('half a li');
    return failed({ reason: 'unreachable', what: 'running', why: 'the connection was closed', rule });
  };
  const [first, second] = await runAll(batched(cut), ['echo'], ['echo']);
  expect([first?.exitCode, second?.exitCode]).toEqual([0, 'unreachable']);
});

test('one command alone needs no shell', async () => {
  const { shell, ran } = machine();
  expect(await runAll(batched(shell), ['echo', 'x'])).toMatchObject([{ lines: ['x'], exitCode: 0 }]);
  expect(ran).toEqual(['echo']);
});
