import type { Cluster } from '../cluster/index.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import type { Pod } from '../facts/objects.ts';
import { redact } from '../facts/redact.ts';
import { isSidecar, podsOf } from '../facts/selectors.ts';
import { collector, fromFailure, read, valueOf } from './collector.ts';

/** At most so many containers' logs are read; replicas that crash mostly crash alike. */
const maxContainers = 4;
const tailLines = 15;

/** The containers of the pod start after each init container has ended; a sidecar does not end. */
const isWaitedFor = (pod: Pod, container: string): boolean => pod.spec.initContainers.some((c) => c.name === container && !isSidecar(c));

/** Containers whose last run ended, and init containers that the others wait for, with whether that run is the previous one. */
function ended(pod: Pod): { container: string; previous: boolean }[] {
  return [...(pod.status.initContainerStatuses ?? []), ...(pod.status.containerStatuses ?? [])].flatMap((s): { container: string; previous: boolean }[] => {
    if (s.state.terminated && s.state.terminated.exitCode !== 0) return [{ container: s.name, previous: false }];
    if (s.lastState.terminated && s.restartCount > 0) return [{ container: s.name, previous: true }];
    if (s.state.running && isWaitedFor(pod, s.name)) return [{ container: s.name, previous: false }];
    return [];
  });
}

/** The kubelet answers so, with status 200, where the container has been removed since it was listed (kubernetes/kubernetes, pkg/kubelet/kuberuntime/logs). */
const isGone = (log: string): boolean => log.startsWith('unable to retrieve container logs for ');

/** A container's last lines. A container that restarts may have been replaced since the pod was read: the run that is the last one then has them. */
async function tail(cluster: Cluster, { pod, container, previous }: Wanted, signal: AbortSignal): Promise<Fact<string>> {
  const { namespace, name } = pod.metadata;
  for (const run of [previous, !previous, previous]) {
    const log = await cluster.logs(namespace, name, container, { tailLines, previous: run, signal });
    if (!log.ok) return fromFailure(log.failure);
    if (!isGone(log.value)) return seen(redact(log.value.trimEnd()));
  }
  return unseen('not-found', `the log of pod ${namespace}/${name}, container ${container}`, 'the container was removed before its log could be read');
}

interface Wanted {
  pod: Pod;
  container: string;
  previous: boolean;
}

async function each(wanted: readonly Wanted[], logOf: (w: Wanted) => Promise<Fact<string>>): Promise<Record<string, Fact<string>>> {
  const found = await Promise.all(wanted.map(async (w) => [`${w.pod.metadata.name}/${w.container}`, await logOf(w)] as const));
  return Object.fromEntries(found);
}

export const podLogs = collector({
  fact: 'podLogs',
  after: ['service', 'pods'],
  access: [read('pods/log', ['get'], 'service')],
  when({ service, pods }) {
    const svc = valueOf(service);
    return svc && podsOf(svc, valueOf(pods) ?? []).some((p) => ended(p).length > 0) ? true : 'no container of the Service ended badly, or is waited for';
  },
  async collect({ cluster, signal }, { service, pods }) {
    const svc = valueOf(service);
    const wanted = (svc ? podsOf(svc, valueOf(pods) ?? []) : []).flatMap((pod) => ended(pod).map((e) => ({ pod, ...e }))).slice(0, maxContainers);
    return seen(await each(wanted, (w) => tail(cluster, w, signal)));
  },
});

/** CoreDNS writes such a line for each question that it could not answer (plugin errors). */
const ofOneQuestion = /plugin\/errors: /;
/** The questions of a run are not older; CoreDNS remembers a failure for five seconds, and says nothing of it then. */
const recentSeconds = 30;

/** A log without failures of earlier questions: what failed then may be right now. */
async function ofNow(cluster: Cluster, { pod, container, previous }: Wanted, log: Fact<string>, signal: AbortSignal): Promise<Fact<string>> {
  if (!log.seen || previous || !ofOneQuestion.test(log.value)) return log;
  const { namespace, name } = pod.metadata;
  const recent = await cluster.logs(namespace, name, container, { tailLines, sinceSeconds: recentSeconds, signal });
  if (!recent.ok) return fromFailure(recent.failure);
  const now = new Set(redact(recent.value.trimEnd()).split('\n'));
  const lines = log.value.split('\n').filter((l) => !ofOneQuestion.test(l) || now.has(l));
  return seen(lines.join('\n'));
}

export const dnsLogs = collector({
  fact: 'dnsLogs',
  // The questions come first, because they make CoreDNS log its problems with the upstream.
  after: ['dnsPods', 'dnsAnswers'],
  access: [read('pods/log', ['get'], 'kube-system')],
  when: ({ dnsPods }) => ((valueOf(dnsPods)?.length ?? 0) > 0 ? true : 'there are no DNS pods'),
  async collect({ cluster, signal }, { dnsPods }) {
    const wanted = (valueOf(dnsPods) ?? []).slice(0, maxContainers).map((pod) => {
      const last = ended(pod)[0];
      return { pod, container: last?.container ?? pod.spec.containers[0]?.name ?? 'coredns', previous: last?.previous ?? false };
    });
    return seen(await each(wanted, async (w) => ofNow(cluster, w, await tail(cluster, w, signal), signal)));
  },
});
