/** How the kube-proxies are that whose rules are not right: what they log, what they say of themselves, and connection tracking. */
import { request } from 'node:http';
import { Duplex } from 'node:stream';
import { type Cluster, ok, type Result, type Tunnel } from '../cluster/index.ts';
import { type Fact, seen } from '../facts/fact.ts';
import type { Conntrack, Facts, ProxyHealth } from '../facts/facts.ts';
import type { Pod } from '../facts/objects.ts';
import { redact } from '../facts/redact.ts';
import { compare } from '../proxy/compare.ts';
import { proxyNodeOf } from '../proxy/expected.ts';
import { collector, fromFailure, read, valueOf } from './collector.ts';
import { firstContainerOf } from './places.ts';

/** At most so many proxies are asked: a fault is mostly the same on all. */
const maxProxies = 4;
const answerTimeoutMs = 2000;
const logLines = 60;
/** kube-proxy's own ports (KubeProxyConfiguration v1alpha1: healthzBindAddress, metricsBindAddress). */
const ports = { healthz: 10_256, metrics: 10_249 };

const rulesAndObjects = ['service', 'slices', 'nodes', 'proxyPods', 'nodeRules'] as const;
type Known = Pick<Facts, (typeof rulesAndObjects)[number]>;

/** The proxies of nodes whose rules are not right, or were to be read and could not be. Asked for no rules, all of them are in question. */
function inQuestion(known: Known): Pod[] {
  const proxies = (valueOf(known.proxyPods) ?? []).filter((p) => p.status.phase === 'Running' && !p.metadata.deletionTimestamp);
  const service = valueOf(known.service);
  if (!service) return [];
  if (!known.nodeRules.seen) return known.nodeRules.reason === 'not-needed' ? [] : proxies;
  const slices = valueOf(known.slices) ?? [];
  const nodes = valueOf(known.nodes) ?? [];
  const rules = known.nodeRules.value;
  return proxies.filter((proxy) => {
    const name = proxy.spec.nodeName ?? '';
    const fact = rules[name];
    if (!fact) return false;
    if (!fact.seen) return true;
    const modes = Object.entries(fact.value.modes);
    const node = proxyNodeOf(
      name,
      nodes.find((n) => n.metadata.name === name),
      proxy,
    );
    return modes.length !== 1 || modes.some(([mode, m]) => compare(service, service.spec.ports, slices, node, mode, m).differences.length > 0);
  });
}

const rightEverywhere = 'the rules that were read are right';

export const proxyLogs = collector({
  fact: 'proxyLogs',
  after: rulesAndObjects,
  access: [read('pods/log', ['get'], 'kube-system')],
  when: (known) => (inQuestion(known).length > 0 ? true : rightEverywhere),
  async collect({ cluster, signal }, known) {
    const found = await Promise.all(
      inQuestion(known)
        .slice(0, maxProxies)
        .map(async (pod) => {
          const log = await cluster.logs(pod.metadata.namespace, pod.metadata.name, pod.spec.containers[0]?.name ?? '', { tailLines: logLines, signal });
          return [pod.metadata.name, log.ok ? seen(redact(log.value.trimEnd())) : fromFailure(log.failure)] as const;
        }),
    );
    return seen(Object.fromEntries(found));
  },
});

/** A port-forward as the stream that an HTTP client wants. */
const streamOf = (tunnel: Tunnel): Duplex =>
  new Duplex({
    read() {
      tunnel.read().then(
        (bytes) => this.push(bytes),
        (error: Error) => this.destroy(error),
      );
    },
    write(chunk: Buffer, _encoding, done) {
      tunnel.write(chunk);
      done();
    },
    destroy(error, done) {
      tunnel.close();
      done(error);
    },
  });

interface Answered {
  status: number;
  body: string;
  /** When it was answered, by the answering program's clock. */
  date: string | undefined;
}

/** One GET through a port-forward to a pod. null where nothing listens there, or nothing answers in time. */
async function ask(cluster: Cluster, pod: Pod, port: number, path: string): Promise<Result<Answered | null>> {
  const opened = await cluster.portForward({ namespace: pod.metadata.namespace, pod: pod.metadata.name }, port);
  if (!opened.ok) return opened;
  const stream = streamOf(opened.value);
  try {
    return ok(
      await new Promise<Answered | null>((resolve) => {
        const sent = request({ path, host: 'localhost', timeout: answerTimeoutMs, createConnection: () => stream }, (answer) => {
          let body = '';
          answer.setEncoding('utf8');
          answer.on('data', (part: string) => (body += part));
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body, date: answer.headers.date }));
          answer.on('error', () => resolve(null));
        });
        const late = setTimeout(() => resolve(null), answerTimeoutMs);
        sent.on('close', () => clearTimeout(late));
        // A port that refuses, a stream that is cut, an answer that is no HTTP: none of it is an answer.
        sent.on('error', () => resolve(null));
        sent.end();
      }),
    );
  } finally {
    stream.destroy();
  }
}

/** A metric's values by its label `ip_family` (Prometheus text format); one without labels has the family ''. */
const metric = (text: string, name: string): Map<string, number> =>
  new Map(Array.from(text.matchAll(new RegExp(`^${name}(?:\\{(?:[^}]*ip_family="([^"]*)")?[^}]*\\})? (\\S+)$`, 'gm')), (m) => [m[1] ?? '', Number(m[2])]));

async function healthOf(cluster: Cluster, pod: Pod): Promise<Fact<ProxyHealth>> {
  const [healthz, metrics, mode] = await Promise.all([
    ask(cluster, pod, ports.healthz, '/healthz'),
    ask(cluster, pod, ports.metrics, '/metrics'),
    ask(cluster, pod, ports.metrics, '/proxyMode'),
  ]);
  if (!healthz.ok) return fromFailure(healthz.failure);
  const answered = metrics.ok && metrics.value?.status === 200 ? metrics.value : null;
  const prefix = 'kubeproxy_sync_proxy_rules_';
  const value = (name: string) => metric(answered?.body ?? '', `${prefix}${name}`);
  const [written, queued] = [value('last_timestamp_seconds'), value('last_queued_timestamp_seconds')];
  return seen({
    healthz: healthz.value ? healthz.value.status : null,
    askedAt: answered?.date ? Date.parse(answered.date) / 1000 : null,
    syncs: [...queued].map(([family, at]) => ({ family, written: written.get(family) ?? 0, queued: at })),
    mode: mode.ok && mode.value?.status === 200 ? mode.value.body.trim() : null,
    failures: [...value('iptables_restore_failures_total').values(), ...value('nftables_sync_failures_total').values()].reduce((a, b) => a + b, 0),
  });
}

export const proxyHealth = collector({
  fact: 'proxyHealth',
  after: rulesAndObjects,
  access: [read('pods/portforward', ['create', 'get'], 'kube-system')],
  impact: 'exec',
  when: (known) => (inQuestion(known).length > 0 ? true : rightEverywhere),
  async collect({ cluster, progress }, known) {
    progress('asking kube-proxy how it is');
    const asked = inQuestion(known).slice(0, maxProxies);
    return seen(Object.fromEntries(await Promise.all(asked.map(async (p) => [p.spec.nodeName ?? '', await healthOf(cluster, p)] as const))));
  },
});

/** `src=` of the second half of an entry: who answers, or would (conntrack(8)). */
const entryPattern = /dst=(\S+) sport=(\d+) dport=(\d+) .*?src=(\S+) dst=\S+ sport=(\d+)/;

async function conntrackOf(cluster: Cluster, proxy: Pod, udp: readonly { address: string; port: number }[]): Promise<Fact<Conntrack>> {
  const where = firstContainerOf(proxy);
  const counts = await cluster.exec(where, ['cat', '/proc/sys/net/netfilter/nf_conntrack_count', '/proc/sys/net/netfilter/nf_conntrack_max'], answerTimeoutMs);
  if (!counts.ok) return fromFailure(counts.failure);
  const [count = 0, max = 0] = counts.value.stdout.trim().split(/\s+/).map(Number);
  const entries = await Promise.all(
    udp.map(async ({ address, port }) => {
      const found: { to: string; backend: string }[] = [];
      await cluster.exec(where, ['conntrack', '-L', '-p', 'udp', '--orig-dst', address, '--orig-port-dst', String(port)], answerTimeoutMs, (line) => {
        const [, , , , backend, backendPort] = entryPattern.exec(line) ?? [];
        if (backend !== undefined && backendPort !== undefined) found.push({ to: `${address}:${port}`, backend });
      });
      return found;
    }),
  );
  const distinct = new Map(entries.flat().map((e) => [`${e.to} ${e.backend}`, e]));
  return seen({ count, max, udp: [...distinct.values()] });
}

export const conntrack = collector({
  fact: 'conntrack',
  after: ['service', 'client', 'proxyPods', 'connections'],
  access: [read('pods/exec', ['create', 'get'], 'kube-system')],
  impact: 'node',
  when({ service, connections, proxyPods }) {
    if (!valueOf(proxyPods)?.some((p) => p.status.phase === 'Running')) return 'no kube-proxy pod runs';
    if (valueOf(service)?.spec.ports.some((p) => p.protocol === 'UDP')) return true;
    const made = valueOf(connections)?.list ?? [];
    return made.some((c) => c.outcome === 'timed-out' || c.outcome === 'dns-timed-out') ? true : 'no connection timed out';
  },
  async collect({ cluster }, { service, client, proxyPods, connections }) {
    const svc = valueOf(service);
    const here = valueOf(connections)?.node ?? valueOf(client)?.node;
    const running = (valueOf(proxyPods) ?? []).filter((p) => p.status.phase === 'Running');
    const chosen = running.filter((p) => p.spec.nodeName === here);
    const udp = (svc?.spec.ports ?? [])
      .filter((p) => p.protocol === 'UDP')
      .flatMap((p) => (svc?.spec.clusterIPs ?? []).map((address) => ({ address, port: p.port })));
    const asked = chosen.length > 0 ? chosen : running.slice(0, 1);
    return seen(Object.fromEntries(await Promise.all(asked.map(async (p) => [p.spec.nodeName ?? '', await conntrackOf(cluster, p, udp)] as const))));
  },
});
