/**
 * Managed clusters, as far as their nodes show them, and what to check where Kubernetes' own objects do not show it.
 * Each entry names the vendor's page that it follows.
 */
import type { Node } from './objects.ts';

export interface Platform {
  /** As its vendor writes it. */
  name: string;
  /** What handles Services where no kube-proxy of kube-system does. `isKubeProxy`: a kube-proxy that is no pod, whose rules a pod on the node can list. */
  services?: { by: string; isKubeProxy: boolean; look: string };
  /** Who answers DNS where no pod of kube-system does. */
  dns?: { by: string; look: string };
  /** What drops packets there that no object of Kubernetes shows, and where to look. */
  firewall: string;
}

const computeType = 'eks.amazonaws.com/compute-type';

const has = (label: string, value?: string) => (n: Node) => (value === undefined ? n.metadata.labels[label] !== undefined : n.metadata.labels[label] === value);
const version = (part: string) => (n: Node) => n.status.nodeInfo?.kubeletVersion?.includes(part) ?? false;

/** docs.aws.amazon.com/eks/latest/userguide: sec-group-reqs.html, security-groups-for-pods.html. */
function eksFirewall(nodes: readonly Node[]): string {
  const forPods = nodes.some(has('vpc.amazonaws.com/has-trunk-attached', 'true'))
    ? ', and those of SecurityGroupPolicies, which are for single pods (kubectl get securitygrouppolicies -A)'
    : '';
  return `On EKS, check the security groups of both nodes${forPods}: they must let each other in on the pods' ports and on 53 of UDP and TCP`;
}

/**
 * Auto Mode runs kube-proxy, the VPC CNI and a DNS server as services of each node, not as pods (automode.html, "Automated components"); its
 * nodes have the label compute-type=auto (associate-workload.html).
 */
function eks(nodes: readonly Node[]): Platform {
  const firewall = eksFirewall(nodes);
  if (!nodes.every(has(computeType, 'auto'))) return { name: 'EKS', firewall };
  return {
    name: 'EKS Auto Mode',
    services: {
      by: 'the kube-proxy that is part of each node',
      isKubeProxy: true,
      look: 'replace a node whose rules are wrong (delete its NodeClaim): nobody can log in to it',
    },
    dns: {
      by: 'the DNS server that is part of each node',
      look: "read the node's own log (kubectl get --raw /api/v1/nodes/NODE/proxy/logs/), or replace the node",
    },
    firewall,
  };
}

/** Names of Autopilot's nodes begin so (cloud.google.com/kubernetes-engine/docs/concepts/autopilot-overview). */
const isAutopilot = (n: Node) => n.metadata.name.startsWith('gk3-');

/**
 * Dataplane V2 replaces kube-proxy by anetd, an agent of Cilium's (concepts/dataplane-v2). With Cloud DNS, Autopilot's default, no DNS pod
 * answers pods (how-to/cloud-dns). Autopilot refuses hostNetwork and NET_ADMIN, and writing into kube-system (concepts/autopilot-security).
 */
function gke(nodes: readonly Node[], daemons: readonly string[], usesCloudDns: boolean): Platform {
  const name = nodes.some(isAutopilot) ? 'GKE Autopilot' : 'GKE';
  const refused = name === 'GKE Autopilot' ? '; Autopilot refuses pods on the network of a node, and exec into kube-system' : '';
  return {
    name,
    ...((daemons.includes('anetd') || name === 'GKE Autopilot') && {
      services: {
        by: 'Dataplane V2 (anetd)',
        isKubeProxy: false,
        look: `its tables are not read${refused}: see its state by "kubectl -n kube-system get pods -l k8s-app=cilium" and by GKE's connectivity tests`,
      },
    }),
    ...(usesCloudDns && { dns: { by: 'Cloud DNS', look: "see the zone of the cluster in Cloud DNS, and the metadata server's answers at 169.254.169.254" } }),
    firewall:
      "On GKE, check the VPC's firewall rules (gke-CLUSTER-…-all, and those of a shared VPC's host project): they must let the pods' and the nodes' ranges through",
  };
}

/** learn.microsoft.com/azure/aks: azure-cni-powered-by-cilium, use-labels, outbound-rules-control-egress; kubernetes.azure.com labels are reserved. */
function aks(nodes: readonly Node[]): Platform {
  const isCilium = nodes.some(has('kubernetes.azure.com/ebpf-dataplane', 'cilium'));
  return {
    name: isCilium ? 'AKS (Azure CNI powered by Cilium)' : 'AKS',
    firewall: "On AKS, check the network security groups and route tables of the nodes' subnets: they must let the pods' and the nodes' ranges through",
  };
}

/** The DNS server of Google Cloud's virtual machines, which Cloud DNS for GKE answers through. */
export const metadataServer = '169.254.169.254';

/** The platform that the nodes belong to; undefined where nothing shows one. `nameservers`: those of a client, where they are known. */
export function platformOf(nodes: readonly Node[], daemons: readonly string[] = [], nameservers: readonly string[] = []): Platform | undefined {
  if (nodes.length === 0) return undefined;
  if (nodes.some((n) => has(computeType)(n) || has('eks.amazonaws.com/nodegroup')(n) || version('-eks-')(n))) return eks(nodes);
  if (nodes.some((n) => has('cloud.google.com/gke-nodepool')(n) || version('-gke.')(n))) return gke(nodes, daemons, nameservers.includes(metadataServer));
  if (nodes.some(has('kubernetes.azure.com/cluster'))) return aks(nodes);
  return undefined;
}
