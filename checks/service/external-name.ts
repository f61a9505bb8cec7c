import ipaddr from 'ipaddr.js';
import { byChoice, type Fact } from '../../src/facts/fact.ts';
import type { Connection, FactTypes, Target } from '../../src/facts/facts.ts';
import { check, type Draft, type Evidence, judged, skip, unknown } from '../check.ts';
import { kubectl } from '../fix.ts';
import { probeEvidence, serviceRef } from '../format.ts';
import { logLines } from '../dns/evidence.ts';

type Reply = { pod: string } & Pick<Extract<FactTypes['dnsAnswers'][string], { seen: true }>['value'], 'question' | 'rcode' | 'addresses'>;

const broken = (target: Target, message: string, evidence: Evidence[], confidence: 'confirmed' | 'likely'): Draft<'external-name-broken'> => ({
  code: 'external-name-broken',
  severity: 'error',
  confidence,
  scope: 'all',
  object: serviceRef(target),
  message,
  evidence,
  fix: [
    { text: `Set spec.externalName of Service "${target.name}" to a DNS name that exists`, command: kubectl(target.namespace, 'edit', 'service', target.name) },
  ],
});

const upstreamFailing = (target: Target, name: string, evidence: Evidence[]): Draft<'dns-upstream-failing'> => ({
  code: 'dns-upstream-failing',
  severity: 'error',
  confidence: 'confirmed',
  scope: 'all',
  object: serviceRef(target),
  message: `CoreDNS cannot resolve "${name}": the upstream servers that it forwards to do not answer`,
  evidence,
  fix: [{ text: 'Check the servers that CoreDNS forwards to', command: 'kubectl -n kube-system get configmap coredns -o yaml' }],
});

const repliesOf = (dnsAnswers: Fact<FactTypes['dnsAnswers']>): Reply[] =>
  dnsAnswers.seen ? Object.entries(dnsAnswers.value).flatMap(([pod, a]) => (a.seen ? [{ pod, ...a.value }] : [])) : [];

const lookupEvidence = (name: string, from: string, lookup: Connection | undefined, replies: readonly Reply[]): Evidence[] => [
  { source: 'service', text: `spec.externalName: ${name}` },
  ...(lookup ? [probeEvidence(from, lookup)] : []),
  ...replies.map((r) => ({
    source: 'dns',
    text: `${r.pod} answers ${r.question} with ${r.rcode}${r.addresses.length ? ` ${r.addresses.join(', ')}` : ''}`,
  })),
];

/** Lines of CoreDNS about a name whose upstream did not answer; without them the upstream itself reported the failure. */
const upstreamComplaints = (dnsLogs: Fact<FactTypes['dnsLogs']>, name: string): Evidence[] => {
  const isAbout = (l: string) => l.includes(`${name.replace(/\.$/, '')}.`) && /i\/o timeout|connection refused|unreachable|no route/.test(l);
  return logLines(dnsLogs, isAbout, 1).map(({ key, line }) => ({ source: 'log', text: `${key}: ${line}` }));
};

export const externalName = check({
  id: 'service/external-name',
  title: 'The external name resolves',
  needs: ['target', 'service'],
  uses: ['connections', 'dnsAnswers', 'dnsLogs'],
  codes: ['external-name-broken', 'dns-upstream-failing'],
  run({ target, service, connections, dnsAnswers, dnsLogs }) {
    if (service?.spec.type !== 'ExternalName') return skip('not an ExternalName');
    const name = service.spec.externalName ?? '';
    const title = `Service "${target.name}": spec.externalName`;
    if (ipaddr.isValid(name)) {
      const message = `${title} "${name}" is an IP address; DNS answers it as a name, and no such name exists`;
      return judged([broken(target, message, [{ source: 'service', text: `spec.externalName: ${name}` }], 'likely')]);
    }
    const other = /^([^.]+)\.([^.]+)\.svc(?:\.|$)/.exec(name);
    // The Service behind that name is another diagnosis.
    const inCluster = other ? `, which is Service ${other[2]}/${other[1]} of this cluster; to check it: "k8s-doctor svc ${other[2]}/${other[1]}"` : '';
    const lookup = connections.seen ? connections.value.list.find((c) => c.hop === 'name') : undefined;
    const replies = repliesOf(dnsAnswers);
    const evidence = lookupEvidence(name, connections.seen ? connections.value.from : '', lookup, replies);
    if (lookup?.outcome === 'answered') return judged([], `${name} resolves to ${lookup.answers.join(', ')}${inCluster}`);
    const found = replies.find((r) => r.addresses.length > 0);
    if (found && !lookup) return judged([], `${name} resolves to ${found.addresses.join(', ')}${inCluster}`);
    const complaints = upstreamComplaints(dnsLogs, name);
    if (complaints.length > 0) return judged([upstreamFailing(target, name, [...evidence, ...complaints])]);
    const isFailure = replies.length > 0 && replies.every((r) => r.rcode !== 'NOERROR' && r.rcode !== 'NXDOMAIN');
    // CoreDNS reports the same failure for servers of the zone and for an upstream that does not answer; its log shows which.
    if ((lookup?.outcome === 'dns-failed' || isFailure) && !dnsLogs.seen && !byChoice(dnsLogs)) return unknown(`${dnsLogs.what}: ${dnsLogs.why}`);
    if (lookup?.outcome === 'dns-failed' || isFailure)
      return judged([broken(target, `${title} "${name}" does not resolve: the DNS servers of its zone report a failure`, evidence, 'confirmed')]);
    const isUnknownName = !lookup && replies.length > 0 && replies.every((r) => r.addresses.length === 0);
    if (lookup?.outcome === 'name-not-found' || isUnknownName) {
      const missing = other ? `: namespace ${other[2]} has no Service "${other[1]}"` : '';
      return judged([broken(target, `${title} "${name}" does not exist in DNS${missing}`, evidence, 'confirmed')]);
    }
    return unknown('no DNS server could be asked for the external name');
  },
});
