/** Parties and policies for the tests of this room, as short as can be. */
import * as v from 'valibot';
import { type NetworkPolicy, networkPolicy } from '../../src/facts/objects.ts';
import { type Decision, decide, policySet, type PolicySet } from '../../src/policy/decide.ts';
import { readPolicies } from '../../src/policy/kinds.ts';
import { fromNetworkPolicy } from '../../src/policy/network-policy.ts';
import type { Direction, Party, PodSide } from '../../src/policy/rule.ts';
import { outside } from '../../src/policy/world.ts';

export const policy = (spec: object, namespace = 'shop', name = 'p'): NetworkPolicy => v.parse(networkPolicy, { metadata: { name, namespace }, spec });

export const pod = (name: string, labels: Record<string, string>, address: string, more: Partial<PodSide> = {}): Party => ({
  addresses: address === '' ? [] : [address],
  node: null,
  pod: { namespace: 'shop', name, labels, namespaceLabels: { 'kubernetes.io/metadata.name': 'shop' }, hostNetwork: false, node: 'node1', ports: [], ...more },
});

export const web = pod('web', { app: 'web' }, '10.0.0.1', { ports: [{ name: 'http', port: 8080, protocol: 'TCP' }] });
export const api = pod('api', { role: 'api' }, '10.0.0.2');
export const far = pod('far', { role: 'api' }, '10.0.1.2', { namespace: 'other', namespaceLabels: { 'kubernetes.io/metadata.name': 'other', team: 'b' } });
export const world = outside('203.0.113.9');
export const nodeCalled = (name: string, address: string): Party => ({
  pod: null,
  node: { name, labels: { 'kubernetes.io/hostname': name } },
  addresses: [address],
});

export const setOf = (networkPolicies: readonly NetworkPolicy[], others: readonly object[] = []): PolicySet => {
  const read = readPolicies(others);
  if (read.unread[0]) throw new Error(`${read.unread[0].object}: ${read.unread[0].path.join('.')}: ${read.unread[0].why}`);
  return policySet([...networkPolicies.map(fromNetworkPolicy), ...read.policies], read.tiers);
};

export const ask = (direction: Direction, self: Party, other: Party, port: number, set: PolicySet, protocol: 'TCP' | 'UDP' | 'SCTP' = 'TCP'): Decision =>
  decide(direction, self, other, { port, protocol }, set);

/** May `from` come in to the pod `web`, by NetworkPolicies alone? */
export const into = (from: Party, port: number, ...policies: NetworkPolicy[]) => ask('ingress', web, from, port, setOf(policies)).verdict;
/** May the pod `api` go out? */
export const out = (to: Party, port: number, ...policies: NetworkPolicy[]) => ask('egress', api, to, port, setOf(policies)).verdict;

/** A CiliumNetworkPolicy of the namespace shop, for all its pods unless the spec says whom it is for. */
export const cilium = (spec: object, more: object = {}) => ({
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumNetworkPolicy',
  metadata: { name: 'c', namespace: 'shop' },
  spec: { endpointSelector: {}, ...spec },
  ...more,
});
/** A policy of Calico's; those of a namespace are in shop unless another one is named. */
export const calico = (spec: object, kind = 'NetworkPolicy', { name = 'c', namespace = 'shop' } = {}) => ({
  apiVersion: 'projectcalico.org/v3',
  kind,
  metadata: { name, ...(kind === 'NetworkPolicy' && { namespace }) },
  spec,
});
