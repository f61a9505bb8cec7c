/** Each piece of advice on objects that call for it, and on the same objects when they do not. */
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { advise } from '../../src/advice/advice.ts';
import { seen, unseen } from '../../src/facts/fact.ts';
import { factNames, type Facts } from '../../src/facts/facts.ts';
import * as o from '../../src/facts/objects.ts';

interface Manifest {
  kind: string;
  metadata: { name: string };
}

const manifests = parseAllDocuments(readFileSync(new URL('./objects.yaml', import.meta.url), 'utf8')).map((d) => d.toJS() as Manifest);

/** The facts of these objects, as a run reads them. */
function factsOf(objects: readonly unknown[], client = ''): Facts {
  const of = <S extends v.GenericSchema>(kind: string, schema: S) => objects.filter((m) => (m as Manifest).kind === kind).map((m) => v.parse(schema, m));
  const pods = of('Pod', o.pod);
  const from = pods.find((p) => p.metadata.name === client);
  const nothing = Object.fromEntries(factNames.map((n) => [n, unseen('not-needed', n, 'not in the manifest')])) as unknown as Facts;
  return {
    ...nothing,
    service: seen(of('Service', o.service)[0] ?? null),
    pods: seen(pods),
    slices: seen(of('EndpointSlice', o.endpointSlice)),
    deployments: seen(of('Deployment', o.workload)),
    replicaSets: seen(of('ReplicaSet', o.workload)),
    statefulSets: seen([]),
    daemonSets: seen([]),
    disruptionBudgets: seen(of('PodDisruptionBudget', o.disruptionBudget)),
    ...(from && {
      client: seen({
        kind: 'pod' as const,
        namespace: from.metadata.namespace,
        name: from.metadata.name,
        node: null,
        labels: from.metadata.labels,
        addresses: [],
        hostNetwork: false,
        pod: from,
      }),
      connections: seen({
        from: `pod/${client}`,
        standIn: false,
        node: null,
        list: [],
        endpointsTotal: 0,
        resolvConf: 'search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n',
      }),
    }),
  };
}

const idsOf = (objects: readonly unknown[], client?: string) => advise(factsOf(objects, client)).map((a) => a.id);

/** The objects with one of them changed. */
const withChanged = (kind: string, change: (object: Record<string, never>) => void): unknown[] =>
  structuredClone(manifests).map((m) => {
    if (m.kind === kind) change(m as unknown as Record<string, never>);
    return m;
  });

/** A path of an object as JavaScript sees it, for tests. */
const at = (object: unknown, ...path: (string | number)[]): Record<string, unknown> =>
  path.reduce<unknown>((x, key) => (x as Record<string | number, unknown>)[key], object) as Record<string, unknown>;
const container = (d: unknown) => at(d, 'spec', 'template', 'spec', 'containers', 0);

describe('advice', () => {
  test('a Service with everything in order gets none', () => {
    expect(idsOf(manifests)).toEqual([]);
  });

  test.each([
    ['readiness-probe', withChanged('Deployment', (d) => void delete container(d)['readinessProbe'])],
    ['one-replica', withChanged('Deployment', (d) => void (at(d, 'spec')['replicas'] = 1))],
    ['no-disruption-budget', manifests.filter((m) => m.kind !== 'PodDisruptionBudget')],
    ['disruption-budget-blocks', withChanged('PodDisruptionBudget', (b) => void (at(b, 'status')['disruptionsAllowed'] = 0))],
    ['target-port-by-number', withChanged('Service', (s) => void (at(s, 'spec', 'ports', 0)['targetPort'] = 8080))],
    ['bare-pods', withChanged('Pod', (p) => void delete at(p, 'metadata')['ownerReferences'])],
    [
      'manual-endpoints',
      withChanged(
        'EndpointSlice',
        (s) => void (at(s, 'metadata', 'labels')['endpointslice.kubernetes.io/managed-by'] = 'endpointslicemirroring-controller.k8s.io'),
      ),
    ],
    [
      'obsolete-annotation',
      withChanged('Service', (s) => void (at(s, 'metadata')['annotations'] = { 'service.alpha.kubernetes.io/tolerate-unready-endpoints': 'true' })),
    ],
    ['min-ready-seconds', withChanged('Deployment', (d) => void delete at(d, 'spec')['minReadySeconds'])],
    ['no-pre-stop', withChanged('Deployment', (d) => void delete container(d)['lifecycle'])],
  ])('%s', (id, objects) => {
    expect(idsOf(objects)).toContain(id);
  });

  test('selector-broad: pods of two Deployments', () => {
    const other = structuredClone(manifests.filter((m) => m.kind !== 'Service' && m.kind !== 'EndpointSlice' && m.kind !== 'PodDisruptionBudget'));
    const renamed = JSON.parse(
      JSON.stringify(other).replaceAll('"shop"', '"cart"').replaceAll('shop-1', 'cart-1').replaceAll('"app":"cart"', '"app":"shop"'),
    ) as unknown[];
    expect(idsOf([...manifests, ...renamed])).toContain('selector-broad');
  });

  test('session-affinity-useless: with one endpoint, and not with two', () => {
    const sticky = withChanged('Service', (s) => void (at(s, 'spec')['sessionAffinity'] = 'ClientIP'));
    expect(idsOf(sticky)).not.toContain('session-affinity-useless');
    const one = sticky.map((m) => {
      if ((m as Manifest).kind === 'EndpointSlice') (at(m)['endpoints'] as unknown[]).splice(1);
      return m;
    });
    expect(idsOf(one)).toContain('session-affinity-useless');
  });

  test('environment-too-old and search-cost: for a client pod', () => {
    expect(idsOf(manifests, 'client')).toEqual(['environment-too-old', 'search-cost']);
    const young = withChanged('Service', (s) => void (at(s, 'metadata')['creationTimestamp'] = '2026-01-01T00:00:00Z'));
    expect(idsOf(young, 'client')).toEqual(['search-cost']);
  });

  test('every piece names a page', () => {
    const poor = withChanged('Deployment', (d) => {
      at(d, 'spec')['replicas'] = 1;
      delete container(d)['readinessProbe'];
    });
    for (const { source, text } of advise(factsOf(poor, 'client'))) {
      expect(source).toMatch(/^https:\/\/kubernetes\.io\/docs\//);
      expect(text).not.toMatch(/\.$/);
    }
  });
});
