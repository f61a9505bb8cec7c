import { endpointsOf, isReady, portsAsked, targetsOf } from '../../src/facts/selectors.ts';
import { check, type Draft, judged, skip, unknown } from '../check.ts';
import { serviceRef, some } from '../format.ts';
import { patch } from '../fix.ts';

export const trafficPolicy = check({
  id: 'service/traffic-policy',
  title: 'The traffic policies have an endpoint for the client',
  needs: ['target', 'service', 'slices'],
  uses: ['client', 'nodes'],
  codes: ['local-policy-no-endpoint'],
  run({ target, service, slices, client, nodes }) {
    if (!service || service.spec.type === 'ExternalName') return skip('no traffic policy applies');
    const isOutside = target.from.kind === 'external';
    const internal = service.spec.internalTrafficPolicy === 'Local' && !isOutside;
    const external = service.spec.externalTrafficPolicy === 'Local' && isOutside;
    if (!internal && !external) return skip('traffic policy Cluster');
    const endpoints = endpointsOf(slices);
    const ready = (portsAsked(service, target.port) ?? []).flatMap((p) => targetsOf(p, endpoints));
    if (ready.length === 0) return skip('there is no ready endpoint on any node');
    const withEndpoint = new Set(ready.map((e) => e.node));
    const field = internal ? 'internalTrafficPolicy' : 'externalTrafficPolicy';
    const finding = (message: string, scope: 'all' | 'part'): Draft<'local-policy-no-endpoint'> => ({
      code: 'local-policy-no-endpoint',
      severity: 'error',
      confidence: 'likely',
      scope,
      object: serviceRef(target),
      message,
      evidence: [
        { source: 'service', text: `spec.${field}: Local (only endpoints on the node that handles the packet)` },
        { source: 'endpointslices', text: `ready endpoints are on ${some([...withEndpoint].map((n) => n ?? 'an unknown node'))}` },
      ],
      fix: [
        patch(`Set ${field} of Service "${target.name}" to Cluster`, target.namespace, `service/${target.name}`, { spec: { [field]: 'Cluster' } }),
        { text: 'Or run an endpoint on every node that has clients (a DaemonSet)' },
      ],
    });
    const node = client.seen ? client.value?.node : undefined;
    if (internal && node) {
      return withEndpoint.has(node)
        ? judged([], `${field} Local; ${node} has an endpoint`)
        : judged([finding(`Service "${target.name}": internalTrafficPolicy is Local, and the client's node ${node} has no ready endpoint`, 'all')]);
    }
    if (!nodes.seen) return unknown(`${nodes.what}: ${nodes.why}`);
    const without = nodes.value.filter((n) => isReady(n) && !withEndpoint.has(n.metadata.name)).map((n) => n.metadata.name);
    if (without.length === 0) return judged([], `${field} Local; every node has an endpoint`);
    // Load balancers ask each node whether it has an endpoint, and send it nothing if it has none (Service API, spec.healthCheckNodePort).
    if (!internal && service.spec.type === 'LoadBalancer' && service.spec.healthCheckNodePort)
      return judged([], `${field} Local; load balancers leave out ${some(without)} (health check on port ${service.spec.healthCheckNodePort})`);
    return judged([
      finding(
        `Service "${target.name}": ${field} is Local, and ${some(without)} ${without.length === 1 ? 'has' : 'have'} no ready endpoint${internal ? '' : `: ${without.length === 1 ? 'it drops' : 'they drop'} connections to the node port`}`,
        'part',
      ),
    ]);
  },
});
