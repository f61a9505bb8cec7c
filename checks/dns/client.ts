import { isNodeLocal } from '../../src/dns/resolv-conf.ts';
import { check, judged, skip } from '../check.ts';
import { clientText } from '../format.ts';
import { ownResolvConf } from './evidence.ts';

export const client = check({
  id: 'dns/client',
  title: "The client uses the cluster's DNS",
  needs: ['target', 'client', 'dnsService'],
  uses: ['connections'],
  codes: ['dns-pod-config'],
  run({ target, client, dnsService, connections }) {
    const pod = client?.pod;
    if (!client || client.kind === 'external' || client.kind === 'node') return skip('the client is not a pod');
    const read = ownResolvConf(connections);
    const policy = pod?.spec.dnsPolicy ?? 'ClusterFirst';
    // The pod's own resolv.conf decides; without it, its spec.
    const servers = read?.nameservers ?? (policy === 'None' ? (pod?.spec.dnsConfig?.nameservers ?? []) : undefined);
    const right = dnsService?.spec.clusterIPs ?? [];
    const nodesOwn = policy === 'Default' || (policy === 'ClusterFirst' && client.hostNetwork);
    const ok = servers ? servers.some((s) => right.includes(s) || isNodeLocal(s)) : !nodesOwn;
    if (ok || right.length === 0) return judged(servers ? `asks ${servers.join(', ')}` : `dnsPolicy ${policy}`);
    const who = clientText(target, client);
    return judged('', [
      {
        code: 'dns-pod-config',
        severity: 'error',
        confidence: 'likely',
        scope: 'all',
        object: { kind: 'Pod', namespace: client.namespace, name: client.name },
        message: `${who} uses DNS server ${servers?.join(', ') || 'of its node'} instead of the cluster's (${right.join(', ')}): its dnsPolicy is ${policy}${client.hostNetwork && policy === 'ClusterFirst' ? ' with hostNetwork' : ''}`,
        evidence: [
          {
            source: 'pods',
            text: `spec.dnsPolicy: ${policy}${pod?.spec.dnsConfig ? `, dnsConfig.nameservers: ${pod.spec.dnsConfig.nameservers.join(', ')}` : ''}`,
          },
          ...(read ? [{ source: 'resolv.conf', text: `nameserver ${read.nameservers.join(' ')}; search ${read.search.join(' ')}` }] : []),
        ],
        fix: [{ text: `Set dnsPolicy to ${client.hostNetwork ? 'ClusterFirstWithHostNet' : 'ClusterFirst'} in the pod template of ${who}` }],
      },
    ]);
  },
});
