import { spawn } from 'node:child_process';

export interface Ran {
  code: number;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** Milliseconds. */
  ms: number;
}

/** Runs a program to its end, or kills it after `timeoutMs`. */
export function run(
  command: string,
  args: readonly string[],
  options: {
    env?: NodeJS.ProcessEnv;
    input?: string;
    cwd?: string;
    timeoutMs?: number;
    signalAfter?: [NodeJS.Signals, number];
    signalWhen?: Promise<NodeJS.Signals>;
  } = {},
): Promise<Ran> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...options.env }, cwd: options.cwd, timeout: options.timeoutMs ?? 120_000 });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (c) => (stdout += String(c)));
    child.stderr.on('data', (c) => (stderr += String(c)));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code: code ?? -1, signal, stdout, stderr, ms: performance.now() - started }));
    // A program that has ended already reads no input; how it ended is what counts.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    options.signalWhen?.then((s) => child.kill(s), reject);
    if (options.signalAfter) setTimeout((s: NodeJS.Signals) => child.kill(s), options.signalAfter[1], options.signalAfter[0]).unref();
  });
}

export const kubectl = (...args: string[]): Promise<Ran> => run('kubectl', args);

/** kubectl, whose failure ends the test. */
export async function must(...args: string[]): Promise<string> {
  const ran = await kubectl(...args);
  if (ran.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${ran.stderr.trim()}`);
  return ran.stdout;
}

const program = new URL('../../bin/k8s-doctor.js', import.meta.url).pathname;

/** The built program, run by the Node that runs the tests. */
export const doctor = (args: readonly string[], options: Parameters<typeof run>[2] = {}): Promise<Ran> => run(process.execPath, [program, ...args], options);

export async function apply(namespace: string, yaml: string): Promise<void> {
  const ran = await run('kubectl', ['-n', namespace, 'apply', '-f', '-'], { input: yaml });
  if (ran.code !== 0) throw new Error(`kubectl apply: ${ran.stderr.trim()}`);
}

/** A namespace of its own, whose default service account is there. */
export async function createNamespace(name: string): Promise<void> {
  await must('create', 'namespace', name);
  for (let i = 0; i < 50; i++) {
    if ((await kubectl('-n', name, 'get', 'serviceaccount', 'default')).code === 0) return;
    await new Promise((r) => setTimeout(r, 200));
  }
  throw new Error(`namespace ${name} got no service account`);
}

export const deleteNamespace = (name: string, wait = false): Promise<Ran> => kubectl('delete', 'namespace', name, `--wait=${wait}`);

/** Names of k8s-doctor's debug pods in a namespace, or in the whole cluster. */
export const debugPods = async (namespace?: string): Promise<string> =>
  (await must('get', 'pods', ...(namespace ? ['-n', namespace] : ['-A']), '-l', 'app.kubernetes.io/managed-by=k8s-doctor', '-o', 'name')).trim();
