import type { Connection } from '../../src/facts/facts.ts';
import { connectionKey, endpointsOf } from '../../src/facts/selectors.ts';
import { check, judged, skip } from '../check.ts';
import { onNode } from '../on-node.ts';
import { outcomeText, plural, serviceRef, some } from '../format.ts';

const answerOf = (c: Connection) =>
  c.status !== undefined ? `answers ${c.status}` : `gives no answer${c.outcome === 'no-answer' ? '' : ` (${outcomeText(c.outcome)})`}`;

/** With externalTrafficPolicy Local, load balancers ask each node whether it has an endpoint (Service API, spec.healthCheckNodePort). */
export const healthCheck = check({
  id: 'path/health-check',
  title: 'The health check of each node is right',
  needs: ['target', 'service', 'slices', 'connections'],
  uses: ['proxyPods'],
  codes: ['health-check-failing'],
  run({ target, service, slices, connections, proxyPods }) {
    if (!service?.spec.healthCheckNodePort) return skip('the Service has no healthCheckNodePort');
    const tried = connections.list.filter((c) => c.hop === 'health-check');
    if (tried.length === 0) return skip('no node was asked');
    const serving = new Set(endpointsOf(slices).flatMap((e) => (e.ready && e.node !== null ? [e.node] : [])));
    const isWrong = (c: Connection) => (c.status === 200) !== serving.has(c.node ?? '');
    const passed = tried.filter((c) => !isWrong(c)).map((c) => `${c.node} ${answerOf(c)}`);
    const wrong = tried.filter(isWrong);
    if (wrong.length === 0) return judged([], `health check for load balancers: ${some(passed, 6)}`);
    // A node that is left out gets no requests; a node that is wrongly included drops its requests.
    const leftOut = wrong.filter((c) => c.status !== 200);
    const takenIn = wrong.filter((c) => c.status === 200);
    const parts = [
      ...(leftOut.length > 0
        ? [
            leftOut.length === 1
              ? `${leftOut[0]?.node} has an endpoint and ${answerOf(leftOut[0] as Connection)}, so load balancers leave it out`
              : `${some(leftOut.map((c) => c.node ?? ''))} have an endpoint and do not answer 200, so load balancers leave them out`,
          ]
        : []),
      ...(takenIn.length > 0
        ? [
            `${some(takenIn.map((c) => c.node ?? ''))} ${takenIn.length === 1 ? 'has' : 'have'} no endpoint and ${takenIn.length === 1 ? 'answers' : 'answer'} 200, so load balancers send requests there that are dropped`,
          ]
        : []),
    ];
    const noneServes = !tried.some((c) => c.status === 200 && serving.has(c.node ?? ''));
    return judged([
      {
        code: 'health-check-failing',
        severity: 'error',
        confidence: 'confirmed',
        scope: noneServes && serving.size > 0 ? 'all' : 'part',
        object: serviceRef(target),
        message: `Service "${target.name}": the health check for load balancers is wrong on ${plural(wrong.length, 'node')}: ${parts.join('; ')}`,
        evidence: tried.slice(0, 6).map((c) => ({
          source: 'probe',
          text: `${c.target}/healthz on ${c.node} (${serving.has(c.node ?? '') ? 'an endpoint' : 'no endpoint'} there)  ${answerOf(c)}`,
        })),
        fix: [
          {
            text: `kube-proxy on ${wrong[0]?.node} answers port ${service.spec.healthCheckNodePort}: list the node's firewall rules for this port, delete the one that drops it, or restart kube-proxy there`,
            command: onNode(wrong[0]?.node ?? '', proxyPods, 'iptables-save'),
          },
        ],
        failed: wrong.map(connectionKey),
      },
    ]);
  },
});
