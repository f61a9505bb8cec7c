/** A node that is not ready runs nothing for anybody: its kubelet does not answer, and asking it takes until the time limit. */
import { type Cluster, failed, noRule } from '../cluster/index.ts';
import type { Node, Pod } from '../facts/objects.ts';
import { isReady } from '../facts/selectors.ts';

/** What is known so far: the nodes, and pods with their nodes. */
export interface Placement {
  nodes(): Promise<readonly Node[]>;
  /** The node of a pod; undefined where it is not known. */
  nodeOf(namespace: string, pod: string): string | undefined;
}

export const placementOf = (nodes: Placement['nodes'], pods: () => readonly Pod[]): Placement => ({
  nodes,
  nodeOf: (namespace, name) => pods().find((p) => p.metadata.name === name && p.metadata.namespace === namespace)?.spec.nodeName,
});

export const isLostNode = (nodes: readonly Node[], name: string | null | undefined): boolean => nodes.some((n) => n.metadata.name === name && !isReady(n));

export const whyLost = (node: string): string => `node ${node} is not ready, so nothing can be run or read on it`;

/** The same cluster, in which exec, logs and port-forwards to pods of lost nodes fail at once. */
export function withoutLostNodes(cluster: Cluster, placement: Placement): Cluster {
  async function refusal(namespace: string, pod: string) {
    const node = placement.nodeOf(namespace, pod);
    if (node === undefined || !isLostNode(await placement.nodes(), node)) return undefined;
    return failed({ reason: 'not-possible', what: `pod ${namespace}/${pod}`, why: whyLost(node), rule: noRule });
  }
  return {
    ...cluster,
    exec: async (where, ...rest) => (await refusal(where.namespace, where.pod)) ?? cluster.exec(where, ...rest),
    portForward: async (where, port) => (await refusal(where.namespace, where.pod)) ?? cluster.portForward(where, port),
    logs: async (namespace, pod, ...rest) => (await refusal(namespace, pod)) ?? cluster.logs(namespace, pod, ...rest),
    relay: async (where, ...rest) => (await refusal(where.namespace, where.name.split(':')[1] ?? where.name)) ?? cluster.relay(where, ...rest),
  };
}
