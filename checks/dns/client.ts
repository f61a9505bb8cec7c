import { check, judged, skip } from '../check.ts';
import { clientText } from '../format.ts';
import { isNodeLocal, ownResolvConf } from './evidence.ts';

export const client = check({
  id: 'dns/client',
  title: "The client asks the cluster's DNS",
  needs: ['target', 'client', 'dnsService'],
  uses: ['connections'],
  codes: ['dns-pod-config'],
  run({ target, client, dnsService, connections }) {
    const pod = client?.pod;
    if (!client || client.kind === 'external' || client.kind === 'node') return skip('the client is no pod');
    const read = ownResolvConf(connections);
    const policy = pod?.spec.dnsPolicy ?? 'ClusterFirst';
    // resolv.conf as it is in the pod says it best; else what the pod's spec makes of it.
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
        message: `${who} does not ask the cluster's DNS (${right.join(', ')}) but ${servers?.join(', ') || "its node's resolvers"}, because its dnsPolicy is ${policy}${client.hostNetwork && policy === 'ClusterFirst' ? " and it uses the node's network" : ''}`,
        evidence: [
          {
            source: 'pods',
            text: `spec.dnsPolicy: ${policy}${pod?.spec.dnsConfig ? `, dnsConfig.nameservers: ${pod.spec.dnsConfig.nameservers.join(', ')}` : ''}`,
          },
          ...(read ? [{ source: 'resolv.conf', text: `nameserver ${read.nameservers.join(' ')}; search ${read.search.join(' ')}` }] : []),
        ],
        fix: [{ text: `Set dnsPolicy to ${client.hostNetwork ? 'ClusterFirstWithHostNet' : 'ClusterFirst'} in its pod template` }],
      },
    ]);
  },
});
