/** Commands that have to be run on a node: in its kube-proxy pod, which is in the node's network and may change it, or on the node itself. */
import type { Fact } from '../src/facts/fact.ts';
import type { FactTypes } from '../src/facts/facts.ts';
import { isReady } from '../src/facts/selectors.ts';
import { kubectl, quote } from './fix.ts';

/** A command for a shell on the node itself. */
export const atNode = (node: string, ...words: string[]): string => `${words.map(quote).join(' ')}   # on ${node}`;

export function onNode(node: string, proxyPods: Fact<FactTypes['proxyPods']>, ...words: string[]): string {
  const pod = proxyPods.seen ? proxyPods.value.find((p) => p.spec.nodeName === node && isReady(p)) : undefined;
  return pod ? kubectl(pod.metadata.namespace, 'exec', pod.metadata.name, '--', ...words) : atNode(node, ...words);
}
