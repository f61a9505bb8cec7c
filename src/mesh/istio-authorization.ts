/** Whether Istio's AuthorizationPolicies let a request in (Istio reference, AuthorizationPolicy: CUSTOM, then DENY, then ALLOW). */
import type { AuthorizationOperation, AuthorizationRule, AuthorizationSource, IstioAuthorization, MeshPod } from '../facts/mesh.ts';
import { inside } from '../policy/rule.ts';
import { allOf, anyOf, hasLabels, type Match, matchesText, wanted } from './matching.ts';
import { rootNamespace } from './member.ts';
import type { Reference } from './mutual-tls.ts';

/** Who connects, as the receiving proxy knows it. */
export interface Peer {
  /** From its certificate; null: plain text, which has no identity. */
  identity: { namespace: string; serviceAccount: string } | null;
  /** Empty where they are not known. */
  addresses: readonly string[];
}

export interface Request {
  /** The pod's own. */
  port: number;
  /** Whether the proxy reads it as HTTP. */
  isHttp: Match;
  /** Undefined where it is not known. */
  path: string | undefined;
}

export interface Admission {
  verdict: 'allowed' | 'denied' | 'open';
  /** A rule denies it, which no rule that allows can overrule. */
  byDeny?: true;
  by: Reference | null;
  why: string;
}

function isPrincipal(pattern: string, { identity }: Peer): Match {
  if (!identity) return false;
  const rest = `ns/${identity.namespace}/sa/${identity.serviceAccount}`;
  if (matchesText(pattern, `cluster.local/${rest}`)) return true;
  // A mesh can have another trust domain, which no fact shows.
  const own = /^([^*/]+)\/(.*)$/.exec(pattern);
  return own?.[1] !== undefined && own[1] !== 'cluster.local' && matchesText(own[2] ?? '', rest) ? 'maybe' : false;
}

const isAccount = (pattern: string, { identity }: Peer, home: string): Match => {
  if (!identity) return false;
  const [namespace, name] = pattern.includes('/') ? (pattern.split('/') as [string, string]) : [home, pattern];
  return namespace === identity.namespace && name === identity.serviceAccount;
};

const isFrom = (range: string, { addresses }: Peer): Match => (addresses.length === 0 ? 'maybe' : addresses.some((a) => inside(a, range)));

const sourceMatches = (s: AuthorizationSource, peer: Peer, home: string): Match =>
  allOf([
    wanted(s.principals ?? [], s.notPrincipals ?? [], (p) => isPrincipal(p, peer)),
    wanted(s.namespaces ?? [], s.notNamespaces ?? [], (n) => peer.identity !== null && matchesText(n, peer.identity.namespace)),
    wanted(s.serviceAccounts ?? [], s.notServiceAccounts ?? [], (a) => isAccount(a, peer, home)),
    wanted([...(s.ipBlocks ?? []), ...(s.remoteIpBlocks ?? [])], [...(s.notIpBlocks ?? []), ...(s.notRemoteIpBlocks ?? [])], (range) => isFrom(range, peer)),
    // Whether a request carries a token is in no object.
    wanted(s.requestPrincipals ?? [], s.notRequestPrincipals ?? [], () => 'maybe'),
  ]);

/** Paths may have templates (`{*}`, `{**}`), which are left open. */
const isPath = (pattern: string, path: string | undefined): Match =>
  path === undefined || pattern.includes('{') ? (pattern === '*' ? true : 'maybe') : matchesText(pattern, path.split('?')[0] ?? '');

const httpMatches = (o: AuthorizationOperation, { path }: Request): Match =>
  allOf([
    wanted(o.methods ?? [], o.notMethods ?? [], (m) => (path === undefined ? 'maybe' : matchesText(m, 'GET'))),
    wanted(o.paths ?? [], o.notPaths ?? [], (p) => isPath(p, path)),
    wanted(o.hosts ?? [], o.notHosts ?? [], () => 'maybe'),
  ]);

const namesHttp = (rule: AuthorizationRule): boolean =>
  (rule.to ?? []).some(({ operation: o }) => [o.methods, o.notMethods, o.paths, o.notPaths, o.hosts, o.notHosts].some((l) => (l ?? []).length > 0)) ||
  (rule.from ?? []).some(({ source: s }) => (s.requestPrincipals ?? []).length + (s.notRequestPrincipals ?? []).length > 0) ||
  (rule.when ?? []).some((w) => w.key.startsWith('request.'));

function conditionMatches({ key, values, notValues }: NonNullable<AuthorizationRule['when']>[number], peer: Peer, request: Request): Match {
  const test = (value: string): Match => {
    if (key === 'source.namespace') return peer.identity !== null && matchesText(value, peer.identity.namespace);
    if (key === 'source.principal') return isPrincipal(value, peer);
    if (key === 'source.ip') return isFrom(value, peer);
    return key === 'destination.port' ? value === String(request.port) : 'maybe';
  };
  return wanted(values ?? [], notValues ?? [], test);
}

/** One rule. A field of HTTP on a port that is read as TCP matches nothing in ALLOW, and is left out in DENY (Istio, "Authorization for TCP traffic"). */
function ruleMatches(rule: AuthorizationRule, action: string, peer: Peer, request: Request, home: string): Match {
  const asTcp = (isHttp: boolean): Match => {
    if (!isHttp && action === 'ALLOW' && namesHttp(rule)) return false;
    const from = rule.from ?? [];
    const to = rule.to ?? [];
    return allOf([
      from.length === 0 || anyOf(from.map(({ source }) => sourceMatches(source, peer, home))),
      to.length === 0 ||
        anyOf(
          to.map(({ operation: o }) =>
            allOf([wanted(o.ports ?? [], o.notPorts ?? [], (p) => p === String(request.port)), ...(isHttp ? [httpMatches(o, request)] : [])]),
          ),
        ),
      ...(rule.when ?? []).filter((w) => isHttp || !w.key.startsWith('request.')).map((w) => conditionMatches(w, peer, request)),
    ]);
  };
  if (request.isHttp !== 'maybe') return asTcp(request.isHttp);
  const both = [asTcp(true), asTcp(false)] as const;
  return both[0] === both[1] ? both[0] : 'maybe';
}

const referenceOf = ({ metadata: { namespace, name } }: IstioAuthorization): Reference => ({ kind: 'AuthorizationPolicy', namespace, name });

/** Policies with targetRefs belong to a waypoint or a Gateway, not to the pod's own proxy. */
const appliesTo = (pod: MeshPod, { metadata, spec }: IstioAuthorization): boolean =>
  (metadata.namespace === pod.namespace || metadata.namespace === rootNamespace) &&
  !spec.targetRef &&
  (spec.targetRefs ?? []).length === 0 &&
  hasLabels(spec.selector?.matchLabels, pod.labels);

/** What the policies of a pod say to one request. */
export function istioAdmits(pod: MeshPod, peer: Peer, request: Request, all: readonly IstioAuthorization[]): Admission {
  const own = all.filter((p) => appliesTo(pod, p));
  const matches = (p: IstioAuthorization): Match =>
    anyOf((p.spec.rules ?? []).map((r) => ruleMatches(r, p.spec.action ?? 'ALLOW', peer, request, p.metadata.namespace)));
  const by = (action: string) => own.filter((p) => (p.spec.action ?? 'ALLOW') === action).map((policy) => ({ policy, match: matches(policy) }));
  const denying = by('DENY');
  const denied = denying.find((d) => d.match === true);
  if (denied) return { verdict: 'denied', byDeny: true, by: referenceOf(denied.policy), why: 'a rule of action DENY matches the request' };
  const open = [...by('CUSTOM'), ...denying].find((d) => d.match !== false);
  const allowing = by('ALLOW');
  if (allowing.length > 0 && allowing.every((a) => a.match === false)) {
    const [first] = allowing.map((a) => a.policy);
    const names = allowing.map((a) => `"${a.policy.metadata.name}"`).join(', ');
    const empty = allowing.every((a) => (a.policy.spec.rules ?? []).length === 0);
    const isHttpOnly = request.isHttp === false && allowing.some((a) => (a.policy.spec.rules ?? []).some(namesHttp));
    const why = isHttpOnly
      ? `the port is read as TCP, and the rules of ${names} name fields of HTTP, which match nothing there`
      : peer.identity === null && !empty
        ? `no rule of ${names} allows a client without an identity`
        : empty
          ? `${names} has no rule, which allows nothing`
          : `no rule of ${names} allows the request`;
    return { verdict: 'denied', by: first ? referenceOf(first) : null, why };
  }
  if (open)
    return { verdict: 'open', by: referenceOf(open.policy), why: `whether a rule of action ${open.policy.spec.action ?? 'ALLOW'} matches is in no object` };
  const maybe = allowing.every((a) => a.match !== true) ? allowing.find((a) => a.match === 'maybe') : undefined;
  if (maybe) return { verdict: 'open', by: referenceOf(maybe.policy), why: 'whether a rule matches depends on the request' };
  return { verdict: 'allowed', by: null, why: allowing.length > 0 ? 'a rule allows it' : 'no policy applies' };
}
