import { check, judged, skip } from '../check.ts';
import { outcomeText, probeEvidence, serviceRef, some } from '../format.ts';
import { kubectl } from '../fix.ts';

/** The way in that users take: the load balancer's address, tried from the machine that k8s-doctor runs on. */
export const loadBalancer = check({
  id: 'path/load-balancer',
  title: 'The load balancer answers this machine',
  needs: ['target', 'service', 'connections'],
  codes: ['load-balancer-failing'],
  run({ target, service, connections }) {
    if (!service || target.from.kind !== 'external') return skip('the client is inside of the cluster');
    const tried = connections.list.filter((c) => c.hop === 'load-balancer');
    if (tried.length === 0) return skip('there is no address of a load balancer to connect to');
    const failing = tried.filter((c) => c.outcome !== 'answered');
    const [first] = failing;
    if (!first) return judged(`${some(tried.map((c) => c.target))} answered this machine`);
    const ports = connections.list.filter((c) => c.hop === 'node-port');
    const behind = ports.filter((c) => c.outcome === 'answered');
    const ranges = service.spec.loadBalancerSourceRanges;
    return judged('', [
      {
        code: 'load-balancer-failing',
        severity: 'error',
        // This machine may be one that is meant to be kept out.
        confidence: ranges.length > 0 ? 'possible' : 'confirmed',
        scope: failing.length === tried.length ? 'all' : 'part',
        object: serviceRef(target),
        message: `The load balancer does not answer this machine: ${some(failing.map((c) => c.target))} ${outcomeText(first.outcome)}${behind.length > 0 ? ', while node ports behind it answer' : ''}${ranges.length > 0 ? ` (it is open to ${some(ranges)} alone)` : ''}`,
        evidence: [...failing.slice(0, 3), ...behind.slice(0, 2)].map((c) => probeEvidence(connections.from, c)),
        fix: [
          {
            text: "See what the load balancer itself says: its listeners, its health checks, its firewall; and the Service's events",
            command: kubectl(target.namespace, 'describe', 'service', target.name),
          },
        ],
      },
    ]);
  },
});
