/** A real request through the pods that take them, by port-forward, and the same request to an endpoint directly. */
import http from 'node:http';
import tls from 'node:tls';
import { type Cluster, ForwardFailed } from '../cluster/index.ts';
import { seen } from '../facts/fact.ts';
import type { FactTypes } from '../facts/facts.ts';
import type { Pod, Service } from '../facts/objects.ts';
import { endpointsOf, isReady, lasting } from '../facts/selectors.ts';
import { redact } from '../facts/redact.ts';
import { requestOf } from '../front/choose.ts';
import { collector, read, valueOf } from './collector.ts';
import { certificateOf, streamOf, tlsFailure } from './tunnel-stream.ts';

type Answer = FactTypes['frontAnswers'][number];
type Request = NonNullable<ReturnType<typeof requestOf>>;

const timeoutMs = 8000;
/** So many proxies are asked; they mostly answer alike. */
const maxProxies = 2;
const bodyLength = 300;
/** Headers that show who answered. */
const telling = /^(server|via|location|x-envoy-.*|x-kong-.*|x-served-by|www-authenticate|content-type)$/;

interface Reply {
  status: number | null;
  error: string;
  headers: Record<string, string>;
  body: string;
  certificate: Answer['certificate'];
}

const nothing = (error: string): Reply => ({ status: null, error, headers: {}, body: '', certificate: null });

/** Sends one GET through a port-forward, with the Host and, over TLS, the server name of the request. */
async function get(cluster: Cluster, pod: Pod, port: number, { scheme, host, path }: Request): Promise<Reply> {
  const opened = await cluster.portForward({ namespace: pod.metadata.namespace, pod: pod.metadata.name }, port);
  if (!opened.ok) return nothing(opened.failure.why);
  const plain = streamOf(opened.value);
  const ended = AbortSignal.timeout(timeoutMs);
  try {
    return await new Promise<Reply>((resolve, reject) => {
      plain.on('error', reject);
      ended.addEventListener('abort', () => reject(new Error('no answer came in time')), { once: true });
      // Whose certificate it is, is judged from its names; this request only reads it.
      const secure = scheme === 'https' ? tls.connect({ socket: plain, servername: host, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] }) : undefined;
      secure?.on('error', reject);
      const socket = secure ?? plain;
      const outgoing = http.request(
        { createConnection: () => socket, method: 'GET', path, headers: { Host: host, 'User-Agent': 'k8s-doctor', Connection: 'close' } },
        (answer) => {
          let body = '';
          answer.setEncoding('utf8');
          answer.on('data', (chunk: string) => (body.length < bodyLength ? (body += chunk) : undefined));
          answer.on('error', reject);
          answer.on('end', () => {
            const headers = Object.fromEntries(Object.entries(answer.headers).flatMap(([name, value]) => (telling.test(name) ? [[name, String(value)]] : [])));
            const status = answer.statusCode ?? null;
            // The words of an error show who made it; those of a page are nobody's business.
            const isText = /^text\/plain|json/.test(answer.headers['content-type'] ?? '') || (answer.headers['content-type'] ?? '').startsWith('text/html');
            const shown = status !== null && status >= 400 && isText ? redact(body.slice(0, bodyLength)) : '';
            resolve({ status, error: '', headers, body: shown, certificate: secure ? certificateOf(secure) : null });
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end();
    });
  } catch (error) {
    const refused = error instanceof ForwardFailed && error.refused;
    return nothing(refused ? `nothing listens on port ${port}` : tlsFailure(error as Error));
  } finally {
    plain.destroy();
  }
}

/** The port of a pod to which a Service sends its port. */
function targetOf(service: Service, port: number, pod: Pod): number | undefined {
  const asked = service.spec.ports.find((p) => p.port === port);
  if (!asked) return undefined;
  const target = asked.targetPort ?? asked.port;
  if (typeof target === 'number') return target;
  return lasting(pod.spec)
    .flatMap((c) => c.ports)
    .find((p) => p.name === target)?.containerPort;
}

export const frontAnswers = collector({
  fact: 'frontAnswers',
  after: ['front', 'service', 'slices', 'pods'],
  access: [{ ...read('pods/portforward', ['create', 'get'], 'cluster'), only: 'front' }],
  impact: 'exec',
  when({ front }, target) {
    if (!target.front) return 'the question begins at the Service';
    const known = valueOf(front);
    if (!known) return 'what is in front is not known';
    if (!requestOf(known, target)) return 'it takes no requests over HTTP';
    return (valueOf(known.proxy)?.pods.length ?? 0) > 0 ? true : 'the pods that take the requests were not found';
  },
  async collect({ cluster, target, progress }, { front, service, slices, pods }) {
    const known = valueOf(front);
    const request = known && requestOf(known, target);
    const proxy = known && valueOf(known.proxy);
    if (!known || !request || !proxy) return seen([]);
    progress(`requesting ${request.host}${request.path} through ${proxy.controller}`);
    const before = (valueOf(known.services) ?? []).find((s) => s.metadata.namespace === proxy.service?.namespace && s.metadata.name === proxy.service.name);
    const svc = valueOf(service);
    const ready = endpointsOf(valueOf(slices) ?? []).find((e) => e.ready && e.pod !== null);
    const behind = (valueOf(pods) ?? []).find((p) => p.metadata.name === ready?.pod);
    const answers = await Promise.all(
      proxy.pods
        .filter(isReady)
        .slice(0, maxProxies)
        .map(async (pod): Promise<Answer[]> => {
          const port = before ? targetOf(before, request.port, pod) : request.port;
          if (port === undefined) return [];
          const reply = await get(cluster, pod, port, request);
          const url = redact(`${request.scheme}://${request.host}${request.path}`);
          return [{ via: `pod ${pod.metadata.namespace}/${pod.metadata.name}`, at: new Date().toISOString(), url, ...reply, direct: null }];
        }),
    );
    const isError = (status: number | null) => status === null || status >= 500 || status === 404;
    const list = answers.flat();
    if (svc && behind && ready && list.some((a) => isError(a.status))) {
      const own = await get(cluster, behind, ready.port ?? 0, { ...request, scheme: 'http' });
      return seen(list.map((a) => ({ ...a, direct: { pod: behind.metadata.name, status: own.status, error: own.error } })));
    }
    return seen(list);
  },
});
