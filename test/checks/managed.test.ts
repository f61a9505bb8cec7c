/**
 * Managed clusters, on facts of a real cluster that were changed after the vendors' documentation (named at each): a healthy Service
 * stays healthy, nothing of the platform is blamed, and the words say who does what and where to look.
 */
import { describe, expect, test } from 'vitest';
import { pipeline } from '../../checks/pipeline.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { unseen } from '../../src/facts/fact.ts';
import type { Facts } from '../../src/facts/facts.ts';
import type { Node } from '../../src/facts/objects.ts';
import { recordingOf, valueOf } from '../support/recordings.ts';

interface Vendor {
  labels: Record<string, string>;
  version: string;
  /** From the names of the recorded nodes. */
  rename?: (name: string) => string;
}

/** The recorded cluster with nodes as the vendor makes them, and other facts that follow. */
function on(vendor: Vendor, incident: string, more: (facts: Facts) => Partial<Facts> = () => ({})): Diagnosis {
  const recording = recordingOf(incident);
  const asMade = (n: Node): Node => ({
    ...n,
    metadata: { ...n.metadata, labels: { ...n.metadata.labels, ...vendor.labels } },
    status: { ...n.status, nodeInfo: { kubeletVersion: vendor.version } },
  });
  const nodes = { ...recording.facts.nodes, ...(recording.facts.nodes.seen && { value: recording.facts.nodes.value.map(asMade) }) } as Facts['nodes'];
  const facts = { ...recording.facts, nodes };
  const whole = { ...recording, facts: { ...facts, ...more(facts) } };
  if (!vendor.rename) return diagnose(pipeline, whole);
  const { rename } = vendor;
  const renamed = JSON.parse(JSON.stringify(whole).replaceAll(/\bnode[123]\b/g, (name) => rename(name))) as typeof whole;
  return diagnose(pipeline, renamed);
}

const check = (d: Diagnosis, id: string) => d.checks.find((c) => c.id === id);
const text = (d: Diagnosis) => JSON.stringify(d);

const noProxyPods = (): Partial<Facts> => ({
  proxyPods: { seen: true, value: [] },
  proxyWorkload: { seen: true, value: null },
  proxyMode: { seen: true, value: null },
});
const noDnsPods = (): Partial<Facts> => ({
  dnsPods: { seen: true, value: [] },
  dnsWorkload: { seen: true, value: null },
  dnsAnswers: unseen('not-needed', 'DNS answers', 'no DNS pod runs'),
  dnsLogs: { seen: true, value: {} },
  corefile: { seen: true, value: null },
});
const noRules = (why: string) => (facts: Facts) => ({
  nodeRules: {
    seen: true as const,
    value: Object.fromEntries(valueOf(facts.nodes).map((n) => [n.metadata.name, unseen('not-possible', `the rules of node ${n.metadata.name}`, why)])),
  },
  nodeRulesLater: unseen('not-needed', "the nodes' rules", 'they are right'),
});

const eks: Vendor = { labels: { 'eks.amazonaws.com/nodegroup': 'general' }, version: 'v1.35.2-eks-113cf36' };
const gke: Vendor = { labels: { 'cloud.google.com/gke-nodepool': 'default-pool' }, version: 'v1.35.1-gke.1396002' };

describe('EKS', () => {
  // docs.aws.amazon.com/eks/latest/userguide/managing-kube-proxy.html, managing-coredns.html: add-ons in kube-system.
  test('with its add-ons nothing is different', () => {
    const d = on(eks, 'healthy');
    expect(d.verdict).toMatchObject({ status: 'healthy', causes: [] });
  });

  // cni-network-policy.html: without its agent, the VPC CNI enforces no policy.
  test('policies without the network policy agent: a policy is not blamed for what a connection denies', () => {
    const daemon = { namespace: 'kube-system', name: 'aws-node', images: ['602401143452.dkr.ecr.eu-central-1.amazonaws.com/amazon-k8s-cni:v1.20.4'] };
    const d = on(eks, 'policy-not-enforced', () => ({ networkDaemons: { seen: true, value: [daemon] } }));
    expect(text(d)).toContain('Amazon VPC CNI');
    expect(d.verdict.status).toBe('healthy');
  });

  // security-groups-for-pods.html, sec-group-reqs.html: what the security groups drop is in no object.
  test('packets lost between nodes: the security groups are named, those of pods only where pods have them', () => {
    const plain = on(eks, 'cross-node-route', () => ({ routes: unseen('not-possible', 'routes', 'no kube-proxy pod there has ip') }));
    expect(text(plain)).toContain('security groups of both nodes');
    expect(text(plain)).not.toContain('SecurityGroupPolicies');
    const trunk = { ...eks, labels: { ...eks.labels, 'vpc.amazonaws.com/has-trunk-attached': 'true' } };
    expect(text(on(trunk, 'cross-node-route', () => ({ routes: unseen('not-possible', 'routes', 'no kube-proxy pod there has ip') })))).toContain(
      'SecurityGroupPolicies',
    );
  });

  // automode.html: "Automated components"; associate-workload.html: the label.
  test('Auto Mode: kube-proxy and DNS are part of the node, and are not missed', () => {
    const auto = { labels: { 'eks.amazonaws.com/compute-type': 'auto' }, version: 'v1.35.2-eks-ac2d5a0' };
    const d = on(auto, 'healthy', (facts) => ({ ...noProxyPods(), ...noDnsPods(), ...noRules('no pod may run on the network of the node')(facts) }));
    expect(d.verdict).toMatchObject({ status: 'healthy', causes: [] });
    expect(check(d, 'kube-proxy/running')?.summary).toContain('part of each node');
    expect(check(d, 'dns/replicas')).toMatchObject({ status: 'skip', reason: expect.stringContaining('EKS Auto Mode') });
    expect(check(d, 'dns/service')?.status).toBe('skip');
    expect(check(d, 'kube-proxy/rules')?.reason).toContain('NodeClaim');
  });
});

describe('GKE', () => {
  // cloud.google.com/kubernetes-engine/docs/concepts/dataplane-v2: anetd replaces kube-proxy.
  const anetd = { namespace: 'kube-system', name: 'anetd', images: ['gke.gcr.io/cilium/cilium:v1.17.7-gke.42'] };
  test('Dataplane V2: who handles Services is named, and where to look', () => {
    const d = on(gke, 'healthy', (facts) => ({
      ...noProxyPods(),
      ...noRules('its agent was not asked')(facts),
      networkDaemons: { seen: true, value: [anetd] },
    }));
    expect(d.verdict).toMatchObject({ status: 'healthy', causes: [] });
    expect(check(d, 'kube-proxy/running')?.reason).toContain('Dataplane V2 (anetd) handles Services on GKE');
    expect(check(d, 'kube-proxy/running')?.reason).not.toContain('Autopilot');
  });

  // concepts/autopilot-security: no hostNetwork, no NET_ADMIN, no writing into kube-system; how-to/cloud-dns: pods ask 169.254.169.254.
  test('Autopilot with Cloud DNS: what is refused there does not count against the Service', () => {
    const refusal = 'admission webhook "warden-validating.common-webhooks.networking.gke.io" denied the request: GKE Warden rejected the request (hostNetwork)';
    const d = on({ ...gke, rename: (name) => `gk3-autopilot-pool-2-${name}` }, 'healthy', (facts) => ({
      ...noProxyPods(),
      ...noDnsPods(),
      ...noRules(refusal)(facts),
      networkDaemons: { seen: true, value: [anetd] },
      connections: {
        seen: true,
        value: {
          ...valueOf(facts.connections),
          resolvConf: 'search shop.svc.cluster.local svc.cluster.local cluster.local google.internal\nnameserver 169.254.169.254\noptions ndots:5\n',
        },
      },
    }));
    expect(d.verdict).toMatchObject({ status: 'healthy', causes: [] });
    expect(check(d, 'dns/replicas')?.reason).toContain('Cloud DNS answers on GKE Autopilot');
    expect(check(d, 'kube-proxy/running')?.reason).toContain('Autopilot refuses pods on the network of a node');
    expect(text(d)).toContain('GKE Warden rejected the request');
  });
});

describe('AKS', () => {
  // learn.microsoft.com/azure/aks/azure-cni-powered-by-cilium: no kube-proxy, Cilium's agents in kube-system; use-labels: reserved labels.
  const aks: Vendor = {
    labels: { 'kubernetes.azure.com/cluster': 'MC_rg_cluster_westeurope', 'kubernetes.azure.com/ebpf-dataplane': 'cilium' },
    version: 'v1.35.1',
  };
  test('Azure CNI powered by Cilium: the agents are found, and the network security groups are named', () => {
    const d = on(aks, 'cross-node-route', (facts) => ({
      ...noProxyPods(),
      ...noRules('exec is not allowed')(facts),
      ciliumPods: facts.proxyPods,
      routes: unseen('not-possible', 'routes', 'no kube-proxy pod there has ip'),
    }));
    expect(check(d, 'kube-proxy/running')?.summary).toContain('Cilium handles Services');
    expect(text(d)).toContain('network security groups');
    expect(d.verdict.causes.map((c) => c.code)).not.toContain('kube-proxy-down');
  });
});

test('a cluster of nobody in particular gets no such words', () => {
  expect(text(on({ labels: {}, version: 'v1.35.4' }, 'cross-node-route'))).not.toMatch(/On (EKS|GKE|AKS)/);
});
