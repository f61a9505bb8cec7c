/** Where an HTTP probe fails: what the program answers on its other ports and on the usual paths. */
import { seen } from '../facts/fact.ts';
import type { FactTypes, Listeners } from '../facts/facts.ts';
import type { Pod } from '../facts/objects.ts';
import { isRedacted } from '../facts/redact.ts';
import { declaredPorts, isReady, podsOf } from '../facts/selectors.ts';
import { collector, fromFailure, read, valueOf } from './collector.ts';

/** Paths that programs answer probes on by convention, the most specific first. */
const usualPaths = ['/healthz', '/readyz', '/health', '/ready', '/livez', '/-/ready', '/actuator/health', '/'];
const maxPorts = 3;

/** The container whose HTTP probe fails while its program runs. */
function failing(pod: Pod) {
  const status = [...pod.status.initContainerStatuses, ...pod.status.containerStatuses].find((s) => s.state.running && !s.ready);
  const container = [...pod.spec.initContainers, ...pod.spec.containers].find((c) => c.name === status?.name);
  const probe = status?.started === false && container?.startupProbe ? container.startupProbe : container?.readinessProbe;
  return container && probe && (probe.httpGet ?? probe.tcpSocket) ? { container, httpGet: probe.httpGet } : undefined;
}

const isLocal = (address: string) => address === '::1' || address.startsWith('127.');

/** Ports on which the pod listens, or that its containers declare. */
function portsOf(pod: Pod, listening: Listeners | undefined): number[] {
  const open = listening?.sockets?.filter((s) => s.protocol === 'tcp' && !isLocal(s.address)).map((s) => s.port);
  const forwarded = Object.entries(listening?.forwarded ?? {})
    .filter(([, how]) => how === 'answered')
    .map(([p]) => Number(p));
  const declared = declaredPorts(pod, 'TCP');
  return [...new Set([...(open ?? forwarded), ...(open ? [] : declared)])].slice(0, maxPorts);
}

export const probeAnswers = collector({
  fact: 'probeAnswers',
  after: ['service', 'pods', 'listeners'],
  access: [{ ...read('pods/proxy', ['get'], 'service'), only: 'http' }],
  impact: 'exec',
  when({ service, pods }) {
    const own = valueOf(service) ? podsOf(valueOf(service) as NonNullable<FactTypes['service']>, valueOf(pods) ?? []) : [];
    return own.some((p) => !isReady(p) && failing(p)) ? true : "no pod's probe fails";
  },
  async collect({ cluster, signal, progress }, { service, pods, listeners }) {
    const svc = valueOf(service);
    const pod = svc ? podsOf(svc, valueOf(pods) ?? []).find((p) => !isReady(p) && failing(p)) : undefined;
    const found = pod && failing(pod);
    if (!pod || !found) return seen([]);
    progress('asking the program what its probe asks');
    const read = valueOf(listeners)?.[pod.metadata.name];
    const scheme = found.httpGet?.scheme ?? 'HTTP';
    // Of a path with a secret not all is known here.
    const own = found.httpGet && !isRedacted(found.httpGet.path) ? [found.httpGet.path] : [];
    const paths = [...new Set([...own, ...usualPaths])];
    const questions = portsOf(pod, read?.seen ? read.value : undefined).flatMap((port) => paths.map((path) => ({ port, path })));
    const answers = await Promise.all(
      questions.map(async ({ port, path }) => {
        const name = `${scheme === 'HTTPS' ? 'https:' : ''}${pod.metadata.name}:${port}`;
        const answer = await cluster.relay({ namespace: pod.metadata.namespace, name }, path, signal);
        return { port, path, answer };
      }),
    );
    const failure = answers.find((a) => !a.answer.ok)?.answer;
    if (failure && !failure.ok && answers.every((a) => !a.answer.ok)) return fromFailure(failure.failure);
    return seen(
      answers.map(({ port, path, answer }) => ({
        pod: pod.metadata.name,
        scheme,
        port,
        path,
        status: answer.ok && 'status' in answer.value ? answer.value.status : null,
      })),
    );
  },
});
