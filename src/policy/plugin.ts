/** Which network plug-in enforces NetworkPolicies, as far as the programs in a cluster show it. */

/** A DaemonSet, recognised by its name and the images of its containers. */
export interface Daemon {
  namespace: string;
  name: string;
  images: readonly string[];
}

export interface Plugin {
  name: string;
  enforces: 'yes' | 'no' | 'perhaps';
  /** What that was read from, or depends on. */
  why: string;
}

type Test = (d: Daemon) => boolean;
const named =
  (...names: string[]): Test =>
  (d) =>
    names.includes(d.name);
const image =
  (part: string): Test =>
  (d) =>
    d.images.some((i) => i.includes(part));

/** In order: the first match is named, so plug-ins that enforce for another one come before it. */
const known: readonly { name: string; test: Test; enforces: Plugin['enforces']; note?: string }[] = [
  { name: 'Cilium', test: named('cilium', 'anetd'), enforces: 'yes' },
  { name: 'Calico', test: named('calico-node', 'canal'), enforces: 'yes' },
  { name: 'Antrea', test: named('antrea-agent'), enforces: 'yes' },
  { name: 'kube-network-policies', test: (d) => named('kube-network-policies')(d) || image('kube-network-policies')(d), enforces: 'yes' },
  { name: 'kube-router', test: named('kube-router'), enforces: 'perhaps', note: 'it does unless it was started with --run-firewall=false' },
  { name: 'OVN-Kubernetes', test: named('ovnkube-node', 'ovnkube-node-dpu'), enforces: 'yes' },
  { name: 'Kube-OVN', test: named('kube-ovn-cni'), enforces: 'yes' },
  { name: 'Weave Net', test: named('weave-net'), enforces: 'yes' },
  { name: 'Azure Network Policy Manager', test: named('azure-npm'), enforces: 'yes' },
  {
    name: 'Amazon VPC CNI',
    test: (d) => d.name === 'aws-node' && image('network-policy-agent')(d),
    enforces: 'perhaps',
    note: 'its agent enforces them where enable-network-policy is set',
  },
  { name: 'Amazon VPC CNI', test: named('aws-node'), enforces: 'no', note: 'its network policy agent is not there' },
  { name: 'kindnet', test: named('kindnet'), enforces: 'perhaps', note: 'it does since kind v0.24' },
  { name: 'Flannel', test: named('kube-flannel-ds', 'kube-flannel'), enforces: 'no', note: 'it only routes' },
];

/** k3s and RKE2 bring their own: k3s has kube-router's part built in, without a pod of its own. */
const builtIn = (kubeletVersions: readonly string[]): Plugin | undefined =>
  kubeletVersions.some((x) => x.includes('+k3s'))
    ? { name: 'k3s', enforces: 'perhaps', why: 'k3s enforces them itself unless it was started with --disable-network-policy' }
    : undefined;

/** undefined where nothing is known to enforce policies: that does not mean that nothing does. */
export function pluginOf(daemons: readonly Daemon[], kubeletVersions: readonly string[]): Plugin | undefined {
  for (const { name, test, enforces, note } of known) {
    const found = daemons.find(test);
    if (!found) continue;
    const own: Plugin = { name, enforces, why: note ?? `DaemonSet ${found.namespace}/${found.name}` };
    // A plug-in that only routes can run together with one that enforces.
    return enforces === 'no' ? (builtIn(kubeletVersions) ?? own) : own;
  }
  return builtIn(kubeletVersions);
}
