import { stringify } from 'yaml';
import type { Target } from '../facts/facts.ts';
import type { Access } from '../gather/collector.ts';
import { collectors } from '../gather/gather.ts';
import { parseFrom } from './target.ts';

export interface RbacOptions {
  namespace: string | undefined;
  from: string | undefined;
  probe: Target['probe'];
  allNamespaces: boolean;
  nodePods: boolean;
  matrix: boolean;
  http: boolean;
  front: boolean;
  advice: boolean;
}

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

/** Rules of the same group and verbs become one, each resource once. */
function merged(access: readonly Access[]): Rule[] {
  const distinct = new Map(access.map((a) => [`${a.apiGroup} ${a.resource}`, new Set<string>()]));
  for (const a of access) for (const verb of a.verbs) distinct.get(`${a.apiGroup} ${a.resource}`)?.add(verb);
  const byRule = Map.groupBy(distinct, ([key, verbs]) => `${key.split(' ')[0]} ${[...verbs].toSorted((a, b) => (a < b ? -1 : 1)).join()}`);
  return [...byRule].map(([key, entries]) => {
    const [group = '', verbs = ''] = key.split(' ');
    return { apiGroups: [group], resources: entries.map(([k]) => k.split(' ')[1] ?? '').toSorted((a, b) => (a < b ? -1 : 1)), verbs: verbs.split(',') };
  });
}

const apiVersion = 'rbac.authorization.k8s.io/v1';
const name = 'k8s-doctor';
const role = (namespace: string, rules: Rule[]) => ({ apiVersion, kind: 'Role', metadata: { name, namespace }, rules });
const clusterRole = (rules: Rule[]) => ({ apiVersion, kind: 'ClusterRole', metadata: { name }, rules });

/**
 * The rights that a run uses, as Roles and a ClusterRole: the union of what the collectors declare for this way to connect.
 * With `--probe none` those that only read. Trying a fix by dry run takes the right to make it, which is not among them; nor, without `--node-pods`,
 * is the right to create pods in kube-system, which is as good as root on the nodes.
 */
export function rbac(options: RbacOptions, out: NodeJS.WriteStream): number {
  const home = options.namespace ?? 'default';
  const from = parseFrom(options.from, home);
  const wanted = collectors
    .filter((c) => options.probe !== 'none' || c.impact === 'read')
    .flatMap((c) => c.access)
    .filter(
      (a) =>
        (!a.only || { 'node-pods': options.nodePods, matrix: options.matrix, http: options.http, front: options.front, advice: options.advice }[a.only]) &&
        (!a.probes || a.probes.includes(options.probe)),
    );
  const places: Record<Access['scope'], string | null> = {
    service: home,
    client: from.kind === 'node' || from.kind === 'external' ? home : from.namespace,
    'kube-system': 'kube-system',
    cluster: null,
  };
  const objects = options.allNamespaces
    ? [clusterRole(merged(wanted))]
    : [...Map.groupBy(wanted, (a) => places[a.scope])].map(([namespace, access]) =>
        namespace === null ? clusterRole(merged(access)) : role(namespace, merged(access)),
      );
  const bind = options.allNamespaces
    ? '# To bind it: kubectl create clusterrolebinding k8s-doctor --clusterrole=k8s-doctor --user=NAME'
    : '# To bind them: kubectl -n NAMESPACE create rolebinding k8s-doctor --role=k8s-doctor --user=NAME for each Role,\n# and kubectl create clusterrolebinding k8s-doctor --clusterrole=k8s-doctor --user=NAME';
  out.write(`${bind}\n${objects.map((o) => stringify(o)).join('---\n')}`);
  return 0;
}
