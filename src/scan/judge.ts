/** One Service judged by its objects alone, from what the scan knows. */
import type { Check } from '../../checks/check.ts';
import type { Client } from '../facts/facts.ts';
import type { RouteKind } from '../facts/front.ts';
import type { Service } from '../facts/objects.ts';
import { endpointsOf } from '../facts/selectors.ts';
import { debugClient } from '../gather/client.ts';
import { reasoned } from '../verdict/judge.ts';
import type { Finding, Verdict } from '../verdict/verdict.ts';
import type { Accepted } from './accepted.ts';
import { likelyClients } from './clients.ts';
import type { Inventory } from './inventory.ts';

/** A Service, or what is in front of some. */
export type ScannedKind = 'Service' | 'Ingress' | RouteKind;

export interface Scanned {
  kind: ScannedKind;
  /** The kubeconfig context of its cluster. */
  context: string;
  namespace: string;
  name: string;
  /** Of a Service; else empty. */
  type: string;
  /** Ports of a Service; host names of what is in front of it. */
  ports: string[];
  /** Of a Service's endpoints. */
  endpoints: { ready: number; total: number };
  status: Verdict['status'];
  summary: string;
  causes: Finding[];
  /** Causes that are known and accepted, which do not count. */
  ignored: Accepted[];
  /** True where its connections were tested. */
  probed: boolean;
  /** As whose connection it was judged, as `--from` names it: `namespace/shop`, `shop/pod/client`. */
  from: string;
}

/** What is in front of Services has none of these. */
export const notOfService = { type: '', endpoints: { ready: 0, total: 0 }, probed: false } as const;

export const nameOf = ({ namespace, name }: { namespace: string; name: string }): string => `${namespace}/${name}`;

/** One key for each object of a cluster: an Ingress and a Service may share a name. */
export const keyOf = ({ kind, namespace, name }: Pick<Scanned, 'kind' | 'namespace' | 'name'>): string =>
  `${kind === 'Service' ? '' : `${kind} `}${namespace}/${name}`;

const isDenied = (verdict: Verdict) => verdict.causes.some((c) => c.code === 'policy-denies-ingress' || c.code === 'policy-denies-egress');

const fromText = ({ kind, namespace, name }: Client): string =>
  kind === 'pod' ? `${namespace}/pod/${name}` : kind === 'external' ? kind : `namespace/${namespace}`;

/** The verdict for the first client whom policies let in; where they let in nobody, that for a pod beside the Service. */
function forSomebody(inventory: Inventory, service: Service, verdictFor: (client: Client) => Verdict): { verdict: Verdict; client: Client } {
  const beside = debugClient(service.metadata.namespace);
  const first = { verdict: verdictFor(beside), client: beside };
  if (!isDenied(first.verdict)) return first;
  for (const client of likelyClients(inventory, service)) {
    const verdict = verdictFor(client);
    if (!isDenied(verdict)) return { verdict, client };
  }
  return first;
}

/** A finding as it is shown: what a fix changes, and what failed, are for the fix and the verdict alone. */
export function visible(finding: Finding): Finding {
  const shown = { ...finding, fix: finding.fix.map((f) => ({ ...f })) };
  delete shown.failed;
  for (const f of shown.fix) {
    delete f.changes;
    delete f.assumes;
  }
  return shown;
}

export function judgeService(pipeline: readonly Check[], inventory: Inventory, service: Service, context: string): Scanned {
  const { verdict, client } = forSomebody(inventory, service, (as) => reasoned(pipeline, inventory.factsOf(service, as)).verdict);
  const addresses = new Map<string, boolean>();
  for (const e of endpointsOf(inventory.slicesOf(service))) addresses.set(e.address, (addresses.get(e.address) ?? false) || e.ready);
  return {
    kind: 'Service',
    context,
    namespace: service.metadata.namespace,
    name: service.metadata.name,
    type: service.spec.type,
    ports: service.spec.ports.map((p) => `${p.port}→${p.targetPort ?? p.port}${p.protocol === 'TCP' ? '' : `/${p.protocol}`}`),
    endpoints: { ready: [...addresses.values()].filter(Boolean).length, total: addresses.size },
    status: verdict.status,
    summary: verdict.causes[0]?.message ?? verdict.summary,
    causes: verdict.causes.map(visible),
    ignored: [],
    probed: false,
    from: fromText(client),
  };
}
