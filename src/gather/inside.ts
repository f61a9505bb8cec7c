/** Facts read inside of pods: what listens, what the DNS replicas answer. */
import { type Cluster, PortRefused } from '../cluster/index.ts';
import { domainOf } from '../dns/corefile.ts';
import { askAll, DnsProblem, type Question } from '../dns/query.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import type { DnsAnswer, DnsReply, Listeners, Socket } from '../facts/facts.ts';
import type { Pod, Service } from '../facts/objects.ts';
import { isHeadless, isReady, podsOf } from '../facts/selectors.ts';
import { collector, fromFailure, read, valueOf } from './collector.ts';
import { parseProcNet } from './proc-net.ts';

const commandTimeoutMs = 4000;
/** At most so many pods are looked into. */
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
    progress('looking at what listens in the pods');
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

const dnsTimeoutMs = 3000;
/** The root is asked to see whether the upstream answers at all; nobody shall wait long for that. */
const upstreamTimeoutMs = 1000;

const inWords = ({ name, type }: Question) => `${name} ${type}`;

/** Asks one replica all questions over one stream; the first is about the Service itself. */
async function askReplica(cluster: Cluster, pod: Pod, questions: readonly [Question, ...Question[]]): Promise<Fact<DnsAnswer>> {
  const what = `asking DNS replica ${pod.metadata.name}`;
  const opened = await cluster.portForward({ namespace: pod.metadata.namespace, pod: pod.metadata.name }, 53);
  if (!opened.ok) return fromFailure(opened.failure);
  const replies: DnsReply[] = [];
  const stream = askAll(opened.value, questions);
  try {
    for (const question of questions) {
      const started = performance.now();
      const limitMs = question.name === '.' ? upstreamTimeoutMs : dnsTimeoutMs;
      const late = new Promise<never>((_, reject) => setTimeout(() => reject(new DnsProblem(`no answer within ${limitMs / 1000} s`)), limitMs).unref());
      const answer = await Promise.race([stream.next(), late]);
      if (answer.done) break;
      const { srv, ...reply } = answer.value;
      replies.push({ question: inWords(question), ...reply, srv: srv.map((s) => `${s.target}:${s.port}`), latencyMs: Math.round(performance.now() - started) });
    }
  } catch (error) {
    if (!(error instanceof DnsProblem) && !(error instanceof PortRefused)) throw error;
    const why = error instanceof PortRefused ? 'nothing listens on its port 53' : error.message;
    const unanswered = questions[replies.length];
    if (replies.length === 0 || !unanswered) return unseen(error instanceof PortRefused ? 'unreachable' : 'malformed', what, why);
    // The Service's own question was answered; one that only the upstream could answer was not.
    replies.push({ question: inWords(unanswered), rcode: why, addresses: [], cname: null, srv: [], latencyMs: dnsTimeoutMs });
  } finally {
    opened.value.close();
  }
  const [first, ...more] = replies;
  return first ? seen({ ...first, more }) : unseen('malformed', what, 'it gave no answer');
}

/** At most so many pods' own names are asked for. */
const maxNames = 3;

/** SRV for each named port, and the names that a headless Service gives to pods with a hostname (StatefulSets). */
function furtherQuestions(service: Service, name: string, pods: readonly Pod[], type: 'A' | 'AAAA'): Question[] {
  if (service.spec.type === 'ExternalName') return [];
  const srv = service.spec.ports.filter((p) => p.name !== '').map((p): Question => ({ name: `_${p.name}._${p.protocol.toLowerCase()}.${name}`, type: 'SRV' }));
  const own = isHeadless(service)
    ? podsOf(service, pods)
        .filter((p) => p.spec.hostname && p.spec.subdomain === service.metadata.name && (isReady(p) || service.spec.publishNotReadyAddresses))
        .slice(0, maxNames)
        .map((p): Question => ({ name: `${p.spec.hostname}.${name}`, type }))
    : [];
  return [...srv, ...own];
}

export const dnsAnswers = collector({
  fact: 'dnsAnswers',
  after: ['service', 'dnsPods', 'corefile', 'pods', 'connections'],
  access: [read('pods/portforward', ['create', 'get'], 'kube-system')],
  impact: 'exec',
  when({ service, dnsPods }) {
    if (!valueOf(service)) return 'the Service is not known';
    return valueOf(dnsPods)?.some((p) => p.status.phase === 'Running') ? true : 'no DNS pod runs';
  },
  async collect({ cluster, target, progress }, { service, dnsPods, corefile, pods, connections }) {
    const svc = valueOf(service);
    if (!svc) return unseen('not-possible', 'DNS answers', 'the Service is not known');
    progress('asking every DNS replica');
    const name =
      svc.spec.type === 'ExternalName'
        ? (svc.spec.externalName ?? '').replace(/\.$/, '')
        : `${target.name}.${target.namespace}.svc.${domainOf(valueOf(corefile))}`;
    const type = svc.spec.ipFamilies?.[0] === 'IPv6' ? 'AAAA' : 'A';
    // The root last: it is the one that may take long, where the upstream is away.
    const questions: [Question, ...Question[]] = [{ name, type }, ...furtherQuestions(svc, name, valueOf(pods) ?? [], type), { name: '.', type: 'NS' }];
    const running = (valueOf(dnsPods) ?? []).filter((p) => p.status.phase === 'Running');
    // Those that the client itself got an answer from need no port-forward; one of them tells the rest.
    const answered = new Set(
      valueOf(connections)
        ?.list.filter((c) => c.hop === 'dns-server' && c.outcome === 'answered')
        .map((c) => c.pod),
    );
    const one = running.find((p) => answered.has(p.metadata.name));
    const chosen = running.filter((p) => p === one || !answered.has(p.metadata.name));
    return seen(Object.fromEntries(await Promise.all(chosen.map(async (p) => [p.metadata.name, await askReplica(cluster, p, questions)] as const))));
  },
});
