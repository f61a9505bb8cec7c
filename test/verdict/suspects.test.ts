/** Which field of which object can have caused what: an incident whose objects were changed a minute before, in one field at a time. */
import { describe, expect, test } from 'vitest';
import type { Code } from '../../src/catalog/codes.ts';
import { seen } from '../../src/facts/fact.ts';
import type { Facts } from '../../src/facts/facts.ts';
import type { FieldChange } from '../../src/facts/tracked.ts';
import { asFinding } from '../../src/verdict/verdict.ts';
import { type Earlier, whatChanged } from '../../src/verdict/what-changed.ts';
import { recordingOf, valueOf } from '../support/recordings.ts';

const incident = recordingOf('rollout-crashes');
const { facts } = incident;
const { namespace } = valueOf(facts.target);
const at = (secondsBefore: number) => new Date(Date.parse(incident.startedAt) - secondsBefore * 1000).toISOString();
const entry = (seconds: number, ...fields: string[]): FieldChange => ({ manager: 'kubectl-edit', operation: 'Update', time: at(seconds), fields });

const causeOf = (code: Code, object = { kind: 'Service', namespace, name: 'shop' }) =>
  asFinding({ code, severity: 'error', confidence: 'confirmed', scope: 'all', object, message: '', evidence: [], fix: [] });
const changed = (code: Code, more: Partial<Facts>, earlier?: Earlier, object?: ReturnType<typeof causeOf>['object']) =>
  whatChanged({ ...facts, ...more }, incident.startedAt, [causeOf(code, object)], earlier);

type Tracked = { metadata: { history: FieldChange[]; creationTimestamp?: string | null | undefined } };
const withHistory = <T extends Tracked>(o: T, history: FieldChange[], created: string | null = at(7200)): T => ({
  ...o,
  metadata: { ...o.metadata, history, creationTimestamp: created },
});
const service = valueOf(facts.service);
if (!service) throw new Error('the incident has a Service');
const serviceWith = (...history: FieldChange[]): Partial<Facts> => ({ service: seen(withHistory(service, history)), deployments: seen([]) });
/** The workload alone, without the revisions that would show more. */
const workloadWith = (...history: FieldChange[]): Partial<Facts> => ({
  deployments: seen(valueOf(facts.deployments).map((d) => withHistory(d, history))),
  replicaSets: seen([]),
});

const ofPod = 'spec.template.spec.containers.args';
const allServiceFields = [
  'spec.selector.app',
  'spec.ports.targetPort',
  'spec.clusterIP',
  'spec.internalTrafficPolicy',
  'spec.externalTrafficPolicy',
  'metadata.labels.x',
  'spec.loadBalancerSourceRanges',
  'spec.externalName',
];
const allWorkloadFields = ['spec.template.metadata.labels.app', ofPod, 'spec.replicas', 'spec.template.spec.nodeSelector'];
const table: [Code, string[], string[]][] = [
  ['selector-mismatch', ['spec.selector.app'], ['spec.template.metadata.labels.app']],
  ['selector-overlap', ['spec.selector.app'], ['spec.template.metadata.labels.app']],
  ['target-port-not-listening', ['spec.ports.targetPort'], [ofPod, 'spec.template.spec.nodeSelector']],
  ['listens-on-loopback', [], [ofPod, 'spec.template.spec.nodeSelector']],
  ['named-port-missing', ['spec.ports.targetPort'], [ofPod, 'spec.template.spec.nodeSelector']],
  ['headless-port-mismatch', ['spec.ports.targetPort', 'spec.clusterIP'], [ofPod, 'spec.template.spec.nodeSelector']],
  ['protocol-mismatch', ['spec.ports.targetPort'], [ofPod, 'spec.template.spec.nodeSelector']],
  ['endpoint-port-name-mismatch', ['spec.ports.targetPort'], []],
  ['local-policy-no-endpoint', ['spec.internalTrafficPolicy', 'spec.externalTrafficPolicy'], ['spec.replicas']],
  ['service-excluded-from-proxy', ['metadata.labels.x'], []],
  ['source-ranges-deny', ['spec.loadBalancerSourceRanges'], []],
  ['external-name-broken', ['spec.externalName'], []],
  ['no-replicas', [], ['spec.replicas']],
  ...(
    [
      'container-crashing',
      'container-config-error',
      'image-pull-failing',
      'out-of-memory',
      'readiness-failing',
      'readiness-gate-unmet',
      'pods-unschedulable',
    ] as const
  ).map((code): [Code, string[], string[]] => [code, [], [ofPod, 'spec.template.spec.nodeSelector']]),
  ...(['pods-refused', 'rollout-stalled'] as const).map((code): [Code, string[], string[]] => [
    code,
    [],
    ['spec.template.metadata.labels.app', ofPod, 'spec.template.spec.nodeSelector'],
  ]),
];

describe('of the Service and its workload', () => {
  test.each(table)('%s: %j of the Service, %j of the workload', (code, ofService, ofWorkload) => {
    const named = (fields: string[], make: (...h: FieldChange[]) => Partial<Facts>, kind: string) =>
      fields.filter((field) => {
        const found = changed(code, make(entry(60, field)));
        return found?.object.kind === kind && found.field === field;
      });
    expect(named(allServiceFields, serviceWith, 'Service')).toEqual(ofService);
    expect(named(allWorkloadFields, workloadWith, 'Deployment')).toEqual(ofWorkload);
  });

  test('a StatefulSet and a DaemonSet are workloads as well, where they make pods of the Service', () => {
    const [deployment] = valueOf(facts.deployments);
    if (!deployment) throw new Error('the incident has a Deployment');
    const made = withHistory(deployment, [entry(60, 'spec.replicas')]);
    const none: Partial<Facts> = { deployments: seen([]), statefulSets: seen([]), daemonSets: seen([]) };
    expect(changed('no-replicas', { ...none, statefulSets: seen([made]) })?.text).toBe('kubectl-edit changed spec.replicas of StatefulSet "shop" 60 s before');
    expect(changed('no-replicas', { ...none, daemonSets: seen([made]) })?.object.kind).toBe('DaemonSet');
    const ofOthers = {
      ...made,
      spec: { ...made.spec, template: { ...made.spec.template, metadata: { ...made.spec.template.metadata, labels: { app: 'x' } } } },
    };
    expect(changed('no-replicas', { ...none, statefulSets: seen([ofOthers]) })).toBeUndefined();
    // What another object makes, that one changes.
    const owned = { ...made, metadata: { ...made.metadata, ownerReferences: [{ kind: 'Rollout', name: 'x' }] } };
    expect(changed('no-replicas', { ...none, statefulSets: seen([owned]) })).toBeUndefined();
  });
  test('a restart, which is written into an annotation, changes nothing', () => {
    expect(changed('rollout-stalled', workloadWith(entry(60, 'spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt')))).toBeUndefined();
  });
  test('a field whose name only begins alike is another one', () => {
    expect(changed('no-replicas', workloadWith(entry(60, 'spec.replicasWanted')))).toBeUndefined();
  });
  test('of several changes the last one, and of a change two fields at most', () => {
    const recent = changed('selector-mismatch', serviceWith(entry(60, 'spec.selector.a', 'spec.selector.b', 'spec.selector.c'), entry(90, 'spec.selector.d')));
    expect(recent?.field).toBe('spec.selector.a, spec.selector.b');
    const both: Partial<Facts> = {
      service: seen(withHistory(service, [entry(300, 'spec.selector.app')])),
      ...workloadWith(entry(60, 'spec.template.metadata.labels.app')),
    };
    expect(changed('selector-mismatch', both)?.object.kind).toBe('Deployment');
    expect(changed('selector-mismatch', { ...both, service: seen(withHistory(service, [entry(30, 'spec.selector.app')])) })?.object.kind).toBe('Service');
  });
  test('how long before', () => {
    const before = (seconds: number) => / (\d+ \w+) before$/.exec(changed('selector-mismatch', serviceWith(entry(seconds, 'spec.selector')))?.text ?? '')?.[1];
    expect([0, 89, 90, 240, 5300, 5400, 7000].map(before)).toEqual(['0 s', '89 s', '2 min', '4 min', '88 min', '2 h', '2 h']);
    // What comes after the run began, and what is a day old.
    expect(before(-5)).toBeUndefined();
    expect(changed('selector-mismatch', { service: seen(withHistory(service, [entry(86_399, 'spec.selector')], at(200_000))) })).toBeDefined();
    expect(changed('selector-mismatch', { service: seen(withHistory(service, [entry(86_401, 'spec.selector')], at(200_000))) })).toBeUndefined();
  });
  test('what came with the object is no change, up to three seconds after', () => {
    const made = (created: string | null) => changed('selector-mismatch', { service: seen(withHistory(service, [entry(60, 'spec.selector')], created)) });
    expect(made(at(60))).toBeUndefined();
    expect(made(at(62))).toBeUndefined();
    expect(made(at(63))).toBeDefined();
    expect(made(null)).toBeDefined();
  });
  test('a manager of up to twelve fields shows what it changed, one of more does not', () => {
    const of = (n: number) =>
      changed('selector-mismatch', serviceWith(entry(60, 'spec.selector', ...Array.from({ length: n - 1 }, (_, i) => `spec.x${i}`))))?.text;
    expect(of(12)).toBe('kubectl-edit changed spec.selector of Service "shop" 60 s before');
    expect(of(13)).toBe('kubectl-edit changed Service "shop" 60 s before; spec.selector is among its fields');
  });
});

describe('a NetworkPolicy', () => {
  const denied = recordingOf('policy-default-deny');
  const where = valueOf(denied.facts.target).namespace;
  const [policy] = valueOf(Object.values(valueOf(denied.facts.policies))[0] ?? { seen: false });
  const own = valueOf(denied.facts.service);
  if (!policy || !own) throw new Error('the incident has a policy and a Service');
  const ago = (seconds: number) => new Date(Date.parse(denied.startedAt) - seconds * 1000).toISOString();
  const found = (created: number, serviceCreated: number, name = 'default-deny', field = 'spec.podSelector') =>
    whatChanged(
      {
        ...denied.facts,
        service: seen(withHistory(own, [], ago(serviceCreated))),
        policies: seen({
          [where]: seen([withHistory(policy, [{ manager: 'kubectl-create', operation: 'Update', time: ago(60), fields: [field] }], ago(created))]),
        }),
      },
      denied.startedAt,
      [causeOf('policy-denies-ingress', { kind: 'NetworkPolicy', namespace: where, name })],
    );
  test('that came after the Service was created then', () => {
    expect(found(60, 7200)).toMatchObject({
      field: '',
      by: 'kubectl-create',
      at: ago(60),
      text: 'NetworkPolicy "default-deny" was created 60 s before, by kubectl-create',
    });
    expect(found(60, 91)?.field).toBe('');
  });
  test('that came together with the Service is no change', () => expect(found(60, 80)).toBeUndefined());
  test('that was changed later', () => {
    expect(found(7200, 9000)?.text).toBe('kubectl-create changed spec.podSelector of NetworkPolicy "default-deny" 60 s before');
    expect(found(7200, 9000, 'default-deny', 'metadata.labels.x')).toBeUndefined();
  });
  test('and not another one', () => expect(found(60, 7200, 'other')).toBeUndefined());
});

describe('of the cluster', () => {
  const [dns, proxy, dnsService] = [valueOf(facts.dnsWorkload), valueOf(facts.proxyWorkload), valueOf(facts.dnsService)];
  if (!dns || !proxy || !dnsService) throw new Error('the incident has DNS and kube-proxy');
  const quiet: Partial<Facts> = { corefileHistory: seen([]), dnsWorkload: seen(withHistory(dns, [])), proxyWorkload: seen(withHistory(proxy, [])) };
  test.each(['dns-config-invalid', 'dns-zone-mismatch', 'dns-pods-down', 'dns-wrong-answer'] as const)(
    '%s: the Corefile, or the Deployment of CoreDNS',
    (code) => {
      expect(changed(code, quiet)).toBeUndefined();
      expect(changed(code, { ...quiet, corefileHistory: seen([entry(60, 'data.Corefile')]) })?.text).toBe(
        'kubectl-edit changed data.Corefile of ConfigMap "coredns" 60 s before',
      );
      expect(changed(code, { ...quiet, dnsWorkload: seen(withHistory(dns, [entry(60, 'spec.replicas')])) })?.object).toEqual({
        kind: 'Deployment',
        namespace: 'kube-system',
        name: 'coredns',
      });
    },
  );
  test.each(['kube-proxy-down', 'kube-proxy-not-syncing', 'kube-proxy-rules-missing'] as const)('%s: the DaemonSet of kube-proxy', (code) => {
    expect(changed(code, quiet)).toBeUndefined();
    expect(changed(code, { ...quiet, proxyWorkload: seen(withHistory(proxy, [entry(60, 'spec.template.spec.nodeSelector')])) })?.object.kind).toBe('DaemonSet');
    expect(changed(code, { ...quiet, proxyWorkload: seen(null) })).toBeUndefined();
  });
  test('dns-service-broken: the Service of DNS', () => {
    expect(changed('dns-service-broken', { dnsService: seen(withHistory(dnsService, [entry(60, 'spec.selector')])) })?.object.name).toBe('kube-dns');
    expect(changed('dns-service-broken', { dnsService: seen(null) })).toBeUndefined();
  });
  test('what nobody can have changed has no such line', () => {
    expect(
      changed('node-not-ready', { ...quiet, ...serviceWith(entry(60, 'spec.selector')), proxyWorkload: seen(withHistory(proxy, [entry(60, 'spec')])) }),
    ).toBeUndefined();
  });
});

describe('by revisions of a Deployment', () => {
  const [older, newer] = [1, 2].map((n) => valueOf(facts.replicaSets).find((s) => s.metadata.revision === n));
  if (!older || !newer) throw new Error('the incident has two revisions');
  const still = { deployments: seen(valueOf(facts.deployments).map((d) => withHistory(d, []))) };
  const rolled = (change: object, code: Code = 'container-crashing', created = at(60)) => {
    const containers = older.spec.template.spec.containers.map((c) => ({ ...c, ...change }));
    const before = { ...older, spec: { ...older.spec, template: { ...older.spec.template, spec: { ...older.spec.template.spec, containers } } } };
    const latest = { ...newer, metadata: { ...newer.metadata, creationTimestamp: created } };
    return changed(code, { ...still, replicaSets: seen([before, latest]) });
  };
  const name = newer.spec.template.spec.containers[0]?.name;
  test('with the field that differs, then and now', () => {
    expect(rolled({ image: 'shop/web:1' })).toMatchObject({ field: `containers.${name}.image`, by: null, at: at(60) });
    expect(rolled({ image: 'shop/web:1' })?.text).toMatch(/^Deployment "shop" rolled out revision 2 60 s before: image shop\/web:1 → registry/);
    expect(rolled({ ports: [] })?.text).toMatch(/ before: ports \[\] → \[\{.*containerPort/);
    expect(rolled({ readinessProbe: undefined })?.text).toMatch(/: readinessProbe nothing → \{/);
    for (const field of ['startupProbe', 'resources']) expect(rolled({ [field]: { x: 1 } })?.field, field).toBe(`containers.${name}.${field}`);
  });
  test('a container that was not there', () => expect(rolled({ name: 'other' })?.field).toBe(`containers.${name}.image`));
  test('where nothing visible differs, that it was rolled out', () => {
    expect(rolled({})).toMatchObject({ field: 'spec.template.spec', text: 'Deployment "shop" rolled out revision 2 60 s before' });
  });
  test('for faults of containers, and within a day', () => {
    expect(rolled({ image: 'x' }, 'no-replicas')).toBeUndefined();
    expect(rolled({ image: 'x' }, 'selector-mismatch')).toBeUndefined();
    expect(rolled({ image: 'x' }, 'rollout-stalled')?.field).toBe(`containers.${name}.image`);
    expect(rolled({ image: 'x' }, 'container-crashing', at(86_399))).toBeDefined();
    expect(rolled({ image: 'x' }, 'container-crashing', at(86_401))).toBeUndefined();
  });
  test('of its own ReplicaSets, and where there are two', () => {
    const foreign = [older, newer].map((s) => ({ ...s, metadata: { ...s.metadata, ownerReferences: [{ kind: 'Deployment', name: 'other' }] } }));
    expect(changed('container-crashing', { ...still, replicaSets: seen(foreign) })).toBeUndefined();
    expect(changed('container-crashing', { ...still, replicaSets: seen([newer]) })).toBeUndefined();
  });
});

describe('by an earlier capture', () => {
  const having = (spec: object): Facts => ({ ...facts, service: seen({ ...service, spec: { ...service.spec, ...spec } }) });
  const since = (before: Facts, code: Code = 'selector-mismatch') => changed(code, serviceWith(), { facts: before, startedAt: '2026-01-02T03:04:05.000Z' });
  test('a value that is another one now', () => {
    expect(since(having({ selector: { app: 'old' } }))).toEqual({
      object: { kind: 'Service', namespace, name: 'shop' },
      field: 'spec.selector.app',
      by: null,
      at: null,
      text: 'spec.selector.app of Service "shop": old on 2026-01-02 03:04, now shop',
    });
    expect(since(having({ selector: {} }))?.text).toBe('spec.selector.app of Service "shop": nothing on 2026-01-02 03:04, now shop');
    expect(since(having({ ports: [] }), 'protocol-mismatch')?.field).toBe('spec.ports');
  });
  test('a field that can not be the cause, and a Service that was another one', () => {
    expect(since(having({ type: 'NodePort' }))).toBeUndefined();
    expect(since({ ...facts, service: seen({ ...service, metadata: { ...service.metadata, name: 'other' } }) })).toBeUndefined();
    expect(since({ ...facts, service: seen(null) })).toBeUndefined();
  });
  test('comes before what a field manager shows', () => {
    const more = serviceWith(entry(60, 'spec.selector.tier'));
    expect(changed('selector-mismatch', more, { facts: having({ selector: { app: 'old' } }), startedAt: '2026-01-02T03:04:05.000Z' })?.by).toBeNull();
  });
});

test('the first cause that has a change', () => {
  const both = [causeOf('node-not-ready'), causeOf('no-replicas'), causeOf('selector-mismatch')];
  const found = whatChanged({ ...facts, ...serviceWith(entry(60, 'spec.selector.app')) }, incident.startedAt, both);
  expect(found?.field).toBe('spec.selector.app');
});
