/** The model of what follows from a change, held to recordings of a real cluster. */
import { describe, expect, test } from 'vitest';
import { pipeline } from '../../checks/pipeline.ts';
import { reasoned } from '../../src/verdict/judge.ts';
import { seen } from '../../src/facts/fact.ts';
import type { Recording } from '../../src/facts/capture.ts';
import { endpointsOf } from '../../src/facts/selectors.ts';
import { slicesFor } from '../../src/what-if/endpoint-slices.ts';
import { patched } from '../../src/what-if/objects.ts';
import { whatIf } from '../../src/what-if/what-if.ts';
import { patchOf } from '../../checks/fix.ts';
import { recorded, recordingOf, valueOf } from '../support/recordings.ts';

const codesOf = (recording: Recording) =>
  reasoned(pipeline, recording.facts)
    .verdict.causes.map((c) => c.code)
    .toSorted();
const after = (recording: Recording, ...changes: Parameters<typeof whatIf>[1]) => ({ ...recording, facts: whatIf(recording.facts, changes).facts });

/** Endpoints as text, in any order. */
const textOf = (slices: Parameters<typeof endpointsOf>[0]) =>
  endpointsOf(slices)
    .map((e) => [e.address, e.port, e.portName, e.protocol, e.ready, e.serving, e.node, e.pod].join(' '))
    .toSorted();

/** The cluster is between two states there, or its controller was stopped. */
const unsettled = ['node-not-ready', 'client-node-not-ready', 'pod-starting', 'rules-stale-after-death'];

describe('EndpointSlices', () => {
  const cases = recorded.filter(({ name, recording: { facts } }) => {
    const service = facts.service.seen ? facts.service.value : null;
    return service && Object.keys(service.spec.selector ?? {}).length > 0 && facts.slices.seen && facts.pods.seen && !unsettled.includes(name);
  });
  test.each(cases.map((r) => [r.name, r] as const))('%s: are what their controller wrote', (_, { recording: { facts } }) => {
    const [service, pods, slices] = [valueOf(facts.service), valueOf(facts.pods), valueOf(facts.slices)];
    expect(service && textOf(slicesFor(service, pods, slices))).toEqual(textOf(slices));
  });
});

describe('no change', () => {
  // What only a matrix or the API server's own requests show is not foretold.
  const foretold = recorded.filter((r) => !r.recording.facts.matrix.seen && !r.recording.facts.viaApiServer.seen);
  test.each(foretold.map((r) => [r.name, r] as const))('%s: no other cause', (_, { recording }) => {
    const before = codesOf(recording);
    for (const code of codesOf(after(recording))) expect(before).toContain(code);
  });
});

describe('a change breaks as it would in the cluster', () => {
  const healthy = recordingOf('healthy');
  const { namespace, name } = valueOf(healthy.facts.target);
  const change = (body: object, type: 'merge' | 'json' = 'merge') => after(healthy, patchOf(namespace, `service/${name}`, body, type));
  test('a selector that matches nothing', () => {
    expect(codesOf(change({ spec: { selector: { app: 'nobody' } } }))).toEqual(['selector-mismatch']);
  });
  test('a named targetPort that no container has', () => {
    expect(codesOf(change([{ op: 'replace', path: '/spec/ports/0/targetPort', value: 'nosuch' }], 'json'))).toEqual(['named-port-missing']);
  });
  test('a label that takes the Service from kube-proxy', () => {
    expect(codesOf(change({ metadata: { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } } }))).toEqual(['service-excluded-from-proxy']);
  });
  test('a Deployment without replicas', () => {
    expect(codesOf(after(healthy, patchOf(namespace, 'deployment/shop', { spec: { replicas: 0 } })))).toEqual(['no-replicas']);
  });
  test('a policy that closes the namespace', () => {
    const manifest = { metadata: { name: 'closed', namespace }, spec: { podSelector: {}, policyTypes: ['Ingress'] } };
    expect(codesOf(after(healthy, { how: 'create', kind: 'networkpolicy', namespace, name: 'closed', manifest }))).toEqual(['policy-denies-ingress']);
  });
  test('no DNS server', () => {
    expect(codesOf(after(healthy, patchOf('kube-system', 'deployment/coredns', { spec: { replicas: 0 } })))).toEqual(['dns-pods-down']);
  });
});

test('a fault that nothing of the change concerns stays', () => {
  const broken = recordingOf('policy-default-deny');
  const { namespace } = valueOf(broken.facts.target);
  expect(codesOf(after(broken, patchOf(namespace, 'service/shop', { spec: { sessionAffinity: 'ClientIP' } })))).toEqual(['policy-denies-ingress']);
});

test.each([['first'], ['later']])('rules that come and go: what they did to connections is repaired with them (right in the %s reading)', (right) => {
  const { facts } = recordingOf('rules-flushed');
  const [first, later] = [valueOf(facts.nodeRules), valueOf(facts.nodeRulesLater)];
  const [broken = ''] = Object.keys(later);
  const whole = Object.values(first).find((read) => read.seen && Object.keys(read.value.modes).length > 0);
  expect(first[broken]).toMatchObject({ seen: true, value: { modes: {} } });
  if (!whole) throw new Error('no node of the recording has rules');
  const flickering = {
    ...facts,
    ...(right === 'first' ? { nodeRules: seen({ ...first, [broken]: whole }) } : { nodeRulesLater: seen({ [broken]: whole }) }),
  };
  const { causes } = reasoned(pipeline, flickering).verdict;
  expect(causes.map((c) => c.code)).toEqual(['kube-proxy-rules-missing']);
  const after = whatIf(flickering, causes[0]?.fix[0]?.changes ?? []);
  expect(reasoned(pipeline, after.facts).verdict.status).toBe('healthy');
});

test('a program that serves one port is not taken to serve another', () => {
  const { facts, ...rest } = recordingOf('healthy');
  const { namespace } = valueOf(facts.target);
  const changed = after(
    { ...rest, facts: { ...facts, listeners: seen({}) } },
    patchOf(namespace, 'service/shop', [{ op: 'replace', path: '/spec/ports/0/targetPort', value: 9999 }], 'json'),
  );
  expect(reasoned(pipeline, changed.facts).verdict.status).not.toBe('healthy');
});

describe('patches', () => {
  test('a merge patch removes what is null (RFC 7386)', () => {
    expect(patched({ a: { b: 1, c: [1] } }, { type: 'merge', body: { a: { b: null, c: [2], d: 3 } } })).toEqual({ a: { c: [2], d: 3 } });
  });
  test('a strategic patch merges containers by name', () => {
    const before = {
      containers: [
        { name: 'a', image: 'x' },
        { name: 'b', image: 'y', ports: [{ containerPort: 80 }] },
      ],
    };
    const result = patched(before, { type: 'strategic', body: { containers: [{ name: 'b', image: 'z' }] } });
    expect(result).toEqual({
      containers: [
        { name: 'a', image: 'x' },
        { name: 'b', image: 'z', ports: [{ containerPort: 80 }] },
      ],
    });
  });
  test('a JSON patch of a field that was not read has no effect on what was', () => {
    expect(patched({ spec: { replicas: 1 } }, { type: 'json', body: [{ op: 'replace', path: '/spec/paused/x', value: 1 }] })).toEqual({
      spec: { replicas: 1 },
    });
  });
});
