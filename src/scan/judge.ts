/** One Service judged by its objects alone, from what the scan knows. */
import type { Check } from '../../checks/check.ts';
import type { Service } from '../facts/objects.ts';
import { endpointsOf } from '../facts/selectors.ts';
import { reasoned } from '../verdict/judge.ts';
import type { Finding, Verdict } from '../verdict/verdict.ts';
import type { Accepted } from './accepted.ts';
import type { Inventory } from './inventory.ts';

export interface Scanned {
  /** The kubeconfig context of its cluster. */
  context: string;
  namespace: string;
  name: string;
  type: string;
  ports: string[];
  /** Of the endpoints: `ready/all`. */
  endpoints: { ready: number; total: number };
  status: Verdict['status'];
  summary: string;
  causes: Finding[];
  /** Causes that are known and accepted, which do not count. */
  ignored: Accepted[];
  /** True where its connections were tested. */
  probed: boolean;
}

export const nameOf = ({ namespace, name }: { namespace: string; name: string }): string => `${namespace}/${name}`;

export function judgeService(pipeline: readonly Check[], inventory: Inventory, service: Service, context: string, version: string): Scanned {
  const facts = inventory.factsOf(service);
  const { verdict } = reasoned(pipeline, { version, startedAt: '', durationMs: 0, requests: 0, settledMs: {}, facts });
  const addresses = new Map<string, boolean>();
  for (const e of endpointsOf(facts.slices.seen ? facts.slices.value : [])) addresses.set(e.address, (addresses.get(e.address) ?? false) || e.ready);
  return {
    context,
    namespace: service.metadata.namespace,
    name: service.metadata.name,
    type: service.spec.type,
    ports: service.spec.ports.map((p) => `${p.port}→${p.targetPort ?? p.port}${p.protocol === 'TCP' ? '' : `/${p.protocol}`}`),
    endpoints: { ready: [...addresses.values()].filter(Boolean).length, total: addresses.size },
    status: verdict.status,
    summary: verdict.causes[0]?.message ?? verdict.summary,
    causes: verdict.causes,
    ignored: [],
    probed: false,
  };
}
