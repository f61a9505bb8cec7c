/** The DNS checks on facts of real incidents, each with one thing changed. */
import { describe, expect, test } from 'vitest';
import { seen } from '../../src/facts/fact.ts';
import type { Facts } from '../../src/facts/facts.ts';
import { reportOf as report, valueOf } from '../support/recordings.ts';

const corefile = (change: (text: string) => string) => (facts: Facts) => ({ corefile: seen(change(valueOf(facts.corefile) ?? '')) });

describe('the Corefile', () => {
  test('a misspelt plugin: the line, and the one that was meant', () => {
    expect(
      report(
        'dns/config',
        corefile((t) => t.replace('forward .', 'foward .')),
      ).findings[0]?.message,
    ).toMatch(/line \d+: there is no plugin "foward"; did you mean "forward"\?/);
  });
  test('a plugin of a custom build is not reported', () => {
    expect(
      report(
        'dns/config',
        corefile((t) => t.replace('errors', 'errors\n    netboxlookup')),
      ).status,
    ).toBe('pass');
  });
  test.each(['127.0.0.1', '127.0.0.53:53', '::1', '[::1]:53', 'dns://10.96.0.10'])('forwarding to %s is a loop', (to) => {
    const found = report(
      'dns/config',
      corefile((t) => t.replace('/etc/resolv.conf', to)),
    );
    expect(found.findings[0]).toMatchObject({ code: 'dns-config-invalid', confidence: 'likely' });
  });
  test('a custom file that is imported is read, too', () => {
    const found = report('dns/config', (facts) => ({
      ...corefile((t) => `${t}\nimport custom/*.server\n`)(facts),
      corefileCustom: seen({ 'corp.server': 'corp.example {\n  forwad . 10.0.0.9\n}\n' }),
    }));
    expect(found.findings[0]?.message).toContain('"forwad"');
  });
});

describe("the client's search list", () => {
  const conf = (text: string) => (facts: Facts) => ({ connections: seen({ ...valueOf(facts.connections), standIn: false, resolvConf: text }) });
  const usual = 'nameserver 10.96.0.10\nsearch x.svc.cluster.local svc.cluster.local cluster.local\n';
  test('the list that the kubelet writes is no finding', () => {
    expect(report('dns/search', conf(`${usual}options ndots:5\n`)).findings).toEqual([]);
  });
  test('a long one is, with what each lookup costs', () => {
    const found = report('dns/search', conf(`${usual.replace('cluster.local\n', 'cluster.local a.example b.example\n')}options ndots:7\n`));
    expect(found.findings[0]).toMatchObject({ code: 'dns-pod-config', severity: 'warning' });
    expect(found.findings[0]?.message).toContain('each lookup makes 12 queries');
  });
  test('a name that was given with another domain', () => {
    const found = report('dns/search', (facts) => ({ ...conf(usual)(facts), target: seen({ ...valueOf(facts.target), domain: 'cluster.locl' }) }));
    expect(found.findings[0]).toMatchObject({ code: 'dns-zone-mismatch', severity: 'warning' });
  });
});

describe('a cache on each node', () => {
  const cache = (facts: Facts, ready: 'True' | 'False', node: string) => {
    const pod = valueOf(facts.dnsPods)[0];
    if (!pod) throw new Error('no pod');
    return seen([{ ...pod, spec: { ...pod.spec, nodeName: node }, status: { ...pod.status, conditions: [{ type: 'Ready', status: ready }] } }]);
  };
  const asks = (facts: Facts, server: string) => seen({ ...valueOf(facts.connections), standIn: false, resolvConf: `nameserver ${server}\n` });
  const nodeOf = (facts: Facts) => valueOf(facts.client)?.node ?? valueOf(facts.connections).node ?? '';

  test("ready on the client's node", () => {
    expect(report('dns/node-local', (f) => ({ nodeLocalPods: cache(f, 'True', nodeOf(f)) })).status).toBe('pass');
  });
  test('not ready, and the client asks it alone', () => {
    const found = report('dns/node-local', (f) => ({ nodeLocalPods: cache(f, 'False', nodeOf(f)), connections: asks(f, '169.254.20.10') }));
    expect(found.findings[0]).toMatchObject({ code: 'dns-pods-down', severity: 'error' });
  });
  test('not there, and the client has the address of kube-dns: a warning', () => {
    const found = report('dns/node-local', (f) => ({ nodeLocalPods: cache(f, 'True', 'another'), connections: asks(f, '10.96.0.10') }));
    expect(found.findings[0]).toMatchObject({ severity: 'warning', message: expect.stringContaining('does not run there') });
  });
});

describe('the upstream', () => {
  const said = (rcode: string, log: string) => (facts: Facts) => {
    const [pod = ''] = Object.keys(valueOf(facts.dnsAnswers));
    const first = valueOf(facts.dnsAnswers)[pod];
    if (!first?.seen) throw new Error('no answer');
    const more = [{ question: '. NS', rcode, addresses: [], cname: null, srv: [], latencyMs: 1 }];
    return { dnsAnswers: seen({ [pod]: seen({ ...first.value, more }) }), dnsLogs: seen({ [`${pod}/coredns`]: seen(log) }) };
  };
  test('a failure that the upstream itself reports is an answer', () => {
    expect(report('dns/upstream', said('SERVFAIL', '')).findings).toEqual([]);
  });
  test('one that CoreDNS made up is in its log', () => {
    const found = report('dns/upstream', said('SERVFAIL', '[ERROR] plugin/errors: 2 . NS: read udp 10.244.1.2:4->10.77.0.1:53: i/o timeout'));
    expect(found.findings[0]).toMatchObject({ code: 'dns-upstream-failing', severity: 'warning' });
  });
  test('no answer at all', () => {
    expect(report('dns/upstream', said('no answer within 1 s', '')).findings[0]?.code).toBe('dns-upstream-failing');
  });
});
