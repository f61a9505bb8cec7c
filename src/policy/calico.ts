/**
 * Calico's NetworkPolicy, GlobalNetworkPolicy and Tier (projectcalico.org/v3, or crd.projectcalico.org/v1), the part they
 * share with NetworkPolicy: selectors, ports, ranges, order, actions, tiers
 * (https://docs.tigera.io/calico/latest/reference/resources/networkpolicy). The rest is named as not judged.
 */
import * as v from 'valibot';
import { policyMeta } from '../facts/objects.ts';
import { familyOf } from '../facts/selectors.ts';
import { type CalicoSelector, parseSelector } from './calico-selector.ts';
import {
  type Direction,
  inside,
  isMiss,
  newMemory,
  type Match,
  type Party,
  type Peer,
  type PodSide,
  type Policy,
  type Ports,
  type Rule,
  type Tier,
} from './rule.ts';

const portNumber = v.union([v.number(), v.string()]);
const entity = v.nullish(
  v.looseObject({
    nets: v.nullish(v.array(v.string())),
    notNets: v.nullish(v.array(v.string())),
    selector: v.nullish(v.string()),
    notSelector: v.nullish(v.string()),
    namespaceSelector: v.nullish(v.string()),
    ports: v.nullish(v.array(portNumber)),
    notPorts: v.nullish(v.array(portNumber)),
  }),
);
const rule = v.looseObject({
  action: v.picklist(['Allow', 'Deny', 'Log', 'Pass', 'allow', 'deny', 'log', 'pass', 'next-tier']),
  protocol: v.nullish(portNumber),
  notProtocol: v.nullish(portNumber),
  ipVersion: v.nullish(v.number()),
  source: entity,
  destination: entity,
});
const rules = v.nullish(v.array(rule));

/** One object of these kinds, as the API server gives it. */
export const calicoPolicy = v.object({
  kind: v.picklist(['NetworkPolicy', 'GlobalNetworkPolicy']),
  metadata: policyMeta,
  spec: v.looseObject({
    tier: v.optional(v.string(), 'default'),
    order: v.nullish(v.number()),
    selector: v.nullish(v.string(), ''),
    namespaceSelector: v.nullish(v.string(), ''),
    serviceAccountSelector: v.nullish(v.string(), ''),
    types: v.nullish(v.array(v.string()), []),
    ingress: rules,
    egress: rules,
    preDNAT: v.optional(v.boolean(), false),
    doNotTrack: v.optional(v.boolean(), false),
  }),
});
export const calicoTier = v.object({
  kind: v.literal('Tier'),
  metadata: policyMeta,
  spec: v.object({ order: v.nullish(v.number()), defaultAction: v.nullish(v.string(), 'Deny') }),
});
type RawRule = v.InferOutput<typeof rule>;
type Entity = NonNullable<v.InferOutput<typeof entity>>;

export const fromCalicoTier = (tier: v.InferOutput<typeof calicoTier>): Tier => ({
  name: tier.metadata.name,
  order: tier.spec.order ?? Number.POSITIVE_INFINITY,
  end: tier.spec.defaultAction === 'Pass' ? 'next' : 'deny',
});

/** The labels that Calico adds to those of a pod and a namespace. */
const podLabels = (pod: PodSide) => ({
  ...pod.labels,
  'projectcalico.org/namespace': pod.namespace,
  'projectcalico.org/orchestrator': 'k8s',
});
const namespaceLabels = (pod: PodSide) => ({ ...pod.namespaceLabels, 'projectcalico.org/name': pod.namespace });

/** All of them must match: the worst counts. */
function together(matches: readonly Match[]): Match {
  const miss = matches.find(isMiss);
  if (miss) return miss;
  return matches.includes('maybe') ? 'maybe' : true;
}
const isKnown = (pod: PodSide | null): pod is PodSide => pod !== null && !pod.hostNetwork;

/** The pods that selectors mean; undefined where there is no selector. */
function selectorPeer(raw: Entity, home: string): Peer | undefined {
  if (!raw.selector && !raw.namespaceSelector) return undefined;
  const pods = parseSelector(raw.selector ?? '');
  const namespaces: CalicoSelector | undefined = raw.namespaceSelector ? parseSelector(raw.namespaceSelector) : undefined;
  return (other) => {
    // A NetworkSet may carry the labels, for an address; and a HostEndpoint, for a node.
    if (!isKnown(other.pod)) return namespaces && !namespaces.global ? { far: 5, reason: () => 'names pods of namespaces' } : 'maybe';
    const pod = other.pod;
    if (namespaces && !namespaces.matches(namespaceLabels(pod)))
      return { far: 2, reason: () => `wants namespaces with ${raw.namespaceSelector}, it is in ${pod.namespace}` };
    // "For NetworkPolicy, an empty NamespaceSelector implies that the Selector is limited to the same namespace."
    if (!namespaces && home !== '' && pod.namespace !== home)
      return { far: 3, reason: () => `names pods of namespace ${home} only, and it is in ${pod.namespace}` };
    return pods.matches(podLabels(pod)) ? true : { far: 1, reason: () => `wants ${raw.selector}` };
  };
}

function netsMatch(nets: readonly string[], other: Party): Match {
  if (other.addresses.length === 0) return nets.some((n) => n.endsWith('/0')) ? true : 'maybe';
  const range = (n: string) => (n.includes('/') ? n : `${n}/${n.includes(':') ? 128 : 32}`);
  return other.addresses.some((a) => nets.some((n) => inside(a, range(n))))
    ? true
    : { far: 4, reason: () => `wants an address in ${nets.join(', ')}, it is ${other.addresses.join(', ')}` };
}

const judgedFields = new Set(['nets', 'notNets', 'selector', 'notSelector', 'namespaceSelector', 'ports', 'notPorts']);

function entityPeer(raw: Entity, home: string): Peer {
  const selected = selectorPeer(raw, home);
  const not = raw.notSelector ? parseSelector(raw.notSelector) : undefined;
  const vague = Object.keys(raw).some((k) => !judgedFields.has(k) && raw[k] !== null && raw[k] !== undefined);
  return (other) => {
    const matches: Match[] = [];
    if (selected) matches.push(selected(other));
    if (not && isKnown(other.pod) && not.matches(podLabels(other.pod))) matches.push({ far: 1, reason: () => `leaves out ${raw.notSelector}` });
    if (not && !isKnown(other.pod)) matches.push('maybe');
    if (raw.nets?.length) matches.push(netsMatch(raw.nets, other));
    if (raw.notNets?.length) {
      const within = netsMatch(raw.notNets, other);
      if (within === 'maybe') matches.push('maybe');
      else if (within === true) matches.push({ far: 3, reason: () => `leaves out ${raw.notNets?.join(', ')}` });
    }
    if (vague) matches.push('maybe');
    return together(matches);
  };
}

/** A rule with `ipVersion` is for packets of that family alone; both ends of a packet have the same. */
const versionPeer =
  (version: number): Peer =>
  (other) => {
    const families = [...new Set(other.addresses.map(familyOf))];
    if (families.length !== 1) return 'maybe';
    return families[0] === `IPv${version}` ? true : { far: 4, reason: () => `is for IPv${version}, and this is ${families[0]}` };
  };

const numbers: Record<string, string> = { '6': 'TCP', '17': 'UDP', '132': 'SCTP' };
const protocolName = (p: number | string) => numbers[String(p)] ?? String(p).toUpperCase();

/** A number, a range `8000:8080`, or a name, which means what the receiving pod says it does. */
function portIs(item: number | string, port: number, protocol: string, receiver: Party): boolean {
  const range = /^(\d+)(?::(\d+))?$/.exec(String(item));
  if (range) return port >= Number(range[1]) && port <= Number(range[2] ?? range[1]);
  return receiver.pod?.ports.some((p) => p.name === item && p.port === port && p.protocol === protocol) ?? false;
}

function portsOf(raw: RawRule): Ports | null {
  const { protocol, notProtocol } = raw;
  const { ports, notPorts } = raw.destination ?? {};
  if (protocol == null && notProtocol == null && !ports?.length && !notPorts?.length) return null;
  const text = [
    protocol != null ? protocolName(protocol) : '',
    notProtocol != null ? `not ${protocolName(notProtocol)}` : '',
    ports?.length ? `ports ${ports.join(', ')}` : '',
    notPorts?.length ? `not ports ${notPorts.join(', ')}` : '',
  ]
    .filter(Boolean)
    .join(' ');
  return {
    text: `is for ${text}`,
    match: (connection, receiver) =>
      (protocol == null || protocolName(protocol) === connection.protocol) &&
      (notProtocol == null || protocolName(notProtocol) !== connection.protocol) &&
      (!ports?.length || ports.some((p) => portIs(p, connection.port, connection.protocol, receiver))) &&
      !notPorts?.some((p) => portIs(p, connection.port, connection.protocol, receiver)),
  };
}

const actions: Record<string, Rule['action']> = { allow: 'Allow', deny: 'Deny', pass: 'Pass', 'next-tier': 'Pass' };

function ruleOf(raw: RawRule, direction: Direction, index: number, home: string): Rule[] {
  const action = actions[raw.action.toLowerCase()];
  // Log takes a note, and goes on.
  if (!action) return [];
  const [own, other] = direction === 'ingress' ? [raw.destination, raw.source] : [raw.source, raw.destination];
  const unjudged = ['icmp', 'notICMP', 'http'].filter((f) => raw[f] !== undefined && raw[f] !== null);
  if (raw.source?.ports?.length || raw.source?.notPorts?.length) unjudged.push('source.ports');
  // What a rule asks of the pod's own side is not worth more: it is what `selector` is for.
  if (own && Object.keys(own).some((k) => k !== 'ports' && k !== 'notPorts')) unjudged.push(direction === 'ingress' ? 'destination' : 'source');
  const ports = portsOf(raw);
  const parts = [...(other ? [entityPeer(other, home)] : []), ...(raw.ipVersion == null ? [] : [versionPeer(raw.ipVersion)])];
  const peers: Peer[] | null = parts.length > 0 ? [(party) => together(parts.map((peer) => peer(party)))] : null;
  return [{ field: `${direction}[${index}]`, index, action, peers, ports, unjudged, memory: newMemory() }];
}

/** Throws SelectorError for an expression that can't be read. */
export function fromCalicoPolicy(policy: v.InferOutput<typeof calicoPolicy>): Policy[] {
  const { spec } = policy;
  // These two hold for host endpoints only.
  if (spec.preDNAT || spec.doNotTrack) return [];
  const home = policy.kind === 'NetworkPolicy' ? policy.metadata.namespace || 'default' : '';
  const pods = parseSelector(spec.selector ?? '');
  const namespaces = parseSelector(spec.namespaceSelector ?? '');
  const given = (spec.types ?? []).map((t) => t.toLowerCase());
  const has = (d: Direction) => (spec[d] ?? []).length > 0;
  const derived = (d: Direction) => (d === 'egress' ? has('egress') : has('ingress') || !has('egress'));
  const of = (d: Direction) => ((given.length > 0 ? given.includes(d) : derived(d)) ? (spec[d] ?? []).flatMap((r, i) => ruleOf(r, d, i, home)) : null);
  return [
    {
      kind: policy.kind === 'NetworkPolicy' ? 'Calico NetworkPolicy' : policy.kind,
      namespace: home,
      name: policy.metadata.name,
      tier: spec.tier,
      order: spec.order ?? Number.POSITIVE_INFINITY,
      tie: policy.metadata.name,
      selects(pod) {
        if (pod.hostNetwork || (home !== '' && pod.namespace !== home)) return false;
        if (!pods.matches(podLabels(pod)) || !namespaces.matches(namespaceLabels(pod))) return false;
        return spec.serviceAccountSelector ? 'maybe' : true;
      },
      ingress: of('ingress'),
      egress: of('egress'),
      isolates: { ingress: true, egress: true },
    },
  ];
}
