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
    if (addresses.length > 0) return judged([], `load balancer at ${addresses.join(', ')}`);
    const said = events.seen ? events.value.filter((e) => e.involvedObject.kind === 'Service' && e.involvedObject.name === target.name) : [];
    const outside = target.from.kind === 'external';
    const loadBalancerClass = service.spec.loadBalancerClass;
    return judged([
      {
        code: 'load-balancer-pending',
        severity: outside ? 'error' : 'warning',
        confidence: 'confirmed',
        scope: 'all',
        object: serviceRef(target),
        message: `Service "${target.name}" has no load balancer address: no controller has set status.loadBalancer${loadBalancerClass ? ` (loadBalancerClass "${loadBalancerClass}")` : ''}`,
        evidence: [{ source: 'service', text: 'status.loadBalancer is empty' }, ...said.map((e) => ({ source: 'events', text: `${e.reason}: ${e.message}` }))],
        fix: [
          {
            text: `Read the events of Service "${target.name}", and check the controller that provides load balancers (the cloud's, MetalLB, …)`,
            command: kubectl(target.namespace, 'describe', 'service', target.name),
          },
          ...service.spec.ports
            .filter((p) => p.nodePort)
            .slice(0, 1)
            .map((p) => ({ text: `Use node port ${p.nodePort} of any node until then` })),
        ],
      },
    ]);
  },
});
