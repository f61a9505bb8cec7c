import { isHeadless, isReady } from '../../src/facts/selectors.ts';
import { replacementOf } from '../../src/proxy/replacement.ts';
import { check, type Evidence, judged, skip, unknown } from '../check.ts';
import { plural, some } from '../format.ts';
import { kubectl } from '../fix.ts';
import { clientNode } from './nodes.ts';

export const running = check({
  id: 'kube-proxy/running',
  title: 'kube-proxy runs on each node',
  needs: ['service', 'proxyPods', 'proxyWorkload'],
  uses: ['nodes', 'client', 'connections', 'ciliumPods', 'networkDaemons'],
  codes: ['kube-proxy-down'],
  run({ service, proxyPods, proxyWorkload, nodes, client, connections, ciliumPods, networkDaemons }) {
    if (service && (isHeadless(service) || service.spec.type === 'ExternalName')) return skip('the Service has no virtual IP');
    if (!proxyWorkload && proxyPods.length === 0) {
      const found = replacementOf(
        ciliumPods.seen && ciliumPods.value.length > 0,
        networkDaemons.seen ? networkDaemons.value.map((d) => d.name) : [],
        nodes.seen ? nodes.value.map((n) => n.status.nodeInfo?.kubeletVersion ?? '') : [],
      );
      if (found?.judged) return judged(`${found.name} handles Services`);
      return unknown(
        found
          ? `${found.name} handles Services here in kube-proxy's place, which is not judged`
          : 'kube-proxy does not run as a DaemonSet here: what handles Services in its place is not judged',
      );
    }
    const ready = new Set(proxyPods.filter((p) => isReady(p) && !p.metadata.deletionTimestamp).map((p) => p.spec.nodeName ?? ''));
    const up = (n: string) => nodes.seen && nodes.value.some((x) => x.metadata.name === n && isReady(x));
    // A node that is not ready is another fault; its kube-proxy's state is not known.
    const without = nodes.seen ? nodes.value.map((n) => n.metadata.name).filter((n) => !ready.has(n) && up(n)) : [];
    const desired = proxyWorkload?.status.desiredNumberScheduled ?? proxyPods.length;
    const missing = nodes.seen ? without.length : Math.max(0, desired - ready.size) + (desired === 0 && ready.size === 0 ? 1 : 0);
    const restarts = proxyPods
      .map((p) => [p.spec.nodeName ?? '', p.status.containerStatuses.reduce((n, s) => n + s.restartCount, 0)] as const)
      .filter(([, n]) => n > 0);
    const restarted = restarts.length > 0 ? `; restarted: ${some(restarts.map(([node, n]) => `${node} ${n} times`))}` : '';
    if (missing === 0)
      return judged(`kube-proxy is ready on ${nodes.seen ? `all ${plural(nodes.value.length, 'node')}` : plural(ready.size, 'node')}${restarted}`);
    const here = clientNode(client, connections);
    const none = ready.size === 0;
    const broken = proxyPods.filter((p) => !isReady(p));
    const evidence: Evidence[] = [
      {
        source: 'daemonsets',
        text: proxyWorkload ? `kube-proxy: ${proxyWorkload.status.numberReady ?? 0} ready of ${desired} wanted` : 'the DaemonSet kube-proxy does not exist',
      },
      ...(without.length > 0 ? [{ source: 'pods', text: `no ready kube-proxy pod on ${some(without, 6)}` }] : []),
      ...broken.slice(0, 3).map((p) => ({
        source: 'pods',
        text: `${p.metadata.name} on ${p.spec.nodeName}: ${p.status.containerStatuses.map((s) => s.state.waiting?.reason ?? s.lastState.terminated?.reason ?? 'not ready').join(', ') || p.status.phase}`,
      })),
    ];
    return judged('', [
      {
        code: 'kube-proxy-down',
        severity: 'error',
        confidence: 'confirmed',
        scope: none || (here !== null && without.includes(here)) ? 'all' : 'part',
        object: { kind: 'DaemonSet', namespace: 'kube-system', name: 'kube-proxy' },
        message: none
          ? 'kube-proxy runs on no node: nothing writes the rules that lead Service addresses to pods'
          : `kube-proxy does not run on ${some(without) || plural(missing, 'node')}: the rules there are not kept up to date`,
        evidence,
        fix:
          proxyWorkload && desired === 0
            ? [{ text: 'The DaemonSet fits no node; correct its nodeSelector', command: kubectl('kube-system', 'describe', 'daemonset', 'kube-proxy') }]
            : [
                { text: 'Restart kube-proxy', command: kubectl('kube-system', 'rollout', 'restart', 'daemonset/kube-proxy') },
                { text: 'See why it does not start', command: kubectl('kube-system', 'describe', 'pods', '-l', 'k8s-app=kube-proxy') },
              ],
      },
    ]);
  },
});
