/** What changes touch beside the Service: workloads whose pods restart, clients that notice, everybody who shares an object. */
import type { Change } from '../catalog/finding.ts';
import { valueOf } from '../facts/fact.ts';
import type { Facts } from '../facts/facts.ts';
import { selects } from '../facts/selectors.ts';
import { podsOfWorkload } from '../what-if/rollout.ts';

const kinds: Record<string, string> = { deployment: 'Deployment', statefulset: 'StatefulSet', daemonset: 'DaemonSet', replicaset: 'ReplicaSet' };

/** Whether a change concerns a field: a path of a JSON patch, or keys of a merge patch. */
function touches(change: Change, ...path: string[]): boolean {
  if (change.how === 'roll-back') return path[1] === 'template';
  if (change.how !== 'patch') return false;
  if (change.type === 'json') return (change.body as { path: string }[]).some((o) => o.path.startsWith(`/${path.join('/')}`));
  let here: unknown = change.body;
  for (const key of path) here = typeof here === 'object' && here !== null ? (here as Record<string, unknown>)[key] : undefined;
  return here !== undefined;
}

const plural = (n: number, one: string) => `${n} ${one}${n === 1 ? '' : 's'}`;

function ofWorkload(facts: Facts, change: Change, kind: string): string[] {
  if (!touches(change, 'spec', 'template')) return [];
  const isProxy = change.namespace === 'kube-system' && change.name === 'kube-proxy';
  if (isProxy) return ['kube-proxy restarts on every node, one after the other; connections that are open stay open'];
  if (change.namespace !== valueOf(facts.target)?.namespace) return [`the pods of ${kind} "${change.name}" restart`];
  const n = podsOfWorkload(facts, kind, change.name).length;
  return n === 0 ? [] : [`${plural(n, 'pod')} of ${kind} "${change.name}" restart${n === 1 ? 's' : ''}`];
}

function ofService(facts: Facts, change: Change): string[] {
  const service = valueOf(facts.service);
  if (change.name !== service?.metadata.name) return ['every pod of the cluster that resolves names'];
  return [
    ...(touches(change, 'spec', 'externalTrafficPolicy') ? ["programs see a node's address in the place of the client's from then on"] : []),
    ...(touches(change, 'spec', 'ports') && change.how === 'patch' && /\/port"|"port":/.test(JSON.stringify(change.body))
      ? ['clients that use the former port have to use the new one']
      : []),
  ];
}

/** Other Services of the namespace whose pods are replaced. */
function ofOthers(facts: Facts, changes: readonly Change[]): string[] {
  const pods = changes.flatMap((c) => {
    const kind = kinds[c.kind];
    if (kind !== undefined && touches(c, 'spec', 'template')) return podsOfWorkload(facts, kind, c.name);
    return c.how === 'restart' ? (valueOf(facts.pods) ?? []).filter((p) => p.metadata.name === c.name) : [];
  });
  const found = (valueOf(facts.otherServices) ?? []).filter((s) => pods.some((p) => selects(s.selector, p.metadata.labels)));
  return found.length > 0 ? [`${plural(found.length, 'other Service')} with the same pods: ${found.map((s) => s.name).join(', ')}`] : [];
}

/** In words, a line each. What a policy lets through is named where the policy is judged. */
export function affectsOf(facts: Facts, changes: readonly Change[]): string[] {
  const restarts = changes.filter((c) => c.how === 'restart').map((c) => c.name);
  const lines = changes.flatMap((change): string[] => {
    const kind = kinds[change.kind];
    if (kind !== undefined) return ofWorkload(facts, change, kind);
    if (change.kind === 'service') return ofService(facts, change);
    if (change.kind === 'configmap') return ['the DNS of the whole cluster'];
    if (change.kind === 'resourcequota') return [`everybody in namespace ${change.namespace}, who can use what the quota then allows`];
    return [];
  });
  return [
    ...new Set([
      ...lines,
      ...ofOthers(facts, changes),
      ...(restarts.length > 0 ? [`${plural(restarts.length, 'pod')} restart${restarts.length === 1 ? 's' : ''}: ${restarts.join(', ')}`] : []),
    ]),
  ];
}
