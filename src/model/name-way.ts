/** The way of a lookup: the client's resolver, the policies and rules between it and DNS, the DNS pods and their answers. */
import type { Code } from '../catalog/codes.ts';
import { valueOf } from '../facts/fact.ts';
import { kubernetesZones, readCorefile } from '../dns/corefile.ts';
import { clusterDomain, isNodeLocal, parseResolvConf, type ResolvConf } from '../dns/resolv-conf.ts';
import type { Client } from '../facts/facts.ts';
import type { Pod } from '../facts/objects.ts';
import { endpointsOf, type Family, isFinished, isReady, selects } from '../facts/selectors.ts';
import { forwardingStops, placeOf } from './forwarding.ts';
import { overridesOf } from './hosts-file.ts';
import { decided, receiverOf } from './parties.ts';
import type { Stop } from './prediction.ts';
import { proxyFaults, stopsThroughRules } from './rules-way.ts';
import { unseenStop, type World } from './world.ts';

const typeOf: Record<Family, string> = { IPv4: 'A', IPv6: 'AAAA' };

const failing: Stop['fates'] = ['not-found', 'lost', 'failing', 'refused'];

/** Findings about the servers themselves and what they answer. */
const serverFaults = [
  'dns-pods-down',
  'dns-config-invalid',
  'dns-zone-mismatch',
  'dns-wrong-answer',
  'dns-upstream-failing',
  'external-name-broken',
] as const satisfies Code[];

/** All faults that can stop a lookup. */
export const nameFaults: readonly Code[] = [
  ...serverFaults,
  ...proxyFaults,
  'dns-pod-config',
  'policy-denies-dns',
  'dns-service-broken',
  'service-not-found',
  'node-not-ready',
  'node-drops-packets',
  'conntrack-full',
];

/** The servers that a client's resolver asks, by its own resolv.conf or its spec; undefined where they are the cluster's as far as is known. */
export function serversOf(client: Client, conf: ResolvConf | undefined): string[] | undefined {
  if (conf) return conf.nameservers;
  return client.pod?.spec.dnsPolicy === 'None' ? (client.pod.spec.dnsConfig?.nameservers ?? []) : undefined;
}

function ownServers({ facts, client }: World): string[] | undefined {
  const made = valueOf(facts.connections);
  const conf = made && !made.standIn && made.resolvConf !== null ? parseResolvConf(made.resolvConf) : undefined;
  return client ? serversOf(client, conf) : conf?.nameservers;
}

function resolverStops(world: World): Stop[] {
  const { facts, client } = world;
  const right = valueOf(facts.dnsService)?.spec.clusterIPs ?? [];
  const servers = ownServers(world);
  const usesNodes = client?.pod?.spec.dnsPolicy === 'Default' || (client?.pod?.spec.dnsPolicy === 'ClusterFirst' && client.hostNetwork);
  if (right.length === 0 || (servers ? servers.some((s) => right.includes(s) || isNodeLocal(s)) : !usesNodes)) return [];
  return [{ fates: failing, certain: false, why: `the client asks ${servers?.join(', ') ?? 'the DNS servers of its node'}`, codes: ['dns-pod-config'] }];
}

/** Tools that resolve as programs do find the client's hosts file first; those that only ask DNS do not. */
function hostsFileStops({ client, service, facts }: World): Stop[] {
  const wrong = client?.pod && service ? overridesOf(client.pod, service, facts.slices).filter((o) => !o.isOwn) : [];
  return wrong.map(({ ip }) => ({ fates: failing, certain: false, why: `its hosts file says ${ip}`, codes: ['hosts-file-override'] }));
}

/** Policies between the client and the DNS pods, over UDP: resolvers use TCP for long answers only. */
function policyStops(world: World, replicas: readonly Pod[]): Stop[] {
  const { facts, from, client, policies } = world;
  if (!from || !client || client.kind === 'external' || client.kind === 'node') return [];
  const own = facts.policies.seen ? facts.policies.value[client.namespace] : facts.policies;
  if (!policies || (own && !own.seen)) return unseenStop(own ?? facts.policies, ['policy-denies-dns'], failing);
  const asked = replicas.flatMap((pod) => {
    const to = receiverOf(pod.status.podIPs[0]?.ip ?? '', pod, facts.namespaces);
    const ways = (['egress', 'ingress'] as const).flatMap((d) => decided(d, from, to, { port: 53, protocol: 'UDP' }, policies)?.decision ?? []);
    return ways.find((d) => d.verdict === 'denied') ?? ways.find((d) => d.verdict === 'unknown') ?? [];
  });
  const [first] = asked;
  if (!first) return [];
  const certain = asked.length === replicas.length && asked.every((d) => d.verdict === 'denied');
  return [{ fates: failing, certain, why: `to DNS: ${first.why}`, codes: ['policy-denies-dns'] }];
}

/** The Service kube-dns, and the rules for its address on the client's node. */
function serviceStops(world: World): Stop[] {
  const { facts } = world;
  const codes = ['dns-service-broken'] as const;
  if (!facts.dnsService.seen) return unseenStop(facts.dnsService, codes, failing);
  const service = facts.dnsService.value;
  if (!service) return [{ fates: failing, certain: false, why: 'Service kube-dns does not exist', codes }];
  const pods = valueOf(facts.dnsPods);
  if (pods && !pods.some((p) => selects(service.spec.selector, p.metadata.labels)))
    return [{ fates: failing, certain: false, why: 'Service kube-dns selects no DNS pod', codes: [...codes, ...serverFaults] }];
  if (!facts.dnsSlices.seen) return unseenStop(facts.dnsSlices, [...codes, ...proxyFaults], failing);
  const slices = facts.dnsSlices.value;
  const serves = endpointsOf(slices).some((e) => (e.ready || e.serving) && e.protocol === 'UDP');
  const port = service.spec.ports.find((p) => p.protocol === 'UDP');
  const address = service.spec.clusterIPs[0];
  if (!serves || !port)
    return [{ fates: failing, certain: true, why: 'Service kube-dns has no ready endpoint', codes: [...codes, ...serverFaults, 'node-not-ready'] }];
  if (address === undefined) return [];
  const origin = world.client?.hostNetwork ? 'node' : 'pod';
  return stopsThroughRules(world, { service, slices, address, port: port.port, node: world.node, origin }, () => []).map((s) => ({ ...s, fates: failing }));
}

/** The DNS pods and their answers. There is no stop if each one that was asked answered with the right addresses. */
function serverStops({ facts, service }: World, replicas: readonly Pod[], family: Family | undefined): Stop[] {
  if (!facts.dnsPods.seen) return unseenStop(facts.dnsPods, serverFaults, failing);
  if (!replicas.some(isReady)) return [{ fates: failing, certain: true, why: 'no DNS pod is ready', codes: serverFaults }];
  if (!facts.dnsAnswers.seen) return unseenStop(facts.dnsAnswers, serverFaults, failing);
  const answers = Object.values(facts.dnsAnswers.value);
  const asked = answers.flatMap((a) => (a.seen ? [a.value] : []));
  // The other family of a Service of two is a further question to the same replicas; where it was not asked, nothing is known of it.
  const known = family === undefined ? asked : asked.flatMap((a) => a.more.filter((r) => r.question === `${a.question.split(' ')[0]} ${typeOf[family]}`));
  if (family !== undefined && known.length === 0 && asked.length > 0)
    return [{ fates: failing, certain: false, why: `no DNS server was asked for ${typeOf[family]}`, codes: serverFaults }];
  const expected = service?.spec.clusterIPs ?? [];
  const isRight = (a: { addresses: string[] }) =>
    a.addresses.length > 0 && (service?.spec.type === 'ExternalName' || expected.includes('None') || a.addresses.every((x) => expected.includes(x)));
  if ((known.length === answers.length || family !== undefined) && known.length > 0 && known.every(isRight)) return [];
  const wrong = known.filter((a) => !isRight(a));
  const missing = answers.find((a) => !a.seen);
  const why = wrong[0] ? `${wrong[0].question}: ${wrong[0].rcode}` : missing && !missing.seen ? `${missing.what}: ${missing.why}` : 'no DNS server was asked';
  const unseen = wrong.length === 0 ? { unseen: missing && !missing.seen ? missing.reason : ('not-possible' as const) } : {};
  return [{ fates: failing, certain: known.length > 0 && wrong.length === answers.length, why, codes: serverFaults, ...unseen }];
}

/** The client looks names up under a domain that CoreDNS does not serve. Plugins other than kubernetes may answer for it. */
function zoneStops({ facts }: World): Stop[] {
  const resolvConf = valueOf(facts.connections)?.resolvConf;
  const domain = resolvConf == null ? undefined : clusterDomain(parseResolvConf(resolvConf));
  const file = readCorefile(valueOf(facts.corefile));
  const zones = (file && kubernetesZones(file))?.map((z) => z.replace(/\.$/, ''));
  if (domain === undefined || !zones || zones.some((z) => z === '' || domain === z || domain.endsWith(`.${z}`))) return [];
  return [{ fates: failing, certain: false, why: `CoreDNS serves ${zones.join(', ')}, the client asks under ${domain}`, codes: ['dns-zone-mismatch'] }];
}

/** Nodes between the client and the replicas that pass no packets on: they keep it from some replicas, or from all. */
function passingStops(world: World, replicas: readonly Pod[]): Stop[] {
  const each = replicas.map((pod) => dnsServerStops(world, pod));
  const [first] = each.flat();
  return first ? [{ ...first, fates: failing, certain: each.every((stops) => stops.some((s) => s.certain)) }] : [];
}

/** What keeps packets of the client from one DNS pod. */
export const dnsServerStops = (world: World, pod: Pod): Stop[] => forwardingStops(world, pod.status.podIPs[0]?.ip ?? '', placeOf(pod));

/** Replicas that the client itself cannot reach, while it reaches others: a share of its lookups is lost. */
function silentStops({ facts }: World): Stop[] {
  const asked = (valueOf(facts.connections)?.list ?? []).filter((c) => c.hop === 'dns-server' && c.pod !== null && c.target.endsWith('/UDP'));
  const silent = asked.filter((c) => c.outcome === 'dns-timed-out');
  if (silent.length === 0 || silent.length === asked.length) return [];
  return [{ fates: failing, certain: false, why: `${silent.map((c) => c.pod).join(', ')} does not answer the client`, codes: ['dns-pods-down'] }];
}

/** All stops on the way of the Service's name to its address. `family`: of the lookup, where it is not the Service's first. */
export function stopsToName(world: World, family?: Family): Stop[] {
  const replicas = (valueOf(world.facts.dnsPods) ?? []).filter((p) => !isFinished(p) && !p.metadata.deletionTimestamp);
  const addressed = replicas.filter((p) => p.status.podIPs.length > 0);
  const usesCluster = resolverStops(world);
  const absent: Stop[] = world.service === null ? [{ fates: failing, certain: true, why: 'the Service does not exist', codes: ['service-not-found'] }] : [];
  return [
    ...hostsFileStops(world),
    ...usesCluster,
    ...policyStops(world, addressed),
    ...passingStops(world, addressed),
    ...serviceStops(world),
    ...serverStops(world, replicas, family),
    ...zoneStops(world),
    ...silentStops(world),
    ...absent,
  ];
}
