import ipaddr from 'ipaddr.js';
import { backendsOf, type Handling, hostPort, keyOf, notHandled, type Packet } from './model.ts';

interface Virtual {
  scheduler: string;
  affinitySeconds: number | null;
  real: { to: string; weight: number }[];
}

/** Schedulers that use a backend's weight only to leave out those of weight 0 (ipvsadm(8)). */
const byTurns = new Set(['rr', 'lc', 'sh', 'dh', 'sed', 'nq', 'lblc', 'lblcr', 'mh']);

/** `10.96.0.1:443`, `[fd00::1]:443`, or in hexadecimal as /proc/net/ip_vs has it: `0A600001:01BB`. */
function endpointOf(text: string): { address: string; port: number } | null {
  const [, host = '', port = ''] = /^\[?([^\]]+?)\]?:(\w+)$/.exec(text) ?? [];
  const hex = /^[0-9A-F]{8}$/i.test(host) && port.length === 4;
  if (hex) return { address: [0, 2, 4, 6].map((i) => Number.parseInt(host.slice(i, i + 2), 16)).join('.'), port: Number.parseInt(port, 16) };
  if (!ipaddr.isValid(host)) return null;
  const six = host.includes(':');
  // In /proc an IPv6 address is written out in full, and only there its port has four hexadecimal digits.
  const full = six && host.split(':').length === 8 && host.split(':').every((g) => g.length === 4);
  return { address: six ? ipaddr.parse(host).toString() : host, port: full && port.length === 4 ? Number.parseInt(port, 16) : Number(port) };
}

/**
 * Reads `ipvsadm -Ln` or /proc/net/ip_vs for the wanted packets. Masquerading and source ranges are in iptables and
 * ipsets, which this does not read.
 */
export function readIpvs(lines: Iterable<string>, packets: readonly Packet[]): { present: boolean; handled: Handling[] } {
  const wanted = new Set(packets.map(keyOf));
  const found = new Map<string, Virtual>();
  let present = false;
  let current: Virtual | null = null;
  for (const line of lines) {
    const virtual = /^(TCP|UDP|SCTP)\s+(\S+)\s+(\S+)(.*)$/.exec(line);
    if (virtual) {
      present = true;
      const [, protocol, at = '', scheduler = '', flags = ''] = virtual;
      const end = endpointOf(at);
      const key = end && keyOf({ ...end, protocol: protocol as 'TCP' });
      const kept = /persistent (\d+)/.exec(flags)?.[1];
      current = key && wanted.has(key) ? { scheduler, affinitySeconds: kept === undefined ? null : Number(kept), real: [] } : null;
      if (key && current) found.set(key, current);
      continue;
    }
    const real = /^\s*->\s+(\S+)\s+\S+\s+(\d+)\s/.exec(`${line} `);
    const end = real && current ? endpointOf(real[1] ?? '') : null;
    if (real && current && end) current.real.push({ to: hostPort(end.address, end.port), weight: Number(real[2]) });
  }
  return { present, handled: packets.map((p) => handlingOf(found.get(keyOf(p)))) };
}

function handlingOf(virtual: Virtual | undefined): Handling {
  if (!virtual) return notHandled;
  const open = virtual.real.filter((r) => r.weight > 0);
  // Without a destination, IPVS answers with "port unreachable" (Linux, net/netfilter/ipvs, ip_vs_leave).
  if (open.length === 0) return { ...notHandled, verdict: 'rejected', byDefault: false };
  const parts = open.map((r) => (byTurns.has(virtual.scheduler) ? 1 : r.weight));
  const sum = parts.reduce((a, b) => a + b, 0);
  const backends = backendsOf(open.map((r, i) => [r.to, (parts[i] ?? 0) / sum] as const));
  return { ...notHandled, verdict: 'backends', byDefault: false, backends, affinitySeconds: virtual.affinitySeconds };
}
