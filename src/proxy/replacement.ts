/** The program that handles Services where kube-proxy does not run as pods, as far as the cluster shows it. */
interface Replacement {
  name: string;
  /** Whether its rules can be read and compared with the Service. */
  judged: boolean;
}

const byDaemon: readonly [name: string, daemons: readonly string[]][] = [
  ['kube-router', ['kube-router']],
  ['OVN-Kubernetes', ['ovnkube-node', 'ovnkube-node-dpu']],
  ['Kube-OVN', ['kube-ovn-cni']],
  ['Antrea (AntreaProxy)', ['antrea-agent']],
  ['Calico (eBPF)', ['calico-node']],
];

/**
 * The name of the program that replaces kube-proxy. `cilium`: whether its agents run; `daemons`: names of DaemonSets; `versions`: of the
 * kubelets, since k3s and RKE2 run kube-proxy inside their own process (docs.k3s.io, "Networking Services").
 */
export function replacementOf(cilium: boolean, daemons: readonly string[], versions: readonly string[]): Replacement | null {
  if (cilium) return { name: 'Cilium', judged: true };
  const found = byDaemon.find(([, names]) => names.some((n) => daemons.includes(n)));
  if (versions.some((v) => /\+(k3s|rke2)/.test(v))) return { name: 'kube-proxy inside k3s', judged: true };
  return found ? { name: found[0], judged: false } : null;
}
