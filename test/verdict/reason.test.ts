/** From findings to a verdict: findings that checks could report, on the facts of a recorded incident. */
import { describe, expect, test } from 'vitest';
import { seen, unseen } from '../../src/facts/fact.ts';
import type { Connection, Facts } from '../../src/facts/facts.ts';
import { type CheckResult, type Finding, reason } from '../../src/verdict/verdict.ts';
import { check, finding, shop, withConnections } from '../support/findings.ts';
import { recordingOf, valueOf } from '../support/recordings.ts';

const { facts } = recordingOf('healthy-canary');
const noProbes: Facts = { ...facts, connections: unseen('not-asked', 'connections', '--probe none') };
/** The facts with each connection changed. */
const connecting = (change: (c: Connection) => Partial<Connection>): Facts => withConnections(facts, (list) => list.map((c) => ({ ...c, ...change(c) })));
const verdictOf = (results: CheckResult[], given = noProbes, subject = shop) => reason(results, given, subject).verdict;
const codesOf = (results: CheckResult[], given = noProbes) => verdictOf(results, given).causes.map((c) => c.code);

describe('status', () => {
  test.each([
    ['a cause of all connections', [check('a', [finding('selector-mismatch')])], 'faulty'],
    ['causes of a part', [check('a', [finding('selector-overlap', { scope: 'part' })])], 'degraded'],
    ['one of each', [check('a', [finding('selector-overlap', { scope: 'part' }), finding('dns-pods-down')])], 'faulty'],
    ['a hint', [check('a', [finding('policy-denies-ingress', { confidence: 'possible' })])], 'undecided'],
    ['a warning', [check('a', [finding('selector-overlap', { severity: 'warning' })])], 'healthy'],
    ['nothing', [check('a')], 'healthy'],
    ['a check that could not judge', [check('a', [], { status: 'unknown', reason: 'nobody knows' })], 'undecided'],
  ] satisfies [string, CheckResult[], string][])('%s, without connections', (_, results, status) => expect(verdictOf(results).status).toBe(status));

  test('connections that were not made by choice prove nothing and hide nothing', () => {
    const reasons = ['not-asked', 'not-needed', 'not-possible', 'forbidden', 'timed-out'] as const;
    const statuses = reasons.map((why) => verdictOf([check('a')], { ...facts, connections: unseen(why, 'connections', 'x') }).status);
    expect(statuses).toEqual(['healthy', 'healthy', 'undecided', 'undecided', 'undecided']);
  });
  test('connections that succeed settle a hint, and a check that could not judge', () => {
    expect(verdictOf([check('network-policy/ingress', [finding('policy-denies-ingress', { confidence: 'possible' })])], facts).status).toBe('healthy');
    expect(verdictOf([check('dns/config', [], { status: 'unknown' })], facts).status).toBe('healthy');
    expect(verdictOf([check('path/endpoints', [], { status: 'unknown' })], facts).status).toBe('undecided');
  });
  test('no connection at all proves nothing', () => {
    const none = { ...facts, connections: seen({ ...valueOf(facts.connections), list: [] }) };
    expect(verdictOf([check('a')], none).status).toBe('undecided');
  });
});

describe('causes and what follows from them', () => {
  test('what follows is not named beside its cause', () => {
    expect(codesOf([check('a', [finding('selector-mismatch')]), check('b', [finding('no-ready-endpoints')])])).toEqual(['selector-mismatch']);
    expect(codesOf([check('b', [finding('no-ready-endpoints')])])).toEqual(['no-ready-endpoints']);
  });
  test('the most decisive first: what stops all, then what is a cause and no symptom, then what is confirmed', () => {
    const part = finding('selector-overlap', { scope: 'part' });
    const likely = finding('dns-pod-config', { confidence: 'likely' });
    const results = [check('a', [part]), check('b', [likely]), check('c', [finding('dns-zone-mismatch')])];
    expect(codesOf(results)).toEqual(['dns-zone-mismatch', 'dns-pod-config', 'selector-overlap']);
    expect(codesOf(results.toReversed())).toEqual(['dns-zone-mismatch', 'dns-pod-config', 'selector-overlap']);
  });
  test('what two checks find of the same pods is one: that of more pods, else the first', () => {
    const of = (message: string, ...pods: string[]) => finding('readiness-failing', { pods, message });
    const said = (...results: CheckResult[]) => verdictOf(results).causes.map((c) => c.message);
    expect(said(check('a', [of('one', 'x')]), check('b', [of('two', 'x', 'y')]))).toEqual(['two']);
    expect(said(check('a', [of('one', 'x', 'y')]), check('b', [of('two', 'x')]))).toEqual(['one']);
    expect(said(check('a', [of('one', 'x')]), check('b', [of('two', 'x')]))).toEqual(['one']);
    expect(said(check('a', [of('one', 'x')]), check('b', [of('two', 'y')]))).toEqual(['one', 'two']);
    expect(said(check('a', [of('one', 'x'), of('two', 'x')]))).toEqual(['one', 'two']);
    const ofNone = finding('dns-pods-down', { message: 'one' });
    expect(said(check('a', [ofNone]), check('b', [{ ...ofNone, message: 'two' }]))).toEqual(['one', 'two']);
  });
  test('a symptom whose explanation could not be judged is no cause', () => {
    const none = check('endpoints/ready', [finding('no-ready-endpoints')]);
    const unknown = (id: string) => check(id, [], { status: 'unknown', reason: 'pods: not allowed' });
    expect(verdictOf([none, unknown('pods/readiness')])).toMatchObject({
      status: 'undecided',
      causes: [],
      summary: expect.stringContaining('no-ready-endpoints; what explains it was not seen: pods: not allowed') as string,
    });
    expect(codesOf([none, unknown('dns/config')])).toEqual(['no-ready-endpoints']);
    const called = check('api-server/calls', [finding('extension-call-failing')]);
    expect(codesOf([called, unknown('pods/readiness')])).toEqual(['extension-call-failing']);
    expect(codesOf([called, { ...unknown('pods/readiness'), blind: true }])).toEqual([]);
    expect(codesOf([called, { ...unknown('route/attached'), blind: true }])).toEqual(['extension-call-failing']);
  });
});

describe('connections against findings', () => {
  const denies = (more: Partial<Finding> = {}) => finding('policy-denies-ingress', { confidence: 'likely', ...more });
  const after = (f: Finding, given: Facts) => {
    const { findings } = reason([check('a', [f])], given, shop);
    return findings.get(f);
  };
  test('one that objects suggest, and that connections contradict, is a warning', () => {
    const now = after(denies(), facts);
    expect(now).toMatchObject({ severity: 'warning', message: 'policy-denies-ingress; but the connection succeeded anyway' });
    expect(now?.evidence).toMatchObject([{ source: 'probe', text: expect.stringMatching(/^pod\/client → .* answered anyway$/) as string }]);
  });
  test('a status that Kubernetes reports stays, of a part; a hint is settled', () => {
    expect(after(denies({ confidence: 'confirmed' }), facts)).toMatchObject({ severity: 'error', scope: 'part', evidence: [{ source: 'probe' }] });
    expect(after(denies({ confidence: 'possible' }), facts)).toMatchObject({ severity: 'info', evidence: [{ source: 'probe' }] });
  });
  test('warnings, and findings of connections themselves, are left as they are', () => {
    const warning = denies({ severity: 'warning' });
    expect(after(warning, facts)).toBe(warning);
  });
  test('only connections that the fault can stop speak against it', () => {
    const zone = finding('dns-zone-mismatch', { confidence: 'likely' });
    expect(after(zone, facts)?.severity).toBe('warning');
    expect(
      after(
        zone,
        connecting((c) => (c.hop === 'name' ? { outcome: 'dns-timed-out', answers: [] } : {})),
      )?.severity,
    ).toBe('error');
    // Nothing that was tried goes by a load balancer.
    expect(after(finding('load-balancer-pending', { confidence: 'likely' }), facts)?.severity).toBe('error');
  });
  test('of the pods that it names', () => {
    const pods = valueOf(facts.connections).list.flatMap((c) => (c.hop === 'endpoint' && c.pod ? [c.pod] : []));
    const [first] = pods;
    if (!first) throw new Error('endpoints were tried');
    const oneFails = connecting((c) => (c.pod === first ? { outcome: 'timed-out' } : {}));
    const other = pods.find((p) => p !== first) ?? '';
    expect(after(denies({ pods: [first], scope: 'part' }), oneFails)?.severity).toBe('error');
    expect(after(finding('target-port-not-listening', { confidence: 'likely', pods: [other], scope: 'part' }), oneFails)?.severity).toBe('warning');
  });
  test('rules for DNS decide lookups, and the rules of the Service its addresses', () => {
    const missing = (name: string) => finding('kube-proxy-rules-missing', { confidence: 'likely', object: { kind: 'Service', namespace: 'x', name } });
    const lost = (hop: string) => connecting((c) => (c.hop === hop ? { outcome: hop === 'name' ? 'dns-timed-out' : 'timed-out', answers: [] } : {}));
    expect(after(missing('kube-dns'), lost('virtual-ip'))?.severity).toBe('warning');
    expect(after(missing('kube-dns'), lost('name'))?.severity).toBe('error');
    expect(after(missing('shop'), lost('name'))?.severity).toBe('warning');
    expect(after(missing('shop'), lost('virtual-ip'))?.severity).toBe('error');
  });
});

describe('the sentence', () => {
  const summary = (results: CheckResult[], given = noProbes, subject = shop) => verdictOf(results, given, subject).summary;
  const one = finding('dns-zone-mismatch', { message: 'the zone is wrong' });
  test('of causes, and how many more there are', () => {
    const more = (n: number) => [one, finding('dns-pod-config'), finding('service-excluded-from-proxy')].slice(0, n);
    expect(summary([check('a', more(1))])).toBe('shop cannot be reached from pod/client: the zone is wrong');
    expect(summary([check('a', more(2))])).toBe('shop cannot be reached from pod/client: the zone is wrong (and 1 more cause)');
    expect(summary([check('a', more(3))])).toBe('shop cannot be reached from pod/client: the zone is wrong (and 2 more causes)');
    expect(summary([check('a', [{ ...one, scope: 'part' }])])).toBe('shop: some connections from pod/client fail: the zone is wrong');
    expect(summary([check('a', [one])], noProbes, { service: 'Webhook "x"', client: 'the API server', cannot: 'cannot be called by' })).toBe(
      'Webhook "x" cannot be called by the API server: the zone is wrong',
    );
  });
  test('of a Service that was not tried', () => {
    expect(summary([check('a')])).toBe('shop: no problem found in its objects; connections were not tested (--probe none)');
    const refused = { ...facts, connections: unseen('forbidden' as const, 'connections', 'not allowed') };
    expect(summary([check('a')], refused)).toBe('shop: no problem found, but this is not proved: no connection could be made (not allowed)');
    expect(summary([check('path/endpoints', [], { status: 'unknown' })], facts)).toBe(
      'shop: no problem found, but this is not proved: some of the evidence is missing',
    );
    const hint = check('a', [finding('policy-denies-ingress', { confidence: 'possible', message: 'a policy' })]);
    expect(summary([hint])).toBe('shop possibly fails: a policy; no connection could be made (--probe none)');
    const unread = { ...refused, service: unseen('forbidden' as const, 'the Service', 'services is forbidden') };
    expect(summary([check('a')], unread)).toBe('shop could not be read: services is forbidden');
  });
  test('of endpoints that answer', () => {
    const total = valueOf(facts.connections).list.filter((c) => c.hop === 'endpoint').length;
    expect(summary([check('a')], facts)).toBe(`shop answers from pod/client: ${total} of ${total} endpoints`);
    const having = (change: object) => ({ ...facts, connections: seen({ ...valueOf(facts.connections), ...change }) });
    expect(summary([check('a')], having({ endpointsTotal: 40 }))).toBe(`shop answers from pod/client: ${total} of 40 endpoints (${total} were tried)`);
    const { list } = valueOf(facts.connections);
    const [direct] = list.filter((c) => c.hop === 'endpoint');
    const others = list.filter((c) => c.hop !== 'endpoint');
    expect(summary([check('a')], having({ list: [...others, direct], endpointsTotal: 1 }))).toBe('shop answers from pod/client: 1 of 1 endpoint');
    expect(summary([check('a')], having({ list: others, endpointsTotal: 0 }))).toBe('shop works from pod/client: its name resolves');
    const silent = { ...direct, outcome: 'no-answer' };
    expect(summary([check('a')], having({ list: [...others, silent], endpointsTotal: 1 }))).toBe(
      'shop: no problem found from pod/client; over UDP no endpoint refused, and silence proves nothing',
    );
    const port = (outcome: string) => ({ ...direct, hop: 'node-port', outcome });
    expect(summary([check('a')], having({ list: [port('answered'), port('answered'), port('refused')] }))).toBe(
      'shop answers from pod/client on 2 of 3 node ports',
    );
    expect(summary([check('a')], having({ list: [{ ...direct, hop: 'load-balancer' }, port('answered')] }))).toBe(
      'shop answers from pod/client at its load balancer and on 1 of 1 node ports',
    );
  });
});
