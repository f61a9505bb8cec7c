import type { Connection } from '../../src/facts/facts.ts';
import { isGood, isLost } from '../../src/facts/selectors.ts';
import { check, type Draft, judged, skip, unknown } from '../check.ts';
import { followPacket, podsOn, routesBetween, whyLost } from './routes.ts';
import { outcomeText, plural, probeEvidence, serviceRef, some } from '../format.ts';
import { kubectl } from '../fix.ts';

type Code = 'endpoint-failing' | 'cross-node-unreachable' | 'manual-endpoint-unreachable';

/** How long the endpoints took, from three on with their median. */
function latency(tried: readonly Connection[]): string {
  const sorted = tried.flatMap((c) => (c.latencyMs !== null && c.outcome === 'answered' ? [c.latencyMs] : [])).toSorted((a, b) => a - b);
  const worst = sorted.at(-1);
  if (worst === undefined) return '';
  if (worst < 10) return ', each in less than 10 ms';
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? worst;
  return `${sorted.length < 3 ? '' : `, in ${Math.round(median)} ms at the median`}, the slowest in ${Math.round(worst)} ms`;
}

export const endpoints = check({
  id: 'path/endpoints',
  title: 'Each endpoint answers the client',
  needs: ['target', 'service', 'connections'],
  uses: ['routes', 'viaApiServer'],
  codes: ['endpoint-failing', 'cross-node-unreachable', 'manual-endpoint-unreachable'],
  run({ target, service, connections, routes, viaApiServer }) {
    if (!service || service.spec.type === 'ExternalName') return skip('no endpoints belong to it');
    if (target.from.kind === 'external') return skip('the client is outside of the cluster');
    const tried = connections.list.filter((c) => c.hop === 'endpoint');
    if (tried.length === 0) return unknown('no tool at hand could connect to an endpoint');
    const failing = tried.filter((c) => !isGood(c));
    const silent = tried.filter((c) => c.outcome === 'no-answer').length;
    const total = Math.max(connections.endpointsTotal, tried.length);
    const summary = `${tried.length - failing.length} of ${plural(total, 'endpoint')} ${silent === tried.length ? 'did not refuse (UDP)' : 'answered'}${latency(tried)}`;
    const findings: Draft<Code>[] = [];
    const scope = failing.length === tried.length ? ('all' as const) : ('part' as const);

    const manual = failing.filter((c) => c.pod === null);
    if (manual[0]) {
      findings.push({
        code: 'manual-endpoint-unreachable',
        severity: 'error',
        confidence: 'confirmed',
        scope,
        object: serviceRef(target),
        message: `${plural(manual.length, 'hand-written endpoint')} of Service "${target.name}" ${manual.length === 1 ? 'does' : 'do'} not answer: ${some(manual.map((c) => c.target))} ${outcomeText(manual[0].outcome)}`,
        evidence: manual.slice(0, 4).map((c) => probeEvidence(connections.from, c)),
        fix: [
          {
            text: 'Correct the address and port in the EndpointSlice, or start what it names',
            command: kubectl(target.namespace, 'get', 'endpointslices', '-l', `kubernetes.io/service-name=${target.name}`, '-o', 'yaml'),
          },
        ],
      });
    }
    const ofPods = failing.filter((c) => c.pod !== null);
    const here = connections.node;
    const elsewhere = (c: Connection) => c.node !== null && c.node !== here;
    // Lost on the way to some nodes, while another node's endpoints answer: the way between the nodes is at fault.
    const badNodes = [...new Set(ofPods.filter((c) => isLost(c) && elsewhere(c)).map((c) => c.node as string))].filter((n) =>
      tried.filter((c) => c.node === n).every(isLost),
    );
    const known = routesBetween(routes, [here, ...badNodes]);
    // Also where no other node's endpoint answers, if a route is seen to lead nowhere.
    const between =
      here !== null && (known.dead || tried.some((c) => isGood(c) && c.node !== null && !badNodes.includes(c.node)))
        ? ofPods.filter((c) => c.node !== null && badNodes.includes(c.node))
        : [];
    if (between.length > 0) {
      findings.push({
        code: 'cross-node-unreachable',
        severity: 'error',
        confidence: known.dead ? 'confirmed' : 'likely',
        scope,
        object: { kind: 'Node', namespace: '', name: known.dead?.node ?? badNodes[0] ?? '' },
        message: `Pods on node ${some(badNodes)} cannot be reached from node ${here}${tried.some(isGood) ? ', while other pods answer' : ''}: ${whyLost(known.dead)}`,
        evidence: [...known.evidence, ...[...between.slice(0, 3), ...tried.filter(isGood).slice(0, 2)].map((c) => probeEvidence(connections.from, c))],
        fix: [
          {
            text: `${known.dead ? `Mend the route on ${known.dead.node}: see what wrote it` : `Compare the routes of ${here} and ${badNodes[0]}`}, and look at the CNI plug-in's pods there`,
            command: podsOn(known.dead?.node ?? badNodes[0] ?? ''),
          },
        ],
        pods: between.flatMap((c) => (c.pod ? [c.pod] : [])),
      });
    }
    // Who answers the API server does work; it is the way from the client that does not.
    const answering = (pods: readonly string[]) =>
      (viaApiServer.seen ? viaApiServer.value : []).filter((c) => c.pod !== null && pods.includes(c.pod) && c.outcome === 'answered').slice(0, 2);
    for (const [outcome, group] of Map.groupBy(
      ofPods.filter((c) => !between.includes(c)),
      (c) => c.outcome,
    )) {
      const pods = [...new Set(group.flatMap((c) => (c.pod ? [c.pod] : [])))];
      findings.push({
        code: 'endpoint-failing',
        severity: 'error',
        confidence: 'confirmed',
        scope,
        object: serviceRef(target),
        message: `${group.length} of ${plural(tried.length, 'endpoint')} cannot be reached directly (${outcomeText(outcome)})`,
        evidence: [
          ...group.slice(0, 4).map((c) => probeEvidence(connections.from, c)),
          ...routesBetween(routes, [here, ...group.filter(isLost).map((c) => c.node)]).evidence,
          ...answering(pods).map((c) => probeEvidence(connections.from, c)),
        ],
        fix: [followPacket],
        pods,
      });
    }
    return judged(summary, findings);
  },
});
