import { type Cluster, ForwardFailed } from '../cluster/index.ts';
import { domainOf } from '../dns/corefile.ts';
import { askAll, DnsProblem, type Question } from '../dns/query.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import type { DnsAnswer, DnsReply } from '../facts/facts.ts';
import type { Pod, Service } from '../facts/objects.ts';
import { familiesOf, isHeadless, isReady, podsOf } from '../facts/selectors.ts';
import { collector, fromFailure, read, valueOf } from './collector.ts';

const dnsTimeoutMs = 3000;
/** The root is asked only to see whether the upstream answers, so the wait for it is short. */
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
    if (!(error instanceof DnsProblem) && !(error instanceof ForwardFailed)) throw error;
    // The kubelet's own report that nothing listens is about the pod; a port-forward that hangs or is cut off says nothing about it.
    const isRefused = error instanceof ForwardFailed && error.refused;
    const why = isRefused ? 'nothing listens on its port 53' : `the port-forward gave no answer (${error.message})`;
    const unanswered = questions[replies.length];
    if (replies.length === 0 || !unanswered) return unseen(isRefused ? 'unreachable' : 'timed-out', what, why);
    // The Service's own question was answered; one that only the upstream could answer was not.
    replies.push({ question: inWords(unanswered), rcode: why, addresses: [], cname: null, srv: [], latencyMs: dnsTimeoutMs });
  } finally {
    opened.value.close();
  }
  const [first, ...more] = replies;
  return first ? seen({ ...first, more }) : unseen('timed-out', what, 'the port-forward was cut off before an answer');
}

/** At most so many pods' own names are asked for. */
const maxNames = 3;

/** The other family of a Service of two, SRV for each named port, and the names that a headless Service gives to pods with a hostname (StatefulSets). */
function furtherQuestions(service: Service, name: string, pods: readonly Pod[], type: 'A' | 'AAAA'): Question[] {
  if (service.spec.type === 'ExternalName') return [];
  const other: Question[] = familiesOf(service).length > 1 ? [{ name, type: type === 'A' ? 'AAAA' : 'A' }] : [];
  const srv = service.spec.ports.filter((p) => p.name !== '').map((p): Question => ({ name: `_${p.name}._${p.protocol.toLowerCase()}.${name}`, type: 'SRV' }));
  const own = isHeadless(service)
    ? podsOf(service, pods)
        .filter((p) => p.spec.hostname && p.spec.subdomain === service.metadata.name && (isReady(p) || service.spec.publishNotReadyAddresses))
        .slice(0, maxNames)
        .map((p): Question => ({ name: `${p.spec.hostname}.${name}`, type }))
    : [];
  return [...other, ...srv, ...own];
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
    const type = familiesOf(svc)[0] === 'IPv6' ? 'AAAA' : 'A';
    // The root last: it is the one that may take long, where the upstream is away.
    const questions: [Question, ...Question[]] = [{ name, type }, ...furtherQuestions(svc, name, valueOf(pods) ?? [], type), { name: '.', type: 'NS' }];
    const running = (valueOf(dnsPods) ?? []).filter((p) => p.status.phase === 'Running');
    // Replicas that answered the client need no port-forward, except one for the further questions.
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
