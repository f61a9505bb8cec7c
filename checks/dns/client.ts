import { isNodeLocal } from '../../src/dns/resolv-conf.ts';
import type { Pod } from '../../src/facts/objects.ts';
import { check, type Fix, judged, skip } from '../check.ts';
import { quote } from '../fix.ts';
import { clientText } from '../format.ts';
import { createdAgain, nameOf, ownerFacts, ownerOf, templatePatch, type Workloads } from '../pods/owner.ts';
import { ownResolvConf } from './evidence.ts';

/** In the template of its workload; a pod by itself has to be created again, since its dnsPolicy cannot be changed. */
function corrected(pod: Pod, dnsPolicy: string, workloads: Workloads): Fix[] {
  const owner = ownerOf(pod, workloads);
  if (owner) return [templatePatch(owner, `Set dnsPolicy of ${nameOf(owner)} to ${dnsPolicy}`, { dnsPolicy, dnsConfig: null })];
  const from = `"dnsPolicy": "${pod.spec.dnsPolicy}"`;
  return [createdAgain(pod, `with dnsPolicy ${dnsPolicy}`, `sed ${quote(`s/${from}/"dnsPolicy": "${dnsPolicy}"/`)}`)];
}

export const client = check({
  id: 'dns/client',
  title: "The client uses the cluster's DNS",
  needs: ['target', 'client', 'dnsService'],
  uses: ['connections', ...ownerFacts],
  codes: ['dns-pod-config'],
  run({ target, client, dnsService, connections, ...owners }) {
    const pod = client?.pod;
    if (!client || client.kind === 'external' || client.kind === 'node') return skip('the client is not a pod');
    const read = ownResolvConf(connections);
    const policy = pod?.spec.dnsPolicy ?? 'ClusterFirst';
    // The pod's own resolv.conf decides; without it, its spec.
    const servers = read?.nameservers ?? (policy === 'None' ? (pod?.spec.dnsConfig?.nameservers ?? []) : undefined);
    const right = dnsService?.spec.clusterIPs ?? [];
    const nodesOwn = policy === 'Default' || (policy === 'ClusterFirst' && client.hostNetwork);
    const ok = servers ? servers.some((s) => right.includes(s) || isNodeLocal(s)) : !nodesOwn;
    if (ok || right.length === 0) return judged([], servers ? `asks ${servers.join(', ')}` : `dnsPolicy ${policy}`);
    const who = clientText(target, client);
    return judged([
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
          ...(read
            ? [
                {
                  source: 'resolv.conf',
                  text: `nameserver ${read.nameservers.join(' ')}; ${read.search.length > 0 ? `search ${read.search.join(' ')}` : 'no search list'}`,
                },
              ]
            : []),
        ],
        fix: pod ? corrected(pod, client.hostNetwork ? 'ClusterFirstWithHostNet' : 'ClusterFirst', owners) : [],
      },
    ]);
  },
});
