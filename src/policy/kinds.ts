/** The kinds of policies that plug-ins and their API groups define, and where they are found. */
import * as v from 'valibot';
import { adminPolicy, fromAdminPolicy } from './admin.ts';
import { calicoPolicy, calicoTier, fromCalicoPolicy, fromCalicoTier } from './calico.ts';
import { SelectorError } from './calico-selector.ts';
import { ciliumPolicy, fromCiliumPolicy } from './cilium.ts';
import type { Policy, Tier } from './rule.ts';

export interface PolicyKind {
  /** The versions in which it is understood, best first. */
  apiVersions: readonly string[];
  kind: string;
  plural: string;
  namespaced: boolean;
  read(object: unknown): { policies: Policy[]; tiers: Tier[] };
}

const policies = (found: Policy[]) => ({ policies: found, tiers: [] });
const admin = (object: unknown) => policies([fromAdminPolicy(v.parse(adminPolicy, object))]);
const cilium = (object: unknown) => policies(fromCiliumPolicy(v.parse(ciliumPolicy, object)));
const calico = (object: unknown) => policies(fromCalicoPolicy(v.parse(calicoPolicy, object)));
const calicoVersions = ['projectcalico.org/v3', 'crd.projectcalico.org/v1'];

export const policyKinds: readonly PolicyKind[] = [
  { apiVersions: ['policy.networking.k8s.io/v1alpha1'], kind: 'AdminNetworkPolicy', plural: 'adminnetworkpolicies', namespaced: false, read: admin },
  {
    apiVersions: ['policy.networking.k8s.io/v1alpha1'],
    kind: 'BaselineAdminNetworkPolicy',
    plural: 'baselineadminnetworkpolicies',
    namespaced: false,
    read: admin,
  },
  { apiVersions: ['policy.networking.k8s.io/v1alpha2'], kind: 'ClusterNetworkPolicy', plural: 'clusternetworkpolicies', namespaced: false, read: admin },
  { apiVersions: ['cilium.io/v2'], kind: 'CiliumNetworkPolicy', plural: 'ciliumnetworkpolicies', namespaced: true, read: cilium },
  { apiVersions: ['cilium.io/v2'], kind: 'CiliumClusterwideNetworkPolicy', plural: 'ciliumclusterwidenetworkpolicies', namespaced: false, read: cilium },
  { apiVersions: calicoVersions, kind: 'NetworkPolicy', plural: 'networkpolicies', namespaced: true, read: calico },
  { apiVersions: calicoVersions, kind: 'GlobalNetworkPolicy', plural: 'globalnetworkpolicies', namespaced: false, read: calico },
  {
    apiVersions: calicoVersions,
    kind: 'Tier',
    plural: 'tiers',
    namespaced: false,
    read: (object) => ({ policies: [], tiers: [fromCalicoTier(v.parse(calicoTier, object))] }),
  },
];

export const kindOf = (object: { apiVersion?: string; kind?: string }): PolicyKind | undefined =>
  policyKinds.find((k) => k.kind === object.kind && k.apiVersions.includes(object.apiVersion ?? ''));

/** A policy that can't be read by what is known of its kind. */
export interface Unread {
  object: string;
  /** Of the field that can't be read; empty where it is not one field. */
  path: (string | number)[];
  why: string;
}

/** Reads policies of all these kinds; what can't be read is listed, never dropped. */
export function readPolicies(objects: readonly { apiVersion?: string; kind?: string; metadata?: { name?: string } }[]): {
  policies: Policy[];
  tiers: Tier[];
  unread: Unread[];
} {
  const all: { policies: Policy[]; tiers: Tier[]; unread: Unread[] } = { policies: [], tiers: [], unread: [] };
  for (const object of objects) {
    try {
      const found = kindOf(object)?.read(object);
      all.policies.push(...(found?.policies ?? []));
      all.tiers.push(...(found?.tiers ?? []));
    } catch (error) {
      if (!(error instanceof v.ValiError) && !(error instanceof SelectorError)) throw error;
      const issue = error instanceof v.ValiError ? (error.issues as v.BaseIssue<unknown>[])[0] : undefined;
      const path = (issue?.path ?? []).map((step) => step.key as string | number);
      all.unread.push({ object: `${object.kind} "${object.metadata?.name ?? ''}"`, path, why: issue?.message ?? error.message });
    }
  }
  return all;
}
