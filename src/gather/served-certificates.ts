/** The certificates that the API server meets when it calls a Service, each judged by the caller's own bundle. */
import tls from 'node:tls';
import { type Cluster, resources } from '../cluster/index.ts';
import { seen } from '../facts/fact.ts';
import type { FactTypes } from '../facts/facts.ts';
import * as o from '../facts/objects.ts';
import { redact } from '../facts/redact.ts';
import { endpointsOf, targetsOf } from '../facts/selectors.ts';
import { type Caller, callersOf, serverNameOf } from '../front/extension.ts';
import { collector, parsedList, read, valueOf } from './collector.ts';
import { whereCalled } from './extension.ts';
import { certificateOf, streamOf, tlsFailure } from './tunnel-stream.ts';

type Served = FactTypes['servedCertificates'][number];
type ServiceCaller = Caller & { service: NonNullable<Caller['service']> };

/** So many Services and so many pods of each are asked. */
const [maxServices, maxPods] = [4, 2];
const timeoutMs = 8000;

/** One TLS handshake as the API server makes it: with the Service's name, against the caller's bundle. */
async function handshake(
  cluster: Cluster,
  { service, caBundle }: ServiceCaller,
  pod: string,
  port: number,
): Promise<Pick<Served, 'error' | 'refused' | 'certificate'>> {
  const opened = await cluster.portForward({ namespace: service.namespace, pod }, port);
  if (!opened.ok) return { error: opened.failure.why, refused: '', certificate: null };
  const plain = streamOf(opened.value);
  const ended = AbortSignal.timeout(timeoutMs);
  try {
    return await new Promise((resolve, reject) => {
      plain.on('error', reject);
      ended.addEventListener('abort', () => reject(new Error('no handshake within 8 s')), { once: true });
      // The certificate is judged and never trusted: nothing is sent over this connection.
      const secure = tls.connect({ socket: plain, servername: serverNameOf(service), rejectUnauthorized: false, ...(caBundle && { ca: caBundle }) }, () => {
        const found = secure.getPeerCertificate();
        // Go refuses a certificate that has a common name only (crypto/x509, since Go 1.15).
        const isNamed = 'subjectaltname' in found && Boolean(found.subjectaltname);
        const refused = String(secure.authorizationError ?? '') || (isNamed ? '' : 'NO_SUBJECT_ALTERNATIVE_NAME');
        resolve({ error: '', refused: refused === 'null' ? '' : refused, certificate: certificateOf(secure) });
      });
      secure.on('error', reject);
    });
  } catch (error) {
    return { error: redact(tlsFailure(error as Error)), refused: '', certificate: null };
  } finally {
    plain.destroy();
  }
}

export const servedCertificates = collector({
  fact: 'servedCertificates',
  after: ['extension'],
  access: [{ ...read('pods/portforward', ['create', 'get'], 'cluster'), only: 'front' }],
  impact: 'exec',
  when: whereCalled,
  async collect({ cluster, signal, progress }, { extension: fact }) {
    const known = valueOf(fact);
    if (!known) return seen([]);
    const callers = callersOf(known).filter((c): c is ServiceCaller => c.service !== null && c.isVerified);
    // Several webhooks of one configuration mostly have one Service and one bundle.
    const distinct = [...new Map(callers.map((c) => [JSON.stringify([c.service, c.caBundle]), c])).values()].slice(0, maxServices);
    progress('asking for the certificate that the API server meets');
    const found = await Promise.all(
      distinct.map(async (caller): Promise<Served[]> => {
        const { namespace, name, port } = caller.service;
        const service = known.services[`${namespace}/${name}`];
        const asked = service?.seen ? service.value?.spec.ports.find((p) => p.port === port) : undefined;
        if (!asked) return [];
        const listed = await cluster.list(resources.endpointslices, { namespace, labelSelector: `kubernetes.io/service-name=${name}`, signal });
        const slices = valueOf(parsedList(listed, o.endpointSlice, 'EndpointSlices')) ?? [];
        const ready = targetsOf(asked, endpointsOf(slices)).filter((x) => x.ready && x.pod !== null && x.port !== null);
        return Promise.all(
          ready.slice(0, maxPods).map(async (x) => ({
            of: caller.name,
            service: `${namespace}/${name}`,
            pod: x.pod ?? '',
            port: x.port ?? 0,
            at: new Date().toISOString(),
            ...(await handshake(cluster, caller, x.pod ?? '', x.port ?? 0)),
          })),
        );
      }),
    );
    return seen(found.flat());
  },
});
