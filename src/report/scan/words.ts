/** What all formats of a scan say alike. */
import type { CauseGroup } from '../../scan/by-cause.ts';
import type { Scanned } from '../../scan/judge.ts';
import type { Scan, ScannedCluster } from '../../scan/scan.ts';
import type { Status } from '../../verdict/verdict.ts';

const statuses = ['faulty', 'degraded', 'undecided', 'healthy'] as const satisfies readonly Status[];

export const isOfSeveral = ({ clusters }: Scan): boolean => clusters.length > 1;

/** `shop/cart`, `Ingress shop/cart`, and before it the cluster where there are several. */
export const placeOf = ({ kind, context, namespace, name }: Scanned, several: boolean, withNamespace = true): string =>
  `${several ? `${context}: ` : ''}${kind === 'Service' ? '' : `${kind} `}${withNamespace ? `${namespace}/` : ''}${name}`;

/** `2/3`: ready of all; empty where there are none to count. */
export const endpointsText = ({ kind, type, endpoints }: Scanned): string =>
  kind !== 'Service' || type === 'ExternalName' ? '' : `${endpoints.ready}/${endpoints.total}`;

/** `12 Services, 1 Ingress and 2 HTTPRoutes`. */
export function howMany(all: readonly Scanned[]): string {
  const kinds = [...Map.groupBy(all, (s) => s.kind)].toSorted(([a], [b]) => Number(b === 'Service') - Number(a === 'Service') || (a < b ? -1 : 1));
  const texts = kinds.map(([kind, own]) => `${own.length} ${own.length === 1 ? kind : kind.endsWith('s') ? `${kind}es` : `${kind}s`}`);
  return texts.length < 2 ? (texts[0] ?? 'no Services') : `${texts.slice(0, -1).join(', ')} and ${texts.at(-1)}`;
}

/** `490 Services: 10 nodes, node-not-ready: …`, or the name of the only one. */
export function groupTitle({ services, about, code, message }: CauseGroup, several: boolean): string {
  const [first, ...others] = services;
  const whose = first && others.length === 0 ? placeOf(first, several) : howMany(services);
  return `${whose}: ${about ? `${about}, ` : ''}${code}: ${message}`;
}

const countOf = (services: readonly Scanned[], status: Status): number => services.filter((s) => s.status === status).length;

/** How many Services have which status. */
export function counts({ services }: Scan): string {
  if (services.length === 0) return 'There are no Services';
  const ignored = services.filter((s) => s.ignored.length > 0).length;
  const all = statuses.flatMap((s) => {
    const n = countOf(services, s);
    return n > 0 ? [`${n} ${s === 'healthy' ? 'without a problem in their objects' : s}`] : [];
  });
  return `${howMany(services)}: ${all.join(', ')}${ignored > 0 ? ` (${ignored} with causes that are ignored)` : ''}`;
}

/** What was not tried. */
export function tested({ services }: Scan): string {
  const probed = services.filter((s) => s.probed).length;
  if (services.length === 0) return '';
  return probed > 0 ? `Connections of ${probed} were tested.` : 'Connections were not tested; to test one: k8s-doctor svc NAME';
}

/** One cluster in a line. */
export function clusterLine({ services }: Scan, { context, error }: ScannedCluster): string {
  if (error !== null) return `${context}: not scanned: ${error}`;
  const own = services.filter((s) => s.context === context);
  return `${context}: ${statuses.flatMap((s) => (countOf(own, s) > 0 ? [`${countOf(own, s)} ${s}`] : [])).join(', ') || 'no Services'}`;
}
