/** Credential plug-ins: programs that a kubeconfig names, run as kubectl runs them. */
import { spawn } from 'node:child_process';
import * as v from 'valibot';
import { CannotRun } from '../catalog/cannot-run.ts';
import { bytesOf, type Chosen, type ExecPlugin } from './kubeconfig.ts';

/** What a plug-in gave out (client.authentication.k8s.io/v1, ExecCredentialStatus). */
export interface Credential {
  token: string | undefined;
  certificate: string | undefined;
  key: string | undefined;
  /** Milliseconds since 1970; Infinity where it does not run out. */
  runsOutAt: number;
}

const text = v.nullish(v.string());
const answer = v.object({
  kind: v.literal('ExecCredential'),
  apiVersion: v.string(),
  status: v.object({ token: text, clientCertificateData: text, clientKeyData: text, expirationTimestamp: text }),
});

/** A plug-in that nobody can answer ends by then, in milliseconds. */
const limitMs = 60_000;

/** Node leaves `isTTY` out where a stream is no terminal. */
const isTerminal = (stream: { isTTY?: boolean }): boolean => stream.isTTY ?? false;

/** What the plug-in learns from KUBERNETES_EXEC_INFO (client.authentication.k8s.io/v1, ExecCredentialSpec). */
function execInfo(plugin: ExecPlugin, { cluster }: Chosen, interactive: boolean): string {
  const authority = bytesOf('certificate-authority', cluster);
  const config = cluster.extensions?.find((e) => e.name === 'client.authentication.k8s.io/exec')?.extension;
  const about = {
    server: cluster.server,
    'tls-server-name': cluster['tls-server-name'] ?? undefined,
    'insecure-skip-tls-verify': cluster['insecure-skip-tls-verify'] ?? undefined,
    'certificate-authority-data': authority?.toString('base64'),
    'proxy-url': cluster['proxy-url'] ?? undefined,
    config,
  };
  return JSON.stringify({
    apiVersion: plugin.apiVersion ?? 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: { interactive, ...(plugin.provideClusterInfo && { cluster: about }) },
  });
}

/**
 * Runs the plug-in and reads its answer. With `beforeAsking` it may ask a person who sits at the terminal, which is the plug-in's own from that call on.
 * Throws CannotRun with the plug-in's own last words where it fails.
 */
export async function runPlugin(plugin: ExecPlugin, chosen: Chosen, env: NodeJS.ProcessEnv, beforeAsking: (() => void) | null): Promise<Credential> {
  const mode = plugin.interactiveMode ?? 'IfAvailable';
  const mayAsk = mode !== 'Never' && beforeAsking !== null && isTerminal(process.stdin);
  const failed = (why: string, todo: string) =>
    new CannotRun(`The credential plug-in "${plugin.command}" ("exec" of user "${chosen.user.name}", context "${chosen.context}") ${why}; ${todo}.`);
  if (mode === 'Always' && !mayAsk)
    throw failed(
      'asks on the terminal (interactiveMode: Always), and there is none to ask on',
      'run this in a terminal, or use credentials that need no person',
    );
  if (mayAsk) beforeAsking();
  const own = Object.fromEntries((plugin.env ?? []).map((e) => [e.name, e.value]));
  const child = spawn(plugin.command, plugin.args ?? [], {
    env: { ...env, ...own, KUBERNETES_EXEC_INFO: execInfo(plugin, chosen, mayAsk) },
    stdio: mayAsk ? ['inherit', 'pipe', 'inherit'] : ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.setEncoding('utf8');
    child[stream]?.on('data', (chunk: string) => (said[stream] += chunk));
  }
  const tooLong = mayAsk ? undefined : setTimeout(() => child.kill(), limitMs);
  const ended = await new Promise<{ code: number | null; error?: NodeJS.ErrnoException }>((resolve) => {
    child.on('error', (error) => resolve({ code: null, error }));
    child.on('close', (code) => resolve({ code }));
  });
  clearTimeout(tooLong);
  if (ended.error?.code === 'ENOENT')
    throw failed('is not installed', plugin.installHint?.trim().split('\n')[0]?.replace(/\.$/, '') || 'install it, or choose another user with --user');
  if (ended.error) throw failed(`cannot be run (${ended.error.message})`, 'check its path and its rights');
  if (child.killed) throw failed(`did not end within ${limitMs / 1000} s`, 'run it in a terminal to see what it waits for');
  if (ended.code !== 0) {
    const words = said.stderr.trim().split('\n').at(-1);
    throw failed(`failed (${words || `exit status ${ended.code}`})`, 'run it in a terminal to see why');
  }
  return read(said.stdout, plugin, (why) => failed(why, 'run it in a terminal to see what it answers'));
}

function read(stdout: string, plugin: ExecPlugin, failed: (why: string) => CannotRun): Credential {
  let written: unknown;
  try {
    written = JSON.parse(stdout);
  } catch {
    throw failed('did not answer in JSON');
  }
  const seen = v.safeParse(answer, written);
  if (!seen.success) throw failed(`did not answer with credentials ("${v.getDotPath(seen.issues[0]) ?? 'kind'}" is not as it should be)`);
  const { apiVersion, status } = seen.output;
  if (plugin.apiVersion && apiVersion !== plugin.apiVersion)
    throw failed(`answered in the version ${apiVersion}, and the kubeconfig asks for ${plugin.apiVersion}`);
  const { token, clientCertificateData: certificate, clientKeyData: key, expirationTimestamp } = status;
  if (!token && !(certificate && key)) throw failed('gave out neither a token nor a certificate with its key');
  return {
    token: token ?? undefined,
    certificate: certificate ?? undefined,
    key: key ?? undefined,
    runsOutAt: expirationTimestamp ? Date.parse(expirationTimestamp) : Infinity,
  };
}
