/** Whom the policies of a Service let in: a scan names no client, and a Service is right when it serves those it is meant for. */
import type { Client } from '../facts/facts.ts';
import { valueOf } from '../facts/fact.ts';
import type { LabelSelector, Pod, Service } from '../facts/objects.ts';
import { isFinished, isReady, matchesLabels } from '../facts/selectors.ts';
import { asClient, outside } from '../gather/client.ts';
import type { Inventory } from './inventory.ts';

/** So many are tried. */
const most = 20;

/** One client for each peer that a NetworkPolicy of the Service's pods names, as far as there is any. */
export function likelyClients(inventory: Inventory, service: Service): Client[] {
  const { kinds } = inventory;
  const { namespace } = service.metadata;
  const facts = inventory.factsOf(service);
  const own = valueOf(facts.pods) ?? [];
  const policies = (valueOf(kinds.policies.store.in(namespace)) ?? []).filter((p) => own.some((pod) => matchesLabels(p.spec.podSelector, pod.metadata.labels)));
  const peers = policies.flatMap((p) => p.spec.ingress.flatMap((rule) => rule.from));
  const namespaces = (selector: LabelSelector | undefined): string[] =>
    selector === undefined
      ? [namespace]
      : (valueOf(kinds.namespaces.store.in('')) ?? []).filter((n) => matchesLabels(selector, n.metadata.labels)).map((n) => n.metadata.name);
  const podIn = (ns: string, selector: LabelSelector | undefined): Pod | undefined => {
    const fitting = (valueOf(kinds.pods.store.in(ns)) ?? []).filter((p) => !isFinished(p) && matchesLabels(selector ?? {}, p.metadata.labels));
    return fitting.find(isReady) ?? fitting[0];
  };
  const named = peers.flatMap((peer): Client[] => {
    if (peer.ipBlock) return [outside];
    for (const ns of namespaces(peer.namespaceSelector)) {
      const pod = podIn(ns, peer.podSelector);
      if (pod) return [asClient(pod)];
    }
    return [];
  });
  // The kinds of plug-ins select in ways of their own; who lives beside the Service is asked then.
  const beside = policies.length > 0 ? [] : (valueOf(kinds.pods.store.in(namespace)) ?? []).filter((p) => isReady(p)).map(asClient);
  return [...named, ...beside].slice(0, most);
}
