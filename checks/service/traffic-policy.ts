import { endpointsOf, portsAsked, targetsOf } from '../../src/facts/selectors.ts';
import { check, type Draft, judged, skip } from '../check.ts';
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
    const internal = service.spec.internalTrafficPolicy === 'Local';
    const external = service.spec.externalTrafficPolicy === 'Local' && target.from.kind === 'external';
    if (!internal && !external) return skip('traffic policy Cluster');
    const endpoints = endpointsOf(slices);
    const ready = (portsAsked(service, target.port) ?? []).flatMap((p) => targetsOf(p, endpoints));
    if (ready.length === 0) return skip('there is no ready endpoint on any node');
    const withEndpoint = new Set(ready.map((e) => e.node));
    const field = internal ? 'internalTrafficPolicy' : 'externalTrafficPolicy';
    const finding = (message: string, scope: 'all' | 'part', severity: 'error' | 'warning'): Draft<'local-policy-no-endpoint'> => ({
      code: 'local-policy-no-endpoint',
      severity,
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
        ? judged(`${field} Local; ${node} has an endpoint`)
        : judged('', [
            finding(`Service "${target.name}": internalTrafficPolicy is Local, and the client's node ${node} has no ready endpoint`, 'all', 'error'),
          ]);
    }
    const without = nodes.seen ? nodes.value.map((n) => n.metadata.name).filter((n) => !withEndpoint.has(n)) : [];
    if (without.length === 0) return judged(`${field} Local; every node has an endpoint`);
    return judged('', [
      finding(
        `Service "${target.name}": ${field} is Local, and ${some(without)} ${without.length === 1 ? 'has' : 'have'} no ready endpoint`,
        'part',
        internal ? 'error' : 'warning',
      ),
    ]);
  },
});
