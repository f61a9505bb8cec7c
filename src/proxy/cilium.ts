import ipaddr from 'ipaddr.js';
import { backendsOf, type Handling, hostPort, notHandled, type Packet } from './model.ts';

interface Frontend {
  protocol: string | null;
  backends: { to: string; state: string }[];
}

/** `10.96.0.10:53/UDP`, `[fd00::1]:53`, of some versions with `/i` for the side that looks inward. */
function endOf(text: string): { at: string; protocol: string | null; inward: boolean } | null {
  const [, host = '', port = '', rest = ''] = /^\[?([\da-fA-F.:]+?)\]?:(\d+)((?:\/\w+)*)$/.exec(text) ?? [];
  if (!ipaddr.isValid(host)) return null;
  const parts = rest.split('/').filter((p) => p !== '');
  const protocol = parts.find((p) => /^(TCP|UDP|SCTP)$/i.test(p))?.toUpperCase() ?? null;
  return { at: hostPort(ipaddr.parse(host).toString(), Number(port)), protocol, inward: parts.includes('i') };
}

/**
 * Reads `cilium-dbg service list` (before v1.15: `cilium service list`): where Cilium's replacement of kube-proxy forwards packets.
 * Versions before v1.17 name no protocol: the line then means each. A backend that is terminating is used only where
 * no other is left (docs.cilium.io, "Kubernetes Without kube-proxy", Graceful Termination).
 */
export function readCilium(lines: Iterable<string>, packets: readonly Packet[]): { present: boolean; handled: Handling[] } {
  const wanted = new Set(packets.map((p) => hostPort(p.address, p.port)));
  const frontends = new Map<string, Frontend[]>();
  let present = false;
  let current: Frontend | null = null;
  for (const line of lines) {
    const [, id, frontend] = /^(\d+)\s+(\S+)\s/.exec(line) ?? [];
    if (id !== undefined && frontend !== undefined) {
      const end = endOf(frontend);
      present ||= end !== null;
      current = end && !end.inward && wanted.has(end.at) ? { protocol: end.protocol, backends: [] } : null;
      if (end && current) frontends.set(end.at, [...(frontends.get(end.at) ?? []), current]);
    }
    const [, to = '', state = 'active'] = /\d+ => (\S+)(?: \((\w+)\))?/.exec(line) ?? [];
    const backend = endOf(to);
    if (current && backend) current.backends.push({ to: backend.at, state });
  }
  return {
    present,
    handled: packets.map((p) => handlingOf(frontends.get(hostPort(p.address, p.port))?.find((f) => f.protocol === null || f.protocol === p.protocol))),
  };
}

function handlingOf(frontend: Frontend | undefined): Handling {
  if (!frontend) return notHandled;
  const active = frontend.backends.filter((b) => b.state === 'active');
  const used = active.length > 0 ? active : frontend.backends.filter((b) => b.state === 'terminating');
  if (used.length === 0) return { ...notHandled, verdict: 'rejected', byDefault: false };
  return { ...notHandled, verdict: 'backends', byDefault: false, backends: backendsOf(used.map((b) => [b.to, 1 / used.length] as const)) };
}
