/** What several Services have in common: one line for each cause, not one for each Service that it stops. */
import { plural } from '../../checks/format.ts';
import type { Finding, Status } from '../verdict/verdict.ts';
import { nameOf, type Scanned } from './judge.ts';

export interface CauseGroup {
  context: string;
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

const objectName = ({ kind, namespace, name }: Finding['object']): string => `${kind} ${namespace ? `${namespace}/` : ''}${name}`;

/**
 * Services by their first cause. Those whose cause is about the same other object are one group, and all nodes count as one: a fault of several
 * of them is one incident. A cause that is about the Service itself stays with it. The worst come first, then those that stop most Services.
 */
export function byCause(services: readonly Scanned[]): CauseGroup[] {
  const caused = services.flatMap((service) => service.causes.slice(0, 1).map((cause) => ({ service, cause })));
  const groups = Map.groupBy(caused, ({ service, cause: { code, object } }) => {
    const about = object.kind === 'Node' ? 'Node' : object.kind === 'Service' ? `Service ${nameOf(service)}` : objectName(object);
    return `${service.context} ${code} ${about}`;
  });
  return [...groups.values()]
    .flatMap((own): CauseGroup[] => {
      const [first] = own;
      if (!first) return [];
      const { cause, service } = first;
      const nodes = new Set(own.flatMap((o) => o.cause.nodes ?? (o.cause.object.kind === 'Node' ? [o.cause.object.name] : [])));
      const about = own.length === 1 ? '' : cause.object.kind === 'Node' ? plural(nodes.size, 'node') : objectName(cause.object);
      const status = own.map((o) => o.service.status).toSorted(byStatus)[0] ?? service.status;
      return [{ context: service.context, code: cause.code, status, about, message: cause.message, services: own.map((o) => o.service) }];
    })
    .toSorted((a, b) => byStatus(a.status, b.status) || b.services.length - a.services.length);
}
