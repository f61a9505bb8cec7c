/** Whether one pod serves one port. The best evidence decides: a connection, its sockets, its loopback, its declared ports. */
import ipaddr from 'ipaddr.js';
import type { Draft, Evidence } from '../catalog/finding.ts';
import type { Connection, Listeners } from '../facts/facts.ts';
import type { Pod, Protocol } from '../facts/objects.ts';
import { hasSidecar, sidecarPorts } from '../mesh/member.ts';
import { declaredPorts, type Family, familyOf, isReady, lasting, probedPorts } from '../facts/selectors.ts';

export type ServingCode = 'target-port-not-listening' | 'listens-on-loopback' | 'protocol-mismatch';

export interface Serving {
  /** null where the pod serves the port. */
  code: ServingCode | null;
  confidence: Draft['confidence'];
  evidence: Evidence[];
  /** Other ports that are open in the pod, or that it declares. */
  elsewhere: number[];
  /** The loopback address that it listens on, for `listens-on-loopback`. */
  loopback: string;
  /** The family of addresses on which nothing listens, while something does on the other. */
  family?: Family;
}

/** What connections are made to. */
export interface Served {
  port: number;
  protocol: Protocol;
  /** Of the endpoint: a program may listen on addresses of one family only. */
  address: string;
}

const firstFew = (items: readonly string[]): string => `${items.slice(0, 5).join(', ')}${items.length > 5 ? ` and ${items.length - 5} more` : ''}`;

const isLoopback = (address: string) => ipaddr.isValid(address) && ipaddr.parse(address).range() === 'loopback';

const verdict = (code: Serving['code'], confidence: Serving['confidence'], evidence: Evidence[], more: Partial<Serving> = {}): Serving => ({
  code,
  confidence,
  evidence,
  elsewhere: [],
  loopback: '',
  ...more,
});

/** From the pod's own sockets, the best evidence. */
function bySockets(name: string, { port, protocol, address }: Served, sockets: NonNullable<Listeners['sockets']>): Serving {
  const transport = protocol === 'UDP' ? 'udp' : 'tcp';
  const own = sockets.filter((s) => s.protocol === transport);
  const evidence: Evidence[] = [
    {
      source: 'sockets',
      text: `${name} listens on ${firstFew(own.map((s) => `${s.address}:${s.port}`)) || `no ${protocol} port`}`,
    },
  ];
  // A socket of IPv6 takes connections of IPv4, too, unless its program asked otherwise (ipv6(7), IPV6_V6ONLY); one of IPv4 never the other way.
  const family = familyOf(address);
  const reachable = own.filter((s) => !isLoopback(s.address));
  const onIPv4 = family === 'IPv6' && reachable.find((s) => s.port === port);
  const open = [...new Set(reachable.filter((s) => family === 'IPv4' || familyOf(s.address) === family).map((s) => s.port))];
  if (open.includes(port)) return verdict(null, 'confirmed', evidence);
  if (onIPv4) return verdict('target-port-not-listening', 'confirmed', evidence, { family });
  const onLoopback = own.find((s) => s.port === port);
  if (onLoopback) return verdict('listens-on-loopback', 'confirmed', evidence, { loopback: onLoopback.address });
  const other = sockets.find((s) => s.protocol !== transport && s.port === port);
  if (other)
    return verdict('protocol-mismatch', 'confirmed', [
      { source: 'sockets', text: `${name} listens on ${other.protocol.toUpperCase()} ${other.address}:${port}` },
    ]);
  return verdict('target-port-not-listening', 'confirmed', evidence, { elsewhere: open });
}

/** From port-forwards, which connect to the pod's loopback; a program that listens on the pod's address only refuses them. */
function byForward(name: string, port: number, forwarded: Listeners['forwarded'], refused: boolean): Serving | undefined {
  const here = forwarded[String(port)];
  const elsewhere = Object.keys(forwarded)
    .map(Number)
    .filter((p) => p !== port && forwarded[String(p)] === 'answered');
  const evidence = Object.entries(forwarded).map(([p, answer]) => ({ source: 'port-forward', text: `${name}, port ${p} on its loopback: ${answer}` }));
  if (here === 'answered')
    return refused ? verdict('listens-on-loopback', 'confirmed', evidence, { loopback: '127.0.0.1' }) : verdict(null, 'likely', evidence);
  if (refused && here === 'refused') return verdict('target-port-not-listening', 'confirmed', evidence, { elsewhere });
  if (here === 'refused') return verdict('target-port-not-listening', elsewhere.length > 0 ? 'likely' : 'possible', evidence, { elsewhere });
  return undefined;
}

/** That the pod's readiness probe succeeds on the port: the kubelet connects to the pod's own address, so something listens there. */
function probeOn(pod: Pod, port: number): Evidence[] {
  const named = lasting(pod.spec).flatMap((c) => c.ports);
  const isProbed = probedPorts(pod).some((p) => (typeof p === 'string' ? named.find((c) => c.name === p)?.containerPort : p) === port);
  return isProbed && isReady(pod) ? [{ source: 'pods', text: `the readiness probe of ${pod.metadata.name} succeeds on port ${port}` }] : [];
}

/** From the declared ports, which are only documentation: a hint, and none where a probe of the pod uses the port. */
function byDeclaration(pod: Pod, port: number, protocol: Protocol): Serving | undefined {
  const succeeding = probeOn(pod, port);
  if (protocol === 'TCP' && succeeding.length > 0) return verdict(null, 'likely', succeeding);
  const declared = declaredPorts(pod, protocol);
  const probed = probedPorts(pod).filter((p) => typeof p === 'number');
  if (declared.length === 0 || declared.includes(port) || probed.includes(port)) return undefined;
  const text = `${pod.metadata.name} declares ${firstFew(declared.map(String))}${probed.length > 0 ? `, and its probe succeeds on ${probed.join(', ')}` : ''}`;
  return verdict('target-port-not-listening', 'possible', [{ source: 'pods', text }], { elsewhere: declared });
}

/**
 * A refusal alone: nothing listens at the pod's own address. Over UDP that is all; over TCP a program on the loopback looks the
 * same, unless the pod declares other ports only.
 */
function byRefusal(pod: Pod, port: number, protocol: Protocol): Serving | undefined {
  const declared = declaredPorts(pod, protocol);
  if (protocol === 'TCP' && (declared.length === 0 || declared.includes(port))) return undefined;
  const text = `${pod.metadata.name} declares ${firstFew(declared.map(String)) || 'no port'}`;
  return verdict('target-port-not-listening', 'likely', [{ source: 'pods', text }], { elsewhere: declared });
}

/** What a pod listens on without what its sidecar does. */
const withoutSidecar = ({ sockets, forwarded }: Listeners): Listeners => ({
  sockets: sockets && sockets.filter((s) => !sidecarPorts.includes(s.port)),
  forwarded: Object.fromEntries(Object.entries(forwarded).filter(([port]) => !sidecarPorts.includes(Number(port)))),
});

/** Undefined where nothing is known. `listening` is absent where the pod's sockets were not read, `tried` where no connection was made. */
export function servingOf(pod: Pod, to: Served, listening: Listeners | undefined, tried: Connection | undefined): Serving | undefined {
  const { port, protocol } = to;
  if (tried?.outcome === 'answered') return verdict(null, 'confirmed', []);
  const own = listening && hasSidecar(pod) ? withoutSidecar(listening) : listening;
  if (own?.sockets) return bySockets(pod.metadata.name, to, own.sockets);
  const refused = tried?.outcome === 'refused';
  // A port-forward speaks TCP only: it shows nothing about a UDP program.
  const byLoopback = protocol === 'TCP' && own ? byForward(pod.metadata.name, port, own.forwarded, refused) : undefined;
  // The kubelet asks the first of the pod's addresses. What refuses is on the way then.
  const succeeding = familyOf(to.address) === familyOf(pod.status.podIPs[0]?.ip ?? '') ? probeOn(pod, port) : [];
  if (byLoopback?.code === 'listens-on-loopback' && succeeding.length > 0) return verdict(null, 'likely', [...byLoopback.evidence, ...succeeding]);
  return byLoopback ?? (refused ? byRefusal(pod, port, protocol) : tried ? undefined : byDeclaration(pod, port, protocol));
}
