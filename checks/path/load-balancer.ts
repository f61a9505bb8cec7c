import { connectionKey } from '../../src/facts/selectors.ts';
import { check, judged, skip } from '../check.ts';
import { outcomeText, probeEvidence, serviceRef, some } from '../format.ts';
import { kubectl } from '../fix.ts';
import { outsideKubernetes } from '../platform.ts';

/** The load balancer's address, which users connect to, tried from the machine that k8s-doctor runs on. */
export const loadBalancer = check({
  id: 'path/load-balancer',
  title: 'The load balancer answers this machine',
  needs: ['target', 'service', 'connections'],
  uses: ['nodes'],
  codes: ['load-balancer-failing'],
  run({ target, service, connections, nodes }) {
    if (!service || target.from.kind !== 'external') return skip('the client is inside the cluster');
    const tried = connections.list.filter((c) => c.hop === 'load-balancer');
    if (tried.length === 0) return skip('the Service has no load balancer address');
    const failing = tried.filter((c) => c.outcome !== 'answered');
    const [first] = failing;
    if (!first) return judged([], `${some(tried.map((c) => c.target))} answered this machine`);
    const ports = connections.list.filter((c) => c.hop === 'node-port');
    const behind = ports.filter((c) => c.outcome === 'answered');
    const ranges = service.spec.loadBalancerSourceRanges;
    return judged([
      {
        code: 'load-balancer-failing',
        severity: 'error',
        // The source ranges may exclude this machine on purpose.
        confidence: ranges.length > 0 ? 'possible' : 'confirmed',
        scope: failing.length === tried.length ? 'all' : 'part',
        object: serviceRef(target),
        message: `Service "${target.name}": its load balancer does not answer this machine: ${some(failing.map((c) => c.target))} ${outcomeText(first.outcome)}${behind.length > 0 ? ', while node ports behind it answer' : ''}${ranges.length > 0 ? ` (it accepts ${some(ranges)} only)` : ''}`,
        evidence: [...failing.slice(0, 3), ...behind.slice(0, 2)].map((c) => probeEvidence(connections.from, c)),
        fix: [
          {
            text: `Check the load balancer itself (listeners, health checks, firewall), and read the events of Service "${target.name}"`,
            command: kubectl(target.namespace, 'describe', 'service', target.name),
          },
          ...outsideKubernetes(nodes),
        ],
        failed: failing.map(connectionKey),
      },
    ]);
  },
});
