import { check, judged, skip } from '../check.ts';
import { serviceRef } from '../format.ts';
import { kubectl } from '../fix.ts';

export const loadBalancer = check({
  id: 'service/load-balancer',
  title: 'The load balancer has an address',
  needs: ['target', 'service'],
  uses: ['events'],
  codes: ['load-balancer-pending'],
  run({ target, service, events }) {
    if (service?.spec.type !== 'LoadBalancer') return skip('not a LoadBalancer');
    const addresses = (service.status.loadBalancer.ingress ?? []).map((i) => i.ip ?? i.hostname ?? '').filter(Boolean);
    if (addresses.length > 0) return judged(`load balancer at ${addresses.join(', ')}`);
    const said = events.seen ? events.value.filter((e) => e.involvedObject.kind === 'Service' && e.involvedObject.name === target.name) : [];
    const outside = target.from.kind === 'external';
    const loadBalancerClass = service.spec.loadBalancerClass;
    return judged('', [
      {
        code: 'load-balancer-pending',
        severity: outside ? 'error' : 'warning',
        confidence: 'confirmed',
        scope: 'all',
        object: serviceRef(target),
        message: `Service "${target.name}" has no load balancer: nothing in the cluster has given it an address${loadBalancerClass ? ` (its class is "${loadBalancerClass}")` : ''}`,
        evidence: [{ source: 'service', text: 'status.loadBalancer is empty' }, ...said.map((e) => ({ source: 'events', text: `${e.reason}: ${e.message}` }))],
        fix: [
          {
            text: "Look at the Service's events, and at what provides load balancers here (the cloud's controller, MetalLB, …)",
            command: kubectl(target.namespace, 'describe', 'service', target.name),
          },
          ...service.spec.ports
            .filter((p) => p.nodePort)
            .slice(0, 1)
            .map((p) => ({ text: `Until then it can be reached on every node's port ${p.nodePort}` })),
        ],
      },
    ]);
  },
});
