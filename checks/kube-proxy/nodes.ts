/** The client's node, nodes as their proxies see them, and the restart of a proxy. */
import type { Fact } from '../../src/facts/fact.ts';
import type { FactTypes } from '../../src/facts/facts.ts';
import { type ProxyNode, proxyNodeOf } from '../../src/proxy/expected.ts';
import type { Family } from '../../src/facts/selectors.ts';
import type { Fix } from '../check.ts';
import { onNode } from '../on-node.ts';
import { fixBy, kubectl, restartOf } from '../fix.ts';

/** The node from which the client connects; null where it is not known. */
export const clientNode = (client: Fact<FactTypes['client']>, connections: Fact<FactTypes['connections']>): string | null =>
  (connections.seen ? connections.value.node : null) ?? (client.seen ? (client.value?.node ?? null) : null);

export const proxyNodeIn = (name: string, nodes: Fact<FactTypes['nodes']>, proxyPods: Fact<FactTypes['proxyPods']>): ProxyNode =>
  proxyNodeOf(
    name,
    nodes.seen ? nodes.value.find((n) => n.metadata.name === name) : undefined,
    proxyPods.seen ? proxyPods.value.find((p) => p.spec.nodeName === name) : undefined,
  );

const proxyOn = (node: string, proxyPods: Fact<FactTypes['proxyPods']>): string | undefined =>
  proxyPods.seen ? proxyPods.value.find((p) => p.spec.nodeName === node)?.metadata.name : undefined;

/** Restarts the kube-proxy of each of these nodes: its DaemonSet creates new pods, which write all rules again. */
export function restartOn(nodes: readonly string[], proxyPods: Fact<FactTypes['proxyPods']>): Fix[] {
  const text = `Restart kube-proxy on ${nodes.join(', ')}`;
  const pods = nodes.flatMap((n) => proxyOn(n, proxyPods) ?? []);
  if (pods.length < nodes.length || pods.length === 0)
    return [
      {
        text,
        command: nodes.map((n) => kubectl('kube-system', 'delete', 'pod', '-l', 'k8s-app=kube-proxy', `--field-selector=spec.nodeName=${n}`)).join(' && '),
      },
    ];
  const restarts = pods.map((name) => restartOf('kube-system', name));
  return [{ ...fixBy(text, ...restarts), assumes: 'nothing else on the node changes the rules again' }];
}

/** Seen with kube-proxy v1.35 and nft 1.0.6: after a restart it takes entries for written that it could not read. */
export function rewriteOn(nodes: readonly string[], proxyPods: Fact<FactTypes['proxyPods']>, families: readonly Family[]): Fix[] {
  const known = nodes.filter((n) => proxyOn(n, proxyPods) !== undefined);
  const tables = families.map((f) => (f === 'IPv6' ? 'ip6' : 'ip'));
  const commands = known.flatMap((n) => tables.map((table) => onNode(n, proxyPods, 'nft', 'delete', 'table', table, 'kube-proxy')));
  return commands.length === 0
    ? []
    : [
        {
          text: 'If a restart does not help, delete its table on each of these nodes; kube-proxy then writes all of it again within a minute',
          command: commands.join(' && '),
        },
      ];
}
