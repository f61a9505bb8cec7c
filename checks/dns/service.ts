import { unreadOf } from '../../src/facts/fact.ts';
import { endpointsOf, isReady, labelText, selects } from '../../src/facts/selectors.ts';
import { check, type Draft, judged, skip, unknown } from '../check.ts';
import { patch } from '../fix.ts';
import { dnsElsewhere } from '../platform.ts';

export const service = check({
  id: 'dns/service',
  title: 'The Service kube-dns selects the DNS pods',
  needs: ['dnsService', 'dnsPods'],
  uses: ['dnsSlices', 'nodes', 'connections'],
  codes: ['dns-service-broken'],
  run({ dnsService, dnsPods, dnsSlices, nodes, connections }) {
    const elsewhere = dnsElsewhere({ nodes, connections }, dnsPods);
    if (elsewhere !== undefined) return skip(elsewhere);
    const object = { kind: 'Service', namespace: 'kube-system', name: 'kube-dns' };
    const broken = (message: string, text: string, fix: Draft['fix']) =>
      judged([
        {
          code: 'dns-service-broken' as const,
          severity: 'error' as const,
          confidence: 'confirmed' as const,
          scope: 'all' as const,
          object,
          message,
          evidence: [{ source: 'service', text }],
          fix,
        },
      ]);
    if (!dnsService) {
      if (dnsPods.length === 0) return unknown('this cluster has another DNS than CoreDNS in kube-system, which is not judged');
      return broken('Service "kube-dns" does not exist in kube-system, so nothing answers at the DNS address of the pods', 'services "kube-dns" not found', [
        { text: 'Create Service "kube-dns" again, with the clusterIP that pods have in /etc/resolv.conf' },
      ]);
    }
    const ports = dnsService.spec.ports;
    if (!ports.some((p) => p.port === 53 && p.protocol === 'UDP')) {
      return broken('Service "kube-dns" has no port 53/UDP, which resolvers use', `ports: ${ports.map((p) => `${p.port}/${p.protocol}`).join(', ')}`, [
        { text: 'Add port 53/UDP to Service "kube-dns"', command: 'kubectl -n kube-system edit service kube-dns' },
      ]);
    }
    const matching = dnsPods.filter((p) => selects(dnsService.spec.selector, p.metadata.labels));
    if (dnsPods.length > 0 && matching.length === 0) {
      return broken(
        `Service "kube-dns" selects ${labelText(dnsService.spec.selector) || 'nothing'}, and no DNS pod has these labels`,
        `spec.selector: ${labelText(dnsService.spec.selector)}; DNS pods have ${labelText(dnsPods[0]?.metadata.labels)}`,
        [
          patch('Change the selector of Service "kube-dns" to k8s-app=kube-dns', 'kube-system', 'service/kube-dns', {
            spec: { selector: { 'k8s-app': 'kube-dns' } },
          }),
        ],
      );
    }
    const ready = dnsSlices.seen ? endpointsOf(dnsSlices.value).filter((e) => e.ready && e.protocol === 'UDP') : undefined;
    if (ready?.length === 0 && matching.some(isReady)) {
      return broken('Service "kube-dns" has no ready endpoint, although DNS pods are ready', 'its EndpointSlices are empty', [
        { text: 'Check that targetPort of Service "kube-dns" is a port of the DNS pods', command: 'kubectl -n kube-system get service kube-dns -o yaml' },
      ]);
    }
    const summary = `kube-dns at ${dnsService.spec.clusterIPs.join(', ')}`;
    const unread = unreadOf(dnsSlices);
    if (unread !== undefined) return unknown(`${summary}; ${unread}`);
    return judged([], `${summary}${ready ? `, ${ready.length} ready` : ''}`);
  },
});
