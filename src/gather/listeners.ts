import { type Cluster, PortRefused } from '../cluster/index.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import type { Listeners, Socket } from '../facts/facts.ts';
import type { Pod, Service } from '../facts/objects.ts';
import { podsOf } from '../facts/selectors.ts';
import { collector, fromFailure, read, valueOf } from './collector.ts';
import { parseProcNet } from './proc-net.ts';

const commandTimeoutMs = 4000;
/** The sockets of at most so many pods are read. */
const maxPods = 8;

// Without cat the shell itself reads, byte by byte.
const procScript =
  'for f in tcp tcp6 udp udp6; do echo "== $f"; if command -v cat >/dev/null; then cat /proc/net/$f; else while IFS= read -r l; do echo "$l"; done </proc/net/$f; fi; done 2>/dev/null';

async function socketsIn(cluster: Cluster, pod: Pod): Promise<Socket[] | null> {
  for (const container of pod.spec.containers) {
    const ran = await cluster.exec(
      { namespace: pod.metadata.namespace, pod: pod.metadata.name, container: container.name },
      ['sh', '-c', procScript],
      commandTimeoutMs,
    );
    if (ran.ok && ran.value.exitCode === 0) return parseProcNet(ran.value.stdout);
    if (!ran.ok && ran.failure.reason !== 'not-possible') return null;
  }
  return null;
}

async function tryForward(cluster: Cluster, pod: Pod, port: number): Promise<Fact<'answered' | 'refused'>> {
  const opened = await cluster.portForward({ namespace: pod.metadata.namespace, pod: pod.metadata.name }, port);
  if (!opened.ok) return fromFailure(opened.failure);
  const timer = new Promise<'answered'>((resolve) => setTimeout(resolve, 300, 'answered'));
  try {
    // The kubelet dials at once and reports a refusal; silence means that something took the connection.
    return seen(await Promise.race([opened.value.read().then((): 'answered' => 'answered'), timer]));
  } catch (error) {
    if (error instanceof PortRefused) return seen('refused');
    throw error;
  } finally {
    opened.value.close();
  }
}

/** The numbers of all ports that could be meant: targetPorts, declared ports and those that probes ask. */
function portsWorthTrying(pod: Pod, service: Service): number[] {
  const declared = pod.spec.containers.flatMap((c) => (c.ports ?? []).filter((p) => p.protocol === 'TCP').map((p) => p.containerPort));
  const probed = pod.spec.containers.flatMap((c) => [c.readinessProbe?.httpGet?.port, c.readinessProbe?.tcpSocket?.port]);
  const targets = (service.spec.ports ?? []).filter((p) => p.protocol === 'TCP').map((p) => p.targetPort ?? p.port);
  return [...new Set([...targets, ...declared, ...probed].filter((p): p is number => typeof p === 'number'))].slice(0, 6);
}

export const listeners = collector({
  fact: 'listeners',
  after: ['service', 'pods', 'connections'],
  access: [read('pods/exec', ['create', 'get'], 'service'), read('pods/portforward', ['create', 'get'], 'service')],
  impact: 'exec',
  when({ service, pods, connections }) {
    const svc = valueOf(service);
    if (!svc || podsOf(svc, valueOf(pods) ?? []).every((p) => p.status.phase !== 'Running')) return 'no pod of the Service runs';
    const made = valueOf(connections);
    const proved = made && made.list.length > 0 && made.list.every((c) => c.kind === 'dns' || c.outcome === 'answered');
    return proved ? 'every endpoint answered' : true;
  },
  async collect({ cluster, progress }, { service, pods, connections }) {
    const svc = valueOf(service);
    if (!svc) return unseen('not-possible', 'listening sockets', 'the Service is not known');
    progress('reading the listening ports of the pods');
    const failing = new Set(
      valueOf(connections)
        ?.list.filter((c) => c.hop === 'endpoint' && c.outcome !== 'answered')
        .map((c) => c.pod),
    );
    const running = podsOf(svc, valueOf(pods) ?? []).filter((p) => p.status.phase === 'Running' && !p.spec.hostNetwork);
    const first = [...running.filter((p) => failing.has(p.metadata.name)), ...running.filter((p) => !failing.has(p.metadata.name))].slice(0, maxPods);
    const found = await Promise.all(
      first.map(async (pod): Promise<[string, Fact<Listeners>]> => {
        const sockets = await socketsIn(cluster, pod);
        if (sockets) return [pod.metadata.name, seen({ sockets, forwarded: {} })];
        const tried = await Promise.all(portsWorthTrying(pod, svc).map(async (port) => [String(port), await tryForward(cluster, pod, port)] as const));
        const answers = tried.flatMap(([port, t]) => (t.seen ? [[port, t.value] as const] : []));
        const refusal = tried.map(([, t]) => t).find((t) => !t.seen);
        if (answers.length === 0 && refusal && !refusal.seen) return [pod.metadata.name, refusal];
        return [pod.metadata.name, seen({ sockets: null, forwarded: Object.fromEntries(answers) })];
      }),
    );
    return seen(Object.fromEntries(found));
  },
});
