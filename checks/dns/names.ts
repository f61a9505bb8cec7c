import { unreadOf } from '../../src/facts/fact.ts';
import type { DnsReply } from '../../src/facts/facts.ts';
import { endpointsOf, isHeadless } from '../../src/facts/selectors.ts';
import { check, type Draft, judged, skip, unknown } from '../check.ts';
import { plural } from '../format.ts';
import { staleFix } from './evidence.ts';

/** Kubernetes DNS specification: SRV for each named port; for a headless Service, an address for each ready pod with a hostname. */
export const names = check({
  id: 'dns/names',
  title: 'The names of its ports and pods resolve to them',
  needs: ['service', 'slices', 'dnsAnswers'],
  uses: ['pods'],
  codes: ['dns-wrong-answer'],
  run({ service, slices, dnsAnswers, pods }) {
    if (!service || service.spec.type === 'ExternalName') return skip('the Service has no addresses of its own');
    const replies = Object.entries(dnsAnswers).flatMap(([pod, a]) => (a.seen ? a.value.more.map((reply) => ({ pod, reply })) : []));
    const ready = endpointsOf(slices).filter((e) => e.ready || service.spec.publishNotReadyAddresses);
    const port = (r: DnsReply) => service.spec.ports.find((p) => r.question.startsWith(`_${p.name}._${p.protocol.toLowerCase()}.`));
    const wrong: { pod: string; what: string }[] = [];
    let asked = 0;
    for (const { pod, reply } of replies) {
      const [name = '', type] = reply.question.split(' ');
      if (type === 'SRV') {
        const own = port(reply);
        if (!own) continue;
        asked++;
        // A virtual IP has one record, with the Service's port; a headless Service one for each ready endpoint, with the pod's.
        const wanted = isHeadless(service)
          ? [...new Set(ready.filter((e) => e.portName === own.name).flatMap((e) => (e.port === null ? [] : [e.port])))]
          : [own.port];
        const given = [...new Set(reply.srv.map((s) => Number(s.split(':').at(-1))))];
        if (given.toSorted((a, b) => a - b).join() !== wanted.toSorted((a, b) => a - b).join())
          wrong.push({
            pod,
            what: `${name} has ${given.length > 0 ? `port ${given.join(', ')}` : 'no port'}, the Service has ${wanted.join(', ') || 'none that is ready'}`,
          });
      } else if (name !== '.') {
        const found = pods.seen ? pods.value.find((p) => name.startsWith(`${p.spec.hostname ?? p.metadata.name}.`)) : undefined;
        if (!found) continue;
        asked++;
        const addresses = found.status.podIPs.map((i) => i.ip);
        if (!reply.addresses.some((a) => addresses.includes(a)))
          wrong.push({ pod, what: `${name} resolves to ${reply.addresses.join(', ') || reply.rcode}, pod ${found.metadata.name} has ${addresses.join(', ')}` });
      }
    }
    const first = wrong[0];
    const unread = unreadOf(...Object.values(dnsAnswers));
    if (!first && unread !== undefined && (asked > 0 || replies.length === 0)) return unknown(unread);
    if (!first) return judged([], asked > 0 ? `${plural(new Set(replies.map((r) => r.reply.question)).size - 1, 'further name')} right` : '');
    const draft: Draft<'dns-wrong-answer'> = {
      code: 'dns-wrong-answer',
      severity: 'warning',
      confidence: 'confirmed',
      scope: 'part',
      object: { kind: 'Pod', namespace: 'kube-system', name: first.pod },
      message: `DNS replica ${first.pod} has an old answer: ${first.what}`,
      evidence: wrong.slice(0, 5).map((w) => ({ source: 'dns', text: `${w.pod}: ${w.what}` })),
      fix: [staleFix(first.pod)],
    };
    return judged([draft]);
  },
});
