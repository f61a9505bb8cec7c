/** Planned connections, and their results. */
import type { Connection, Target } from '../facts/facts.ts';
import type { Service, ServicePort } from '../facts/objects.ts';
import { dialledPort, type Endpoint, portsAsked, targetsOf } from '../facts/selectors.ts';
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

const kindOf = (task: Task): Connection['kind'] => (task.kind === 'udp' ? 'udp' : task.kind === 'name' || task.kind === 'ask' ? 'dns' : 'tcp');

/** The results of planned connections from a script's records; a connection that could not be tried is left out. */
export function connectionsOf(planned: readonly Planned[], records: readonly Record[]): Connection[] {
  const byId = new Map(records.map((r) => [r.id, r]));
  return planned.flatMap(({ task, ...p }, i): Connection[] => {
    const record = byId.get(String(i));
    const reading = record && read(task, record);
    return reading ? [{ kind: kindOf(task), ...p, ...reading }] : [];
  });
}
