/** A relay between the program and the API server that fails for chosen requests. It adds the credentials of KUBECONFIG itself. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:https';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { must } from './kubectl.ts';

/** What becomes of a request: it is passed on, is never answered, is cut off at once, or is answered with a status. */
export type Fault = 'none' | 'hang' | 'reset' | number;

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

export async function relay(faultOf: (path: string, headers: IncomingHttpHeaders) => Fault): Promise<Relay> {
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
    const fault = faultOf(asked.url ?? '', asked.headers);
    if (fault === 'hang') return;
    if (fault === 'reset') return void asked.socket.destroy();
    if (typeof fault === 'number') return void answer.writeHead(fault).end('{}');
    const passed = request(
      { ...credentials, host: server.hostname, port: server.port, path: asked.url, method: asked.method, headers: passedOn(asked.headers, server.host) },
      (got) => {
        answer.writeHead(got.statusCode ?? 502, got.headers);
        got.pipe(answer);
      },
    );
    passed.on('error', () => asked.socket.destroy());
    asked.pipe(passed);
  });
  https.on('upgrade', (asked: IncomingMessage, socket: Socket, head: Buffer) => {
    open.add(socket);
    socket.on('error', () => socket.destroy());
    const fault = faultOf(asked.url ?? '', asked.headers);
    if (fault === 'hang') return;
    if (fault === 'reset') return void socket.destroy();
    if (typeof fault === 'number') return void socket.end(`HTTP/1.1 ${fault} Failed\r\nContent-Length: 0\r\n\r\n`);
    const passed = connect({ ...credentials, host: server.hostname, port: Number(server.port), servername: 'kubernetes' }, () => {
      const headers = Object.entries(passedOn(asked.headers, server.host)).map(([name, value]) => `${name}: ${String(value)}`);
      passed.write(`${asked.method} ${asked.url} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
      passed.write(head);
      socket.pipe(passed).pipe(socket);
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
