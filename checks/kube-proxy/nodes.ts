/** The client's node, nodes as their proxies see them, and the restart of a proxy. */
import type { Fact } from '../../src/facts/fact.ts';
import type { FactTypes } from '../../src/facts/facts.ts';
import { type ProxyNode, proxyNodeOf } from '../../src/proxy/expected.ts';
import type { Fix } from '../check.ts';
import { kubectl } from '../fix.ts';

/** The node from which the client connects; null where it is not known. */
export const clientNode = (client: Fact<FactTypes['client']>, connections: Fact<FactTypes['connections']>): string | null =>
  (connections.seen ? connections.value.node : null) ?? (client.seen ? (client.value?.node ?? null) : null);

export const proxyNodeIn = (name: string, nodes: Fact<FactTypes['nodes']>, proxyPods: Fact<FactTypes['proxyPods']>): ProxyNode =>
  proxyNodeOf(
    name,
    nodes.seen ? nodes.value.find((n) => n.metadata.name === name) : undefined,
    proxyPods.seen ? proxyPods.value.find((p) => p.spec.nodeName === name) : undefined,
  );

/** Restarts the kube-proxy of a node: its DaemonSet creates a new pod. */
export function restartOn(node: string, proxyPods: Fact<FactTypes['proxyPods']>): Fix[] {
  const pod = proxyPods.seen ? proxyPods.value.find((p) => p.spec.nodeName === node) : undefined;
  const which = pod ? [pod.metadata.name] : ['-l', 'k8s-app=kube-proxy', `--field-selector=spec.nodeName=${node}`];
  return [{ text: `Restart kube-proxy on ${node}`, command: kubectl('kube-system', 'delete', 'pod', ...which) }];
}
