/** From where it is looked decides what can be a cause: recordings with something changed that others than the client of the question use. */
import { describe, expect, test } from 'vitest';
import { pipelineFor } from '../../checks/pipeline.ts';
import { seen, unseen } from '../../src/facts/fact.ts';
import type { Connection, Facts } from '../../src/facts/facts.ts';
import { isFailure } from '../../src/front/answers.ts';
import { judge, partsOf, reasoned, targetOf } from '../../src/verdict/judge.ts';
import { all, type Edit, edited } from '../support/edits.ts';
import { recordingOf, valueOf } from '../support/recordings.ts';

function of(incident: string, ...edits: Edit[]) {
  const { facts } = recordingOf(incident);
  const changed: Facts = { ...facts, ...all(...edits)(facts) };
  const { verdict, reports } = reasoned(pipelineFor(targetOf(changed)), changed);
  const report = (id: string) => reports.find((r) => r.id === id);
  return { verdict, report, codes: verdict.causes.map((c) => c.code) };
}
const connections = (change: (c: Connection) => Partial<Connection> | undefined): Edit =>
  edited('connections', (made) => made.list.forEach((c) => Object.assign(c, change(c))));
const lost = (...hops: string[]): Edit =>
  connections((c) => (hops.includes(c.hop) ? { outcome: c.kind === 'dns' ? 'dns-timed-out' : 'timed-out', answers: [] } : undefined));
const wrongAnswers: Edit = edited('dnsAnswers', (a) => Object.values(a).forEach((r) => r.seen && void (r.value.addresses = ['10.0.0.9'])));
const noBackends: Edit = edited('nodeRules', (nodes) =>
  Object.values(nodes).forEach(
    (r) =>
      r.seen &&
      Object.values(r.value.modes).forEach((m) => Object.values(m).forEach((by) => Object.values(by).forEach((h) => void (h.backends = h.backends.slice(1))))),
  ),
);
const denied: Edit = (facts) => {
  const { namespace } = targetOf(facts);
  const [any] = Object.values(valueOf(recordingOf('policy-default-deny').facts.policies)).flatMap((f) => (f.seen ? f.value : []));
  return { policies: seen({ ...valueOf(facts.policies), [namespace]: seen([{ ...any, metadata: { ...any?.metadata, namespace } }] as never) }) };
};

describe('through an Ingress', () => {
  test('its proxy uses neither the DNS of the cluster nor the rules of kube-proxy', () => {
    const dns = of('ingress-healthy', wrongAnswers);
    expect(dns.report('dns/answers')).toMatchObject({ status: 'warn', findings: [{ code: 'dns-wrong-answer', severity: 'warning' }] });
    expect(dns.verdict.status).toBe('healthy');
    const rules = of('ingress-healthy', noBackends);
    expect(rules.report('kube-proxy/rules')).toMatchObject({ status: 'warn', findings: [{ severity: 'warning' }] });
    expect(rules.verdict.status).toBe('healthy');
  });
  test('nor the name or the virtual IP, as long as the endpoints answer', () => {
    const found = of('ingress-healthy', lost('name', 'virtual-ip'));
    expect(found.report('path/name')?.status).toBe('warn');
    expect(found.report('path/virtual-ip')?.status).toBe('warn');
    expect(found.verdict.status).toBe('healthy');
    const all3 = of('ingress-healthy', lost('name', 'virtual-ip', 'endpoint', 'payload'));
    expect(all3.report('path/virtual-ip')?.status).toBe('fail');
    expect(all3.report('path/endpoints')?.status).toBe('fail');
    expect(all3.report('path/name')?.status).toBe('warn');
  });
  test('a Service by name is resolved, so there the DNS counts', () => {
    const byName = edited('service', (s) => void (s && Object.assign(s.spec, { type: 'ExternalName', externalName: 'db.example', clusterIPs: [] })));
    const found = of(
      'ingress-healthy',
      byName,
      edited('dnsPods', (list) => list.forEach((p) => p.status.conditions.forEach((c) => void (c.type === 'Ready' && (c.status = 'False'))))),
      edited('frontAnswers', (list) => list.splice(0)),
    );
    expect(found.report('dns/replicas')?.status).toBe('fail');
  });

  const answers = (change: (a: Parameters<typeof isFailure>[0], i: number) => object): Edit =>
    edited('frontAnswers', (list) => list.forEach((a, i) => Object.assign(a, change(a, i))));
  test('what objects suggest is outweighed by a request that came through', () => {
    const found = of('ingress-healthy', denied);
    const [finding] = found.report('network-policy/ingress')?.findings ?? [];
    expect(finding).toMatchObject({ severity: 'warning', message: expect.stringMatching(/; but a request succeeded anyway$/) as string });
    expect(finding?.evidence.at(-1)).toEqual({ source: 'probe', text: 'pod projectcontour/envoy-97fh6: http://ingress-healthy.example.com/: HTTP 200' });
    expect(found.report('network-policy/ingress')?.status).toBe('warn');
    expect(found.verdict).toMatchObject({
      status: 'healthy',
      summary: 'Ingress "shop" answers: http://ingress-healthy.example.com/ gives HTTP 200 through pod projectcontour/envoy-97fh6',
    });
  });
  test('not where one of the requests failed, or none was made', () => {
    for (const edit of [answers((_, i) => (i === 1 ? { status: 503, headers: {} } : {})), edited('frontAnswers', (list) => list.splice(0))])
      expect(of('ingress-healthy', denied, edit).report('network-policy/ingress')?.findings).toMatchObject([{ severity: 'error' }]);
  });
  test('nor what was seen to fail, or is of the route itself', () => {
    expect(of('ingress-healthy', lost('endpoint')).report('path/endpoints')?.findings[0]?.severity).toBe('error');
    expect(
      of(
        'route-backend-missing',
        answers(() => ({ status: 200, headers: {} })),
      ).report('route/backends')?.findings[0]?.severity,
    ).toBe('error');
  });
});

describe('from outside the cluster', () => {
  const outside = all(
    edited('target', (t) => void (t.from = { kind: 'external', namespace: '', name: '' })),
    () => ({ connections: unseen('not-possible', 'connections', 'the Service has no node port') }),
  );
  test("the cluster's DNS is no cause", () => {
    const found = of('healthy-canary', outside, wrongAnswers);
    expect(found.report('dns/answers')?.status).toBe('warn');
    expect(found.codes).toEqual([]);
    expect(of('healthy-canary', wrongAnswers).report('dns/answers')?.status).toBe('fail');
  });
});

describe('for the API server', () => {
  const calls = (succeeded: boolean | null, ofName?: string): Edit =>
    edited('apiServerCalls', (list) => list.forEach((c) => Object.assign(c, { succeeded, ...(ofName !== undefined && { of: [ofName] }) })));
  test('what it was seen to call cannot be broken: all that objects suggest is a warning', () => {
    const found = of('webhook-other-ca', calls(true));
    expect(found.report('api-server/certificate')).toMatchObject({ status: 'warn' });
    expect(found.codes).toEqual([]);
    expect(found.verdict.summary).toMatch(/ answers: /);
  });
  test('unless a call failed, or was of something else', () => {
    expect(of('webhook-other-ca').report('api-server/certificate')?.status).toBe('fail');
    expect(of('webhook-other-ca', calls(null)).report('api-server/certificate')?.status).toBe('fail');
    expect(of('webhook-other-ca', calls(true, 'another')).report('api-server/certificate')?.status).toBe('fail');
    const both = edited('apiServerCalls', (list) => {
      const [first] = list;
      if (first) list.push({ ...first, succeeded: false }, { ...first, succeeded: true });
    });
    expect(of('webhook-other-ca', both).report('api-server/certificate')?.status).toBe('fail');
  });
  test("it uses neither the cluster's DNS, nor the rules of other nodes, nor the client of the connections here", () => {
    const found = of('webhook-healthy', calls(null), wrongAnswers, noBackends, lost('endpoint', 'virtual-ip'));
    for (const id of ['dns/answers', 'kube-proxy/rules', 'path/endpoints', 'path/virtual-ip']) expect(found.report(id)?.status, id).toBe('warn');
  });
});

describe('one check', () => {
  const check = pipelineFor(targetOf(recordingOf('healthy-canary').facts)).find((c) => c.id === 'path/endpoints');
  const { facts } = recordingOf('healthy-canary');
  test('whose facts were not seen says which, and why', () => {
    if (!check) throw new Error('no check');
    const without = (reason: 'forbidden' | 'not-asked' | 'timed-out') => judge(check, { ...facts, connections: unseen(reason, 'connections', 'because') });
    expect(without('forbidden')).toEqual({
      id: 'path/endpoints',
      stage: 'path',
      title: check.title,
      status: 'unknown',
      reason: 'connections: because',
      findings: [],
    });
    expect(without('timed-out')).toMatchObject({ status: 'unknown' });
    expect(without('not-asked')).toEqual({ id: 'path/endpoints', stage: 'path', title: check.title, status: 'skip', reason: 'because', findings: [] });
  });
  test('that could not judge because the user chose so is skipped', () => {
    const http = pipelineFor(targetOf(facts)).find((c) => c.id === 'path/http');
    if (!http) throw new Error('no check');
    const asked: Facts = { ...facts, target: seen({ ...valueOf(facts.target), http: '/' }) };
    expect(judge(http, { ...asked, connections: unseen('not-asked', 'connections', '--probe none') })).toMatchObject({
      status: 'skip',
      reason: '--probe none',
    });
    expect(judge(http, { ...asked, connections: unseen('forbidden', 'connections', 'not allowed') })).toMatchObject({
      status: 'unknown',
      reason: 'connections: not allowed',
    });
  });
});

test('the facts in a fact about several things', () => {
  const [a, b] = [seen(1), unseen('forbidden', 'x', 'y')];
  expect(partsOf({ a, b })).toEqual([a, b]);
  for (const none of [null, 'text', [a], { a: 1 }, { a: null }, { a: {} }]) expect(partsOf(none)).toEqual([]);
});
