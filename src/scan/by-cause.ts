/** What several Services have in common: one line for each cause, not one for each Service that it stops. */
import type { Status } from '../verdict/verdict.ts';
import type { Scanned } from './judge.ts';

export interface CauseGroup {
  code: string;
  status: Status;
  /** What it is about: `10 nodes`, `Deployment kube-system/coredns`; empty where each Service has its own. */
  about: string;
  /** The finding's own words, of the first Service. */
  message: string;
  services: readonly Scanned[];
}

const rank: readonly Status[] = ['faulty', 'degraded', 'undecided', 'healthy'];
export const byStatus = (a: Status, b: Status): number => rank.indexOf(a) - rank.indexOf(b);

/** Kinds whose objects many Services share; a fault of several of them is one incident. */
const sharedKinds: readonly string[] = ['Node', 'NetworkPolicy', 'DaemonSet', 'ConfigMap'];

const nameOf = ({ kind, namespace, name }: { kind: string; namespace: string; name: string }): string => `${kind} ${namespace ? `${namespace}/` : ''}${name}`;

/**
 * Services by their first cause. Those whose cause is about an object that others share are one group: all nodes together, every other
 * object by itself. A cause that is a Service's own stays with it. The worst come first, then those that stop most Services.
 */
export function byCause(services: readonly Scanned[]): CauseGroup[] {
  const faulty = services.filter((s) => s.causes.length > 0);
  const keyOf = (s: Scanned): string => {
    const [cause] = s.causes;
    if (!cause) return '';
    const { object, code } = cause;
    if (object.kind === 'Node') return `${code} Node`;
    const isShared = sharedKinds.includes(object.kind) || object.namespace === 'kube-system';
    return isShared ? `${code} ${nameOf(object)}` : `${code} ${s.namespace}/${s.name}`;
  };
  return [...Map.groupBy(faulty, keyOf).values()]
    .flatMap((own): CauseGroup[] => {
      const [first] = own;
      const cause = first?.causes[0];
      if (!first || !cause) return [];
      const nodes = new Set(own.flatMap((s) => s.causes[0]?.nodes ?? (s.causes[0]?.object.kind === 'Node' ? [s.causes[0].object.name] : [])));
      const about = own.length === 1 ? '' : cause.object.kind === 'Node' ? `${nodes.size} node${nodes.size === 1 ? '' : 's'}` : nameOf(cause.object);
      const status = own.map((s) => s.status).toSorted(byStatus)[0] ?? first.status;
      return [{ code: cause.code, status, about, message: cause.message, services: own }];
    })
    .toSorted((a, b) => byStatus(a.status, b.status) || b.services.length - a.services.length);
}
