import type { Connection } from '../../src/facts/facts.ts';
import { check, judged, skip } from '../check.ts';
import { patch } from '../fix.ts';
import { plural, serviceRef, some } from '../format.ts';

/** What OpenSSL and the TLS of Python report when a server answers a ClientHello in plain text. */
const plainText = /wrong[ _]version[ _]number|http request|packet length too long|unknown protocol/i;

/** A port whose name or number says TLS (`https`, 443, 8443) is asked over TLS by `--http`; a plain HTTP server cannot answer that. */
export const tls = check({
  id: 'path/tls',
  title: 'Ports named for TLS answer over TLS',
  needs: ['target', 'service', 'connections'],
  codes: ['tls-port-plain-http'],
  run({ target, service, connections }) {
    if (!service || target.http === undefined) return skip('not requested (--http PATH)');
    const problemIn = (c: Connection) => (c.outcome === 'answered' ? undefined : plainText.exec(c.detail)?.[0].replaceAll('_', ' '));
    const isPlain = (c: Connection) => problemIn(c) !== undefined;
    const requests = connections.list.filter((c) => c.hop === 'http' && c.pod !== null);
    const [first] = requests.filter(isPlain);
    if (!first) return judged([]);
    const own = requests.filter((c) => c.servicePort === first.servicePort);
    const plain = own.filter(isPlain);
    const port = service.spec.ports.find((p) => p.port === first.servicePort);
    const label = port?.name ? `"${port.name}" (${port.port})` : String(first.servicePort);
    return judged([
      {
        code: 'tls-port-plain-http',
        severity: 'error',
        confidence: 'confirmed',
        scope: plain.length === own.length ? 'all' : 'part',
        object: serviceRef(target),
        message: `Service "${target.name}", port ${label}: ${plain.length} of ${plural(own.length, 'endpoint')} answer TLS with plain text`,
        evidence: plain.slice(0, 4).map((c) => ({ source: 'probe', text: `${connections.from} → ${c.target} (pod ${c.pod})  TLS handshake: ${problemIn(c)}` })),
        fix: [
          ...(port && /^(https|tls|ssl)/.test(port.name)
            ? [
                patch(
                  `Name port ${port.port} of Service "${target.name}" http, because its endpoints do not use TLS`,
                  target.namespace,
                  `service/${target.name}`,
                  [{ op: 'replace', path: `/spec/ports/${service.spec.ports.indexOf(port)}/name`, value: 'http' }],
                  'json',
                ),
              ]
            : []),
          { text: `Or configure TLS in ${some([...new Set(plain.map((c) => c.pod ?? ''))])}, or change targetPort to the port with TLS` },
        ],
        pods: plain.flatMap((c) => c.pod ?? []),
      },
    ]);
  },
});
