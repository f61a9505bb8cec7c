/** The way of a packet to one endpoint: out of the client's policies, over the network, into the pod's policies, to the program. */
import type { Code } from '../catalog/codes.ts';
import { type Fact, valueOf } from '../facts/fact.ts';
import type { Facts, Listeners, Route } from '../facts/facts.ts';
import { familyOf, isReady, kubeletVersionsOf, lastingStatuses } from '../facts/selectors.ts';
import { pluginOf } from '../policy/plugin.ts';
import { type Direction, inside } from '../policy/rule.ts';
import type { Protocol } from '../proxy/model.ts';
import { forwardingStops } from './forwarding.ts';
import { decided, receiverOf } from './parties.ts';
import type { Stop } from './prediction.ts';
import { servingOf } from './serving.ts';
import { unseenStop, type World } from './world.ts';

/** An endpoint as a packet meets it. `pod` is null for an address that no pod has. */
export interface Destination {
  address: string;
  port: number;
  protocol: Protocol;
  pod: string | null;
  node: string | null;
}

export const programFaults = [
  'target-port-not-listening',
  'listens-on-loopback',
  'protocol-mismatch',
  'headless-port-mismatch',
  'selector-overlap',
] as const satisfies Code[];

const policyCode: Record<Direction, Code> = { ingress: 'policy-denies-ingress', egress: 'policy-denies-egress' };

/** Whether the plug-in answers packets that a policy denies with a refusal: most drop them, kube-router (and k3s with it) rejects them. */
export function rejectsDenied({ networkDaemons, nodes }: Pick<Facts, 'networkDaemons' | 'nodes'>): boolean {
  const plugin = pluginOf(valueOf(networkDaemons) ?? [], nodes.seen ? kubeletVersionsOf(nodes.value) : []);
  return plugin?.name === 'kube-router' || plugin?.name === 'k3s';
}

function policyStops(direction: Direction, world: World, to: Destination): Stop[] {
  const { facts, from, client, service, policies } = world;
  if (!from || !client) return [];
  const code = policyCode[direction];
  if (direction === 'egress' && (client.kind === 'external' || client.kind === 'node')) return [];
  const home = direction === 'ingress' ? world.target.namespace : client.namespace;
  const own = facts.policies.seen ? facts.policies.value[home] : facts.policies;
  const pods = to.pod === null ? {} : { pods: [to.pod] };
  if (!policies || (own && !own.seen)) return unseenStop(own ?? facts.policies, [code], ['lost']).map((s) => ({ ...s, ...pods }));
  const party = receiverOf(to.address, to.pod === null ? undefined : world.pods.get(to.pod), facts.namespaces);
  const asked = decided(direction, from, party, { port: to.port, protocol: to.protocol }, policies);
  if (!asked || asked.decision.verdict === 'allowed') {
    const unread = policies.blind.length > 0 ? [`policies that were not judged: ${policies.blind.join(', ')}`] : [];
    return unread.map((why) => ({ fates: ['lost'], certain: false, unseen: 'not-possible', why, codes: [code], ...pods }));
  }
  const { verdict, why, by } = asked.decision;
  // A node port may replace the source by the node's address; kinds of the whole cluster need a plug-in that knows them.
  const behindNode = client.kind === 'external' && service?.spec.externalTrafficPolicy !== 'Local';
  const unheardOf = by?.policy.namespace === '' && pluginOf(valueOf(facts.networkDaemons) ?? [], []) === undefined;
  return [
    {
      fates: rejectsDenied(facts) ? ['refused', 'lost'] : ['lost'],
      certain: verdict === 'denied' && !behindNode && !unheardOf,
      why: `${direction}: ${why}`,
      codes: [code],
      ...pods,
    },
  ];
}

/** Routes are read only after packets were lost between nodes: one address of each node represents all of them. */
function routeStops({ facts, node, endpoints, client }: World, to: Destination): Stop[] {
  if (node === null || to.node === null || node === to.node) return [];
  const codes = ['cross-node-unreachable'] as const;
  if (!facts.routes.seen) return unseenStop(facts.routes, codes, ['lost']);
  const read = Object.values(facts.routes.value).flatMap((r) => (r.seen ? [r.value] : []));
  const on = (address: string, name: string | null) => endpoints.some((e) => e.address === address && e.node === name);
  const ranges = (valueOf(facts.nodes) ?? []).find((n) => n.metadata.name === node)?.spec.podCIDRs ?? [];
  // A route to one address says nothing about the others of its node.
  // Each family has routes of its own.
  const isSameFamily = (r: Route) => familyOf(r.to) === familyOf(to.address);
  const isOfAll = (r: Route) => r.route === 'none' || /\/|default/.test(r.route);
  const isThere = (r: Route) => r.node === node && isSameFamily(r) && (r.to === to.address || (isOfAll(r) && on(r.to, to.node)));
  const isBack = (r: Route) =>
    r.node === to.node && isSameFamily(r) && (client?.addresses.includes(r.to) || (isOfAll(r) && ranges.some((range) => inside(r.to, range))));
  const dead = read.find((r) => !r.leads && (isThere(r) || isBack(r)));
  if (!dead) return [];
  return [{ fates: ['lost'], certain: true, why: `${dead.node} to ${dead.to}: ${dead.route}`, codes, ...(to.pod !== null && { pods: [to.pod] }) }];
}

/** Findings that say why a pod does not run, or is not ready. */
export const podFaults = [
  'node-not-ready',
  'image-pull-failing',
  'container-config-error',
  'out-of-memory',
  'container-crashing',
  'pod-starting',
  'readiness-failing',
  'readiness-gate-unmet',
] as const satisfies Code[];

/** All faults that can stop a packet to an endpoint. */
export const podWayFaults: readonly Code[] = [
  ...podFaults,
  ...programFaults,
  'policy-denies-ingress',
  'policy-denies-egress',
  'cross-node-unreachable',
  'node-drops-packets',
  'conntrack-full',
  'endpoints-stale',
];

/** The pod itself: does it exist, is its node there, do its containers run? */
function podStops({ facts, pods }: World, to: Destination): Stop[] {
  if (to.pod === null)
    return [
      {
        fates: ['lost', 'refused'],
        certain: false,
        why: `${to.address} is not the address of a pod`,
        codes: ['manual-endpoint-unreachable', 'endpoints-stale'],
      },
    ];
  const pod = pods.get(to.pod);
  if (!pod) {
    if (!facts.pods.seen) return unseenStop(facts.pods, podFaults);
    return [{ fates: ['lost', 'refused'], certain: true, why: `pod ${to.pod} does not exist`, codes: ['endpoints-stale'], pods: [to.pod] }];
  }
  const node = (valueOf(facts.nodes) ?? []).find((n) => n.metadata.name === pod.spec.nodeName);
  if (node && !isReady(node)) {
    return [{ fates: ['lost', 'refused'], certain: false, why: `node ${node.metadata.name} is not ready`, codes: podFaults, pods: [to.pod] }];
  }
  // A program that was killed a moment ago may run again by now.
  const ended = lastingStatuses(pod).find((s) => s.lastState.terminated && s.lastState.terminated.exitCode !== 0);
  if (ended)
    return [{ fates: ['lost', 'refused'], certain: false, why: `container ${ended.name} of pod ${to.pod} was restarted`, codes: podFaults, pods: [to.pod] }];
  if (isReady(pod)) return [];
  return [{ fates: ['lost', 'refused'], certain: false, why: `pod ${to.pod} is not ready`, codes: podFaults, pods: [to.pod] }];
}

function programStops({ facts, pods }: World, to: Destination): Stop[] {
  const pod = to.pod === null ? undefined : pods.get(to.pod);
  if (!pod || to.protocol === 'SCTP') return [];
  const read: Fact<Listeners> | undefined = facts.listeners.seen ? facts.listeners.value[pod.metadata.name] : facts.listeners;
  const serving = servingOf(pod, to, read?.seen ? read.value : undefined, undefined);
  const codes = programFaults;
  const own = { pods: [pod.metadata.name] };
  if (!serving) {
    const why = read && !read.seen ? `${read.what}: ${read.why}` : `whether pod ${pod.metadata.name} listens on port ${to.port} was not read`;
    const unseen = read && !read.seen && read.reason !== 'not-needed' ? { unseen: read.reason } : {};
    return [{ fates: ['refused'], certain: false, why, codes, ...own, ...unseen }];
  }
  if (serving.code === null) return [];
  const why = serving.evidence[0]?.text ?? `nothing listens on port ${to.port}`;
  return [{ fates: ['refused'], certain: serving.confidence === 'confirmed', likely: serving.confidence === 'likely', why, codes, ...own }];
}

/** A full table of connections on the client's node drops new ones. */
function conntrackStops({ facts, node }: World): Stop[] {
  const table = facts.conntrack.seen && node !== null ? facts.conntrack.value[node] : undefined;
  if (!table?.seen || table.value.max === 0 || table.value.count / table.value.max < 0.95) return [];
  return [{ fates: ['lost'], certain: false, why: `connection tracking on ${node}: ${table.value.count} of ${table.value.max}`, codes: ['conntrack-full'] }];
}

/** All stops between the client and one endpoint, in the order in which a packet meets them. */
export const stopsToEndpoint = (world: World, to: Destination): Stop[] => [
  ...policyStops('egress', world, to),
  ...conntrackStops(world),
  ...routeStops(world, to),
  ...forwardingStops(world, to.address, { node: to.node, hostNetwork: to.pod !== null && world.pods.get(to.pod)?.spec.hostNetwork === true }),
  ...podStops(world, to),
  ...policyStops('ingress', world, to),
  ...programStops(world, to),
];
