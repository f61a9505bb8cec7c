/** Connections that failed, and what explains them: findings that checks could report, on connections as they could have gone. */
import { describe, expect, test } from 'vitest';
import type { Code } from '../../src/catalog/codes.ts';
import { unseen } from '../../src/facts/fact.ts';
import type { Connection } from '../../src/facts/facts.ts';
import { connectionKey } from '../../src/facts/selectors.ts';
import { type CheckResult, type Finding, reason } from '../../src/verdict/verdict.ts';
import { check, finding, shop, withConnections } from '../support/findings.ts';
import { recordingOf, valueOf } from '../support/recordings.ts';

const { facts } = recordingOf('healthy-canary');
const { list } = valueOf(facts.connections);
const like = (hop: Connection['hop'], more: Partial<Connection> = {}): Connection => {
  const [one] = list.filter((c) => c.hop === hop);
  const [any] = list.filter((c) => c.hop === 'endpoint');
  if (!any) throw new Error('endpoints were tried');
  return { ...(one ?? { ...any, hop }), ...more };
};
const lost = { outcome: 'timed-out' } as const;
const refused = { outcome: 'refused' } as const;
const codeOf: Partial<Record<Connection['hop'], Code>> = {
  name: 'name-not-resolving',
  'virtual-ip': 'virtual-ip-failing',
  endpoint: 'endpoint-failing',
  http: 'http-failing',
  payload: 'mtu-blackhole',
  'node-port': 'node-port-failing',
  'health-check': 'node-port-failing',
  'load-balancer': 'load-balancer-failing',
};
/** What a check says that only reports failed connections. */
const reading = (failed: readonly Connection[], more: Partial<Finding> = {}): Finding =>
  finding(codeOf[failed[0]?.hop ?? 'endpoint'] ?? 'endpoint-failing', { failed: failed.map(connectionKey), ...more });
const reasoned = (results: CheckResult[], made: readonly Connection[], given = facts) =>
  reason(
    results,
    withConnections(given, () => made),
    shop,
  );
const causes = (...args: Parameters<typeof reasoned>) => reasoned(...args).verdict.causes.map((c) => c.code);

describe('a part of a way that fails, too, is the reading that stays', () => {
  const direct = like('endpoint', { servicePort: 80 });
  const ofNode = (hop: Connection['hop'], node: string, more: Partial<Connection> = {}) => like(hop, { target: `${node}:30080`, node, pod: null, ...more });
  test.each([
    ['a virtual IP goes on to its endpoints', like('virtual-ip', lost), { ...direct, ...lost }, true],
    ['an endpoint that refuses explains no lost packet', like('virtual-ip', lost), { ...direct, ...refused }, false],
    ['nor one of another port', like('virtual-ip', lost), { ...direct, ...lost, servicePort: 81 }, false],
    ['a node port goes on to the endpoints', ofNode('node-port', 'node2', { ...refused, servicePort: 80 }), { ...direct, ...refused }, true],
    ['an endpoint goes on to nothing', { ...direct, ...lost }, like('virtual-ip', refused), false],
    ['a load balancer to node ports', like('load-balancer', { ...lost, target: '192.0.2.1:80', pod: null }), ofNode('node-port', 'node2', lost), true],
    ['a load balancer asks for health', like('load-balancer', { ...lost, target: '192.0.2.1:80', pod: null }), ofNode('health-check', 'node2', lost), true],
    ['it does not use the virtual IP', like('load-balancer', { ...lost, target: '192.0.2.1:80', pod: null }), like('virtual-ip', lost), false],
    ['health is asked of the same node', ofNode('health-check', 'node2', lost), ofNode('node-port', 'node2', { ...lost, target: 'node2:30081' }), true],
    ['not of another one', ofNode('health-check', 'node2', lost), ofNode('node-port', 'node3', lost), false],
    ['a request needs the connection', like('http', lost), { ...direct, ...lost }, true],
    ['to the same address', like('http', lost), { ...direct, ...lost, target: '10.244.9.9:8080', pod: 'other' }, false],
    ['more than a packet holds, too', like('payload', lost), { ...direct, ...lost }, true],
    ['a name is no part of anything', like('virtual-ip', lost), like('name', { outcome: 'dns-timed-out', answers: [] }), false],
  ] satisfies [string, Connection, Connection, boolean][])('%s', (_, whole, part, isPart) => {
    const results = [check('path/whole', [reading([whole])]), check('path/part', [reading([part])])];
    const expected = [reading([part]).code, ...(isPart ? [] : [reading([whole]).code])];
    expect(new Set(causes(results, [whole, part]))).toEqual(new Set(expected));
    // Where the part works, the whole is a cause of its own.
    const works = { ...part, outcome: 'answered' as const, answers: part.kind === 'dns' ? like('name').answers : [] };
    expect(causes([check('path/whole', [reading([whole])])], [whole, works])).toEqual([reading([whole]).code]);
  });
});

describe('what a fault explains', () => {
  const denied = recordingOf('policy-default-deny').facts;
  const made = valueOf(denied.connections).list;
  const endpoints = made.filter((c) => c.hop === 'endpoint');
  const [one = '', two = ''] = endpoints.map((c) => c.pod ?? '');
  const probe = (text: string) => ({ source: 'probe', text });
  const failing = reading(endpoints, { evidence: ['1', '2', '3', '4', '5'].map(probe) });
  const denies = (pods: string[] | undefined, more: Partial<Finding> = {}) =>
    finding('policy-denies-ingress', { confidence: 'likely', ...(pods && { pods }), message: `denies ${pods?.join() ?? 'all'}`, ...more });
  const after = (findings: Finding[], list: readonly Connection[] = made) =>
    reasoned([check('network-policy/ingress', findings), check('path/endpoints', [failing])], list, denied).verdict.causes;

  test('failed as it predicts: confirmed, with what the connections showed, each once and no more than four', () => {
    const [cause, ...others] = after([denies(undefined, { evidence: [probe('2')] })]);
    expect(others).toEqual([]);
    expect(cause).toMatchObject({ code: 'policy-denies-ingress', confidence: 'confirmed', evidence: ['2', '1', '3', '4', '5'].map(probe) });
  });
  test('of its own pods only: the rest stays open', () => {
    expect(after([denies([one])]).map((c) => c.code)).toEqual(['policy-denies-ingress', 'endpoint-failing']);
    expect(after([denies([one, two])]).map((c) => c.code)).toEqual(['policy-denies-ingress']);
    expect(after([denies([one]), denies([two])]).map((c) => c.code)).toEqual(['policy-denies-ingress', 'policy-denies-ingress']);
  });
  test('a refusal is not what a policy does', () => {
    const causes = after(
      [denies(undefined)],
      made.map((c) => (c.outcome === 'timed-out' ? { ...c, ...refused } : c)),
    );
    expect(causes.map((c) => [c.code, c.confidence])).toEqual([
      ['policy-denies-ingress', 'likely'],
      ['endpoint-failing', 'confirmed'],
    ]);
  });
  test('a hint is a cause where nothing else explains: the fewest that do', () => {
    const hint = (pods: string[] | undefined, more: Partial<Finding> = {}) => denies(pods, { confidence: 'possible', ...more });
    const said = (...hints: Finding[]) => after(hints).map((c) => c.message);
    expect(said(hint([one]), hint([one, two]), hint([two]))).toEqual([`denies ${one},${two}`]);
    expect(said(hint([one]), hint(['another']), hint([two]))).toEqual([`denies ${one}`, `denies ${two}`]);
    expect(said(hint([two]), denies([one, two], { confidence: 'confirmed' }))).toEqual([`denies ${one},${two}`]);
    expect(said(hint(['another']))).toEqual([expect.stringMatching(/^endpoint-failing; /)]);
    expect(said(hint(undefined, { severity: 'info' }))).toEqual([expect.stringMatching(/^endpoint-failing; /)]);
    expect(after([hint(undefined)])).toMatchObject([{ confidence: 'confirmed', evidence: ['1', '2', '3', '4'].map(probe) }]);
  });
  test('a hint that no connection needs leaves no doubt where they succeeded', () => {
    const good = made.map((c) => ({ ...c, outcome: 'answered' as const }));
    expect(reasoned([check('x', [denies(undefined, { confidence: 'possible' })])], good, denied).verdict.status).toBe('healthy');
  });
});

describe('what nothing explains', () => {
  const direct = like('endpoint', lost);
  const policies = ['network-policy/ingress', 'network-policy/egress'].map((id) => check(id));
  const said = (failed: Connection, others: CheckResult[]) => reasoned([check('path/x', [reading([failed])]), ...others], [failed]).verdict.causes[0]?.message;
  const below = /; no object explains it: the fault is likely below Kubernetes, or in the program itself$/;
  test('a lost packet looks like a denial: whether policies allow it is said', () => {
    const allowed = 'endpoint-failing; NetworkPolicies allow it: check the routes and firewalls between the nodes, then the program itself';
    expect(said(direct, policies)).toBe(allowed);
    expect(said({ ...direct, outcome: 'no-route' }, policies)).toBe(allowed);
    expect(said({ ...direct, ...refused }, policies)).toMatch(below);
    expect(said(direct, policies.slice(1))).toMatch(below);
    expect(said(direct, policies.slice(0, 1))).toMatch(below);
    expect(said(direct, [...policies.slice(1), check('network-policy/ingress', [], { status: 'warn' })])).toMatch(below);
    expect(said(like('virtual-ip', lost), policies)).toMatch(/^virtual-ip-failing; no object explains it/);
  });
  test('a name, and what says itself what it is, are left as they are', () => {
    expect(said(like('name', { outcome: 'dns-failed', answers: [] }), policies)).toBe('name-not-resolving');
    expect(said(like('load-balancer', { ...lost, target: '192.0.2.1:80', pod: null }), policies)).toBe('load-balancer-failing');
  });
  const unknown = (id: string, code: Code, more: Partial<CheckResult> = {}) =>
    check(id, [], { status: 'unknown', reason: `${id} was not read`, codes: [code], ...more });
  test('a check that could not judge, and never will, is named', () => {
    const more = ['a', 'b', 'c', 'd', 'a'].map((id) => unknown(id, 'policy-denies-ingress'));
    const { verdict } = reasoned([check('path/x', [reading([direct])]), ...more], [direct]);
    expect(verdict.causes).toMatchObject([
      {
        message: 'endpoint-failing; not everything that can explain it was seen: a was not read',
        evidence: ['a', 'b', 'c'].map((id) => ({ source: 'not seen', text: `${id} was not read` })),
      },
    ]);
    expect(said(direct, [unknown('x', 'policy-denies-ingress', { reason: undefined })])).toMatch(/was seen: x$/);
    expect(said(direct, [unknown('x', 'dns-pods-down')])).toMatch(below);
    expect(said({ ...direct, ...refused }, [unknown('x', 'policy-denies-ingress')])).toMatch(below);
  });
  test('one that may judge at another time leaves the verdict open', () => {
    const { verdict, findings } = reasoned([check('path/x', [reading([direct])]), unknown('x', 'policy-denies-ingress', { blind: true })], [direct]);
    expect(verdict).toMatchObject({
      status: 'undecided',
      causes: [],
      summary: 'shop fails from pod/client, and the cause is not known: endpoint-failing; what explains it was not seen: x was not read',
    });
    expect([...findings.values()]).toMatchObject([{ confidence: 'possible' }]);
    expect(reasoned([check('path/x', [reading([direct])]), unknown('x', 'dns-pods-down', { blind: true })], [direct]).verdict.status).toBe('faulty');
  });
});

describe('the proxies of a mesh', () => {
  const inMesh = (name: string, results: CheckResult[], change: (list: readonly Connection[]) => readonly Connection[] = (l) => l) =>
    reason(results, withConnections(recordingOf(name).facts, change), shop);
  const weighed = (name: string, f: Finding) => inMesh(name, [check('x', [f])]).findings.get(f)?.severity;
  const likely = (code: Code) => finding(code, { confidence: 'likely' });
  test("the client's own takes every connection: what came back over one proves, and nothing else", () => {
    const without = (l: readonly Connection[]) => l.filter((c) => c.hop !== 'http');
    expect(inMesh('mesh-healthy-account', [check('a')]).verdict.status).toBe('healthy');
    expect(inMesh('mesh-healthy-account', [check('a')], without).verdict).toMatchObject({
      status: 'undecided',
      summary: 'shop: no problem found, but this is not proved: the proxy of pod/client accepts every connection itself (with --http PATH a request is made)',
    });
    const answer = (change: Partial<Connection>) => (l: readonly Connection[]) => l.map((c) => (c.hop === 'http' ? { ...c, ...change } : c));
    expect(inMesh('mesh-healthy-account', [check('a')], answer({ status: 503 })).verdict.status).toBe('undecided');
    expect(inMesh('mesh-healthy-account', [check('a')], answer({ status: 404 })).verdict.status).toBe('healthy');
    expect(inMesh('mesh-healthy-account', [check('a')], answer({ outcome: 'reset' })).verdict.status).toBe('undecided');
    expect(weighed('mesh-healthy-account', likely('policy-denies-ingress'))).toBe('error');
    expect(weighed('mesh-healthy-account', likely('mesh-denies'))).toBe('warning');
  });
  test("the pod's takes it for a program that may not listen", () => {
    expect(weighed('mesh-strict-outside', likely('target-port-not-listening'))).toBe('error');
    expect(weighed('healthy-canary', likely('target-port-not-listening'))).toBe('warning');
  });
  test('a denial is an answer, and a failure', () => {
    expect(weighed('mesh-denies-account', likely('mesh-denies'))).toBe('error');
    const [cause] = inMesh('mesh-denies-account', [check('x', [likely('mesh-denies')])]).verdict.causes;
    expect(cause).toMatchObject({ code: 'mesh-denies', confidence: 'confirmed' });
  });
});

test('connections from other nodes prove nothing of those of the client', () => {
  const { facts: recorded } = recordingOf('matrix-route-gone');
  const f = finding('policy-denies-ingress', { confidence: 'likely' });
  const now = (given: typeof recorded) => reason([check('x', [f])], given, shop).findings.get(f)?.severity;
  expect(valueOf(recorded.matrix).rows.length).toBeGreaterThan(1);
  expect(now({ ...recorded, connections: unseen('not-asked', 'connections', '--probe none') })).toBe('error');
  expect(now(recorded)).toBe('warning');
});
