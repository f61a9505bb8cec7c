import type http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { PassThrough } from 'node:stream';
import { WebSocketHandler } from '@kubernetes/client-node/dist/web-socket-handler.js';
import type { LimitFunction } from 'p-limit';
import WebSocket from 'ws';
import { type AccessRule, failed, fromError, fromStatus, ok, ForwardFailed, type Result } from './failure.ts';
import { isReset } from './http.ts';
import type { Login } from './login.ts';

export interface ExecOutput {
  stdout: string;
  stderr: string;
  exitCode: number;
}

/** A byte stream to a port on a pod's loopback. */
export interface Tunnel {
  write(bytes: Buffer): void;
  /** The next bytes; null once the stream has ended. Rejects where the kubelet reports an error (nothing listens there). */
  read(): Promise<Buffer | null>;
  close(): void;
}

/** The API server's refusal of an upgrade, which `ws` alone would reduce to its number. */
class UpgradeRefused extends Error {
  readonly status: number;
  readonly body: string;
  constructor(status: number, body: string) {
    super(`the upgrade was answered with ${status}`);
    this.status = status;
    this.body = body;
  }
}

const handshakeTimeoutMs = 10_000;

/** How connections to the API server are opened. */
export interface Way {
  login: Login;
  /** Its idle connections are taken over: each handshake that is spared is a round trip or two. */
  agent: http.Agent | undefined;
  /** A proxy in front of an API server can refuse or delay many connections at once. */
  opening: LimitFunction;
  /** Aborts where nobody waits for connections any more. */
  closed: AbortSignal;
}

function handler({ login, agent, closed }: Way): WebSocketHandler {
  return new WebSocketHandler(
    login.config,
    (uri, protocols, options) => {
      const headers = { ...options.headers, ...login.impersonation } as Record<string, string | string[]>;
      const all = { ...options, ...(agent && { agent }), headers, handshakeTimeout: handshakeTimeoutMs };
      const socket = new WebSocket(uri, protocols, all as WebSocket.ClientOptions);
      socket.on('unexpected-response', (_request, response) => {
        const chunks: Buffer[] = [];
        response.on('data', (c: Buffer) => chunks.push(c));
        response.on('end', () => socket.emit('error', new UpgradeRefused(response.statusCode ?? 0, Buffer.concat(chunks).toString('utf8'))));
      });
      // Without a listener, an error after the handshake would end the process; `close` follows it and is handled.
      socket.on('error', () => {});
      const end = () => socket.terminate();
      closed.addEventListener('abort', end);
      socket.on('close', () => closed.removeEventListener('abort', end));
      return socket;
      // Streams of its own, because client-node closes them, and must not close this process's stdout.
    },
    { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() },
  );
}

/** Milliseconds before an upgrade that failed for a moment is asked for again. Nothing ran yet. */
const againMs = 300;

/** Opens a socket, once more where something between here and the kubelet failed. */
async function opened<T>({ opening, closed }: Way, connect: () => Promise<T>): Promise<T> {
  const open = async () => {
    closed.throwIfAborted();
    return connect();
  };
  try {
    return await opening(open);
  } catch (error) {
    const inner = (error as { error?: unknown }).error ?? error;
    const isPassing = inner instanceof UpgradeRefused ? inner.status === 429 || inner.status >= 500 : isReset(inner);
    if (!isPassing) throw error;
    await pause(againMs);
    return opening(open);
  }
}

function asFailure(error: unknown, what: string, rule: AccessRule) {
  const inner = (error as { error?: unknown }).error ?? error;
  if (inner instanceof UpgradeRefused) return fromStatus(inner.status, inner.body, what, rule);
  return fromError(inner, what, rule);
}

interface ExecStatus {
  status?: string;
  message?: string;
  reason?: string;
  details?: { causes?: { reason?: string; message?: string }[] };
}

/** A command, or a script for a shell's standard input: a command is part of the request's URL, where proxies allow a few kB. */
export type Command = string[] | { script: string };

/** A container can write without end: of what is kept, and of one line, there is a limit in bytes. */
const mostKept = 16 << 20;
const mostOfLine = 1 << 20;

/** Closes stream 0 for the other side (v5.channel.k8s.io). */
const endOfStdin = Buffer.of(255, 0);

/**
 * Runs a command in a container and waits for its end. `timeoutMs` bounds the whole run.
 * A command that is not in the image is a failure `not-possible`; a command that ends with another status than 0 is not a failure.
 * Protocol: v5.channel.k8s.io, stream 0 stdin, 1 stdout, 2 stderr, 3 the status.
 */
export async function exec(
  way: Way,
  where: { namespace: string; pod: string; container: string },
  command: Command,
  timeoutMs: number,
  rule: AccessRule,
  onLine?: (line: string) => void,
): Promise<Result<ExecOutput>> {
  const what = `running a command in pod ${where.namespace}/${where.pod}`;
  const [words, script] = Array.isArray(command) ? [command] : [['sh'], command.script];
  const query = new URLSearchParams([
    ['stdout', 'true'],
    ['stderr', 'true'],
    ['container', where.container],
    ...(script === undefined ? [] : [['stdin', 'true'] as [string, string]]),
    ...words.map((c) => ['command', c] as [string, string]),
  ]);
  const path = `/api/v1/namespaces/${where.namespace}/pods/${where.pod}/exec?${query.toString()}`;
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const lines = onLine && lineSplitter(onLine);
  let status: ExecStatus | undefined;
  let kept = 0;
  try {
    const onBytes = (stream: number, bytes: Buffer) => {
      const isLine = stream === 1 && lines !== undefined;
      if (isLine) lines.push(bytes);
      else if (stream < 3) kept += bytes.length;
      if (kept > mostKept || lines?.isTooLong()) return false;
      if (stream === 1 && !isLine) out.push(bytes);
      else if (stream === 2) err.push(bytes);
      else if (stream === 3) status = statusOf(bytes);
      return stream !== 3;
    };
    const socket = await opened(way, () => handler(way).connect(path, null, onBytes));
    if (script !== undefined) {
      // With an exit of its own it ends on older API servers too, and what it runs can't take the rest of it for input.
      socket.send(Buffer.concat([Buffer.of(0), Buffer.from(`{\n${script}\nexit\n} </dev/null\n`)]));
      if (socket.protocol === 'v5.channel.k8s.io') socket.send(endOfStdin);
    }
    const timedOut = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => (resolve(true), socket.close()), timeoutMs);
      socket.onclose = () => (clearTimeout(timer), resolve(false));
      if (socket.readyState === WebSocket.CLOSED) socket.onclose({} as never);
    });
    lines?.end();
    if (kept > mostKept || lines?.isTooLong()) return failed({ reason: 'malformed', what, why: 'what it writes has no end', rule });
    if (timedOut) return failed({ reason: 'timed-out', what, why: `the command did not end within ${timeoutMs / 1000} s`, rule });
    if (!status) return failed({ reason: 'unreachable', what, why: 'the connection was closed before the command ended', rule });
    const exitCode = status.status === 'Success' ? 0 : Number(status.details?.causes?.find((c) => c.reason === 'ExitCode')?.message ?? Number.NaN);
    const message = status.message ?? '';
    if (
      Number.isNaN(exitCode) ||
      (exitCode >= 126 && out.length === 0 && /executable file not found|no such file or directory/.test(message + Buffer.concat(err)))
    ) {
      return failed({ reason: 'not-possible', what, why: shortened(message), rule });
    }
    return ok({ stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8'), exitCode });
  } catch (error) {
    return failed(asFailure(error, what, rule));
  }
}

/** The status at the end of a command; undefined where it is none. */
function statusOf(bytes: Buffer): ExecStatus | undefined {
  try {
    return JSON.parse(bytes.toString('utf8')) as ExecStatus;
  } catch {
    return undefined;
  }
}

/** Cuts bytes into lines as they come, whole characters only. After a line that does not end it takes no more. */
function lineSplitter(onLine: (line: string) => void) {
  const decoder = new TextDecoder();
  let rest = '';
  const take = (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) onLine(line);
  };
  const isTooLong = () => rest.length > mostOfLine;
  return {
    isTooLong,
    push: (bytes: Buffer) => {
      if (!isTooLong()) take(decoder.decode(bytes, { stream: true }));
    },
    end: () => {
      if (rest !== '') onLine(rest);
      rest = '';
    },
  };
}

/** The container runtime wraps the cause in several sentences; the last one is what a person wants. */
function shortened(message: string): string {
  const missing = /exec: "([^"]+)": (?:executable file not found in \$PATH|stat [^:]+: no such file)/.exec(message);
  return missing ? `the image has no "${missing[1]}"` : message.slice(0, 200);
}

/** Opens a byte stream to a port of a pod, as its loopback sees it. Streams: 0 data, 1 errors, each after two bytes with the port. */
export async function portForward(way: Way, where: { namespace: string; pod: string }, port: number, rule: AccessRule): Promise<Result<Tunnel>> {
  const what = `a port-forward to pod ${where.namespace}/${where.pod}, port ${port}`;
  const arrived: (Buffer | Error | null)[] = [];
  let wake: (() => void) | undefined;
  const push = (item: Buffer | Error | null) => (arrived.push(item), wake?.());
  const headerSeen = [false, false];
  try {
    const path = `/api/v1/namespaces/${where.namespace}/pods/${where.pod}/portforward?ports=${port}`;
    const onBytes = (stream: number, bytes: Buffer) => {
      if (stream > 1) return true;
      const body = headerSeen[stream] ? bytes : bytes.subarray(2);
      headerSeen[stream] = true;
      if (body.length === 0) return true;
      push(stream === 0 ? body : new ForwardFailed(body.toString('utf8')));
      return true;
    };
    const socket = await opened(way, () => handler(way).connect(path, null, onBytes));
    socket.onclose = () => push(null);
    return ok({
      write: (bytes) => socket.send(Buffer.concat([Buffer.of(0), bytes])),
      async read() {
        while (arrived.length === 0) await new Promise<void>((resolve) => (wake = resolve));
        const item = arrived.shift() ?? null;
        if (item instanceof Error) throw item;
        return item;
      },
      close: () => socket.close(),
    });
  } catch (error) {
    return failed(asFailure(error, what, rule));
  }
}
