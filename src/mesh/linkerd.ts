/** Whether Linkerd's policies let a connection in (Linkerd reference, "Authorization Policy"). */
import type { FactTypes } from '../facts/facts.ts';
import { valueOf } from '../facts/fact.ts';
import type { LinkerdServer, MeshPod } from '../facts/mesh.ts';
import { matchesLabels } from '../facts/selectors.ts';
import { inside } from '../policy/rule.ts';
import type { Admission, Peer } from './istio-authorization.ts';
import { allOf, anyOf, type Match, matchesText } from './matching.ts';
import { inboundBypass } from './member.ts';

type Mesh = NonNullable<FactTypes['mesh']>;
type Network = { cidr: string; except?: string[] | null | undefined };

const identityOf = ({ namespace, serviceAccount }: NonNullable<Peer['identity']>): string =>
  `${serviceAccount}.${namespace}.serviceaccount.identity.linkerd.cluster.local`;

const isFrom = (networks: readonly Network[], { addresses }: Peer): Match =>
  addresses.length === 0 ? 'maybe' : networks.some(({ cidr, except }) => addresses.some((a) => inside(a, cidr) && !(except ?? []).some((e) => inside(a, e))));

const hasIdentity = (patterns: readonly string[], { identity }: Peer): boolean =>
  identity !== null && patterns.some((p) => matchesText(p, identityOf(identity)));

/** A default policy: `all-authenticated`, `cluster-unauthenticated`, `deny`, `audit`; undefined where the cluster's own is not known. */
const byDefault = (policy: string, { identity }: Peer): boolean => {
  if (policy === 'deny') return false;
  // Pods are in the cluster's own networks.
  return policy.endsWith('-authenticated') ? identity !== null : true;
};

type Reference = { kind: string; name?: string | null | undefined; namespace?: string | null | undefined };

/** One authentication that an AuthorizationPolicy requires. */
function satisfies(reference: Reference, home: string, peer: Peer, mesh: Mesh): Match {
  const namespace = reference.namespace ?? home;
  const name = reference.name ?? '';
  const isIt = (x: { metadata: { namespace: string; name: string } }) => x.metadata.namespace === namespace && x.metadata.name === name;
  if (reference.kind === 'ServiceAccount') return peer.identity !== null && peer.identity.namespace === namespace && peer.identity.serviceAccount === name;
  if (reference.kind === 'NetworkAuthentication') {
    const found = (valueOf(mesh.networks) ?? []).find(isIt);
    return found ? isFrom(found.spec.networks ?? [], peer) : 'maybe';
  }
  if (reference.kind !== 'MeshTLSAuthentication') return 'maybe';
  const found = (valueOf(mesh.meshTls) ?? []).find(isIt);
  if (!found) return namespace === home && mesh.meshTls.seen ? false : 'maybe';
  const accounts = (found.spec.identityRefs ?? []).map((r) =>
    r.kind === 'Namespace'
      ? peer.identity !== null && peer.identity.namespace === r.name
      : satisfies({ kind: 'ServiceAccount', name: r.name, namespace: r.namespace ?? found.metadata.namespace }, home, peer, mesh),
  );
  return anyOf([hasIdentity(found.spec.identities ?? [], peer), ...accounts]);
}

const isFor = (server: LinkerdServer, pod: MeshPod, port: number): boolean => {
  const own = server.spec.port;
  const meant = typeof own === 'number' ? own === port : pod.ports.some((p) => p.name === own && p.port === port);
  return (
    server.metadata.namespace === pod.namespace && meant && matchesLabels(server.spec.podSelector ?? { matchLabels: {}, matchExpressions: [] }, pod.labels)
  );
};

/** The Server that describes a port of a pod, or undefined. */
export const serverOf = (mesh: Mesh, pod: MeshPod, port: number): LinkerdServer | undefined => (valueOf(mesh.servers) ?? []).find((s) => isFor(s, pod, port));

/** All that may let a connection to a Server in, with its name. */
function authorizationsOf(server: LinkerdServer, peer: Peer, mesh: Mesh): { name: string; match: Match }[] {
  const { namespace, name } = server.metadata;
  const policies = (valueOf(mesh.linkerdAuthorizations) ?? []).filter((a) => a.metadata.namespace === namespace);
  const byPolicy = policies.flatMap(({ metadata, spec }) => {
    const { kind, name: target } = spec.targetRef;
    const meant = (kind === 'Server' && target === name) || (kind === 'Namespace' && target === namespace);
    // Of a route's policy it is open which requests it is for.
    const ofRoute = kind === 'HTTPRoute' || kind === 'GRPCRoute';
    if (!meant && !ofRoute) return [];
    const match = allOf((spec.requiredAuthenticationRefs ?? []).map((r) => satisfies(r, namespace, peer, mesh)));
    return [{ name: metadata.name, match: ofRoute && match !== false ? ('maybe' as const) : match }];
  });
  const older = (valueOf(mesh.serverAuthorizations) ?? [])
    .filter((a) => a.metadata.namespace === namespace)
    .filter(({ spec }) => spec.server.name === name || (spec.server.selector != null && matchesLabels(spec.server.selector, {})))
    .map(({ metadata, spec: { client } }) => {
      const accounts = (client.meshTLS?.serviceAccounts ?? []).map(
        (a) => peer.identity !== null && peer.identity.serviceAccount === a.name && peer.identity.namespace === (a.namespace ?? namespace),
      );
      const authenticated = client.unauthenticated || hasIdentity(client.meshTLS?.identities ?? [], peer) || anyOf(accounts);
      const networks = client.networks ?? [];
      return { name: metadata.name, match: allOf([authenticated, networks.length === 0 || isFrom(networks, peer)]) };
    });
  return [...byPolicy, ...older];
}

/** What the policies of a pod say to one connection. Without a Server its annotation or the cluster's default decides. */
export function linkerdAdmits(pod: MeshPod, peer: Peer, port: number, mesh: Mesh): Admission {
  if (inboundBypass(pod, port) !== null) return { verdict: 'allowed', by: null, why: `port ${port} bypasses the proxy` };
  const server = serverOf(mesh, pod, port);
  if (!server) {
    const policy = pod.proxySettings['config.linkerd.io/default-inbound-policy'] ?? 'all-unauthenticated';
    const by = { kind: 'Pod', namespace: pod.namespace, name: pod.name };
    return byDefault(policy, peer)
      ? { verdict: 'allowed', by: null, why: `default-inbound-policy ${policy}` }
      : { verdict: 'denied', by, why: `its default-inbound-policy is ${policy}` };
  }
  const { namespace, name } = server.metadata;
  const by = { kind: 'Server', namespace, name };
  const all = authorizationsOf(server, peer, mesh);
  if (all.some((a) => a.match === true)) return { verdict: 'allowed', by: null, why: 'an AuthorizationPolicy allows it' };
  const access = server.spec.accessPolicy ?? 'deny';
  if (access !== 'deny' && byDefault(access, peer)) return { verdict: 'allowed', by: null, why: `accessPolicy ${access}` };
  const open = all.find((a) => a.match === 'maybe');
  if (open) return { verdict: 'open', by: { kind: 'AuthorizationPolicy', namespace, name: open.name }, why: 'whether it applies is in no object' };
  const named = all.map((a) => `"${a.name}"`).join(', ');
  return {
    verdict: 'denied',
    by,
    why: all.length === 0 ? 'no AuthorizationPolicy is for it' : `${named} ${all.length === 1 ? 'does' : 'do'} not allow the client`,
  };
}
