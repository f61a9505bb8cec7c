/** Why a handshake failed, as real servers make it fail. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { expect, test } from 'vitest';
import { tlsFailure } from '../../src/gather/tunnel-stream.ts';

async function failureOf(server: net.Server): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    const client = tls.connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', rejectUnauthorized: false });
    const [error] = (await Promise.race([once(client, 'secureConnect').then(() => [new Error('there was no failure')]), once(client, 'error')])) as [Error];
    client.destroy();
    return tlsFailure(error);
  } finally {
    server.close();
  }
}

test('a server of plain HTTP', async () => {
  expect(await failureOf(net.createServer((socket) => socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n')))).toBe(
    'it does not answer in TLS',
  );
});

test('a server that ends the handshake', async () => {
  const none = tls.createServer();
  none.on('tlsClientError', () => undefined);
  expect(await failureOf(none)).toMatch(/^TLS: \w[\w /]+$/);
});

test('a certificate of ten thousand names', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-tls-'));
  try {
    const [key, cert, config] = [join(folder, 'key'), join(folder, 'cert'), join(folder, 'config')];
    const names = Array.from({ length: 10_000 }, (_, i) => `DNS.${i}=n${i}.example`).join('\n');
    writeFileSync(config, `[req]\nprompt=no\ndistinguished_name=dn\nx509_extensions=ext\n[dn]\nCN=shop\n[ext]\nsubjectAltName=@names\n[names]\n${names}\n`);
    const ofKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key];
    execFileSync('openssl', ['req', '-x509', ...ofKey, '-out', cert, '-config', config], { stdio: 'ignore' });
    const server = tls.createServer({ key: readFileSync(key), cert: readFileSync(cert) });
    server.on('tlsClientError', () => undefined);
    expect(await failureOf(server)).toBe('its certificates are larger than the 100 kB that can be read from here');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
