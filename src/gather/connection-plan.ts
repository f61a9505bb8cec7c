/** Planned connections, and their results. */
import type { Connection, Target } from '../facts/facts.ts';
import type { Pod, Service, ServicePort } from '../facts/objects.ts';
import { dialledPort, type Endpoint, familiesOf, familyOf, isHeadless, portsAsked, targetsOf } from '../facts/selectors.ts';
import { read } from '../probes/outcome.ts';
import type { Record, Task } from '../probes/script.ts';
import { hostPort } from '../proxy/model.ts';

export type Planned<T extends Task = Task> = { task: T } & Pick<Connection, 'hop' | 'target' | 'servicePort' | 'pod' | 'node'>;

type ToEndpoint = Planned<Task & { kind: 'tcp' | 'udp' }>;

/** Each endpoint that gets requests of the wanted ports, once for each Service port, on the port that clients connect to. */
export const toEndpoints = (service: Service, port: Target['port'], endpoints: readonly Endpoint[]): ToEndpoint[] =>
  eachEndpoint(service, port, endpoints, 'endpoint', (p, e) => dialledPort(service, p, e));

/** Where clients of a headless Service connect to another port than its targetPort, that one too: a hint to the right port. */
export const toTargetPorts = (service: Service, port: Target['port'], endpoints: readonly Endpoint[]): ToEndpoint[] =>
  eachEndpoint(service, port, endpoints, 'target-port', (p, e) => (dialledPort(service, p, e) === e.port ? null : e.port));

function eachEndpoint(
  service: Service,
  port: Target['port'],
  endpoints: readonly Endpoint[],
  hop: 'endpoint' | 'target-port',
  numberOf: (port: ServicePort, endpoint: Endpoint) => number | null,
): ToEndpoint[] {
  const wanted = (portsAsked(service, port) ?? []).flatMap((p) => {
    if (p.protocol === 'SCTP') return [];
    const kind: 'tcp' | 'udp' = p.protocol === 'UDP' ? 'udp' : 'tcp';
    return targetsOf(p, endpoints).flatMap((e): ToEndpoint[] => {
      const number = numberOf(p, e);
      if (number === null) return [];
      return [{ task: { kind, host: e.address, port: number }, hop, target: hostPort(e.address, number), servicePort: p.port, pod: e.pod, node: e.node }];
    });
  });
  // An address can be in several EndpointSlices.
  return wanted.filter((p, i) => wanted.findIndex((q) => q.target === p.target && q.task.kind === p.task.kind && q.servicePort === p.servicePort) === i);
}

/** Whether a Service port speaks TLS, as far as its name and number show it (appProtocol is mostly not set). */
export function speaksTls(service: Service, servicePort: number | null): boolean {
  const port = service.spec.ports.find((p) => p.port === servicePort);
  return port !== undefined && (/^(https|tls|ssl)/.test(port.name) || port.port === 443 || port.port === 8443);
}

/** With more endpoints than this, so many are tried; the diagnosis says how many there are. */
const maxEndpoints = 24;
/** Replicas of the cluster's DNS; over TCP the first few of them. */
const maxDnsPods = 32;
const maxDnsOverTcp = 3;
/** Each takes a few processes in the client's container, which may have little to run them with. */
const maxPayloads = 6;

/** A server that could answer for the name, asked by itself where the name does not resolve. */
export interface DnsServer {
  address: string;
  pod: string | null;
  node: string | null;
}

/** The virtual IP of the cluster's DNS, and a few of its pods. */
export function dnsServers(service: Service | null | undefined, pods: readonly Pod[]): DnsServer[] {
  const virtual = (service?.spec.clusterIPs ?? []).slice(0, 1).map((address) => ({ address, pod: null, node: null }));
  const running = pods.filter((p) => p.status.phase === 'Running' && p.status.podIPs[0]).slice(0, maxDnsPods);
  return [...virtual, ...running.map((p) => ({ address: p.status.podIPs[0]?.ip ?? '', pod: p.metadata.name, node: p.spec.nodeName ?? null }))];
}

/** The same endpoints, to send them more than a packet holds and see whether anything comes back: of each node one in each family, then more. */
function payloads(tried: readonly ToEndpoint[]): Planned[] {
  const perNode = [...Map.groupBy(tried, (p) => `${p.node} ${familyOf(p.task.host)}`).values()];
  const spread = tried.map((_, round) => perNode.flatMap((own) => own[round] ?? [])).flat();
  return spread
    .slice(0, maxPayloads)
    .flatMap((p) => (p.task.kind === 'tcp' ? [{ ...p, hop: 'payload' as const, task: { ...p.task, kind: 'payload' as const } }] : []));
}

/** One GET to each virtual IP and endpoint, under the Service's own name. */
const httpRequests = (tried: readonly Planned[], service: Service, name: string, path: string): Planned[] =>
  tried.flatMap((p) => {
    if (p.task.kind !== 'tcp') return [];
    const tls = speaksTls(service, p.servicePort);
    return [{ ...p, hop: 'http' as const, task: { kind: 'http' as const, host: p.task.host, port: p.task.port, tls, name, path } }];
  });

/** Which connections prove the Service: its name, its virtual IPs, and each endpoint directly. `client`: its addresses, none where they are not known. */
export function plan(
  service: Service,
  target: Target,
  endpoints: readonly Endpoint[],
  domain: string,
  servers: readonly DnsServer[],
  client: readonly string[],
): { planned: Planned[]; total: number } {
  const external = service.spec.type === 'ExternalName' ? (service.spec.externalName ?? '').replace(/\.$/, '') : undefined;
  const inCluster = `${target.name}.${target.namespace}.svc`;
  const all = familiesOf(service);
  // Of a Service of two families a client uses those that it has itself.
  const own = all.filter((f) => client.length === 0 || client.some((a) => familyOf(a) === f));
  const isUsed = (address: string) => own.length === 0 || own.includes(familyOf(address));
  const types = (own.length > 0 ? own : all).map((f) => (f === 'IPv6' ? ('AAAA' as const) : ('A' as const)));
  const [type = 'A'] = types;
  const planned: Planned[] = (external === undefined && types.length > 0 ? types : (['A'] as const)).map((t) => ({
    task: external === undefined ? { kind: 'name', name: inCluster, domain, type: t } : { kind: 'name', name: external, type: t },
    hop: 'name',
    target: external ?? `${inCluster}.${domain}${t === type ? '' : ` (${t})`}`,
    servicePort: null,
    pod: null,
    node: null,
  }));
  const asked = external === undefined ? { name: inCluster, domain } : { name: external };
  for (const [i, { address, pod, node }] of servers.entries())
    for (const tcp of i > maxDnsOverTcp ? [false] : [false, true])
      planned.push({
        // Each replica is asked; over TCP, and by the virtual IP, only where that shows more.
        task: { kind: 'ask', server: address, tcp, always: pod !== null && !tcp, ...asked, type },
        hop: 'dns-server',
        target: `${hostPort(address, 53)}/${tcp ? 'TCP' : 'UDP'}`,
        servicePort: null,
        pod,
        node,
      });
  if (!isHeadless(service))
    for (const port of portsAsked(service, target.port) ?? [])
      for (const ip of port.protocol === 'SCTP' ? [] : service.spec.clusterIPs.filter(isUsed))
        planned.push({
          task: { kind: port.protocol === 'UDP' ? 'udp' : 'tcp', host: ip, port: port.port },
          hop: 'virtual-ip',
          target: hostPort(ip, port.port),
          servicePort: port.port,
          pod: null,
          node: null,
        });
  // The same address serves several Service ports at times: one connection for each is enough.
  const reached = endpoints.filter((e) => isUsed(e.address));
  const distinct = toEndpoints(service, target.port, reached);
  const tried = distinct.slice(0, maxEndpoints);
  const virtual = planned.filter((p) => p.hop === 'virtual-ip');
  const requests = target.http === undefined ? [] : httpRequests([...virtual, ...tried], service, inCluster, target.http);
  const hints = toTargetPorts(service, target.port, reached).slice(0, maxPayloads);
  return { planned: [...planned, ...tried, ...hints, ...payloads(tried), ...requests], total: distinct.length };
}

export const kindOf = (task: Task): Connection['kind'] => (task.kind === 'udp' ? 'udp' : task.kind === 'name' || task.kind === 'ask' ? 'dns' : 'tcp');

/** The results of planned connections from a script's records; a connection that could not be tried is left out. */
export function connectionsOf(planned: readonly Planned[], records: readonly Record[]): Connection[] {
  const byId = new Map(records.map((r) => [r.id, r]));
  return planned.flatMap(({ task, ...p }, i): Connection[] => {
    const record = byId.get(String(i));
    const reading = record && read(task, record);
    return reading ? [{ kind: kindOf(task), ...p, ...reading }] : [];
  });
}
