/** What a pod's proxy takes on a port: plain text, mutual TLS, or both. */
import type { MeshPod, PeerAuthentication } from '../facts/mesh.ts';
import { hasLabels } from './matching.ts';
import { inboundBypass, membershipOf, rootNamespace } from './member.ts';

export interface Reference {
  kind: string;
  namespace: string;
  name: string;
}

export interface Accepts {
  plain: boolean;
  mutual: boolean;
  /** The object that decides, or null where none does. */
  by: Reference | null;
  /** `mode STRICT`, `it has no sidecar` */
  why: string;
}

/** Of several policies for the same pods the oldest counts (Istio reference, PeerAuthentication). */
const oldest = <T extends { metadata: { creationTimestamp?: string | null | undefined; name: string } }>(all: readonly T[]): T | undefined =>
  all.toSorted((a, b) => {
    const [one, other] = [a, b].map((x) => `${x.metadata.creationTimestamp ?? ''} ${x.metadata.name}`) as [string, string];
    return one < other ? -1 : 1;
  })[0];

const selectsAll = ({ spec }: PeerAuthentication): boolean => Object.keys(spec.selector?.matchLabels ?? {}).length === 0;
const selectsPod = ({ spec }: PeerAuthentication, pod: MeshPod): boolean => hasLabels(spec.selector?.matchLabels, pod.labels);

/** The PeerAuthentications that can decide for a pod, nearest first: of its labels, of its namespace, of the mesh. */
function inOrder(pod: MeshPod, all: readonly PeerAuthentication[]): PeerAuthentication[] {
  const own = all.filter((p) => p.metadata.namespace === pod.namespace);
  const ofMesh = all.filter((p) => p.metadata.namespace === rootNamespace && selectsAll(p));
  return [oldest(own.filter((p) => !selectsAll(p) && selectsPod(p, pod))), oldest(own.filter(selectsAll)), oldest(ofMesh)].filter((p) => p !== undefined);
}

/** Istio reference, PeerAuthentication: a port's own mode first, then that of the workload, the namespace, the mesh; UNSET inherits; without any, PERMISSIVE. */
export function istioAccepts(pod: MeshPod, port: number, all: readonly PeerAuthentication[]): Accepts {
  const member = membershipOf(pod);
  const bypass = inboundBypass(pod, port);
  if (member === null || bypass !== null)
    return { plain: true, mutual: false, by: null, why: bypass === null ? 'it has no sidecar' : `port ${port} bypasses its sidecar (${bypass})` };
  for (const policy of inOrder(pod, all)) {
    // Ports have modes of their own only where the policy selects a workload.
    const ofPort = selectsAll(policy) ? undefined : policy.spec.portLevelMtls?.[String(port)]?.mode;
    const modes = [ofPort, policy.spec.mtls?.mode];
    const mode = modes.find((m) => m !== undefined && m !== null && m !== 'UNSET');
    if (mode === undefined || mode === null) continue;
    const { namespace, name } = policy.metadata;
    const by = { kind: 'PeerAuthentication', namespace, name };
    const where = mode === ofPort ? ` for port ${port}` : '';
    // Ambient mode does not know DISABLE: it takes both then.
    return {
      plain: mode !== 'STRICT',
      mutual: mode !== 'DISABLE' || member === 'istio-ambient',
      by,
      why: `mode ${mode}${where}`,
    };
  }
  return { plain: true, mutual: true, by: null, why: 'mode PERMISSIVE, the default' };
}
