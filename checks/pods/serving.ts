/** What one pod does with one port, from the best that is known: a connection, its sockets, its loopback, what it declares. */
import ipaddr from 'ipaddr.js';
import type { Connection, Listeners } from '../../src/facts/facts.ts';
import type { Pod, Protocol } from '../../src/facts/objects.ts';
import type { Draft, Evidence } from '../check.ts';
import { some } from '../format.ts';

export type ServingCode = 'target-port-not-listening' | 'listens-on-loopback' | 'protocol-mismatch';

export interface Serving {
  /** null where the pod serves the port. */
  code: ServingCode | null;
  confidence: Draft['confidence'];
  evidence: Evidence[];
  /** Other ports that the pod has open, or declares. */
  elsewhere: number[];
  /** The loopback address that it listens on, for `listens-on-loopback`. */
  loopback: string;
}

const isLoopback = (address: string) => ipaddr.isValid(address) && ipaddr.parse(address).range() === 'loopback';

const verdict = (code: Serving['code'], confidence: Serving['confidence'], evidence: Evidence[], more: Partial<Serving> = {}): Serving => ({
  code,
  confidence,
  evidence,
  elsewhere: [],
  loopback: '',
  ...more,
});

/** By the pod's own sockets: nothing is surer. */
function bySockets(name: string, port: number, protocol: Protocol, sockets: NonNullable<Listeners['sockets']>): Serving {
  const transport = protocol === 'UDP' ? 'udp' : 'tcp';
  const own = sockets.filter((s) => s.protocol === transport);
  const evidence: Evidence[] = [
    {
      source: 'sockets',
      text: `${name} listens on ${
        some(
          own.map((s) => `${s.address}:${s.port}`),
          5,
        ) || `no ${protocol} port`
      }`,
    },
  ];
  const open = [...new Set(own.filter((s) => !isLoopback(s.address)).map((s) => s.port))];
  if (open.includes(port)) return verdict(null, 'confirmed', evidence);
  const onLoopback = own.find((s) => s.port === port);
  if (onLoopback) return verdict('listens-on-loopback', 'confirmed', evidence, { loopback: onLoopback.address });
  const other = sockets.find((s) => s.protocol !== transport && s.port === port);
  if (other)
    return verdict('protocol-mismatch', 'confirmed', [
      { source: 'sockets', text: `${name} listens on ${other.protocol.toUpperCase()} ${other.address}:${port}` },
    ]);
  return verdict('target-port-not-listening', 'confirmed', evidence, { elsewhere: open });
}

/** By port-forwards, which connect to the pod's loopback: a program may listen on the pod's address alone, and refuse them. */
function byForward(name: string, port: number, forwarded: Listeners['forwarded'], refused: boolean): Serving | undefined {
  const here = forwarded[String(port)];
  const elsewhere = Object.keys(forwarded)
    .map(Number)
    .filter((p) => p !== port && forwarded[String(p)] === 'answered');
  const evidence = Object.entries(forwarded).map(([p, answer]) => ({ source: 'port-forward', text: `${name}, port ${p} on its loopback: ${answer}` }));
  if (here === 'answered')
    return refused ? verdict('listens-on-loopback', 'confirmed', evidence, { loopback: '127.0.0.1' }) : verdict(null, 'likely', evidence);
  if (refused) return verdict('target-port-not-listening', 'confirmed', evidence, { elsewhere });
  if (here === 'refused') return verdict('target-port-not-listening', elsewhere.length > 0 ? 'likely' : 'possible', evidence, { elsewhere });
  return undefined;
}

/** By what the pod declares, which is documentation: a suspicion at most, and none where a probe of the pod uses the port. */
function byDeclaration(pod: Pod, port: number, protocol: Protocol): Serving | undefined {
  const declared = pod.spec.containers.flatMap((c) => c.ports.filter((p) => p.protocol === protocol).map((p) => p.containerPort));
  const probed = pod.spec.containers.flatMap((c) => [c.readinessProbe?.httpGet?.port, c.readinessProbe?.tcpSocket?.port]).filter((p) => typeof p === 'number');
  if (declared.length === 0 || declared.includes(port) || probed.includes(port)) return undefined;
  const text = `${pod.metadata.name} declares ${some(declared.map(String))}${probed.length > 0 ? `, and its probe succeeds on ${probed.join(', ')}` : ''}`;
  return verdict('target-port-not-listening', 'possible', [{ source: 'pods', text }], { elsewhere: declared });
}

/** Undefined where nothing is known. `listening` is absent where the pod was not looked into, `tried` where no connection was made. */
export function servingOf(pod: Pod, port: number, protocol: Protocol, listening: Listeners | undefined, tried: Connection | undefined): Serving | undefined {
  if (tried?.outcome === 'answered') return verdict(null, 'confirmed', []);
  if (listening?.sockets) return bySockets(pod.metadata.name, port, protocol, listening.sockets);
  if (listening || tried) return byForward(pod.metadata.name, port, listening?.forwarded ?? {}, tried?.outcome === 'refused');
  return byDeclaration(pod, port, protocol);
}
