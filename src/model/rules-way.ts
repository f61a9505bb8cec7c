/** The way of a packet to a virtual IP or node port: the rules of the node that it meets first, then one of the backends. */
import type { Code } from '../catalog/codes.ts';
import { valueOf } from '../facts/fact.ts';
import type { EndpointSlice, Service } from '../facts/objects.ts';
import { type Endpoint, endpointsOf, isReady } from '../facts/selectors.ts';
import { excludingLabels, expected, type Expected, endsOf, type ProxyNode, proxyNodeOf, type ServiceEnd } from '../proxy/expected.ts';
import { type Handling, hostPort, keyOf, type Origin } from '../proxy/model.ts';
import type { Stop } from './prediction.ts';
import { podFaults } from './pod-way.ts';
import type { World } from './world.ts';

/** Findings that say why a Service port has no endpoint. */
export const endpointFaults = [
  'selector-mismatch',
  'no-replicas',
  'pods-quota-exceeded',
  'pods-refused',
  'pods-unschedulable',
  ...podFaults,
  'rollout-stalled',
  'named-port-missing',
  'endpoint-port-name-mismatch',
  'ip-family-mismatch',
  'protocol-mismatch',
  'endpoints-missing',
  'endpoints-stale',
  'no-ready-endpoints',
] as const satisfies Code[];

/** Findings that say why the rules of a node are not right. */
export const proxyFaults = [
  'service-excluded-from-proxy',
  'kube-proxy-down',
  'kube-proxy-not-syncing',
  'kube-proxy-rules-missing',
  'kube-proxy-rules-stale',
] as const satisfies Code[];

interface Subject {
  service: Service;
  end: ServiceEnd;
  node: ProxyNode;
  origin: Origin;
}

interface OnNode {
  handling: Handling | undefined;
  /** Two readings of the same rules differ. */
  changing: boolean;
  /** Rules of another mode handle the packet, too: which of them the kernel reaches first is not known. */
  twice: boolean;
}

/** What a node's rules do with the packet; undefined where they were not read, or do not mention it. A second reading counts more. */
function handlingOn({ facts }: World, { end, node, origin }: Subject): OnNode {
  const configured = valueOf(facts.proxyMode);
  const readingOf = (rules: World['facts']['nodeRules']) => {
    const own = rules.seen ? rules.value[node.name] : undefined;
    if (!own?.seen) return undefined;
    const modes = Object.entries(own.value.modes).map(([mode, handled]) => ({ mode, handling: handled[keyOf(end)]?.[origin] }));
    return { modes, handling: (modes.find((m) => m.mode === configured) ?? modes[0])?.handling };
  };
  const [first, second] = [readingOf(facts.nodeRules), readingOf(facts.nodeRulesLater)];
  const isHandled = (h: Handling | undefined) => h !== undefined && h.verdict !== 'not-handled';
  const isSame = (a: Handling | undefined, b: Handling | undefined) => JSON.stringify(a) === JSON.stringify(b);
  return {
    handling: second?.handling ?? first?.handling,
    // A node that had no rules at all at one of them was read, too.
    changing: first !== undefined && second !== undefined && !isSame(first.handling, second.handling),
    twice: first?.modes.some((m) => m.handling !== first.handling && isHandled(m.handling) && !isSame(m.handling, first.handling)) ?? false,
  };
}

/** Why no backend is right for a packet: no endpoint at all, or none on this node. */
const withoutBackend = (want: Expected, node: ProxyNode, certain: boolean): Stop =>
  want.verdict === 'dropped'
    ? {
        fates: ['lost', 'refused'],
        certain: certain && node.name !== '',
        why: `traffic policy Local, and no endpoint on ${node.name}`,
        codes: ['local-policy-no-endpoint'],
      }
    : { fates: ['refused', 'lost'], certain, why: 'there is no ready endpoint', codes: endpointFaults };

/** What becomes of a packet by the node's rules, and the backends that it can get to. Where the rules were not read, the objects say what they should be. */
function throughNode(world: World, subject: Subject, want: Expected | null): { backends: string[]; stops: Stop[] } {
  const { facts } = world;
  const { node, service } = subject;
  const about = { service: service.metadata.name, ...(node.name !== '' && { nodes: [node.name] }) };
  const { handling, changing, twice } = handlingOn(world, subject);
  const byObjects = want?.verdict === 'backends' ? want.backends : [];
  const notReady = (valueOf(facts.nodes) ?? []).some((n) => n.metadata.name === node.name && !isReady(n));
  const stops: Stop[] = notReady ? [{ fates: ['lost', 'refused'], certain: false, why: `node ${node.name} is not ready`, codes: ['node-not-ready'] }] : [];
  const where = `rules on ${node.name}`;
  if (twice) stops.push({ fates: ['lost', 'refused'], certain: false, why: `${where} of two modes handle it`, codes: ['kube-proxy-rules-stale'], ...about });
  if (!handling || handling.unread.length > 0 || changing) {
    const own = facts.nodeRules.seen ? facts.nodeRules.value[node.name] : facts.nodeRules;
    const why = changing ? `${where} change` : own && !own.seen ? `${own.what}: ${own.why}` : `${where} could not be understood`;
    const unseen = changing ? {} : { unseen: own && !own.seen ? own.reason : ('not-possible' as const) };
    stops.push({ fates: ['refused', 'lost'], certain: false, why, codes: proxyFaults, ...about, ...unseen });
    if (want && want.verdict !== 'backends') stops.push(withoutBackend(want, node, facts.slices.seen));
    return { backends: byObjects, stops };
  }
  if (handling.verdict === 'backends') {
    const to = handling.backends.map((b) => b.to);
    const wrong = want ? to.filter((b) => !byObjects.includes(b)) : [];
    if (wrong.length > 0) {
      const codes: Code[] = ['kube-proxy-rules-stale', 'kube-proxy-down', 'kube-proxy-not-syncing'];
      stops.push({ fates: ['lost', 'refused'], certain: wrong.length === to.length, why: `${where} send it to ${wrong.join(', ')}`, codes, ...about });
    }
    return { backends: to.filter((b) => !wrong.includes(b)), stops };
  }
  // Without an endpoint, rejecting or dropping is right.
  if (want && want.verdict !== 'backends') return { backends: [], stops: [...stops, withoutBackend(want, node, true)] };
  const codes: Code[] = proxyFaults.filter((c) => c !== (handling.byDefault ? 'kube-proxy-rules-stale' : 'kube-proxy-rules-missing'));
  // What has no rule goes on to an address that no machine has.
  const fates: Stop['fates'] = handling.verdict === 'dropped' ? ['lost'] : ['refused', 'lost'];
  return { backends: [], stops: [...stops, { fates, certain: true, why: `${where}: ${keyOf(subject.end)} is ${handling.verdict}`, codes, ...about }] };
}

/** One certain stop for all backends is one for the address; of several backends, a stop at some concerns a share of the connections. */
function shared(ways: readonly Stop[][]): Stop[] {
  if (ways.length <= 1) return ways.flat();
  const all = ways.every((w) => w.some((s) => s.certain));
  return ways.flat().map((s) => (all ? s : { ...s, certain: false }));
}

/** One of a Service's addresses, and where a packet to it starts. `node` is null where the client's node is not known. */
export interface ToAddress {
  service: Service;
  slices: readonly EndpointSlice[];
  address: string;
  port: number;
  node: string | null;
  origin: Origin;
}

/** Stops on the way of a packet to one of a Service's addresses; `toBackend` adds those behind the rules. */
export function stopsThroughRules(world: World, to: ToAddress, toBackend: (e: Endpoint, port: number) => Stop[]): Stop[] {
  const { facts } = world;
  const { service, slices, origin } = to;
  const label = excludingLabels.find((l) => service.metadata.labels[l] !== undefined);
  if (label !== undefined) {
    const why = `the Service has the label ${label}, so kube-proxy ignores it`;
    return [{ fates: ['lost', 'refused'], certain: true, why, codes: ['service-excluded-from-proxy'] }];
  }
  const node = proxyNodeOf(
    to.node ?? '',
    (valueOf(facts.nodes) ?? []).find((n) => n.metadata.name === to.node),
    (valueOf(facts.proxyPods) ?? []).find((p) => p.spec.nodeName === to.node),
  );
  const end = endsOf(service, service.spec.ports, node).find((e) => e.address === to.address && e.port === to.port);
  if (!end) return [];
  const want = expected(service, slices, end, node, origin);
  const { backends, stops } = throughNode(world, { service, end, node, origin }, want);
  const byAddress = new Map(endpointsOf(slices).flatMap((e) => (e.port === null ? [] : [[hostPort(e.address, e.port), e] as const])));
  const ways = backends.map((b) => {
    const e = byAddress.get(b);
    return e && e.port !== null ? toBackend(e, e.port) : [];
  });
  return [...stops, ...shared(ways)];
}
