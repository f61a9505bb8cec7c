import { isNodeLocal } from '../../src/dns/resolv-conf.ts';
import { isReady } from '../../src/facts/selectors.ts';
import { check, judged, skip } from '../check.ts';
import { clientText } from '../format.ts';
import { kubectl } from '../fix.ts';
import { ownResolvConf } from './evidence.ts';

/** NodeLocal DNSCache answers on each node: where it is down, only that node's pods are affected. */
export const nodeLocal = check({
  id: 'dns/node-local',
  title: "The DNS cache of the client's node runs",
  needs: ['target', 'client', 'nodeLocalPods'],
  uses: ['connections'],
  codes: ['dns-pods-down'],
  run({ target, client, nodeLocalPods, connections }) {
    if (nodeLocalPods.length === 0) return skip('there is no DNS cache on the nodes');
    const node = client?.node ?? (connections.seen ? connections.value.node : null);
    if (node === null) return skip("the client's node is not known");
    const own = nodeLocalPods.filter((p) => p.spec.nodeName === node && !p.metadata.deletionTimestamp);
    if (own.some(isReady)) return judged([], `the DNS cache of ${node} is ready`);
    const conf = ownResolvConf(connections);
    // With kube-dns' address in resolv.conf the cache answers in its place; without the cache the node's rules do.
    const asked = conf?.nameservers.some(isNodeLocal) ?? false;
    const name = own[0]?.metadata.name;
    return judged([
      {
        code: 'dns-pods-down',
        severity: asked ? 'error' : 'warning',
        confidence: 'confirmed',
        scope: 'all',
        object: { kind: 'DaemonSet', namespace: 'kube-system', name: 'node-local-dns' },
        message: `The DNS cache of node ${node} ${name === undefined ? 'does not run there' : `(pod ${name}) is not ready`}${asked ? `, and ${clientText(target, client)} has no other DNS server` : ''}`,
        evidence: [
          { source: 'pods', text: `${nodeLocalPods.filter(isReady).length} of ${nodeLocalPods.length} pods of node-local-dns are ready` },
          ...(conf ? [{ source: 'resolv.conf', text: `nameserver ${conf.nameservers.join(' ')}` }] : []),
        ],
        fix: [
          name === undefined
            ? {
                text: `Find out why DaemonSet "node-local-dns" has no pod on ${node}`,
                command: kubectl('kube-system', 'describe', 'daemonset', 'node-local-dns'),
              }
            : { text: `Read the logs of pod "${name}"`, command: kubectl('kube-system', 'logs', name) },
        ],
      },
    ]);
  },
});
