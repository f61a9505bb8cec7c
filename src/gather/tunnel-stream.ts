/** A port-forward as a stream that HTTP and TLS can use, and what a TLS server shows over it. */
import { Duplex } from 'node:stream';
import type tls from 'node:tls';
import type { Tunnel } from '../cluster/index.ts';
import type { Certificate } from '../facts/facts.ts';

export function streamOf(tunnel: Tunnel): Duplex {
  const stream = new Duplex({
    write(chunk: Buffer, _, done) {
      tunnel.write(chunk);
      done();
    },
    final(done) {
      done();
    },
    read() {
      tunnel.read().then(
        (bytes) => stream.push(bytes),
        (error: Error) => stream.destroy(error),
      );
    },
    destroy(error, done) {
      tunnel.close();
      done(error);
    },
  });
  return stream;
}

/** Why there was no TLS: OpenSSL's own text has source files and thread numbers in it. */
export function tlsFailure(error: Error & { code?: string; reason?: string }): string {
  // SSL_MAX_CERT_LIST_DEFAULT, which Node does not let anybody change.
  if (error.code === 'ERR_SSL_EXCESSIVE_MESSAGE_SIZE') return 'its certificates are larger than the 100 kB that can be read from here';
  if (error.code === 'ERR_SSL_WRONG_VERSION_NUMBER') return 'it does not answer in TLS';
  return error.reason ? `TLS: ${error.reason}` : error.message;
}

/** What a server's certificate says of itself; null where it showed none. */
export function certificateOf(socket: tls.TLSSocket): Certificate | null {
  const found = socket.getPeerCertificate();
  if (!('subject' in found) || Object.keys(found.subject ?? {}).length === 0) return null;
  const names = [...(found.subjectaltname ?? '').matchAll(/DNS:([^,]+)/g)].map((m) => (m[1] ?? '').trim());
  const common = ([] as string[]).concat(found.subject.CN ?? []);
  return {
    names: names.length > 0 ? names : common,
    from: new Date(found.valid_from).toISOString(),
    to: new Date(found.valid_to).toISOString(),
    issuer: ([] as string[]).concat(found.issuer.CN ?? found.issuer.O ?? '').join(', '),
  };
}
