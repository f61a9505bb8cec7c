import ipaddr from 'ipaddr.js';
import * as v from 'valibot';
import { backendsOf, type Handling, hostPort, notHandled, type Packet } from './model.ts';

const address = v.object({ ip: v.string(), port: v.number(), protocol: v.nullish(v.string()) });
const service = v.object({
  'frontend-address': v.object({ ...address.entries, scope: v.nullish(v.string()) }),
  'backend-addresses': v.nullish(v.array(v.object({ ...address.entries, state: v.nullish(v.string()), weight: v.nullish(v.number()) })), []),
});
/** Of each Service what is asked for, and what the datapath has (cilium, api/v1/openapi.yaml, Service). */
const list = v.array(v.object({ spec: v.nullish(service), status: v.nullish(v.object({ realized: v.nullish(service) })) }));

type Service = v.InferOutput<typeof service>;

const endOf = ({ ip, port }: { ip: string; port: number }): string | null => (ipaddr.isValid(ip) ? hostPort(ipaddr.parse(ip).toString(), port) : null);

/** Versions before v1.17 name no protocol, or ANY: the entry then means each. */
const isFor = (protocol: string | null | undefined, packet: Packet) =>
  !protocol || /^(any|none)$/i.test(protocol) || protocol.toUpperCase() === packet.protocol;

/**
 * Reads `cilium-dbg service list -o json` (before v1.15: `cilium service list -o json`): where Cilium's replacement of kube-proxy
 * forwards packets. A backend that is terminating is used only where no other is left, and one in maintenance or quarantined never
 * (docs.cilium.io, "Kubernetes Without kube-proxy", Graceful Termination). An entry of scope `internal` is for another way in.
 * Undefined where the text is no such list.
 */
export function readCilium(text: string, packets: readonly Packet[]): { present: boolean; handled: Handling[] } | undefined {
  let written: unknown;
  try {
    written = JSON.parse(text);
  } catch {
    return undefined;
  }
  const seen = v.safeParse(list, written);
  if (!seen.success) return undefined;
  const frontends = new Map<string, Service[]>();
  for (const { spec, status } of seen.output) {
    const own = status?.realized ?? spec;
    const at = own && endOf(own['frontend-address']);
    if (own && at && own['frontend-address'].scope !== 'internal') frontends.set(at, [...(frontends.get(at) ?? []), own]);
  }
  const found = (p: Packet) => frontends.get(hostPort(p.address, p.port))?.find((s) => isFor(s['frontend-address'].protocol, p));
  return { present: frontends.size > 0, handled: packets.map((p) => handlingOf(found(p))) };
}

function handlingOf(found: Service | undefined): Handling {
  if (!found) return notHandled;
  const backends = (found['backend-addresses'] ?? []).flatMap((b) => {
    const to = endOf(b);
    return to === null ? [] : [{ to, state: b.state ?? 'active', weight: b.weight ?? 100 }];
  });
  const active = backends.filter((b) => b.state === 'active' && b.weight > 0);
  const used = active.length > 0 ? active : backends.filter((b) => b.state === 'terminating');
  if (used.length === 0) return { ...notHandled, verdict: 'rejected', byDefault: false };
  return { ...notHandled, verdict: 'backends', byDefault: false, backends: backendsOf(used.map((b) => [b.to, 1 / used.length] as const)) };
}
