/** What a mesh makes of one connection: what leaves the client, what the pod's proxy takes, and whether its policies let it in. */
import { valueOf } from '../facts/fact.ts';
import type { FactTypes } from '../facts/facts.ts';
import type { MeshPod } from '../facts/mesh.ts';
import type { ServiceName } from './hosts.ts';
import { type Admission, istioAdmits, type Peer } from './istio-authorization.ts';
import { namesService, rulesFor, sidecarOf, tlsOf } from './istio-routes.ts';
import { linkerdAdmits } from './linkerd.ts';
import { inboundBypass, membershipOf, outboundBypass, proxyText } from './member.ts';
import { type Accepts, istioAccepts, type Reference } from './mutual-tls.ts';

export type Mesh = NonNullable<FactTypes['mesh']>;

/** Who sends: a pod, or (null) somebody outside the mesh: a debug pod, a node, a client outside the cluster. */
export interface Sender {
  pod: MeshPod | null;
  addresses: readonly string[];
}

/** One port of one pod behind a Service. */
export interface Receiver {
  pod: MeshPod;
  /** The pod's own. */
  port: number;
  service: ServiceName;
  servicePort: number;
  /** The address that the client connects to: the virtual IP, or of a headless Service the pod's. */
  dialled: string;
  /** Whether the proxies read the port as HTTP. */
  isHttp: boolean | 'maybe';
  /** Of the request, where it is known. */
  path: string | undefined;
}

/** `mutual`: TLS of the mesh itself; `tls`: TLS that a DestinationRule has the proxy begin; `none`: it does not leave the client. */
export type Wire = 'plain' | 'mutual' | 'tls' | 'none';

export interface Sends {
  /** More than one where no fact decides. */
  wires: readonly Wire[];
  by: Reference | null;
  why: string;
}

const plain = (why: string, by: Reference | null = null): Sends => ({ wires: ['plain'], by, why });

/** Istio reference, ClientTLSSettings.TLSmode. */
function byRule(mode: string, by: Reference): Sends | undefined {
  if (mode === 'DISABLE') return plain('tls.mode DISABLE', by);
  if (mode === 'ISTIO_MUTUAL') return { wires: ['mutual'], by, why: 'tls.mode ISTIO_MUTUAL' };
  return mode === 'SIMPLE' || mode === 'MUTUAL' ? { wires: ['tls'], by, why: `tls.mode ${mode}` } : undefined;
}

/** What leaves the client for a pod. Without a rule, proxies use mutual TLS where the other side has a proxy that takes it. */
export function sends(mesh: Mesh, { pod: client }: Sender, to: Receiver, accepts: Accepts): Sends {
  const member = client && membershipOf(client);
  if (!client || !member) return plain('it is outside the mesh');
  const bypass = outboundBypass(client, to.dialled, to.servicePort);
  if (bypass !== null)
    return plain(`${to.dialled}:${to.servicePort} bypasses its proxy (${bypass})`, { kind: 'Pod', namespace: client.namespace, name: client.name });
  const auto: Sends = accepts.mutual ? { wires: ['mutual'], by: null, why: `it has ${proxyText[member]}` } : plain('the other side takes no mutual TLS');
  if (member !== 'istio-sidecar') return auto;
  const limit = sidecarOf(client, valueOf(mesh.sidecars) ?? []);
  if (limit && !namesService(limit, to.service, to.servicePort)) {
    const { namespace, name } = limit.metadata;
    const mode = limit.spec.outboundTrafficPolicy?.mode;
    return {
      wires: mode === 'REGISTRY_ONLY' ? ['none'] : mode === 'ALLOW_ANY' ? ['plain'] : ['plain', 'none'],
      by: { kind: 'Sidecar', namespace, name },
      why: 'its egress hosts do not name the Service',
    };
  }
  const rule = tlsOf(rulesFor(client, to.service, valueOf(mesh.destinationRules) ?? []), to.servicePort, undefined);
  return (rule && byRule(rule.mode, rule.by)) ?? auto;
}

/** What a pod's proxy takes on a port. Linkerd's proxies take both; its policies decide who is let in. */
export function accepts(mesh: Mesh, pod: MeshPod, port: number): Accepts {
  if (membershipOf(pod) !== 'linkerd') return istioAccepts(pod, port, valueOf(mesh.peerAuthentications) ?? []);
  const bypass = inboundBypass(pod, port);
  return bypass === null
    ? { plain: true, mutual: true, by: null, why: 'it has a Linkerd proxy' }
    : { plain: true, mutual: false, by: null, why: `port ${port} bypasses its proxy (${bypass})` };
}

const isTaken = (wire: Wire, taken: Accepts): boolean => (wire === 'mutual' ? taken.mutual : wire === 'plain' ? taken.plain : wire === 'tls' && taken.plain);

export interface Way {
  sends: Sends;
  accepts: Accepts;
  /** What the receiving proxy takes of what is sent; `open` where no fact decides. */
  tls: 'taken' | 'refused' | 'open';
  admission: Admission;
}

const bypassed: Admission = { verdict: 'allowed', by: null, why: 'nothing in front of the program decides' };

/** What becomes of one connection in the mesh; null where neither side is in one. */
export function meshWay(mesh: Mesh, from: Sender, to: Receiver): Way | null {
  const member = membershipOf(to.pod);
  if (member === null && (from.pod === null || membershipOf(from.pod) === null)) return null;
  const taken = accepts(mesh, to.pod, to.port);
  const sent = sends(mesh, from, to, taken);
  const fits = sent.wires.map((w) => isTaken(w, taken));
  const tls = fits.every(Boolean) ? 'taken' : fits.some(Boolean) ? 'open' : 'refused';
  const isMutual = sent.wires.length === 1 && sent.wires[0] === 'mutual';
  const peer: Peer = {
    identity: isMutual && from.pod ? { namespace: from.pod.namespace, serviceAccount: from.pod.serviceAccount } : null,
    addresses: from.addresses,
  };
  const admission =
    member === 'linkerd'
      ? linkerdAdmits(to.pod, peer, to.port, mesh)
      : member === null || inboundBypass(to.pod, to.port) !== null
        ? bypassed
        : // Ambient mode's own proxy reads no HTTP.
          istioAdmits(
            to.pod,
            peer,
            { port: to.port, isHttp: member === 'istio-ambient' ? false : to.isHttp, path: to.path },
            valueOf(mesh.authorizations) ?? [],
          );
  return { sends: sent, accepts: taken, tls, admission };
}
