import http from 'node:http';
import https from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { blameOfError, blameOfRefusal } from './blame.ts';
import { type AccessRule, failed, type Failure, fromError, fromStatus, ok, type Result } from './failure.ts';
import type { Login } from './login.ts';
import { protobufType, statusFrom } from './protobuf.ts';

export interface Request {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  body?: unknown;
  contentType?: string;
  /** What the answer is to be, where it is not the whole object. */
  accept?: string;
  /** What is asked for, in words, and the RBAC rule that it uses. */
  what: string;
  rule: AccessRule;
  signal?: AbortSignal | undefined;
}

export interface Http {
  /** Sends one request and reads the whole answer. Sends it again where the server is busy or failed for a moment, within `timeoutMs`. */
  send(request: Request): Promise<Result<string>>;
  /** The same, handing over the answer as it comes; `taker` is asked for again where the request is sent again. */
  chunks(request: Request, taker: (isProtobuf: boolean) => (chunk: Buffer) => void): Promise<Result<void>>;
  /** Sends one request and hands over the answer line by line, until it ends, `signal` aborts or `onLine` returns false. */
  lines(request: Request, onLine: (line: string) => boolean): Promise<Result<void>>;
  /** Sends one request, and answers its status; of the body only what the API server itself says of a failure is read. */
  status(request: Request): Promise<Result<{ status: number; said: string }>>;
  /** Connections that stay open and are shared; undefined where a proxy is used. */
  readonly agent: http.Agent | undefined;
  /** Requests sent so far. */
  count(): number;
  /** Renews credentials that have run out. */
  fresh(): Promise<void>;
  /** Aborts with `close`. */
  readonly closed: AbortSignal;
  /** Ends what is still under way; nothing of it holds up the end of the program. */
  close(): void;
}

/** Milliseconds after which an idle connection is closed: a proxy or firewall may have dropped it by then. */
const idleTimeoutMs = 20_000;

/** An answer of more bytes has no end, or none that fits into memory. */
const mostBytes = 256 << 20;
/** What is said of a failure is a few sentences; a pod that is reached through the API server may send anything. */
const mostBytesOfFailure = 1 << 20;

/** As client-go has it (rest/with_retry.go): so often a request is sent again. */
const mostTries = 10;
/** So often a GET is sent again where nothing says when to. */
const quickTries = 2;
const quickPauseMs = 200;

/**
 * Milliseconds to wait before a request is sent again; undefined: it is not. A server that says when (Retry-After, with 429 or 5xx) did
 * nothing yet, whatever the method. A GET can be sent again anyhow: a proxy or a server that restarts fails for a moment.
 */
function pauseAfterStatus(status: number, retryAfter: string | undefined, method: Request['method'], attempt: number): number | undefined {
  if (status !== 429 && status < 500) return undefined;
  const seconds = Number(retryAfter ?? (status === 429 ? 1 : undefined));
  if (seconds >= 0) return attempt > mostTries ? undefined : seconds * 1000;
  return method !== 'GET' || attempt > quickTries ? undefined : quickPauseMs * 2 ** (attempt - 1);
}

/** A connection that ended within a request or its answer. */
export const isReset = (error: unknown): boolean => ['ECONNRESET', 'EPIPE'].includes((error as { code?: string }).code ?? '');

/**
 * Thin requests with client-node's credentials: it opens a connection for each call and drops the fields that its models
 * don't know, so only its knowledge of kubeconfigs is used. `timeoutMs` bounds each request.
 */
export async function openHttp(login: Login, timeoutMs: number): Promise<Http> {
  const { proxy } = login;
  const base = new URL(login.chosen.cluster.server);
  const prefix = base.pathname.replace(/\/$/, '');
  const transport = base.protocol === 'http:' ? http : https;

  let streams: http.Agent | undefined;
  const closing = new AbortController();

  /** The headers of each request, with the user's credentials. */
  async function prepare() {
    const options: https.RequestOptions = { headers: {} };
    await login.config.applyToHTTPSOptions(options);
    // A few connections that stay open, where client-node's agent would close each; a proxy's agent is left as it is.
    if (!proxy) {
      const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
      const tls = Object.fromEntries(Object.entries({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }).filter(([, x]) => x !== undefined));
      options.agent = new transport.Agent({ ...tls, keepAlive: true, maxSockets: 6, timeout: idleTimeoutMs });
      // What stays open for minutes takes no connection from the requests.
      streams = new transport.Agent(tls);
    }
    const own = options.headers as http.OutgoingHttpHeaders;
    const headers: http.OutgoingHttpHeaders = { ...own, ...login.impersonation, Accept: 'application/json', 'User-Agent': 'k8s-doctor' };
    return { options, headers };
  }
  let prepared = await prepare();
  let sent = 0;
  let renewal: Promise<void> | undefined;

  /**
   * Renews the credentials: a plug-in's tokens live for minutes, and a terminal can stay open for hours. Where none are given out,
   * the old ones stay, and the API server's answer to them is what is reported.
   */
  async function renew(): Promise<void> {
    const renewed = await login.renew().then(prepare, () => prepared);
    const said = ({ headers, options }: typeof prepared) => `${String(headers['Authorization'])} ${String(options.cert)}`;
    if (said(renewed) !== said(prepared)) prepared = renewed;
  }
  const renewOnce = () => (renewal ??= renew().finally(() => (renewal = undefined)));
  const fresh = async () => {
    if (login.runsOutAt() <= Date.now()) await renewOnce();
  };
  const unreached = (error: unknown, request: Request): Result<never> => {
    const failure = fromError(error, request.what, request.rule);
    return failed({ ...failure, why: blameOfError(login, error) ?? failure.why });
  };
  const refused = ({ statusCode: status = 0, headers }: http.IncomingMessage, body: string, request: Request): Result<never> => {
    const failure: Failure = fromStatus(status, body, request.what, request.rule);
    if (status >= 300 && status < 400)
      return failed({
        ...failure,
        reason: 'unreachable',
        why: `"server" of cluster "${login.chosen.cluster.name}" sends to ${headers.location ?? 'elsewhere'}, and an API server does not`,
      });
    return failed(failure.reason === 'unauthenticated' ? { ...failure, why: blameOfRefusal(login) } : failure);
  };

  function open(request: Request, signal: AbortSignal, isFirst = true, agent = prepared.options.agent): Promise<http.IncomingMessage> {
    sent++;
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    return new Promise((resolve, reject) => {
      const outgoing = transport.request(
        {
          ...prepared.options,
          agent,
          host: base.hostname.replace(/^\[|\]$/g, ''),
          port: base.port || (base.protocol === 'http:' ? 80 : 443),
          path: prefix + request.path,
          method: request.method,
          headers: {
            ...prepared.headers,
            ...(request.accept !== undefined && { Accept: request.accept }),
            ...(body !== undefined && { 'Content-Type': request.contentType ?? 'application/json', 'Content-Length': Buffer.byteLength(body) }),
          },
          signal,
        },
        resolve,
      );
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        // A connection that stayed open may be closed by the other side just as it is used again (Node documentation, request.reusedSocket).
        const isStale = isFirst && request.method === 'GET' && outgoing.reusedSocket && error.code === 'ECONNRESET';
        if (isStale) resolve(open(request, signal, false, agent));
        else reject(error);
      });
      outgoing.end(body);
    });
  }

  /** The answer; where the credentials have run out, to the same request with new ones. */
  async function answered(request: Request, signal: AbortSignal, isStream = false): Promise<http.IncomingMessage> {
    await fresh();
    const used = prepared;
    const start = () => open(request, signal, true, (isStream && streams) || prepared.options.agent);
    const message = await start();
    if (message.statusCode !== 401) return message;
    if (prepared === used) await renewOnce();
    if (prepared === used) return message;
    message.destroy();
    return start();
  }

  /** Large lists come in thousands of chunks; to wait for each would take longer than to read it. */
  const readChunks = (message: http.IncomingMessage, take: (chunk: Buffer) => void, most = mostBytes): Promise<void> =>
    new Promise((resolve, reject) => {
      let size = 0;
      message.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > most) message.destroy(new Error(`the answer has more than ${most >> 20} MB`));
        else take(chunk);
      });
      message.on('error', reject);
      message.on('end', resolve);
    });
  async function readBytes(message: http.IncomingMessage, most?: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    await readChunks(message, (chunk) => chunks.push(chunk), most);
    return Buffer.concat(chunks);
  }
  const readAll = async (message: http.IncomingMessage, most?: number): Promise<string> => (await readBytes(message, most)).toString('utf8');
  const isProtobuf = ({ headers }: http.IncomingMessage): boolean => headers['content-type']?.startsWith(protobufType) ?? false;

  const bounded = (signal: AbortSignal | undefined) => {
    return AbortSignal.any([AbortSignal.timeout(timeoutMs), closing.signal, ...(signal ? [signal] : [])]);
  };

  /** Sends a request until it is answered, or must not be sent again; `read` takes in the answer. */
  async function repeated<T>(request: Request, read: (message: http.IncomingMessage) => Promise<T>): Promise<Result<T>> {
    const signal = bounded(request.signal);
    const deadline = performance.now() + timeoutMs;
    for (let attempt = 1; ; attempt++) {
      let result: Result<never>;
      let pauseMs: number | undefined;
      try {
        const message = await answered(request, signal);
        const status = message.statusCode ?? 0;
        if (status >= 200 && status <= 299) return ok(await read(message));
        const body = await readBytes(message, mostBytesOfFailure);
        result = refused(message, isProtobuf(message) ? statusFrom(body) : body.toString('utf8'), request);
        pauseMs = pauseAfterStatus(status, message.headers['retry-after'], request.method, attempt);
      } catch (error) {
        result = unreached(error, request);
        pauseMs = isReset(error) ? pauseAfterStatus(500, undefined, request.method, attempt) : undefined;
      }
      if (pauseMs === undefined || performance.now() + pauseMs > deadline) return result;
      await pause(pauseMs, undefined, { signal }).catch(() => {});
      // The last answer says more than that the time is over.
      if (signal.aborted) return result;
    }
  }

  const send = (request: Request): Promise<Result<string>> => repeated(request, (message) => readAll(message));
  const chunks: Http['chunks'] = (request, taker) => repeated(request, (message) => readChunks(message, taker(isProtobuf(message))));

  async function lines(request: Request, onLine: (line: string) => boolean): Promise<Result<void>> {
    try {
      const signal = request.signal ? AbortSignal.any([request.signal, closing.signal]) : bounded(undefined);
      const message = await answered(request, signal, true);
      const status = message.statusCode ?? 0;
      if (status < 200 || status > 299) return refused(message, await readAll(message, mostBytesOfFailure), request);
      message.setEncoding('utf8');
      let rest = '';
      for await (const chunk of message) {
        const parts = (rest + String(chunk)).split('\n');
        rest = parts.pop() ?? '';
        for (const line of parts) {
          if (onLine(line)) continue;
          message.destroy();
          return ok(undefined);
        }
      }
      if (rest) onLine(rest);
      return ok(undefined);
    } catch (error) {
      return unreached(error, request);
    }
  }

  async function status(request: Request): Promise<Result<{ status: number; said: string }>> {
    try {
      const message = await answered(request, bounded(request.signal));
      const code = message.statusCode ?? 0;
      const isJson = message.headers['content-type']?.startsWith('application/json') ?? false;
      if (code >= 400 && isJson) return ok({ status: code, said: await readAll(message, mostBytesOfFailure) });
      message.destroy();
      return ok({ status: code, said: '' });
    } catch (error) {
      return unreached(error, request);
    }
  }

  return {
    send,
    chunks,
    lines,
    status,
    get agent() {
      return proxy ? undefined : (prepared.options.agent as http.Agent);
    },
    count: () => sent,
    fresh,
    closed: closing.signal,
    close() {
      closing.abort();
      (prepared.options.agent as http.Agent | undefined)?.destroy?.();
      streams?.destroy();
    },
  };
}
