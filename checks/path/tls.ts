import type { Connection } from '../../src/facts/facts.ts';
import type { Service, ServicePort } from '../../src/facts/objects.ts';
import { check, type Draft, type Fix, judged, skip } from '../check.ts';
import { patch } from '../fix.ts';
import { plural, serviceRef, some } from '../format.ts';

/** What OpenSSL and the TLS of Python report when a server answers a ClientHello in plain text. */
const plainText = /wrong[ _]version[ _]number|http request|packet length too long|unknown protocol/i;

function renamed({ metadata, spec }: Service, port: ServicePort): Fix {
  // No two ports of a Service have one name (Service API, spec.ports.name).
  const name = spec.ports.some((p) => p.name === 'http') ? `http-${port.port}` : 'http';
  return patch(
    `Name port ${port.port} of Service "${metadata.name}" ${name}, because its endpoints do not use TLS`,
    metadata.namespace,
    `service/${metadata.name}`,
    [{ op: 'replace', path: `/spec/ports/${spec.ports.indexOf(port)}/name`, value: name }],
    'json',
  );
}

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
    return judged(
      [...Map.groupBy(requests, (c) => c.servicePort)].flatMap(([number, own]): Draft<'tls-port-plain-http'>[] => {
        const plain = own.filter(isPlain);
        if (plain.length === 0) return [];
        const port = service.spec.ports.find((p) => p.port === number);
        const rename = port && /^(https|tls|ssl)/.test(port.name) ? [renamed(service, port)] : [];
        const label = port?.name ? `"${port.name}" (${port.port})` : String(number);
        return [
          {
            code: 'tls-port-plain-http',
            severity: 'error',
            confidence: 'confirmed',
            scope: requests.every(isPlain) ? 'all' : 'part',
            object: serviceRef(target),
            message: `Service "${target.name}", port ${label}: ${plain.length} of ${plural(own.length, 'endpoint')} answer TLS with plain text`,
            evidence: plain
              .slice(0, 4)
              .map((c) => ({ source: 'probe', text: `${connections.from} → ${c.target} (pod ${c.pod})  TLS handshake: ${problemIn(c)}` })),
            fix: [
              ...rename,
              {
                text: `${rename.length > 0 ? 'Or configure' : 'Configure'} TLS in ${some([...new Set(plain.map((c) => c.pod ?? ''))])}, or change targetPort to the port with TLS`,
              },
            ],
            pods: plain.flatMap((c) => c.pod ?? []),
          },
        ];
      }),
    );
  },
});
