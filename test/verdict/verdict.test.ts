/** What objects promise and what connections show, set against each other: recordings with the connections' outcomes changed. */
import { describe, expect, test } from 'vitest';
import { pipeline } from '../../checks/pipeline.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import type { Connection, Facts } from '../../src/facts/facts.ts';
import { recordingOf } from '../support/recordings.ts';

function changed(name: string, change: (c: Connection) => Partial<Connection>, more: (facts: Facts) => Partial<Facts> = () => ({})): Diagnosis {
  const recording = recordingOf(name);
  const { connections } = recording.facts;
  if (!connections.seen) throw new Error(`${name} holds no connections`);
  const list = connections.value.list.map((c) => ({ ...c, ...change(c) }));
  const facts: Facts = { ...recording.facts, connections: { seen: true, value: { ...connections.value, list } } };
  return diagnose(pipeline, { ...recording, facts: { ...facts, ...more(facts) } });
}

const notLooked = (): Partial<Facts> => ({ listeners: { seen: false, reason: 'not-needed', what: 'listeners', why: 'not looked' } });
const codes = (d: Diagnosis) => d.verdict.causes.map((c) => c.code);

describe('a policy denies, and the connection succeeds anyway', () => {
  const d = changed('policy-wrong-label', () => ({ outcome: 'answered' }));
  test('healthy, with a warning that says why', () => {
    expect(d.verdict.status).toBe('healthy');
    const warning = d.checks.flatMap((c) => c.findings).find((f) => f.code === 'policy-denies-ingress');
    expect(warning?.severity).toBe('warning');
    expect(warning?.evidence.at(-1)?.text).toContain('answered anyway');
  });
});

describe('a policy denies, and the connection times out', () => {
  test('is confirmed by it', () => {
    const d = changed('policy-wrong-label', (c) => (c.kind === 'tcp' ? { outcome: 'timed-out' } : {}));
    expect(d.verdict.causes.map((c) => [c.code, c.confidence])).toEqual([['policy-denies-ingress', 'confirmed']]);
  });
  test('a refusal does not confirm it: a policy drops', () => {
    const d = changed('policy-wrong-label', (c) => (c.kind === 'tcp' ? { outcome: 'refused' } : {}), notLooked);
    expect(d.verdict.causes.find((c) => c.code === 'policy-denies-ingress')?.confidence).toBe('likely');
  });
});

describe('the objects look right, and the connection fails', () => {
  test.each([
    ['timed-out', 'NetworkPolicies allow it: check the routes'],
    ['no-route', 'NetworkPolicies allow it: check the routes'],
    ['reset', 'likely below Kubernetes'],
  ] as const)('%s everywhere: %s', (outcome, says) => {
    const d = changed('healthy-canary', (c) => (c.kind === 'tcp' ? { outcome, node: null } : {}), notLooked);
    expect(d.verdict.status).toBe('faulty');
    expect(codes(d)).toEqual(['endpoint-failing']);
    expect(d.verdict.summary).toContain(says);
  });
  test('one endpoint of several: degraded, and it is named', () => {
    let first = true;
    const d = changed('healthy-canary', (c) => (c.hop === 'endpoint' && first ? ((first = false), { outcome: 'reset' }) : {}), notLooked);
    expect(d.verdict.status).toBe('degraded');
    expect(codes(d)).toEqual(['endpoint-failing']);
    expect(d.verdict.causes[0]?.pods).toHaveLength(1);
  });
  test("the virtual IP alone fails, and the rules of the client's node may not be read: the cause is left open", () => {
    const d = changed(
      'healthy-canary',
      (c) => (c.hop === 'virtual-ip' ? { outcome: 'timed-out' } : {}),
      () => ({ nodeRules: { seen: false, reason: 'forbidden', what: 'rules', why: 'not allowed' } }),
    );
    expect(d.verdict.status).toBe('undecided');
    expect(codes(d)).toEqual([]);
    expect(d.verdict.summary).toContain("the rules on the client's node are wrong; what explains it was not seen: rules: not allowed");
  });
  test('the virtual IP alone fails where another program handles Services: a cause of its own, that names what is not judged', () => {
    const d = changed(
      'healthy-canary',
      (c) => (c.hop === 'virtual-ip' ? { outcome: 'timed-out' } : {}),
      () => ({
        proxyPods: { seen: true, value: [] },
        proxyWorkload: { seen: true, value: null },
        networkDaemons: { seen: true, value: [{ namespace: 'kube-system', name: 'kube-router', images: ['cloudnativelabs/kube-router'] }] },
        nodeRules: { seen: false, reason: 'not-possible', what: 'rules', why: 'no kube-proxy runs' },
      }),
    );
    expect(d.verdict.status).toBe('faulty');
    expect(codes(d)).toEqual(['virtual-ip-failing']);
    expect(d.verdict.summary).not.toContain('no object explains it');
    expect(d.verdict.causes[0]?.evidence.filter((e) => e.source === 'not seen').map((e) => e.text)).toContainEqual(expect.stringContaining('kube-router'));
  });
  test("the virtual IP alone fails although the rules of the client's node are right: it is a cause of its own", () => {
    const d = changed('healthy-canary', (c) => (c.hop === 'virtual-ip' ? { outcome: 'timed-out' } : {}));
    expect(d.verdict.status).toBe('faulty');
    expect(codes(d)).toEqual(['virtual-ip-failing']);
    expect(d.verdict.summary).toContain('no object explains it');
  });
  test('the name alone does not resolve', () => {
    const d = changed('healthy-canary', (c) => (c.hop === 'name' ? { outcome: 'dns-timed-out', answers: [] } : {}));
    expect(codes(d)).toEqual(['name-not-resolving']);
  });
  test('the name resolves to another address', () => {
    const d = changed('healthy-canary', (c) => (c.hop === 'name' ? { answers: ['10.0.0.9'] } : {}));
    expect(d.verdict.status).toBe('faulty');
    expect(d.verdict.summary).toContain('10.0.0.9');
  });
});

describe('DNS answers with another address than the Service has', () => {
  const other = '10.0.0.9';
  const d = changed(
    'healthy-canary',
    (c) => (c.kind === 'dns' ? { answers: [other] } : {}),
    (facts) => ({
      dnsAnswers: facts.dnsAnswers.seen
        ? {
            seen: true,
            value: Object.fromEntries(
              Object.entries(facts.dnsAnswers.value).map(([pod, a]) => [pod, a.seen ? { seen: true as const, value: { ...a.value, addresses: [other] } } : a]),
            ),
          }
        : facts.dnsAnswers,
    }),
  );
  test('one cause, which the lookup shows and does not contradict', () => {
    expect(codes(d)).toEqual(['dns-wrong-answer']);
    expect(d.verdict.status).toBe('faulty');
    expect(d.verdict.causes[0]?.evidence.map((e) => e.text).join()).not.toContain('answered anyway');
  });
});

describe('kube-proxy runs on no node', () => {
  const none = (facts: Facts): Partial<Facts> => ({
    proxyPods: { seen: true, value: [] },
    nodeRules: { seen: false, reason: 'not-needed', what: 'rules', why: 'no kube-proxy pod runs' },
    proxyWorkload:
      facts.proxyWorkload.seen && facts.proxyWorkload.value
        ? { seen: true, value: { ...facts.proxyWorkload.value, status: { ...facts.proxyWorkload.value.status, desiredNumberScheduled: 0 } } }
        : facts.proxyWorkload,
  });
  test('while old rules still serve: degraded, not faulty', () => {
    const d = changed('healthy-canary', () => ({}), none);
    expect(d.verdict.status).toBe('degraded');
    expect(codes(d)).toEqual(['kube-proxy-down']);
  });
  test('and the virtual IP fails: faulty, and the failure is explained by it', () => {
    const d = changed('healthy-canary', (c) => (c.hop === 'virtual-ip' ? { outcome: 'no-route' } : {}), none);
    expect(d.verdict.status).toBe('faulty');
    expect(codes(d)).toEqual(['kube-proxy-down']);
  });
});

describe('UDP', () => {
  test('silence proves nothing, and the summary says so', () => {
    const d = changed('healthy-udp', () => ({}));
    expect(d.verdict.status).toBe('healthy');
    expect(d.verdict.summary).toContain('over UDP no endpoint refused');
  });
  test('a refusal is a fault', () => {
    const d = changed('healthy-udp', (c) => (c.kind === 'udp' ? { outcome: 'refused' } : {}), notLooked);
    expect(d.verdict.status).toBe('faulty');
    expect(codes(d)).toEqual(['target-port-not-listening']);
  });
});

describe('two independent faults', () => {
  test('both are named, the most decisive first', () => {
    const d = changed('two-faults', () => ({}));
    expect(codes(d).toSorted()).toEqual(['policy-denies-ingress', 'target-port-not-listening']);
  });
});
