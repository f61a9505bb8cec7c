/** Whether a pod may run on a node, as far as node selectors, required node affinity and taints say (Kubernetes documentation, "Assigning Pods to Nodes", "Taints and Tolerations"). */
import { quantityToScalar } from '@kubernetes/client-node/dist/util.js';
import type { Node, Workload } from './objects.ts';
import { isSidecar, lasting, matchesLabels } from './selectors.ts';

type PodSpec = Workload['spec']['template']['spec'];

/** The DaemonSet controller adds these tolerations to its pods. */
const daemonTolerations = ['not-ready', 'unreachable', 'disk-pressure', 'memory-pressure', 'pid-pressure', 'unschedulable', 'network-unavailable'].map(
  (t) => `node.kubernetes.io/${t}`,
);

interface Requests {
  requests: Record<string, string>;
  limits: Record<string, string>;
}

type Requirement = NonNullable<
  NonNullable<NonNullable<PodSpec['affinity']>['nodeAffinity']>['requiredDuringSchedulingIgnoredDuringExecution']
>['nodeSelectorTerms'][number]['matchExpressions'][number];

function isMet({ key, operator, values }: Requirement, labels: Record<string, string>): boolean {
  const number = Number(labels[key]);
  if (operator === 'Gt') return number > Number(values[0]);
  if (operator === 'Lt') return number < Number(values[0]);
  return matchesLabels({ matchExpressions: [{ key, operator, values }] }, labels);
}

/** A Kubernetes quantity (`500m`, `64Mi`) as a number: CPUs or bytes. */
export const amount = (quantity: string): number => Number(quantityToScalar(quantity));

interface Asking {
  restartPolicy?: string | null | undefined;
  resources?: Requests | undefined;
}

/** What one container asks for, of one resource: its limit where it names no request. */
export const askedBy = ({ resources }: Asking, resource: string): number => amount(resources?.requests?.[resource] ?? resources?.limits?.[resource] ?? '0');

/**
 * What a pod needs of one resource: its containers and sidecars together, or, where that is more, one init container beside the sidecars
 * that run by then (Kubernetes documentation, "Sidecar Containers", resource sharing within containers).
 */
export function requested(spec: { containers: readonly Asking[]; initContainers: readonly Asking[] }, resource: string): number {
  const sum = (list: readonly Asking[]) => list.reduce((total, c) => total + askedBy(c, resource), 0);
  const starting = spec.initContainers.map((c, i) => sum(spec.initContainers.slice(0, i).filter(isSidecar)) + askedBy(c, resource));
  return Math.max(sum(lasting(spec)), ...starting);
}

/** Why a node does not take a pod of a template, with the field that says so; undefined where nothing of this keeps it away. */
export function keptOff(spec: PodSpec, node: Node): { why: string; field: string; key: string } | undefined {
  const { labels, name } = { labels: node.metadata.labels, name: node.metadata.name };
  for (const [key, value] of Object.entries(spec.nodeSelector ?? {})) {
    if (labels[key] === value) continue;
    const have = labels[key] === undefined ? `no label ${key}` : `${key}=${labels[key]}`;
    return { why: `its nodeSelector wants ${key}=${value}, and ${name} has ${have}`, field: 'nodeSelector', key };
  }
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const [first] = terms.map((t) => t.matchExpressions.find((e) => !isMet(e, labels)));
  if (terms.length > 0 && terms.every((t) => t.matchExpressions.some((e) => !isMet(e, labels))) && first)
    return {
      why: `its nodeAffinity wants ${first.key} ${first.operator} ${first.values.join(', ')}`.trim() + `, which ${name} does not meet`,
      field: 'affinity',
      key: first.key,
    };
  for (const [key, room] of Object.entries(node.status.allocatable)) {
    const want = requested(spec, key);
    if (want > amount(room)) return { why: `it asks for more ${key} than ${name} has (${room})`, field: 'resources', key };
  }
  const taint = node.spec.taints.find(
    (t) =>
      t.effect !== 'PreferNoSchedule' &&
      !daemonTolerations.includes(t.key) &&
      !spec.tolerations.some(
        (x) =>
          (!x.key || x.key === t.key) && (!x.effect || x.effect === t.effect) && (x.operator === 'Exists' || (x.key === t.key && (x.value ?? '') === t.value)),
      ),
  );
  return (
    taint && {
      why: `${name} has the taint ${taint.key}${taint.value ? `=${taint.value}` : ''}:${taint.effect}, which it does not tolerate`,
      field: 'tolerations',
      key: taint.key,
    }
  );
}
