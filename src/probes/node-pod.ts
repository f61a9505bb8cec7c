import { type Cluster, ok, type Result } from '../cluster/index.ts';
import { deadlineS, debugName, type Janitor, managedBy, withPod } from './debug-pod.ts';

/** Images that have iptables and nft; kube-proxy's own is on each node that ever ran it. */
const known = [/\/kube-proxy(-\w+)?:/, /\bnetshoot\b/];

/** An image with the tools to list rules that every node with images is likely to have. */
export function nodeImage(nodes: readonly { status: { images?: readonly { names: readonly string[] }[] | null } }[]): string | undefined {
  const names = nodes.flatMap((n) => (n.status.images ?? []).flatMap((i) => i.names)).filter((n) => !n.includes('@'));
  for (const pattern of known) {
    const found = names.find((n) => pattern.test(n));
    if (found !== undefined) return found;
  }
  return undefined;
}

const container = (name: string, image: string, command: string[]) => ({
  name,
  image,
  imagePullPolicy: 'IfNotPresent',
  command,
  // Listing rules asks the kernel by netlink, which wants NET_ADMIN; iptables-legacy also NET_RAW. Nothing more is given.
  securityContext: {
    runAsUser: 0,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW'] },
  },
  resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '500m', memory: '256Mi' } },
  volumeMounts: [{ name: 'run', mountPath: '/run' }],
});

interface PodState {
  status?: {
    phase?: string;
    containerStatuses?: { name: string; state?: { waiting?: { reason?: string; message?: string }; terminated?: { exitCode?: number } } }[];
  };
}

export interface NodeOutput {
  exitCode: number;
  log: string;
}

/**
 * Runs commands in the network of a node, one container each without a shell, reads what they wrote, and removes the pod.
 * `commands` is keyed by the name under which the output comes back. A command that is missing in the image has exit code 127 or 128.
 */
export function runNodePod(
  context: { cluster: Cluster; janitor: Janitor; owner: string; signal: AbortSignal; progress(text: string): void },
  node: string,
  image: string,
  commands: Record<string, string[]>,
): Promise<Result<Record<string, NodeOutput>>> {
  const { cluster, owner } = context;
  const namespace = 'kube-system';
  const name = debugName();
  const names = Object.keys(commands);
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { ...managedBy }, annotations: { 'k8s-doctor/owner': owner } },
    spec: {
      nodeName: node,
      hostNetwork: true,
      restartPolicy: 'Never',
      activeDeadlineSeconds: deadlineS,
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      tolerations: [{ operator: 'Exists' }],
      containers: names.map((n, i) => container(`c${i}`, image, commands[n] ?? [])),
      // iptables-legacy takes a lock in /run; it is the pod's own.
      volumes: [{ name: 'run', emptyDir: {} }],
    },
  };
  return withPod<PodState, Record<string, NodeOutput>>(
    context,
    { namespace, name, pod, what: `a debug pod on node ${node}` },
    ({ status }) => {
      const states = (status?.containerStatuses ?? []).map((s) => s.state);
      const stuck = states.map((s) => s?.waiting).find((w) => /^(ErrImage|ImagePull|InvalidImage)/.test(w?.reason ?? ''));
      if (stuck) return { problem: `${stuck.reason}: ${stuck.message ?? ''}` };
      // A container whose command is missing in the image never starts; the others continue.
      const ended = states.filter((s) => s?.terminated || s?.waiting?.reason?.endsWith('Error')).length;
      return ended >= names.length || status?.phase === 'Failed' || status?.phase === 'Succeeded' ? 'done' : 'wait';
    },
    async ({ status }) => {
      const outputs: Record<string, NodeOutput> = {};
      for (const [i, n] of names.entries()) {
        const exitCode = status?.containerStatuses?.find((s) => s.name === `c${i}`)?.state?.terminated?.exitCode ?? 127;
        const log = exitCode >= 126 ? ok('') : await cluster.logs(namespace, name, `c${i}`, {});
        if (!log.ok) return log;
        outputs[n] = { exitCode, log: log.value };
      }
      return ok(outputs);
    },
  );
}
