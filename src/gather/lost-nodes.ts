/** A node that is not ready runs nothing for anybody: its kubelet does not answer, and asking it takes until the time limit. */
import { type Cluster, failed, noRule } from '../cluster/index.ts';
import type { Facts } from '../facts/facts.ts';
import type { Node, Pod } from '../facts/objects.ts';
import { isReady } from '../facts/selectors.ts';
import { valueOf } from './collector.ts';

export const isLostNode = (nodes: readonly Node[], name: string | null | undefined): boolean => nodes.some((n) => n.metadata.name === name && !isReady(n));

export const whyLost = (node: string): string => `node ${node} is not ready, so nothing can be run or read on it`;

/** The pods that are known so far. */
function podsIn(facts: Partial<Facts>): Pod[] {
  const lists = [facts.pods, facts.dnsPods, facts.proxyPods, facts.ciliumPods, facts.nodeLocalPods];
  const client = facts.client && valueOf(facts.client)?.pod;
  return [...lists.flatMap((fact) => (fact && valueOf(fact)) ?? []), ...(client ? [client] : [])];
}

/**
 * The same cluster, in which exec, logs and port-forwards to pods of lost nodes fail at once. `facts` holds what is known so
 * far; `nodes` waits for the nodes.
 */
export function withoutLostNodes(cluster: Cluster, facts: Partial<Facts>, nodes: () => Promise<Facts['nodes']>): Cluster {
  async function refusal(namespace: string, name: string) {
    const node = podsIn(facts).find((p) => p.metadata.name === name && p.metadata.namespace === namespace)?.spec.nodeName;
    if (node === undefined || !isLostNode(valueOf(await nodes()) ?? [], node)) return undefined;
    return failed({ reason: 'not-possible', what: `pod ${namespace}/${name}`, why: whyLost(node), rule: noRule });
  }
  return {
    ...cluster,
    exec: async (where, ...rest) => (await refusal(where.namespace, where.pod)) ?? cluster.exec(where, ...rest),
    portForward: async (where, port) => (await refusal(where.namespace, where.pod)) ?? cluster.portForward(where, port),
    logs: async (namespace, pod, ...rest) => (await refusal(namespace, pod)) ?? cluster.logs(namespace, pod, ...rest),
    relay: async (where, ...rest) => (await refusal(where.namespace, where.name.split(':')[1] ?? where.name)) ?? cluster.relay(where, ...rest),
  };
}
