import { readCorefile, serverFor } from '../../src/dns/corefile.ts';
import { type Fact, unreadOf } from '../../src/facts/fact.ts';
import type { Connection } from '../../src/facts/facts.ts';
import { endpointsOf, familiesOf, familyOf, isHeadless } from '../../src/facts/selectors.ts';
import type { Pod } from '../../src/facts/objects.ts';
import { check, type Evidence, type Fix, judged, skip, unknown } from '../check.ts';
import { fixBy, patchOf, restartOf } from '../fix.ts';
import { plural, some } from '../format.ts';
import { logLines, staleFix } from './evidence.ts';

interface Reply {
  pod: string;
  question: string;
  rcode: string;
  addresses: string[];
}

/** The replicas' answers to the client itself; replicas that did not answer it were asked by port-forward. */
const byClient = (list: readonly Connection[]): Reply[] =>
  list.flatMap((c) =>
    c.hop === 'dns-server' && c.pod !== null && c.outcome === 'answered'
      ? [
          {
            pod: c.pod,
            question: `${list.find((n) => n.hop === 'name')?.target ?? 'the name'} ${c.answers.some((a) => a.includes(':')) ? 'AAAA' : 'A'}`,
            rcode: 'NOERROR',
            addresses: c.answers,
          },
        ]
      : [],
  );

/** Plugins that may answer before the kubernetes plugin does. */
const overriding = ['rewrite', 'hosts', 'template', 'file', 'auto', 'etcd', 'secondary'];

/** Lines of the Corefile that may change the answer for a name. */
function otherwiseAnswered(corefile: string | null, name: string): Evidence[] {
  const file = readCorefile(corefile);
  const plugins = (file && serverFor(file, name)?.plugins) ?? [];
  return plugins
    .filter((p) => overriding.includes(p.name))
    .map((p) => ({ source: 'configmap', text: `Corefile line ${p.line}: ${[p.name, ...p.args].join(' ')}` }));
}

/** A replica that lost its watch answers with the last state that it received. */
const lostWatch = (logs: Fact<Record<string, Fact<string>>>): Evidence[] =>
  logLines(logs, (l) => /Failed to (?:list|watch)|is forbidden/.test(l), 1).map(({ key, line }) => ({ source: 'log', text: `${key}: ${line}` }));

/** A pod of CoreDNS's Deployment is replaced; one that only has its labels is none of its replicas. */
function strayReplicas(wrong: readonly Pod[]): Fix[] {
  const strays = wrong.filter((p) => !p.metadata.ownerReferences.some((o) => o.controller));
  const names = (pods: readonly Pod[]) => pods.map((p) => p.metadata.name).join(', ');
  if (strays.length < wrong.length) {
    const restarts = wrong.map((p) => restartOf('kube-system', p.metadata.name));
    return [{ ...fixBy(`Delete ${names(wrong)}; its Deployment makes another replica`, ...restarts), assumes: 'the new replica answers rightly' }];
  }
  const label = 'k8s-app';
  const changes = strays.map((p) => patchOf('kube-system', `pod/${p.metadata.name}`, { metadata: { labels: { [label]: null } } }));
  return [fixBy(`Take ${names(strays)} out of the cluster's DNS: no controller made it, and it answers otherwise. Remove its label ${label}`, ...changes)];
}

export const answers = check({
  id: 'dns/answers',
  title: 'Every DNS replica answers with the addresses of the Service',
  needs: ['service', 'slices', 'dnsAnswers'],
  uses: ['dnsPods', 'connections', 'corefile', 'dnsLogs'],
  codes: ['dns-wrong-answer'],
  run({ service, slices, dnsAnswers, dnsPods, connections, corefile, dnsLogs }) {
    if (!service || service.spec.type === 'ExternalName') return skip('the Service has no addresses of its own');
    const asked = Object.entries(dnsAnswers).flatMap(([pod, a]) => (a.seen ? [{ pod, ...a.value }] : []));
    // A name of two families is asked for in both.
    const others = asked.flatMap(({ pod, question, more }): Reply[] =>
      more.flatMap((r) => (r.question !== question && /^(\S+) A/.exec(r.question)?.[1] === question.split(' ')[0] ? [{ pod, ...r }] : [])),
    );
    const replies = [...asked, ...byClient(connections.seen ? connections.value.list : []).filter((r) => !asked.some((f) => f.pod === r.pod))];
    if (replies.length === 0) return unknown('no DNS replica could be asked');
    // The client may ask a replica over both transports, and for both families.
    const podsOf = (of: readonly Reply[]) => new Set(of.map((r) => r.pod)).size;
    const endpoints = endpointsOf(slices);
    const expectedBy = ({ question }: Reply) => all.filter((a) => familyOf(a) === (question.endsWith(' AAAA') ? 'IPv6' : 'IPv4')).toSorted();
    const ready = endpoints.filter((e) => e.ready || service.spec.publishNotReadyAddresses);
    const all = isHeadless(service) ? [...new Set(ready.map((e) => e.address))] : service.spec.clusterIPs;
    const wrong = [...replies, ...others].filter((r) => [...new Set(r.addresses)].toSorted().join() !== expectedBy(r).join());
    // What the client got of a replica is of one family.
    const isHeard = (pod: string) => familiesOf(service).length < 2 && replies.some((r) => r.pod === pod);
    const unread = unreadOf(...Object.entries(dnsAnswers).flatMap(([pod, a]) => (isHeard(pod) ? [] : [a])));
    if (wrong.length === 0 && unread !== undefined) return unknown(unread);
    const expected = expectedBy(wrong[0] ?? (replies[0] as Reply));
    if (wrong.length === 0)
      return judged(
        [],
        expected.length > 0
          ? `${podsOf(replies) === 1 ? 'the DNS replica answers' : `all ${podsOf(replies)} DNS replicas answer`} ${some([...expected, ...(others[0] ? expectedBy(others[0]) : [])])}`
          : `the name has no address because there is no ready endpoint`,
      );
    const said = (r: (typeof replies)[number]) => (r.addresses.length > 0 ? some([...new Set(r.addresses)]) : r.rcode === 'NOERROR' ? 'no address' : r.rcode);
    const total = dnsPods.seen ? dnsPods.value.length : podsOf(replies);
    const part = wrong.length < replies.length || wrong.every((r) => others.includes(r));
    // A headless Service's addresses change with its pods; a replica may need a moment to follow.
    const lag = isHeadless(service) && wrong.every((r) => r.addresses.some((a) => expected.includes(a)));
    return judged([
      {
        code: 'dns-wrong-answer',
        severity: lag ? 'warning' : 'error',
        confidence: 'confirmed',
        scope: part ? 'part' : 'all',
        object: { kind: 'Pod', namespace: 'kube-system', name: wrong[0]?.pod ?? '' },
        message: `${podsOf(wrong)} of ${plural(total, 'DNS replica')} ${podsOf(wrong) === 1 ? 'answers' : 'answer'} ${wrong[0]?.question.split(' ')[0]}${others.length > 0 ? ` (${wrong[0]?.question.split(' ')[1]})` : ''} with ${said(wrong[0] as (typeof replies)[number])}; the objects say ${some(expected) || 'no ready address'}`,
        evidence: [
          ...[...replies, ...others].map((r) => ({ source: 'dns', text: `${r.pod} answers ${r.question} with ${said(r)}` })),
          ...otherwiseAnswered(corefile.seen ? corefile.value : null, replies[0]?.question.split(' ')[0] ?? ''),
          ...lostWatch(dnsLogs),
        ],
        fix: [
          ...(part && dnsPods.seen && !lag ? strayReplicas(dnsPods.value.filter((p) => wrong.some((r) => r.pod === p.metadata.name))) : []),
          staleFix(wrong[0]?.pod ?? ''),
        ],
      },
    ]);
  },
});
