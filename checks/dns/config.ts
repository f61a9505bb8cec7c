import { CorefileError, kubernetesZones, parseCorefile } from '../../src/dns/corefile.ts';
import { clusterDomain, parseResolvConf } from '../../src/dns/resolv-conf.ts';
import { isReady } from '../../src/facts/selectors.ts';
import { check, judged, skip } from '../check.ts';

export const config = check({
  id: 'dns/config',
  title: "CoreDNS serves the cluster's domain",
  needs: ['corefile'],
  uses: ['dnsPods', 'connections'],
  codes: ['dns-config-invalid', 'dns-zone-mismatch'],
  run({ corefile, dnsPods, connections }) {
    if (corefile === null) return skip('there is no Corefile in kube-system');
    const object = { kind: 'ConfigMap', namespace: 'kube-system', name: 'coredns' };
    const fix = [{ text: 'Correct the Corefile', command: 'kubectl -n kube-system edit configmap coredns' }];
    const down = dnsPods.seen && !dnsPods.value.some(isReady);
    let zones: string[] | undefined;
    try {
      zones = kubernetesZones(parseCorefile(corefile));
    } catch (error) {
      if (!(error instanceof CorefileError)) throw error;
      // CoreDNS keeps its last good configuration until it is restarted.
      return judged('', [
        {
          code: 'dns-config-invalid',
          severity: down ? 'error' : 'warning',
          confidence: down ? 'confirmed' : 'likely',
          scope: 'all',
          object,
          message: `The Corefile is not valid (line ${error.line}: ${error.message})${down ? '' : '; CoreDNS runs on with the last good one until it restarts'}`,
          evidence: [{ source: 'configmap', text: `Corefile line ${error.line}: ${corefile.split('\n')[error.line - 1]?.trim() ?? ''}` }],
          fix,
        },
      ]);
    }
    if (!zones) {
      return judged('', [
        {
          code: 'dns-config-invalid',
          severity: 'error',
          confidence: 'likely',
          scope: 'all',
          object,
          message: 'The Corefile has no "kubernetes" plugin, so CoreDNS knows no Service',
          evidence: [{ source: 'configmap', text: 'no server block names the plugin kubernetes' }],
          fix,
        },
      ]);
    }
    const resolv = connections.seen && connections.value.resolvConf !== null ? parseResolvConf(connections.value.resolvConf) : undefined;
    const domain = resolv && clusterDomain(resolv);
    const served = zones.map((z) => z.replace(/\.$/, ''));
    if (domain && !served.some((z) => z === '' || domain === z || domain.endsWith(`.${z}`))) {
      return judged('', [
        {
          code: 'dns-zone-mismatch',
          severity: 'error',
          confidence: 'likely',
          scope: 'all',
          object,
          message: `CoreDNS serves Services under ${served.filter((z) => !z.endsWith('.arpa')).join(', ')}, the pods look for them under ${domain}`,
          evidence: [
            { source: 'configmap', text: `Corefile: kubernetes ${zones.join(' ')}` },
            { source: 'resolv.conf', text: `search ${resolv?.search.join(' ')}` },
          ],
          fix,
        },
      ]);
    }
    return judged(`CoreDNS serves ${served.filter((z) => !z.endsWith('.arpa')).join(', ') || 'every zone'}`);
  },
});
