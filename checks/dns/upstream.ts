import { forwarders, readCorefile } from '../../src/dns/corefile.ts';
import { unreadOf } from '../../src/facts/fact.ts';
import { check, type Evidence, judged, judgedUnless, skip, unknown } from '../check.ts';
import { plural, some } from '../format.ts';
import { logLines } from './evidence.ts';

/** The question for the upstream: the servers of the root, which any resolver knows. */
const upstreamQuestion = '. NS';

export const upstream = check({
  id: 'dns/upstream',
  title: 'The DNS replicas get answers from their upstream',
  needs: ['service', 'dnsAnswers'],
  uses: ['corefile', 'dnsLogs'],
  codes: ['dns-upstream-failing'],
  run({ service, dnsAnswers, corefile, dnsLogs }) {
    if (service?.spec.type === 'ExternalName') return skip('the external name itself was looked up');
    const replies = Object.entries(dnsAnswers).flatMap(([pod, a]) =>
      a.seen ? a.value.more.filter((r) => r.question === upstreamQuestion).map((reply) => ({ pod, reply })) : [],
    );
    // Only its log shows who reported a failure.
    const logs = replies.some((r) => r.reply.rcode === 'SERVFAIL') ? (dnsLogs.seen ? Object.values(dnsLogs.value) : [dnsLogs]) : [];
    const unread = unreadOf(...Object.values(dnsAnswers), ...logs);
    if (replies.length === 0) return unread === undefined ? skip('no DNS replica was asked') : unknown(unread);
    // CoreDNS logs a failure that it made up because nobody answered; a failure from the upstream itself is an answer.
    const complaints = (pod: string): string[] =>
      logLines(dnsLogs, (l) => /\. NS: .*(?:i\/o timeout|refused|unreachable|no route)/.test(l), 1).flatMap(({ key, line }) =>
        key.startsWith(`${pod}/`) ? [line] : [],
      );
    const bad = replies.filter(({ pod, reply }) => reply.rcode.startsWith('no answer') || (reply.rcode === 'SERVFAIL' && complaints(pod).length > 0));
    const file = readCorefile(corefile.seen ? corefile.value : null);
    const to = file ? forwarders(file).flatMap((f) => f.to) : [];
    if (bad.length === 0) return judgedUnless(unread, []);
    const logged = bad.flatMap(({ pod }): Evidence[] => complaints(pod).map((text) => ({ source: 'log', text: `${pod}: ${text}` })));
    return judged([
      {
        code: 'dns-upstream-failing',
        // The Service is a name of the cluster: it does not need the upstream.
        severity: 'warning',
        confidence: 'confirmed',
        scope: 'part',
        object: { kind: 'ConfigMap', namespace: 'kube-system', name: 'coredns' },
        message: `${bad.length} of ${plural(replies.length, 'DNS replica')} ${bad.length === 1 ? 'gets' : 'get'} no answer from upstream${to.length > 0 ? ` (${some(to)})` : ''}: names outside the cluster do not resolve there`,
        evidence: [...replies.map(({ pod, reply }) => ({ source: 'dns', text: `${pod}, asked for the root: ${reply.rcode}` })), ...logged],
        fix: [
          {
            text: 'Check the servers that CoreDNS forwards to, and whether its node reaches them',
            command: 'kubectl -n kube-system get configmap coredns -o yaml',
          },
        ],
      },
    ]);
  },
});
