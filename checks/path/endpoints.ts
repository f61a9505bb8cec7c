import type { Fact } from '../../src/facts/fact.ts';
import type { Connection, Connections, FactTypes, Target } from '../../src/facts/facts.ts';
import { connectionKey, familyOf, isGenerated, isGood, isLost, splitTarget } from '../../src/facts/selectors.ts';
import type { EndpointSlice } from '../../src/facts/objects.ts';
import { check, type Draft, type Fix, judged, skip, unknown } from '../check.ts';
import { kubectl, patch } from '../fix.ts';
import { followPacket, podsOn, restored, routesBetween, whyLost } from './routes.ts';
import { outsideKubernetes } from '../platform.ts';
import { outcomeText, overFamilyOf, plural, probeEvidence, serviceRef, some } from '../format.ts';

type Found = Draft<'endpoint-failing' | 'cross-node-unreachable' | 'manual-endpoint-unreachable'>;
type Routes = Fact<FactTypes['routes']>;

/** The connections to endpoints, and those of them that failed. */
interface Subject {
  target: Target;
  made: Connections;
  tried: readonly Connection[];
  failing: readonly Connection[];
  scope: 'all' | 'part';
  slices: Fact<EndpointSlice[]>;
  nodes: Fact<FactTypes['nodes']>;
  proxyPods: Fact<FactTypes['proxyPods']>;
}

/** How long the endpoints took; for three and more also the median. */
function latency(tried: readonly Connection[]): string {
  const sorted = tried.flatMap((c) => (c.latencyMs !== null && c.outcome === 'answered' ? [c.latencyMs] : [])).toSorted((a, b) => a - b);
  const worst = sorted.at(-1);
  if (worst === undefined) return '';
  if (worst < 10) return ', each in less than 10 ms';
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? worst;
  return `${sorted.length < 3 ? '' : `, median ${Math.round(median)} ms`}, slowest ${Math.round(worst)} ms`;
}

/**
 * A slice beside those of the controller adds endpoints that nobody may remember. They are taken out of it: without its label it would be none of
 * the Service's, too, but kube-proxy keeps the endpoints of a slice that it no longer watches.
 */
function withoutFailing({ slices }: Subject, failing: readonly Connection[]): Fix[] {
  const all = slices.seen ? slices.value : [];
  const bad = new Set(failing.map((c) => splitTarget(c.target).address));
  const isBad = ({ addresses }: { addresses: readonly string[] }) => addresses.some((a) => bad.has(a));
  const own = all.find((s) => !isGenerated(s) && s.endpoints.some(isBad));
  if (!own || !all.some(isGenerated)) return [];
  const { namespace, name } = own.metadata;
  // From the last: each removal moves those behind it.
  const found = own.endpoints.flatMap((e, i) => (isBad(e) ? [{ addresses: e.addresses, path: `/endpoints/${i}` }] : [])).toReversed();
  const operations = found.flatMap(({ addresses, path }) => [
    { op: 'test', path: `${path}/addresses`, value: addresses },
    { op: 'remove', path },
  ]);
  const text = `Take ${some(found.flatMap((f) => f.addresses))} out of EndpointSlice "${name}", which no controller made`;
  return [patch(text, namespace, `endpointslice/${name}`, operations, 'json')];
}

function manualEndpoints(subject: Subject): Found[] {
  const { target, made, failing, scope } = subject;
  const manual = failing.filter((c) => c.pod === null);
  const [first] = manual;
  if (!first) return [];
  return [
    {
      code: 'manual-endpoint-unreachable',
      severity: 'error',
      confidence: 'confirmed',
      scope,
      object: serviceRef(target),
      message: `Service "${target.name}": ${plural(manual.length, 'manually created endpoint')} ${manual.length === 1 ? 'does' : 'do'} not answer: ${some(manual.map((c) => c.target))} ${outcomeText(first.outcome)}`,
      evidence: manual.slice(0, 4).map((c) => probeEvidence(made.from, c)),
      failed: manual.map(connectionKey),
      fix: [
        ...withoutFailing(subject, manual),
        {
          text: 'Correct the address and port in the EndpointSlice, or start the program at that address',
          command: kubectl(target.namespace, 'get', 'endpointslices', '-l', `kubernetes.io/service-name=${target.name}`, '-o', 'yaml'),
        },
      ],
    },
  ];
}

/** Connections lost on the way to some nodes, while endpoints on other nodes answer, or a route is seen to drop them. */
function lostBetweenNodes({ made, tried, failing }: Subject, routes: Routes) {
  const here = made.node;
  const ofPods = failing.filter((c) => c.pod !== null);
  // Each family has routes of its own.
  const addressOf = (c: Connection) => splitTarget(c.target).address;
  const wayOf = (c: Connection) => `${c.node} ${familyOf(addressOf(c))}`;
  const badWays = new Set(
    ofPods
      .filter((c) => isLost(c) && c.node !== null && c.node !== here)
      .map(wayOf)
      .filter((way) => tried.filter((c) => wayOf(c) === way).every(isLost)),
  );
  const bad = ofPods.filter((c) => badWays.has(wayOf(c)));
  const known = routesBetween(routes, [here, ...bad.map((c) => c.node)]);
  // Where routes show which way is dead, the others were lost for another reason.
  const isDead = (c: Connection) =>
    known.read.some((r) => !r.leads && (r.to === addressOf(c) || (r.node === c.node && familyOf(r.to) === familyOf(addressOf(c)))));
  const dead = new Set(bad.filter(isDead).map(wayOf));
  const kept = dead.size > 0 ? bad.filter((c) => dead.has(wayOf(c))) : bad;
  const families = new Set(kept.map((c) => familyOf(addressOf(c))));
  const elsewhere = tried.some((c) => isGood(c) && c.node !== null && families.has(familyOf(addressOf(c))) && !kept.some((k) => wayOf(k) === wayOf(c)));
  const lost = here !== null && (known.dead !== undefined || elsewhere) ? kept : [];
  return { lost, badNodes: [...new Set(kept.map((c) => c.node ?? ''))], known };
}

function crossNode({ made, tried, scope, nodes, proxyPods }: Subject, { lost, badNodes, known }: ReturnType<typeof lostBetweenNodes>): Found[] {
  if (lost.length === 0) return [];
  const node = known.dead?.node ?? badNodes[0] ?? '';
  return [
    {
      code: 'cross-node-unreachable',
      severity: 'error',
      confidence: known.dead ? 'confirmed' : 'likely',
      scope,
      object: { kind: 'Node', namespace: '', name: node },
      message: `Pods on node ${some(badNodes)} cannot be reached from node ${made.node}${overFamilyOf(lost, tried)}${tried.some(isGood) ? ', while other pods answer' : ''}: ${whyLost(known.dead)}`,
      evidence: [...known.evidence, ...[...lost.slice(0, 3), ...tried.filter(isGood).slice(0, 2)].map((c) => probeEvidence(made.from, c))],
      fix: known.dead
        ? restored(known.dead, nodes, proxyPods)
        : [{ text: `Compare the routes of ${made.node} and ${badNodes[0]}, and check the CNI pods there`, command: podsOn(node) }, ...outsideKubernetes(nodes)],
      pods: lost.flatMap((c) => (c.pod ? [c.pod] : [])),
      // A route that drops the packets is a fact of its own; without one it follows from the connections.
      ...(!known.dead && { failed: lost.map(connectionKey) }),
    },
  ];
}

/** A packet was answered: mostly by the program's node, because nothing takes connections there, else by a firewall that refuses. */
const programFirst = (namespace: string, pod: string): Fix[] => [
  {
    text: 'Check whether the program in the pod listens on that port and takes connections, then the firewalls of both nodes',
    command: kubectl(namespace, 'logs', pod, '--tail=20'),
  },
];

/** Failures of pods that nothing above explains, one finding for each outcome. */
function others(
  { target, made, tried, failing, scope, nodes }: Subject,
  explained: readonly Connection[],
  routes: Routes,
  viaApiServer: Fact<Connection[]>,
): Found[] {
  // A program that answers the API server works; the network from the client to it does not.
  const answering = (pods: readonly string[]) =>
    (viaApiServer.seen ? viaApiServer.value : []).filter((c) => c.pod !== null && pods.includes(c.pod) && c.outcome === 'answered').slice(0, 2);
  const rest = failing.filter((c) => c.pod !== null && !explained.includes(c));
  return [...Map.groupBy(rest, (c) => c.outcome)].map(([outcome, group]): Found => {
    const pods = [...new Set(group.flatMap((c) => (c.pod ? [c.pod] : [])))];
    return {
      code: 'endpoint-failing',
      severity: 'error',
      confidence: 'confirmed',
      scope,
      object: serviceRef(target),
      message: `Service "${target.name}": direct connections to ${group.length} of ${plural(tried.length, 'endpoint')} fail${overFamilyOf(group, tried)} (${outcomeText(outcome)})`,
      evidence: [
        ...group.slice(0, 4).map((c) => probeEvidence(made.from, c)),
        ...routesBetween(routes, [made.node, ...group.filter(isLost).map((c) => c.node)]).evidence,
        ...answering(pods).map((c) => probeEvidence(made.from, c)),
      ],
      fix: outcome === 'refused' || outcome === 'reset' ? programFirst(target.namespace, pods[0] ?? '') : followPacket(nodes),
      pods,
      failed: group.map(connectionKey),
    };
  });
}

export const endpoints = check({
  id: 'path/endpoints',
  title: 'Each endpoint answers the client',
  needs: ['target', 'service', 'connections'],
  uses: ['routes', 'viaApiServer', 'slices', 'nodes', 'proxyPods'],
  codes: ['endpoint-failing', 'cross-node-unreachable', 'manual-endpoint-unreachable'],
  run({ target, service, connections: made, routes, viaApiServer, slices, nodes, proxyPods }) {
    if (!service || service.spec.type === 'ExternalName') return skip('the Service has no endpoints of its own');
    if (target.from.kind === 'external') return skip('the client is outside the cluster');
    const tried = made.list.filter((c) => c.hop === 'endpoint');
    if (tried.length === 0) return unknown('no tool at hand could connect to an endpoint');
    const failing = tried.filter((c) => !isGood(c));
    const subject: Subject = { target, made, tried, failing, scope: failing.length === tried.length ? 'all' : 'part', slices, nodes, proxyPods };
    const between = lostBetweenNodes(subject, routes);
    const silent = tried.filter((c) => c.outcome === 'no-answer').length;
    const total = Math.max(made.endpointsTotal, tried.length);
    const summary = `${tried.length - failing.length} of ${plural(total, 'endpoint')} ${silent === tried.length ? 'did not refuse (UDP)' : 'answered'}${latency(tried)}`;
    return judged([...manualEndpoints(subject), ...crossNode(subject, between), ...others(subject, between.lost, routes, viaApiServer)], summary);
  },
});
