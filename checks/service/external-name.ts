import ipaddr from 'ipaddr.js';
import { check, type Draft, type Evidence, judged, skip, unknown } from '../check.ts';
import { probeEvidence, serviceRef } from '../format.ts';
import { kubectl } from '../fix.ts';
import { logLines } from '../dns/evidence.ts';

export const externalName = check({
  id: 'service/external-name',
  title: 'The external name resolves',
  needs: ['target', 'service'],
  uses: ['connections', 'dnsAnswers', 'dnsLogs'],
  codes: ['external-name-broken', 'dns-upstream-failing'],
  run({ target, service, connections, dnsAnswers, dnsLogs }) {
    if (service?.spec.type !== 'ExternalName') return skip('not an ExternalName');
    const name = service.spec.externalName ?? '';
    const broken = (message: string, evidence: Evidence[], confidence: 'confirmed' | 'likely'): Draft<'external-name-broken'> => ({
      code: 'external-name-broken',
      severity: 'error',
      confidence,
      scope: 'all',
      object: serviceRef(target),
      message,
      evidence,
      fix: [{ text: 'Set the name that the Service should lead to', command: kubectl(target.namespace, 'edit', 'service', target.name) }],
    });
    if (ipaddr.isValid(name)) {
      return judged('', [
        broken(
          `The ExternalName "${name}" is an address; it is answered as a name, which does not exist`,
          [{ source: 'service', text: `spec.externalName: ${name}` }],
          'likely',
        ),
      ]);
    }
    const other = /^([^.]+)\.([^.]+)\.svc(?:\.|$)/.exec(name);
    // What is behind that Service is another diagnosis.
    const inCluster = other ? `, and leads to Service ${other[2]}/${other[1]} of the cluster: "k8s-doctor svc ${other[2]}/${other[1]}" looks at that` : '';
    const looked = connections.seen ? connections.value.list.find((c) => c.hop === 'name') : undefined;
    const answers = dnsAnswers.seen ? Object.entries(dnsAnswers.value) : [];
    const replies = answers.flatMap(([pod, a]) => (a.seen ? [{ pod, ...a.value }] : []));
    const evidence: Evidence[] = [
      { source: 'service', text: `spec.externalName: ${name}` },
      ...(looked && connections.seen ? [probeEvidence(connections.value.from, looked)] : []),
      ...replies.map((r) => ({
        source: 'dns',
        text: `${r.pod} answers ${r.question} with ${r.rcode}${r.addresses.length ? ` ${r.addresses.join(', ')}` : ''}`,
      })),
    ];
    if (looked?.outcome === 'answered') return judged(`${name} resolves to ${looked.answers.join(', ')}${inCluster}`);
    const found = replies.find((r) => r.addresses.length > 0);
    if (found && !looked) return judged(`${name} resolves to ${found.addresses.join(', ')}${inCluster}`);
    // A failure that CoreDNS made up because its upstream did not answer stands in its log; else the upstream itself reported it.
    const ofName = (l: string) => l.includes(`${name.replace(/\.$/, '')}.`) && /i\/o timeout|connection refused|unreachable|no route/.test(l);
    const upstream = logLines(dnsLogs, ofName, 1).map(({ key, line }) => ({ source: 'log', text: `${key}: ${line}` }));
    if (upstream.length > 0) {
      return judged('', [
        {
          code: 'dns-upstream-failing',
          severity: 'error',
          confidence: 'confirmed',
          scope: 'all',
          object: serviceRef(target),
          message: `The cluster's DNS cannot resolve "${name}": the servers that it forwards to do not answer`,
          evidence: [...evidence, ...upstream],
          fix: [{ text: 'Check where CoreDNS forwards to', command: 'kubectl -n kube-system get configmap coredns -o yaml' }],
        },
      ]);
    }
    if (looked?.outcome === 'dns-failed' || (replies.length > 0 && replies.every((r) => r.rcode !== 'NOERROR' && r.rcode !== 'NXDOMAIN'))) {
      return judged('', [broken(`The ExternalName "${name}" cannot be resolved: the DNS servers that know its zone report a failure`, evidence, 'confirmed')]);
    }
    if (looked?.outcome === 'name-not-found' || (!looked && replies.length > 0 && replies.every((r) => r.addresses.length === 0))) {
      return judged('', [
        broken(`The ExternalName "${name}" does not exist in DNS${other ? `: namespace ${other[2]} has no Service "${other[1]}"` : ''}`, evidence, 'confirmed'),
      ]);
    }
    return unknown('no DNS server could be asked for the external name');
  },
});
