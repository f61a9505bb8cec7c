/**
 * Requests that the API server makes on one's behalf: nothing is created for them, and no program in a pod is needed. Its
 * The `proxy` of Services is not used: it chooses one of the same pods, and ignores manually created EndpointSlices.
 */
import type { Cluster, Result } from '../cluster/index.ts';
import { seen, unseen } from '../facts/fact.ts';
import type { Connection, Target } from '../facts/facts.ts';
import type { EndpointSlice, Service } from '../facts/objects.ts';
import { endpointsOf } from '../facts/selectors.ts';
import { outcomeInWords } from '../probes/outcome.ts';
import { collector, fromFailure, read, valueOf } from './collector.ts';
import { speaksTls, toEndpoints } from './connection-plan.ts';

/** Replicas mostly answer alike. */
const maxPods = 4;
/** The API server itself would try for half a minute. */
const timeoutMs = 3000;

type Relayed = Awaited<ReturnType<Cluster['relay']>> extends Result<infer T> ? T : never;

const reading = (relayed: Relayed): Pick<Connection, 'outcome' | 'detail' | 'status'> =>
  'status' in relayed
    ? { outcome: 'answered', detail: `HTTP ${relayed.status}`, status: relayed.status }
    : { outcome: outcomeInWords(relayed.unreached) ?? 'no-answer', detail: relayed.unreached.slice(0, 160) };

const asked = (service: Service, port: Target['port'], slices: readonly EndpointSlice[]) =>
  toEndpoints(
    service,
    port,
    endpointsOf(slices).filter((e) => e.ready),
  ).filter((p) => p.task.kind === 'tcp' && p.pod !== null);

export const viaApiServer = collector({
  fact: 'viaApiServer',
  after: ['service', 'slices', 'connections'],
  access: [{ ...read('pods/proxy', ['get'], 'service'), only: 'http' }],
  impact: 'exec',
  when({ service, slices, connections }, target) {
    if (target.http === undefined) return 'not asked for (--http PATH)';
    const svc = valueOf(service);
    if (!svc || asked(svc, target.port, valueOf(slices) ?? []).length === 0) return 'there is no ready pod to ask over TCP';
    const made = valueOf(connections)?.list.filter((c) => c.hop === 'http') ?? [];
    return made.length > 0 && made.every((c) => c.outcome === 'answered') ? 'every request of the client was answered' : true;
  },
  async collect({ cluster, target, signal, progress }, { service, slices }) {
    const svc = valueOf(service);
    if (!svc) return unseen('not-possible', 'requests by the API server', 'the Service is not known');
    progress('having the API server ask for it');
    const found = await Promise.all(
      asked(svc, target.port, valueOf(slices) ?? [])
        .slice(0, maxPods)
        .map(async ({ task, target: address, servicePort, pod, node }) => {
          const scheme = speaksTls(svc, servicePort) ? 'https' : 'http';
          const where = { namespace: svc.metadata.namespace, name: `${scheme}:${pod}:${task.port}` };
          const started = performance.now();
          const relayed = await cluster.relay(where, target.http ?? '/', AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
          if (!relayed.ok && relayed.failure.reason !== 'timed-out') return fromFailure(relayed.failure);
          const latencyMs = Math.round(performance.now() - started);
          const base = { kind: 'tcp' as const, hop: 'http' as const, target: address, servicePort, pod, node, latencyMs, answers: [], from: 'the API server' };
          return seen({ ...base, ...reading(relayed.ok ? relayed.value : { unreached: 'timeout' }) });
        }),
    );
    return found.find((f) => !f.seen) ?? seen(found.flatMap((f) => (f.seen ? [f.value] : [])));
  },
});
