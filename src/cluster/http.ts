import http from 'node:http';
import https from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { type AccessRule, failed, fromError, fromStatus, ok, type Result } from './failure.ts';

export interface Impersonation {
  as?: string | undefined;
  asGroups?: string[] | undefined;
}

export interface Request {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  body?: unknown;
  contentType?: string;
  /** What is asked for, in words, and the RBAC rule that it uses. */
  what: string;
  rule: AccessRule;
  signal?: AbortSignal | undefined;
}

export interface Http {
  /** Sends one request and reads the whole answer. Waits and tries once more where the server says it is busy (429). */
  send(request: Request): Promise<Result<string>>;
  /** Sends one request and hands over the answer line by line, until it ends, `signal` aborts or `onLine` returns false. */
  lines(request: Request, onLine: (line: string) => boolean): Promise<Result<void>>;
  /** Sends one request, and answers its status; of the body only what the API server itself says of a failure is read. */
  status(request: Request): Promise<Result<{ status: number; said: string }>>;
  /** Connections that stay open and are shared; undefined where a proxy is used. */
  readonly agent: http.Agent | undefined;
  /** Requests sent so far. */
  count(): number;
  close(): void;
}

/** Milliseconds after which an idle connection is closed: a proxy or firewall may have dropped it by then. */
const idleTimeoutMs = 20_000;

/**
 * Thin requests with client-node's credentials: it opens a connection for each call and drops the fields that its models
 * don't know, so only its knowledge of kubeconfigs is used. `timeoutMs` bounds each request.
 */
export async function openHttp(config: KubeConfig, impersonation: Impersonation, timeoutMs: number): Promise<Http> {
  const cluster = config.getCurrentCluster();
  const base = new URL(cluster?.server ?? '');
  const prefix = base.pathname.replace(/\/$/, '');
  const transport = base.protocol === 'http:' ? http : https;

  /** The headers of each request, with the user's credentials. Throws where a credential plug-in fails. */
  async function prepare() {
    const options: https.RequestOptions = { headers: {} };
    await config.applyToHTTPSOptions(options);
    // A few connections that stay open, where client-node's agent would close each; a proxy's agent is left as it is.
    if (!cluster?.proxyUrl) {
      const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
      const tls = Object.fromEntries(Object.entries({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }).filter(([, x]) => x !== undefined));
      options.agent = new transport.Agent({ ...tls, keepAlive: true, maxSockets: 6, timeout: idleTimeoutMs });
    }
    const headers: http.OutgoingHttpHeaders = { ...(options.headers as http.OutgoingHttpHeaders), Accept: 'application/json', 'User-Agent': 'k8s-doctor' };
    if (impersonation.as) headers['Impersonate-User'] = impersonation.as;
    if (impersonation.asGroups?.length) headers['Impersonate-Group'] = impersonation.asGroups;
    return { options, headers };
  }
  let prepared = await prepare();
  let sent = 0;
  let renewal: Promise<void> | undefined;

  /** Renews the credentials: a plug-in's tokens live for minutes, and a terminal can stay open for hours. */
  async function renew(): Promise<void> {
    const renewed = await prepare().catch(() => prepared);
    const said = ({ headers, options }: typeof prepared) => `${String(headers['Authorization'])} ${String(options.cert)}`;
    if (said(renewed) !== said(prepared)) prepared = renewed;
  }

  function open(request: Request, signal: AbortSignal, isFirst = true): Promise<http.IncomingMessage> {
    sent++;
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    return new Promise((resolve, reject) => {
      const outgoing = transport.request(
        {
          ...prepared.options,
          host: base.hostname.replace(/^\[|\]$/g, ''),
          port: base.port || (base.protocol === 'http:' ? 80 : 443),
          path: prefix + request.path,
          method: request.method,
          headers: {
            ...prepared.headers,
            ...(body !== undefined && { 'Content-Type': request.contentType ?? 'application/json', 'Content-Length': Buffer.byteLength(body) }),
          },
          signal,
        },
        resolve,
      );
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        // A connection that stayed open may be closed by the other side just as it is used again (Node documentation, request.reusedSocket).
        const isStale = isFirst && request.method === 'GET' && outgoing.reusedSocket && error.code === 'ECONNRESET';
        if (isStale) resolve(open(request, signal, false));
        else reject(error);
      });
      outgoing.end(body);
    });
  }

  /** The answer; where the credentials have run out, to the same request with new ones. */
  async function answered(request: Request, signal: AbortSignal): Promise<http.IncomingMessage> {
    const used = prepared;
    const message = await open(request, signal);
    if (message.statusCode !== 401) return message;
    if (prepared === used) await (renewal ??= renew().finally(() => (renewal = undefined)));
    if (prepared === used) return message;
    message.destroy();
    return open(request, signal);
  }

  async function readAll(message: http.IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  }

  const bounded = (signal: AbortSignal | undefined) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    return signal ? AbortSignal.any([signal, timeout]) : timeout;
  };

  async function send(request: Request, mayRetry = true): Promise<Result<string>> {
    const signal = bounded(request.signal);
    try {
      const message = await answered(request, signal);
      const body = await readAll(message);
      const status = message.statusCode ?? 0;
      if (status === 429 && mayRetry) {
        const seconds = Math.min(Number(message.headers['retry-after'] ?? 1) || 1, 5);
        await new Promise((r) => setTimeout(r, seconds * 1000));
        return await send(request, false);
      }
      if (status < 200 || status > 299) return failed(fromStatus(status, body, request.what, request.rule));
      return ok(body);
    } catch (error) {
      return failed(fromError(error, request.what, request.rule));
    }
  }

  async function lines(request: Request, onLine: (line: string) => boolean): Promise<Result<void>> {
    try {
      const message = await answered(request, request.signal ?? AbortSignal.timeout(timeoutMs));
      const status = message.statusCode ?? 0;
      if (status < 200 || status > 299) return failed(fromStatus(status, await readAll(message), request.what, request.rule));
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
      return failed(fromError(error, request.what, request.rule));
    }
  }

  async function status(request: Request): Promise<Result<{ status: number; said: string }>> {
    try {
      const message = await answered(request, bounded(request.signal));
      const code = message.statusCode ?? 0;
      const isJson = message.headers['content-type']?.startsWith('application/json') ?? false;
      if (code >= 400 && isJson) return ok({ status: code, said: await readAll(message) });
      message.destroy();
      return ok({ status: code, said: '' });
    } catch (error) {
      return failed(fromError(error, request.what, request.rule));
    }
  }

  return {
    send,
    lines,
    status,
    get agent() {
      return cluster?.proxyUrl ? undefined : (prepared.options.agent as http.Agent);
    },
    count: () => sent,
    close: () => (prepared.options.agent as http.Agent | undefined)?.destroy?.(),
  };
}
