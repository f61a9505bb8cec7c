import { CorefileError, forwarders, parseCorefile } from '../../src/dns/corefile.ts';
import { check, type Evidence, judged, skip } from '../check.ts';
import { plural, some } from '../words.ts';

/** What the upstream was asked for: the servers of the root, which any resolver knows. */
const upstreamQuestion = '. NS';

/** Where CoreDNS sends what it does not know itself, as far as its Corefile says. */
function forwardedTo(corefile: string | null): string[] {
  try {
    return forwarders(parseCorefile(corefile ?? '')).flatMap((f) => f.to);
  } catch (error) {
    if (error instanceof CorefileError) return [];
    throw error;
  }
}

export const upstream = check({
  id: 'dns/upstream',
  title: 'The DNS replicas get answers from their upstream',
  needs: ['service', 'dnsAnswers'],
  uses: ['corefile', 'dnsLogs'],
  codes: ['dns-upstream-failing'],
  run({ service, dnsAnswers, corefile, dnsLogs }) {
    if (service?.spec.type === 'ExternalName') return skip('the external name itself is asked for');
    const replies = Object.entries(dnsAnswers).flatMap(([pod, a]) =>
      a.seen ? a.value.more.filter((r) => r.question === upstreamQuestion).map((reply) => ({ pod, reply })) : [],
    );
    if (replies.length === 0) return skip('no DNS replica was asked');
    // A failure that CoreDNS made up because nobody answered stands in its log; one that the upstream itself reported is an answer.
    const complaints = (pod: string): string[] =>
      (dnsLogs.seen ? Object.entries(dnsLogs.value) : []).flatMap(([key, log]) =>
        key.startsWith(`${pod}/`) && log.seen
          ? log.value
              .split('\n')
              .filter((l) => /\. NS: .*(?:i\/o timeout|refused|unreachable|no route)/.test(l))
              .slice(-1)
          : [],
      );
    const bad = replies.filter(({ pod, reply }) => reply.rcode.startsWith('no answer') || (reply.rcode === 'SERVFAIL' && complaints(pod).length > 0));
    const to = corefile.seen ? forwardedTo(corefile.value) : [];
    if (bad.length === 0) return judged('');
    const logs = bad.flatMap(({ pod }): Evidence[] => complaints(pod).map((text) => ({ source: 'log', text: `${pod}: ${text}` })));
    return judged('', [
      {
        code: 'dns-upstream-failing',
        // The Service is a name of the cluster: it does not need the upstream.
        severity: 'warning',
        confidence: 'confirmed',
        scope: 'part',
        object: { kind: 'ConfigMap', namespace: 'kube-system', name: 'coredns' },
        message: `${bad.length} of ${plural(replies.length, 'DNS replica')} ${bad.length === 1 ? 'gets' : 'get'} no answer from upstream${to.length > 0 ? ` (${some(to)})` : ''}: names outside of the cluster do not resolve there`,
        evidence: [...replies.map(({ pod, reply }) => ({ source: 'dns', text: `${pod}, asked for the root: ${reply.rcode}` })), ...logs],
        fix: [{ text: 'Check where CoreDNS forwards to, and whether its node reaches that', command: 'kubectl -n kube-system get configmap coredns -o yaml' }],
      },
    ]);
  },
});
