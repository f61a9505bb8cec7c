/**
 * CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy (cilium.io/v2), the part they share with NetworkPolicy: selectors,
 * ports, ranges, entities, deny rules (https://docs.cilium.io/en/stable/security/policy/). The rest is named as not judged.
 */
import * as v from 'valibot';
import { labelSelector, policyMeta } from '../facts/objects.ts';
import { firstMismatch } from '../facts/selectors.ts';
import {
  blockPeer,
  type Direction,
  isMiss,
  newMemory,
  type Party,
  type Peer,
  type PodSide,
  type Policy,
  type PortItem,
  portItems,
  type Rule,
  type Selector,
  tiers,
} from './rule.ts';

const cidrSet = v.array(v.looseObject({ cidr: v.optional(v.string()), except: v.nullish(v.array(v.string()), []) }));
const portRule = v.looseObject({
  ports: v.nullish(
    v.array(
      v.looseObject({
        port: v.optional(v.union([v.string(), v.number()]), '0'),
        endPort: v.optional(v.number()),
        protocol: v.optional(v.string(), 'ANY'),
      }),
    ),
  ),
});
const rule = v.looseObject({ toPorts: v.nullish(v.array(portRule)) });
const rules = v.nullish(v.array(rule), []);
const spec = v.looseObject({
  endpointSelector: v.optional(labelSelector),
  ingress: rules,
  egress: rules,
  ingressDeny: rules,
  egressDeny: rules,
  enableDefaultDeny: v.optional(v.object({ ingress: v.optional(v.boolean()), egress: v.optional(v.boolean()) }), {}),
});

/** One object of these kinds, as the API server gives it. */
export const ciliumPolicy = v.object({
  kind: v.picklist(['CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy']),
  metadata: policyMeta,
  spec: v.optional(spec),
  specs: v.optional(v.array(spec)),
});
type RawRule = v.InferOutput<typeof rule>;
type Spec = v.InferOutput<typeof spec>;

const namespaceKey = 'io.kubernetes.pod.namespace';
const namespaceLabelPrefix = 'io.cilium.k8s.namespace.labels.';
/** A label's source is written before its key; pods' labels have the source k8s. */
const bare = (key: string) => key.replace(/^(?:k8s|any)[:.]/, '');

const plain = (selector: Selector): Selector => ({
  matchLabels: Object.fromEntries(Object.entries(selector.matchLabels ?? {}).map(([k, x]) => [bare(k), x])),
  matchExpressions: (selector.matchExpressions ?? []).map((e) => ({ ...e, key: bare(e.key) })),
});
const keysOf = (s: Selector) => [...Object.keys(s.matchLabels ?? {}), ...(s.matchExpressions ?? []).map((e) => e.key)];

/** The labels that Cilium knows a pod by: its own, its namespace's name, its namespace's labels. */
const identity = (pod: PodSide): Record<string, string> => ({
  ...pod.labels,
  [namespaceKey]: pod.namespace,
  ...Object.fromEntries(Object.entries(pod.namespaceLabels).map(([k, x]) => [namespaceLabelPrefix + k, x])),
});

/** Keys that name what is not known of a pod here. */
const unknownKey = (key: string) => key.startsWith('io.cilium.k8s.policy.') || /^(?!k8s|any)[a-z-]+:/.test(key);

/** The part of a selector that can be judged, and whether it has other parts. */
function tellable(selector: Selector): { selector: Selector; vague: boolean } {
  const known = {
    matchLabels: Object.fromEntries(Object.entries(selector.matchLabels ?? {}).filter(([k]) => !unknownKey(k))),
    matchExpressions: (selector.matchExpressions ?? []).filter((e) => !unknownKey(e.key)),
  };
  return { selector: known, vague: keysOf(known).length < keysOf(selector).length };
}

function endpointsPeer(raw: Selector, home: string): Peer {
  const { selector, vague } = tellable(plain(raw));
  const keys = keysOf(selector);
  // Without a namespace in it, a selector means the policy's own; a policy of the whole cluster means all.
  const anywhere = home === '' || keys.some((k) => k === namespaceKey || k.startsWith(namespaceLabelPrefix));
  return (other) => {
    if (!other.pod) return { far: 5, reason: () => `names pods, and this is ${other.node ? 'a node' : 'an address outside the cluster'}` };
    if (other.pod.hostNetwork) return { far: 5, reason: () => "it uses its node's network, which Cilium takes for the node" };
    if (!anywhere && other.pod.namespace !== home)
      return { far: 3, reason: () => `names pods of namespace ${home} only, and it is in ${other.pod?.namespace}` };
    const wrong = firstMismatch(selector, identity(other.pod));
    return wrong ? { far: 1, reason: () => wrong } : vague ? 'maybe' : true;
  };
}

const isNode = (other: Party) => other.node !== null || other.pod?.hostNetwork === true;

/** "CIDR rules do not apply to traffic where both sides of the connection are managed by Cilium." */
function cidrPeer(cidr: string, except: readonly string[]): Peer {
  const block = blockPeer(cidr, except);
  return (other) => {
    if (isNode(other)) return isMiss(block(other)) ? block(other) : 'maybe';
    return other.pod ? { far: 4, reason: () => 'names addresses, and Cilium never takes a pod by its address' } : block(other);
  };
}

function entityPeer(name: string): Peer {
  return (other) => {
    const no = { far: 4, reason: () => `names the entity ${name}` };
    const node = isNode(other);
    if (name === 'all') return true;
    if (name === 'world' || name === 'world-ipv4' || name === 'world-ipv6')
      return other.pod || node ? no : name === 'world' || other.addresses.some((a) => a.includes(':') === (name === 'world-ipv6')) ? true : no;
    if (name === 'cluster') return other.pod || node ? true : no;
    if (name === 'host' || name === 'remote-node') return node ? 'maybe' : no;
    if (name === 'kube-apiserver') return other.pod && !node ? no : 'maybe';
    return no;
  };
}

const peerFields: Record<string, (value: unknown, home: string) => Peer[]> = {
  Endpoints: (x, home) => v.parse(v.array(labelSelector), x).map((s) => endpointsPeer(s, home)),
  CIDR: (x) => v.parse(v.array(v.string()), x).map((c) => cidrPeer(c, [])),
  CIDRSet: (x) => v.parse(cidrSet, x).flatMap((c) => (c.cidr === undefined ? [() => 'maybe' as const] : [cidrPeer(c.cidr, c.except ?? [])])),
  Entities: (x) => v.parse(v.array(v.string()), x).map(entityPeer),
};

function portsOf(raw: RawRule): PortItem[] | null {
  if (!raw.toPorts) return null;
  return raw.toPorts.flatMap((r) =>
    (r.ports ?? [{ port: '0', protocol: 'ANY', endPort: undefined }]).map((p): PortItem => {
      const number = Number(p.port);
      const protocol = (['TCP', 'UDP', 'SCTP'] as const).find((t) => t === p.protocol.toUpperCase()) ?? 'ANY';
      // "0" means every port.
      return { protocol, port: number === 0 ? undefined : Number.isNaN(number) ? String(p.port) : number, endPort: p.endPort };
    }),
  );
}

function ruleOf(raw: RawRule, field: string, index: number, home: string): Rule {
  const prefix = field.startsWith('ingress') ? 'from' : 'to';
  const peers: Peer[] = [];
  const unjudged: string[] = [];
  let given = false;
  for (const [key, value] of Object.entries(raw)) {
    if (key === 'toPorts' || value === undefined || value === null) continue;
    const known = key.startsWith(prefix) ? peerFields[key.slice(prefix.length)] : undefined;
    if (known) {
      given = true;
      peers.push(...known(value, home));
    } else unjudged.push(key);
  }
  const items = portsOf(raw);
  const onlyUnjudged = unjudged.length > 0 && !given;
  // A rule with neither peers nor ports lets nobody in: it only isolates.
  const nobody = !given && items === null && unjudged.length === 0;
  return {
    field: `${field}[${index}]`,
    index,
    action: field.endsWith('Deny') ? 'Deny' : 'Allow',
    peers: nobody ? [] : given ? [...peers, ...(unjudged.length > 0 ? [(() => 'maybe') as Peer] : [])] : null,
    ports: items && portItems(items),
    unjudged: onlyUnjudged ? unjudged : [],
    memory: newMemory(),
  };
}

function fromSpec(s: Spec, kind: string, namespace: string, name: string): Policy[] {
  // Without an endpointSelector it speaks of nodes, not of pods.
  if (!s.endpointSelector) return [];
  const { selector, vague } = tellable(plain(s.endpointSelector));
  const part = (deny: boolean): Policy => {
    const of = (direction: Direction) => {
      const field = deny ? (`${direction}Deny` as const) : direction;
      const list = s[field] ?? [];
      const isolatesAlone = !deny && s.enableDefaultDeny[direction] === true;
      return list.length > 0 || isolatesAlone ? list.map((r, i) => ruleOf(r, field, i, namespace)) : null;
    };
    return {
      kind,
      namespace,
      name,
      tier: tiers.default.name,
      // "Deny policies take precedence over allow policies", NetworkPolicies among them.
      order: deny ? Number.NEGATIVE_INFINITY : 1000,
      tie: '',
      selects(pod) {
        if (pod.hostNetwork || (namespace !== '' && pod.namespace !== namespace)) return false;
        if (firstMismatch(selector, identity(pod))) return false;
        return vague ? 'maybe' : true;
      },
      ingress: of('ingress'),
      egress: of('egress'),
      isolates: { ingress: s.enableDefaultDeny.ingress ?? true, egress: s.enableDefaultDeny.egress ?? true },
    };
  };
  return [part(true), part(false)].filter((p) => p.ingress !== null || p.egress !== null);
}

export const fromCiliumPolicy = (policy: v.InferOutput<typeof ciliumPolicy>): Policy[] =>
  [...(policy.spec ? [policy.spec] : []), ...(policy.specs ?? [])].flatMap((s) =>
    fromSpec(s, policy.kind, policy.kind === 'CiliumNetworkPolicy' ? policy.metadata.namespace || 'default' : '', policy.metadata.name),
  );
