import { type Cluster, ForwardFailed } from '../cluster/index.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import type { Listeners, Socket } from '../facts/facts.ts';
import type { Pod, Service } from '../facts/objects.ts';
import { hasSidecar } from '../mesh/member.ts';
import { declaredPorts, isHeadless, lasting, podsOf, probedPorts } from '../facts/selectors.ts';
import { collector, fromFailure, read, valueOf } from './collector.ts';
import { parseProcNet } from './proc-net.ts';

const commandTimeoutMs = 4000;
/** The sockets of at most so many pods are read. */
const maxPods = 8;

// Without cat the shell itself reads, byte by byte.
const procScript =
  'for f in tcp tcp6 udp udp6; do echo "== $f"; if command -v cat >/dev/null; then cat /proc/net/$f; else while IFS= read -r l; do echo "$l"; done </proc/net/$f; fi; done 2>/dev/null';

async function socketsIn(cluster: Cluster, pod: Pod): Promise<Socket[] | null> {
  for (const container of lasting(pod.spec)) {
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

/** A port on which nothing listens in any image; the refusal shows that port-forwards to the pod work, and how long one takes. */
const controlPort = 1;
const silenceMs = 300;
const forwardTimeoutMs = 3000;

/** Milliseconds until the kubelet reported a refusal; null where nothing was reported within `waitMs`: something took the connection, or the forwarding hangs. */
async function refusedAfter(cluster: Cluster, pod: Pod, port: number, waitMs: number): Promise<Fact<number | null>> {
  const started = performance.now();
  const opened = await cluster.portForward({ namespace: pod.metadata.namespace, pod: pod.metadata.name }, port);
  if (!opened.ok) return fromFailure(opened.failure);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Buffer>((resolve) => (timer = setTimeout(resolve, waitMs, Buffer.alloc(0))));
  const what = `a port-forward to pod ${pod.metadata.name}`;
  try {
    const bytes = await Promise.race([opened.value.read(), late]);
    // Its end without a word is neither a refusal nor a connection.
    return bytes === null ? unseen('unreachable', what, 'it was cut off') : seen(null);
  } catch (error) {
    if (!(error instanceof ForwardFailed)) throw error;
    return error.refused ? seen(performance.now() - started) : unseen('unreachable', what, error.message);
  } finally {
    clearTimeout(timer);
    opened.value.close();
  }
}

/** Which ports take connections on the pod's loopback. Nothing is said where the port that must refuse does not. */
async function tryForwards(cluster: Cluster, pod: Pod, ports: readonly number[]): Promise<Fact<Listeners['forwarded']>> {
  const control = await refusedAfter(cluster, pod, controlPort, forwardTimeoutMs);
  if (!control.seen) return control;
  if (control.value === null) return unseen('timed-out', `a port-forward to pod ${pod.metadata.name}`, 'it hangs');
  const waitMs = Math.max(silenceMs, 3 * control.value);
  const tried = await Promise.all(ports.map(async (port) => [String(port), await refusedAfter(cluster, pod, port, waitMs)] as const));
  const failure = tried.map(([, t]) => t).find((t) => !t.seen);
  const known = tried.flatMap(([port, t]) => (t.seen ? [[port, t.value === null ? ('answered' as const) : ('refused' as const)] as const] : []));
  return known.length === 0 && failure && !failure.seen ? failure : seen(Object.fromEntries(known));
}

/** Ports of well-known servers, tried where nothing else names the right one. */
const wellKnown = [8080, 80, 3000, 5000, 8000, 8443, 443, 9090, 8081, 5432, 3306, 6379, 9000, 4000, 50051];
const maxForwards = 8;

/** The numbers of all ports that could be meant: targetPorts, declared ports, those that probes ask, those that the command and the environment name. */
function portsWorthTrying(pod: Pod, service: Service): number[] {
  const asked = (service.spec.ports ?? []).filter((p) => p.protocol === 'TCP');
  const targets = asked.flatMap((p) => [...(isHeadless(service) ? [p.port] : []), p.targetPort ?? p.port]);
  const named = lasting(pod.spec).flatMap((c) => c.portHints);
  return [...new Set([...targets, ...declaredPorts(pod, 'TCP'), ...probedPorts(pod), ...named].filter((p): p is number => typeof p === 'number'))].slice(
    0,
    maxForwards,
  );
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
    // A sidecar takes connections for a program that may not listen.
    if (podsOf(svc, valueOf(pods) ?? []).some(hasSidecar)) return true;
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
        const forwarded = await tryForwards(cluster, pod, portsWorthTrying(pod, svc));
        // Replicas mostly listen alike, so one of them shows the well-known ports, and only where no other port answers.
        const isFound = !forwarded.seen || Object.values(forwarded.value).includes('answered') || pod !== first[0];
        const more = isFound
          ? undefined
          : await tryForwards(
              cluster,
              pod,
              wellKnown.filter((p) => !(String(p) in forwarded.value)),
            );
        if (!forwarded.seen) return [pod.metadata.name, forwarded];
        return [pod.metadata.name, seen({ sockets: null, forwarded: { ...forwarded.value, ...(more?.seen && more.value) } })];
      }),
    );
    return seen(Object.fromEntries(found));
  },
});
