/** Connections of this machine itself, to the load balancer's addresses. */
import { connect } from 'node:net';
import type { Connection } from '../facts/facts.ts';
import type { Service, ServicePort } from '../facts/objects.ts';
import { hostPort } from '../proxy/model.ts';

const timeoutMs = 3000;

const outcomes: Record<string, Connection['outcome']> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EHOSTUNREACH: 'no-route',
  ENETUNREACH: 'no-route',
  ETIMEDOUT: 'timed-out',
  ENOTFOUND: 'name-not-found',
  EAI_AGAIN: 'dns-timed-out',
};

type Reading = Pick<Connection, 'outcome' | 'latencyMs' | 'detail' | 'answers'>;

/** Opens a TCP connection and closes it. */
function tried(host: string, port: number): Promise<Reading> {
  const started = performance.now();
  const ms = () => Math.round((performance.now() - started) * 10) / 10;
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const done = (outcome: Connection['outcome'], detail: string) => {
      socket.destroy();
      resolve({ outcome, latencyMs: ms(), detail, answers: [] });
    };
    socket.on('connect', () => done('answered', ''));
    socket.on('timeout', () => done('timed-out', ''));
    socket.on('error', (error: NodeJS.ErrnoException) => done(outcomes[error.code ?? ''] ?? 'no-route', error.message));
  });
}

/** Each address of the load balancer, on each TCP port of the Service. */
export function toLoadBalancer(service: Service, ports: readonly ServicePort[]): Promise<Connection[]> {
  const addresses = (service.status.loadBalancer.ingress ?? []).flatMap((i) => i.ip ?? i.hostname ?? []);
  return Promise.all(
    addresses.flatMap((address) =>
      ports
        .filter((p) => p.protocol === 'TCP')
        .map(async ({ port }): Promise<Connection> => {
          const base = { kind: 'tcp' as const, hop: 'load-balancer' as const, target: hostPort(address, port), servicePort: port, pod: null, node: null };
          return { ...base, from: 'this machine', ...(await tried(address, port)) };
        }),
    ),
  );
}
