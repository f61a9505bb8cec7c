/** A relay between the program and the API server that fails for chosen requests. It adds the credentials of KUBECONFIG itself. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:https';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { must } from './kubectl.ts';

/** What becomes of a request: it is passed on, is never answered, is cut off at once, or is answered with a status, or in another way. */
export type Fault =
  | 'none'
  | 'hang'
  | 'reset'
  | number
  /** Answered by the relay. */
  | { status: number; headers?: Record<string, string>; body?: string }
  /** Answered by the relay, with bytes that never end. */
  | { endless: string; status: number }
  /** Passed on after so many milliseconds. */
  | { delayMs: number }
  /** Answered by the API server, in JSON, with another body; `cut`: the connection ends after it, where more was announced. */
  | { rewrite(body: string): string; cut?: boolean }
  /** A WebSocket that is cut when the API server has sent so many bytes, or before it sends a text. */
  | { cutAt: number | string };

export interface Relay {
  /** A kubeconfig for it. */
  kubeconfig: string;
  /** Cuts every connection that is open, watches too. */
  cut(): void;
  close(): void;
}

interface Config {
  clusters: { cluster: { server: string; 'certificate-authority-data'?: string } }[];
  users: { user: { 'client-certificate-data'?: string; 'client-key-data'?: string } }[];
}

/** The relay has credentials of its own. */
const passedOn = (headers: IncomingHttpHeaders, host: string): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries({ ...headers, host }).filter(([name]) => name !== 'authorization'));

const decoded = (data: string | undefined): Buffer | undefined => (data === undefined ? undefined : Buffer.from(data, 'base64'));

/** Answers what the API server said, changed. */
async function changed(
  got: IncomingMessage,
  answer: ServerResponse,
  { rewrite, cut = false }: { rewrite(body: string): string; cut?: boolean },
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of got) chunks.push(chunk as Buffer);
  const body = Buffer.from(rewrite(Buffer.concat(chunks).toString('utf8')));
  answer.writeHead(got.statusCode ?? 502, { 'Content-Type': 'application/json', 'Content-Length': cut ? body.length * 2 : body.length });
  if (cut) answer.write(body, () => answer.destroy());
  else answer.end(body);
}

/** Sends the same bytes again and again, for as long as they are taken. */
function endless(answer: ServerResponse, { status, endless: bytes }: { status: number; endless: string }): void {
  answer.writeHead(status, { 'Content-Type': 'application/json' });
  const more = () => {
    while (!answer.destroyed && answer.write(bytes));
  };
  answer.on('drain', more);
  more();
}

/** Hands over what the API server sends after the upgrade, until it is time to cut. */
function cutting(passed: Socket, socket: Socket, at: number | string): void {
  let sent = 0;
  let isUpgraded = false;
  passed.on('data', (chunk: Buffer) => {
    const end = isUpgraded ? 0 : chunk.indexOf('\r\n\r\n') + 4;
    isUpgraded = true;
    sent += chunk.length - end;
    if (typeof at === 'number' ? sent <= at : !chunk.includes(at)) return void socket.write(chunk);
    socket.write(chunk.subarray(0, end), () => socket.destroy());
    passed.destroy();
  });
  passed.on('end', () => socket.end());
}

export async function relay(faultOf: (path: string, headers: IncomingHttpHeaders, method: string) => Fault): Promise<Relay> {
  const config = JSON.parse(await must('config', 'view', '--raw', '--minify', '--flatten', '-o', 'json')) as Config;
  const server = new URL(config.clusters[0]?.cluster.server ?? '');
  const user = config.users[0]?.user;
  const credentials = {
    cert: decoded(user?.['client-certificate-data']),
    key: decoded(user?.['client-key-data']),
    ca: decoded(config.clusters[0]?.cluster['certificate-authority-data']),
  };
  const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-relay-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1', '-subj', '/CN=relay', '-keyout', key, '-out', cert],
    {
      stdio: 'ignore',
    },
  );
  const open = new Set<Socket>();

  const https = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (asked, answer) => {
    const fault = faultOf(asked.url ?? '', asked.headers, asked.method ?? '');
    if (fault === 'hang') return;
    if (fault === 'reset') return void asked.socket.destroy();
    if (typeof fault === 'number') return void answer.writeHead(fault).end('{}');
    if (typeof fault === 'object' && 'status' in fault && !('endless' in fault))
      return void answer.writeHead(fault.status, { 'Content-Type': 'application/json', ...fault.headers }).end(fault.body ?? '');
    if (typeof fault === 'object' && 'endless' in fault) return endless(answer, fault);
    const other = typeof fault === 'object' && 'rewrite' in fault ? fault : undefined;
    const headers = { ...passedOn(asked.headers, server.host), ...(other && { accept: 'application/json' }) };
    const pass = () => {
      const passed = request({ ...credentials, host: server.hostname, port: server.port, path: asked.url, method: asked.method, headers }, (got) =>
        other ? void changed(got, answer, other) : (answer.writeHead(got.statusCode ?? 502, got.headers), void got.pipe(answer)),
      );
      passed.on('error', () => asked.socket.destroy());
      asked.pipe(passed);
    };
    if (typeof fault === 'object' && 'delayMs' in fault) setTimeout(pass, fault.delayMs);
    else pass();
  });
  https.on('upgrade', (asked: IncomingMessage, socket: Socket, head: Buffer) => {
    open.add(socket);
    socket.on('error', () => socket.destroy());
    const fault = faultOf(asked.url ?? '', asked.headers, 'UPGRADE');
    if (fault === 'hang') return;
    if (fault === 'reset') return void socket.destroy();
    const answered = typeof fault === 'object' && 'status' in fault && !('endless' in fault) ? fault : undefined;
    if (answered) {
      const { status, headers = {}, body = '' } = answered;
      const lines = Object.entries({ ...headers, 'Content-Length': String(body.length) }).map(([name, value]) => `${name}: ${value}\r\n`);
      return void socket.end(`HTTP/1.1 ${status} Failed\r\n${lines.join('')}\r\n${body}`);
    }
    if (typeof fault === 'number') return void socket.end(`HTTP/1.1 ${fault} Failed\r\nContent-Length: 0\r\n\r\n`);
    const passed = connect({ ...credentials, host: server.hostname, port: Number(server.port), servername: 'kubernetes' }, () => {
      const headers = Object.entries(passedOn(asked.headers, server.host)).map(([name, value]) => `${name}: ${String(value)}`);
      passed.write(`${asked.method} ${asked.url} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
      passed.write(head);
      socket.pipe(passed);
      if (typeof fault === 'object' && 'cutAt' in fault) cutting(passed, socket, fault.cutAt);
      else passed.pipe(socket);
    });
    passed.on('error', () => socket.destroy());
  });
  https.on('secureConnection', (socket) => open.add(socket));
  await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve));
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'relay',
      clusters: [{ name: 'relay', cluster: { server: `https://127.0.0.1:${(https.address() as AddressInfo).port}`, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'relay', user: {} }],
      contexts: [{ name: 'relay', context: { cluster: 'relay', user: 'relay' } }],
    }),
  );
  const cut = () => {
    for (const socket of open) socket.destroy();
    open.clear();
  };
  return {
    kubeconfig,
    cut,
    close() {
      cut();
      https.close();
    },
  };
}
