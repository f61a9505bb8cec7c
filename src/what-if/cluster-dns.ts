/** The cluster's DNS as it would be after a change of its Corefile, its Service, its Deployment or its rights. */
import type { Change } from '../catalog/finding.ts';
import { domainOf, readCorefile, releasedPlugins } from '../dns/corefile.ts';
import { seen, valueOf } from '../facts/fact.ts';
import type { DnsAnswer, Facts } from '../facts/facts.ts';
import type { Pod } from '../facts/objects.ts';
import { endpointsOf, isHeadless, isReady } from '../facts/selectors.ts';
import { slicesFor } from './endpoint-slices.ts';
import { put } from './objects.ts';
import { readyPod } from './pods.ts';

const system = 'kube-system';

const isOfDns = (facts: Facts) => {
  const workload = valueOf(facts.dnsWorkload)?.metadata.name ?? 'coredns';
  const pods = (valueOf(facts.dnsPods) ?? []).map((p) => p.metadata.name);
  return (c: Change): boolean =>
    (c.namespace === system && (c.name === workload || c.name === 'coredns' || c.name === 'kube-dns' || pods.includes(c.name))) ||
    c.kind === 'clusterrolebinding';
};

/** CoreDNS starts with a Corefile that it can read. */
function isLoadable(corefile: string | null | undefined): boolean {
  const file = readCorefile(corefile);
  return file !== null && file.servers.every((s) => s.plugins.every((p) => releasedPlugins.includes(p.name)));
}

function podsAfter(facts: Facts): Pod[] {
  const workload = valueOf(facts.dnsWorkload);
  const pods = valueOf(facts.dnsPods) ?? [];
  if (!workload || (facts.corefile.seen && facts.corefile.value !== null && !isLoadable(facts.corefile.value))) return pods;
  const nodes = (valueOf(facts.nodes) ?? []).filter(isReady);
  const own = pods.filter((p) => p.metadata.ownerReferences.length > 0 && !p.metadata.deletionTimestamp);
  const others = pods.filter((p) => !own.includes(p));
  const made = Array.from({ length: workload.spec.replicas ?? 1 }, (_, i) => readyPod(workload, 'Deployment', i, own[i], nodes[i % Math.max(1, nodes.length)]));
  return [...made, ...others];
}

/** The right answer to a lookup of the Service. */
function answerOf(facts: Facts): DnsAnswer | undefined {
  const [service, target] = [valueOf(facts.service), valueOf(facts.target)];
  if (!service || !target || service.spec.type === 'ExternalName') return undefined;
  const ready = endpointsOf(valueOf(facts.slices) ?? []).filter((e) => e.ready);
  const addresses = isHeadless(service) ? [...new Set(ready.map((e) => e.address))] : service.spec.clusterIPs;
  const type = addresses[0]?.includes(':') ? 'AAAA' : 'A';
  const question = `${target.name}.${target.namespace}.svc.${domainOf(valueOf(facts.corefile))} ${type}`;
  return {
    question,
    rcode: 'NOERROR',
    addresses: addresses.filter((a) => a.includes(':') === (type === 'AAAA')),
    cname: null,
    latencyMs: 1,
    srv: [],
    more: [],
  };
}

/** The facts with the DNS pods, endpoints and answers that would follow. */
export function withDns(before: Facts, after: Facts, changes: readonly Change[]): Facts {
  const own = changes.filter(isOfDns(before));
  const right = answerOf(after);
  if (own.length === 0) {
    // The pods of a headless Service are its addresses, so right answers follow them.
    const service = valueOf(after.service);
    if (!right || !service || !isHeadless(service) || !after.dnsAnswers.seen) return after;
    return put(
      after,
      'dnsAnswers',
      Object.fromEntries(Object.entries(after.dnsAnswers.value).map(([pod, a]) => [pod, a.seen ? seen({ ...right, more: [] }) : a])),
    );
  }
  const isOut = (p: Pod) => p.metadata.labels['k8s-app'] === undefined;
  const remade = own.some((c) => c.kind !== 'service' && !(c.kind === 'pod' && c.how === 'patch'));
  const pods = remade ? podsAfter(after) : (valueOf(after.dnsPods) ?? []).filter((p) => !isOut(p));
  const service = valueOf(after.dnsService);
  const slices = valueOf(after.dnsSlices) ?? [];
  const workload = valueOf(after.dnsWorkload);
  const known = { ...after, dnsPods: seen(pods), dnsLogs: seen({}), ...(service && { dnsSlices: seen(slicesFor(service, pods, slices)) }) };
  const counted = workload ? put(known, 'dnsWorkload', { ...workload, status: { ...workload.status, readyReplicas: pods.filter(isReady).length } }) : known;
  return right ? put(counted, 'dnsAnswers', Object.fromEntries(pods.filter(isReady).map((p) => [p.metadata.name, seen(right)]))) : counted;
}
