import ipaddr from 'ipaddr.js';
import { nearest } from '../../src/catalog/nearest-names.ts';
import { type Corefile, CorefileError, forwarders, kubernetesZones, parseCorefile, releasedPlugins } from '../../src/dns/corefile.ts';
import { clusterDomain, parseResolvConf } from '../../src/dns/resolv-conf.ts';
import { isReady } from '../../src/facts/selectors.ts';
import { check, type Draft, type Evidence, judged, skip } from '../check.ts';
import { logLines } from './evidence.ts';

/** Loopback is the DNS pod itself; so is, in the end, the address of its own Service. */
function isItself(target: string, clusterIps: readonly string[] | undefined): boolean {
  const bare = target.replace(/^(?:dns|tls):\/\//, '');
  // 10.0.0.2:53, [fd00::2]:53, or an address alone.
  const address = /^\[(.+)\](?::\d+)?$/.exec(bare)?.[1] ?? (bare.split(':').length === 2 ? (bare.split(':')[0] ?? '') : bare);
  return (ipaddr.isValid(address) && ipaddr.parse(address).range() === 'loopback') || (clusterIps?.includes(address) ?? false);
}

export const config = check({
  id: 'dns/config',
  title: "CoreDNS serves the cluster's domain",
  needs: ['corefile'],
  uses: ['dnsPods', 'connections', 'corefileCustom', 'dnsLogs', 'dnsService'],
  codes: ['dns-config-invalid', 'dns-zone-mismatch'],
  run({ corefile, dnsPods, connections, corefileCustom, dnsLogs, dnsService }) {
    if (corefile === null) return skip('there is no Corefile in kube-system');
    const object = { kind: 'ConfigMap', namespace: 'kube-system', name: 'coredns' };
    const fix = [{ text: 'Correct the Corefile', command: 'kubectl -n kube-system edit configmap coredns' }];
    const down = dnsPods.seen && !dnsPods.value.some(isReady);
    const logs = logLines(dnsLogs, () => true, Number.POSITIVE_INFINITY).map(({ line }) => line);
    const invalid = (line: number | undefined, why: string, more: Evidence[] = []): Draft<'dns-config-invalid'> => ({
      code: 'dns-config-invalid',
      severity: down ? 'error' : 'warning',
      confidence: down ? 'confirmed' : 'likely',
      scope: 'all',
      object,
      message: `The Corefile is not valid (${line === undefined ? '' : `line ${line}: `}${why})${down ? '' : '; CoreDNS runs on with the last good one until it restarts'}`,
      evidence: [
        ...(line === undefined ? [] : [{ source: 'configmap', text: `Corefile line ${line}: ${corefile.split('\n')[line - 1]?.trim() ?? ''}` }]),
        ...more,
      ],
      fix,
    });
    let file: Corefile;
    try {
      file = parseCorefile(corefile, corefileCustom.seen ? (corefileCustom.value ?? {}) : {});
    } catch (error) {
      if (!(error instanceof CorefileError)) throw error;
      // CoreDNS keeps its last good configuration until it is restarted.
      return judged('', [invalid(error.line, error.message)]);
    }
    // What CoreDNS itself complained of stands in its log, with the line.
    const complaint = logs.map((text) => /Corefile:(\d+) - Error during parsing: (.*)/.exec(text)).find((m) => m !== null);
    if (complaint && down) {
      const unknown = /Unknown directive '([^']+)'/.exec(complaint[2] ?? '')?.[1];
      const near = unknown === undefined ? undefined : nearest(unknown, releasedPlugins);
      const why = `${complaint[2]}${near === undefined ? '' : `; did you mean "${near}"?`}`;
      return judged('', [invalid(Number(complaint[1]), why, [{ source: 'log', text: complaint[0] }])]);
    }
    const misspelt = file.servers
      .flatMap((server) => server.plugins)
      .flatMap((p) => {
        const near = releasedPlugins.includes(p.name) ? undefined : nearest(p.name, releasedPlugins);
        return near === undefined ? [] : [{ line: p.line, name: p.name, near }];
      })[0];
    if (misspelt) return judged('', [invalid(misspelt.line, `there is no plugin "${misspelt.name}"; did you mean "${misspelt.near}"?`)]);
    const loop = logs.find((l) => /plugin\/loop: Loop/.test(l));
    const self = forwarders(file).flatMap((f) =>
      f.to.filter((t) => isItself(t, dnsService.seen ? dnsService.value?.spec.clusterIPs : undefined)).map((to) => ({ to, line: f.line })),
    )[0];
    if (loop !== undefined || self) {
      const to = self ? `it forwards to ${self.to}` : "it forwards to a server that sends the question back, such as a cache on the node's loopback";
      return judged('', [
        {
          code: 'dns-config-invalid',
          severity: down ? 'error' : 'warning',
          confidence: loop === undefined ? 'likely' : 'confirmed',
          scope: 'all',
          object,
          message: `CoreDNS asks itself in a loop: ${to}${loop === undefined ? '' : '; the plugin loop ends it for that'}`,
          evidence: [
            ...(self ? [{ source: 'configmap', text: `Corefile line ${self.line}: forward to ${self.to}` }] : []),
            ...(loop === undefined ? [] : [{ source: 'log', text: loop }]),
          ],
          fix: [
            {
              text: "Forward to the real upstream servers, or give the kubelet a resolvConf without the node's loopback cache",
              command: 'kubectl -n kube-system edit configmap coredns',
            },
          ],
        },
      ]);
    }
    const zones = kubernetesZones(file);
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
