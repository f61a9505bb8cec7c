/** The DNS checks on facts of real incidents, each with one thing changed. */
import { describe, expect, test } from 'vitest';
import { seen, unseen } from '../../src/facts/fact.ts';
import type { Facts } from '../../src/facts/facts.ts';
import type { Pod } from '../../src/facts/objects.ts';
import { pipelineFor } from '../../checks/pipeline.ts';
import { reasoned, targetOf } from '../../src/verdict/judge.ts';
import { all, type Edit, edited } from '../support/edits.ts';
import { recordingOf, reportOf as report, valueOf } from '../support/recordings.ts';

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
  test.each(['127.0.0.1', '127.0.0.53:53', '::1', '[::1]', '[::1]:53', 'tls://127.0.0.1', 'dns://10.96.0.10'])('forwarding to %s is a loop', (to) => {
    const found = report(
      'dns/config',
      corefile((t) => t.replace('/etc/resolv.conf', to)),
    );
    expect(found.findings[0]).toMatchObject({ code: 'dns-config-invalid', confidence: 'likely' });
  });
  test.each(['192.0.2.1', '192.0.2.1:53', '[2001:db8::1]:53', 'dns://192.0.2.1', '/etc/127.0.0.1', 'localhost.example'])('forwarding to %s is none', (to) => {
    const found = report(
      'dns/config',
      corefile((t) => t.replace('/etc/resolv.conf', to)),
    );
    expect(found.findings).toEqual([]);
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
  test('word for word', () => {
    const { facts } = recordingOf('healthy-canary');
    const node = nodeOf(facts);
    const name = valueOf(facts.dnsPods)[0]?.metadata.name;
    const said = (change: Edit) =>
      report('dns/node-local', change).findings.map(({ code, confidence, scope, object, message, evidence, fix }) => ({
        code,
        confidence,
        scope,
        object,
        message,
        evidence,
        fix,
      }));
    const base = {
      code: 'dns-pods-down',
      confidence: 'confirmed',
      scope: 'all',
      object: { kind: 'DaemonSet', namespace: 'kube-system', name: 'node-local-dns' },
    };
    expect(said((f) => ({ nodeLocalPods: cache(f, 'False', node), connections: asks(f, '169.254.20.10') }))).toEqual([
      {
        ...base,
        message: `The DNS cache of node ${node} (pod ${name}) is not ready, and pod/client has no other DNS server`,
        evidence: [
          { source: 'pods', text: '0 of 1 pods of node-local-dns are ready' },
          { source: 'resolv.conf', text: 'nameserver 169.254.20.10' },
        ],
        fix: [{ text: `Read the logs of pod "${name}"`, command: `kubectl -n kube-system logs ${name}` }],
      },
    ]);
    const noConnections = unseen('not-asked', 'connections', '--probe none');
    expect(said((f) => ({ nodeLocalPods: cache(f, 'True', 'another'), connections: noConnections }))).toEqual([
      {
        ...base,
        message: `The DNS cache of node ${node} does not run there`,
        evidence: [{ source: 'pods', text: '1 of 1 pods of node-local-dns are ready' }],
        fix: [{ text: `Find out why DaemonSet "node-local-dns" has no pod on ${node}`, command: 'kubectl -n kube-system describe daemonset node-local-dns' }],
      },
    ]);
    expect(report('dns/node-local', (f) => ({ nodeLocalPods: cache(f, 'True', 'another'), client: seen(null), connections: noConnections }))).toMatchObject({
      status: 'skip',
      reason: "the client's node is not known",
    });
    expect(report('dns/node-local', (f) => ({ nodeLocalPods: cache(f, 'True', nodeOf(f)), client: seen(null) })).status).toBe('pass');
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
  test('who reported it is not known without its log, and an answer that was not read is none', () => {
    const noLogs: Edit = () => ({ dnsLogs: unseen('forbidden', 'logs', 'not allowed') });
    expect(report('dns/upstream', all(said('SERVFAIL', ''), noLogs))).toMatchObject({ status: 'unknown', reason: 'logs: not allowed' });
    expect(report('dns/upstream', all(said('NOERROR', ''), noLogs)).status).toBe('pass');
    const [pod = ''] = Object.keys(valueOf(recordingOf('healthy-canary').facts.dnsAnswers));
    const silent: Edit = () => ({ dnsAnswers: seen({ [pod]: unseen('unreachable', 'its answer', 'the connection was cut off') }) });
    expect(report('dns/upstream', silent)).toMatchObject({ status: 'unknown', reason: 'its answer: the connection was cut off' });
    expect(report('dns/upstream', () => ({ dnsAnswers: seen({}) }))).toMatchObject({ status: 'skip', reason: 'no DNS replica was asked' });
  });
  test('one that CoreDNS made up is in its log', () => {
    const found = report('dns/upstream', said('SERVFAIL', '[ERROR] plugin/errors: 2 . NS: read udp 10.244.1.2:4->10.77.0.1:53: i/o timeout'));
    expect(found.findings[0]).toMatchObject({ code: 'dns-upstream-failing', severity: 'warning' });
  });
  test('no answer at all', () => {
    expect(report('dns/upstream', said('no answer within 1 s', '')).findings[0]?.code).toBe('dns-upstream-failing');
  });
});

const of = (id: string, ...edits: Edit[]) => report(id, all(...edits), 'healthy');
const dnsPods = (change: (list: Pod[]) => void): Edit => edited('dnsPods', change);
const notReady = (p: Pod | undefined) => p?.status.conditions.forEach((c) => void (c.type === 'Ready' && (c.status = 'False')));
const [one, two] = valueOf(recordingOf('healthy').facts.dnsPods).map((p) => p.metadata.name);
const logged =
  (pod: string | undefined, text: string): Edit =>
  () => ({ dnsLogs: seen({ [`${pod}/coredns`]: seen(text) }) });
const patchOf = (fix: { command?: string } | undefined): unknown => JSON.parse(/-p '(.*)'$/s.exec(fix?.command?.split(' && ')[0] ?? '')?.[1] ?? 'null');

describe('the replicas', () => {
  const replicas = (...edits: Edit[]) => of('dns/replicas', ...edits);
  const allDown = dnsPods((list) => list.forEach(notReady));
  test('that are ready', () => {
    expect(replicas()).toMatchObject({ status: 'pass', summary: '2 of 2 DNS pods ready' });
    expect(replicas(dnsPods((list) => list.forEach((p, i) => i === 0 && void (p.metadata.deletionTimestamp = 'x'))))).toMatchObject({
      summary: '1 of 1 DNS pod ready',
    });
  });
  test('of which one is not: a warning', () => {
    expect(
      replicas(
        dnsPods((list) => notReady(list[0])),
        logged(one, 'fine\n[ERROR] plugin/errors: x'),
      ).findings,
    ).toMatchObject([
      {
        severity: 'warning',
        message: `1 of 2 DNS pods is not ready (${one}); the others serve`,
        evidence: [
          { source: 'pods', text: `${one} is not ready` },
          { source: 'log', text: `${one}: [ERROR] plugin/errors: x` },
        ],
        fix: [{ text: `Read the events of pod "${one}"`, command: `kubectl -n kube-system describe pod ${one}` }],
      },
    ]);
    const three = dnsPods((list) => {
      list.push({ ...structuredClone(list[0] as Pod), metadata: { ...(list[0] as Pod).metadata, name: 'coredns-3' } });
      list.slice(1).forEach(notReady);
    });
    expect(replicas(three).findings[0]?.message).toBe(`2 of 3 DNS pods are not ready (${two}, coredns-3); the others serve`);
  });
  test('of which none is', () => {
    const waiting = dnsPods((list) =>
      list.forEach((p) => p.status.containerStatuses.forEach((s) => Object.assign(s, { state: { waiting: { reason: 'CrashLoopBackOff' } }, restartCount: 2 }))),
    );
    const [found] = replicas(allDown, waiting).findings;
    expect(found).toMatchObject({
      severity: 'error',
      message: `None of 2 DNS pods is ready (${one}, ${two})`,
      evidence: [{ source: 'deployments', text: 'coredns: spec.replicas 2, ready 2' }, { source: 'pods', text: `${one}: CrashLoopBackOff, 2 restarts` }, {}],
      fix: [{ text: 'Read why CoreDNS does not start', command: `kubectl -n kube-system logs ${one} --previous` }],
    });
    const states = (change: object) =>
      replicas(
        allDown,
        dnsPods((list) =>
          list.forEach((p) => p.status.containerStatuses.forEach((s) => Object.assign(s, { state: {}, lastState: {}, restartCount: 0 }, change))),
        ),
      ).findings[0]?.evidence[1]?.text;
    expect(states({ lastState: { terminated: { exitCode: 1, reason: 'Error' } }, restartCount: 1 })).toBe(`${one}: Error, 1 restart`);
    expect(states({ ready: true })).toBe(`${one}: ready`);
    expect(states({ ready: false })).toBe(`${one}: not ready`);
    expect(
      replicas(
        allDown,
        dnsPods((list) => list.forEach((p) => p.status.containerStatuses.splice(0))),
      ).findings[0]?.evidence[1]?.text,
    ).toBe(`${one}: Running`);
  });
  test('that may not read the API', () => {
    const refused = logged(one, 'E0101 cannot list resource "endpointslices" in API group\nE0101 cannot watch resource "namespaces" in API group');
    const [found] = replicas(allDown, refused).findings;
    expect(found?.message).toBe(`None of 2 DNS pods is ready (${one}, ${two}); CoreDNS may not list namespaces (RBAC)`);
    expect(found?.fix[0]).toMatchObject({
      text: 'Give CoreDNS its ClusterRole system:coredns again',
      changes: [{ how: 'create', kind: 'clusterrolebinding', name: 'system:coredns' }],
    });
  });
  test('that are scaled to zero, or gone', () => {
    const workload = (change: object) => edited('dnsWorkload', (w) => void (w && Object.assign(w.spec, change)));
    const gone = dnsPods((list) => list.splice(0));
    const [zero] = replicas(gone, workload({ replicas: 0 })).findings;
    expect(zero).toMatchObject({ message: 'Deployment "coredns" in kube-system is scaled to zero replicas, so no DNS server runs' });
    expect(patchOf(zero?.fix[0])).toEqual({ spec: { replicas: 2 } });
    expect(replicas(gone).findings[0]?.message).toBe('Deployment "coredns" in kube-system has no pods, so no DNS server runs');
    expect(replicas(gone, () => ({ dnsWorkload: seen(null), dnsService: seen(null) }))).toMatchObject({
      status: 'unknown',
      reason: 'this cluster has another DNS than CoreDNS in kube-system, which is not judged',
    });
    expect(replicas(gone, () => ({ dnsWorkload: seen(null) })).findings[0]?.evidence[0]?.text).toBe('coredns: spec.replicas unknown, ready 0');
  });
  test('in which nothing listens', () => {
    const answer = (why: string, ...names: (string | undefined)[]): Edit =>
      edited('dnsAnswers', (a) => names.forEach((n) => void (a[n ?? ''] = unseen('unreachable', 'x', why))));
    expect(replicas(answer('nothing listens on its port 53', one)).findings).toMatchObject([
      {
        scope: 'part',
        message: `1 of 2 ready DNS pods does not answer (${one})`,
        evidence: [{ source: 'dns', text: `${one}: nothing listens on its port 53` }],
        fix: [{ text: 'Delete the pods that do not answer; Deployment "coredns" replaces them' }],
      },
    ]);
    expect(replicas(answer('nothing listens on its port 53', one, two)).findings).toMatchObject([
      { scope: 'all', message: `2 of 2 ready DNS pods do not answer (${one}, ${two})` },
    ]);
    expect(replicas(answer('the port-forward ended', one)).findings).toEqual([]);
  });
  test('that do not answer the client, while others do', () => {
    const lost = (...names: (string | undefined)[]): Edit =>
      edited('connections', (made) => made.list.forEach((c) => void (c.hop === 'dns-server' && names.includes(c.pod ?? '') && (c.outcome = 'dns-timed-out'))));
    const asked = edited(
      'connections',
      (made) =>
        void (made.list = [
          ...made.list.filter((c) => c.hop !== 'dns-server'),
          ...[one, two].map(
            (pod) => ({ ...(made.list[0] as never as object), hop: 'dns-server', kind: 'dns', pod, target: '10.244.0.9:53/UDP', outcome: 'answered' }) as never,
          ),
        ]),
    );
    expect(replicas(asked, lost(two)).findings).toMatchObject([
      {
        severity: 'error',
        scope: 'part',
        message: `1 of 2 DNS replicas does not answer the client (${two}): about 1 in 2 lookups is lost`,
        fix: [
          { text: 'Delete the pod; Deployment "coredns" makes another, with another address' },
          { text: `If new pods fail there too, check the network of the node of "${two}"` },
        ],
      },
    ]);
    expect(replicas(asked, lost(one)).findings[0]?.message).toMatch(/is lost; on its own loopback it answers, so the network to it fails$/);
    expect(replicas(asked, lost(one, two)).findings).toEqual([]);
    // A packet that a node does not pass on says nothing of the replica, and what is not known of the node nothing either.
    const node = (name: string | undefined) => valueOf(recordingOf('healthy').facts.dnsPods).find((p) => p.metadata.name === name)?.spec.nodeName ?? '';
    const ways =
      (of: (name: string) => unknown): Edit =>
      () => ({
        forwarding: seen(
          Object.fromEntries(
            [...new Set([node(one), node(two), valueOf(recordingOf('healthy').facts.connections).node ?? ''])].map((n) => [n, of(n)]),
          ) as never,
        ),
      });
    const unknownWays = ways(() => unseen('forbidden', 'forwarding', 'not allowed'));
    expect(replicas(asked, lost(two), unknownWays)).toMatchObject({ status: 'unknown', reason: 'forwarding: not allowed' });
    // What a client on the network of a node sends to a pod there, no node passes on.
    const onNode = edited('client', (c) => void (c && (c.hostNetwork = true)));
    const besideTwo = edited('connections', (made) => void (made.node = node(two)));
    expect(replicas(asked, lost(two), unknownWays, onNode, besideTwo)).toMatchObject({ findings: [{ scope: 'part' }] });
    expect(
      replicas(
        asked,
        lost(two),
        unknownWays,
        dnsPods((list) => notReady(list[0])),
      ).findings,
    ).toMatchObject([{ severity: 'warning' }]);
  });
  test('of which one could not be asked: it is known where the client heard it', () => {
    const blind = edited('dnsAnswers', (a) => Object.keys(a).forEach((n) => void (a[n] = unseen('forbidden', 'a port-forward', 'not allowed'))));
    const heard = (...names: (string | undefined)[]): Edit =>
      edited('connections', (made) => {
        const [any] = made.list;
        made.list = [
          ...made.list.filter((c) => c.hop !== 'dns-server'),
          ...names.map((pod) => ({ ...any, hop: 'dns-server', kind: 'dns', pod, target: '10.244.0.9:53/UDP', outcome: 'answered' }) as never),
        ];
      });
    expect(replicas(blind, heard(one, two))).toMatchObject({ status: 'pass', summary: '2 of 2 DNS pods ready' });
    expect(replicas(blind, heard(two))).toMatchObject({ status: 'unknown', reason: '2 of 2 DNS pods ready; a port-forward: not allowed' });
    expect(
      replicas(
        blind,
        heard(one, two),
        edited('connections', (made) => made.list.forEach((c) => void (c.pod === one && (c.outcome = 'dns-failed')))),
      ),
    ).toMatchObject({
      status: 'unknown',
    });
    // What the client connected to besides is not its DNS.
    expect(
      replicas(
        blind,
        heard(one, two),
        edited('connections', (made) => made.list.forEach((c) => void (c.pod === one && (c.hop = 'endpoint')))),
      ),
    ).toMatchObject({
      status: 'unknown',
    });
    expect(replicas(heard(two), () => ({ dnsAnswers: unseen('forbidden', 'a port-forward', 'not allowed') }))).toMatchObject({ status: 'unknown' });
    const unasked = edited('dnsAnswers', (a) => void Reflect.deleteProperty(a, `${one}`));
    expect(replicas(unasked, heard(two))).toMatchObject({ status: 'unknown', reason: `2 of 2 DNS pods ready; an answer of ${one}: it was not asked` });
    expect(replicas(unasked, heard(one, two))).toMatchObject({ status: 'pass' });
    expect(replicas(heard(), () => ({ dnsAnswers: unseen('not-asked', 'a port-forward', '--probe none') }))).toMatchObject({ status: 'pass' });
    expect(
      replicas(
        blind,
        heard(one),
        dnsPods((list) => notReady(list[1])),
      ).findings,
    ).toMatchObject([{ severity: 'warning' }]);
  });
});

describe('the Service of DNS', () => {
  const judged = (...edits: Edit[]) => of('dns/service', ...edits);
  const service = (change: object): Edit => edited('dnsService', (s) => void (s && Object.assign(s.spec, change)));
  test('that is right', () => {
    expect(judged()).toMatchObject({ status: 'pass', summary: 'kube-dns at 10.96.0.10, 2 ready' });
    expect(judged(() => ({ dnsSlices: unseen('forbidden', 'x', 'y') }))).toMatchObject({ status: 'unknown', reason: 'kube-dns at 10.96.0.10; x: y' });
  });
  test('that does not exist', () => {
    const gone: Edit = () => ({ dnsService: seen(null) });
    expect(judged(gone).findings).toMatchObject([
      {
        message: 'Service "kube-dns" does not exist in kube-system, so nothing answers at the DNS address of the pods',
        evidence: [{ text: 'services "kube-dns" not found' }],
        fix: [{ text: 'Create Service "kube-dns" again, with the clusterIP that pods have in /etc/resolv.conf' }],
      },
    ]);
    expect(
      judged(
        gone,
        dnsPods((list) => list.splice(0)),
      ),
    ).toMatchObject({ status: 'unknown' });
  });
  test('without its port, its selector, or its endpoints', () => {
    expect(judged(service({ ports: [{ name: 'dns', protocol: 'TCP', port: 53 }] })).findings).toMatchObject([
      {
        message: 'Service "kube-dns" has no port 53/UDP, which resolvers use',
        evidence: [{ text: 'ports: 53/TCP' }],
        fix: [{ command: 'kubectl -n kube-system edit service kube-dns' }],
      },
    ]);
    expect(judged(service({ ports: [{ name: 'dns', protocol: 'UDP', port: 5353 }] })).findings).toHaveLength(1);
    const [other] = judged(service({ selector: { 'k8s-app': 'dns' } })).findings;
    expect(other).toMatchObject({
      message: 'Service "kube-dns" selects k8s-app=dns, and no DNS pod has these labels',
      evidence: [{ text: 'spec.selector: k8s-app=dns; DNS pods have k8s-app=kube-dns,pod-template-hash=5457787b77' }],
    });
    expect(patchOf(other?.fix[0])).toEqual({ spec: { selector: { 'k8s-app': 'kube-dns' } } });
    expect(judged(service({ selector: {} })).findings[0]?.message).toBe('Service "kube-dns" selects nothing, and no DNS pod has these labels');
    const empty = edited('dnsSlices', (list) => list.splice(0));
    expect(judged(empty).findings).toMatchObject([
      {
        message: 'Service "kube-dns" has no ready endpoint, although DNS pods are ready',
        evidence: [{ text: 'its EndpointSlices are empty' }],
        fix: [{ text: 'Check that targetPort of Service "kube-dns" is a port of the DNS pods' }],
      },
    ]);
    expect(
      judged(
        empty,
        dnsPods((list) => list.forEach(notReady)),
      ).findings,
    ).toEqual([]);
  });
});

describe('the answers of the replicas', () => {
  const judged = (...edits: Edit[]) => of('dns/answers', ...edits);
  const name = 'shop.sc-healthy.svc.cluster.local';
  const replies =
    (by: Record<string, string[]>, rcode = 'NOERROR'): Edit =>
    () => ({
      dnsAnswers: seen(
        Object.fromEntries(
          Object.entries(by).map(([pod, addresses]) => [pod, seen({ question: `${name} A`, rcode, addresses, cname: null, srv: [], latencyMs: 1, more: [] })]),
        ),
      ),
      connections: unseen('not-asked', 'connections', '--probe none'),
    });
  const own = '10.96.225.214';
  const headless: Edit = edited('service', (s) => void (s && Object.assign(s.spec, { clusterIP: 'None', clusterIPs: ['None'] })));
  const endpoints = valueOf(recordingOf('healthy').facts.slices)
    .flatMap((s) => s.endpoints.flatMap((e) => e.addresses))
    .toSorted();
  test('that are right', () => {
    expect(judged(replies({ a: [own], b: [own] }))).toMatchObject({ status: 'pass', summary: `all 2 DNS replicas answer ${own}` });
    expect(judged(replies({ a: [own] }))).toMatchObject({ summary: `the DNS replica answers ${own}` });
    expect(judged(replies({ a: endpoints.toReversed() }), headless)).toMatchObject({
      status: 'pass',
      summary: `the DNS replica answers ${endpoints.join(', ')}`,
    });
    expect(
      judged(
        replies({ a: [] }),
        headless,
        edited('slices', (list) => list.splice(0)),
      ),
    ).toMatchObject({ summary: 'the name has no address because there is no ready endpoint' });
    expect(judged(replies({}))).toMatchObject({ status: 'skip', reason: '--probe none' });
    const nobody = edited('connections', (made) => void (made.list = []));
    expect(judged(() => ({ dnsAnswers: seen({}) }), nobody)).toMatchObject({ status: 'unknown', reason: 'no DNS replica could be asked' });
  });
  test('of one replica that are wrong: it is replaced, or taken out where nobody made it', () => {
    const [found] = judged(replies({ [one ?? '']: ['10.0.0.9'], [two ?? '']: [own] })).findings;
    expect(found).toMatchObject({
      severity: 'error',
      scope: 'part',
      message: `1 of 2 DNS replicas answers ${name} with 10.0.0.9; the objects say ${own}`,
      evidence: [{ source: 'dns', text: `${one} answers ${name} A with 10.0.0.9` }, { text: `${two} answers ${name} A with ${own}` }],
      fix: [{ text: `Delete ${one}; its Deployment makes another replica` }, { text: expect.stringContaining(`read the log of "${one}"`) as string }],
    });
    const stray = dnsPods((list) => list.forEach((p) => void (p.metadata.name === one && (p.metadata.ownerReferences = []))));
    const [taken] = judged(replies({ [one ?? '']: ['10.0.0.9'], [two ?? '']: [own] }), stray).findings;
    expect(taken?.fix[0]?.text).toBe(`Take ${one} out of the cluster's DNS: no controller made it, and it answers otherwise. Remove its label k8s-app`);
    expect(patchOf(taken?.fix[0])).toEqual({ metadata: { labels: { 'k8s-app': null } } });
  });
  test('of all that are wrong: the Corefile and the logs show why', () => {
    const overridden = edited('corefile', () => undefined);
    const rewritten: Edit = (facts) => ({
      corefile: seen((valueOf(facts.corefile) ?? '').replace('    ready\n', '    ready\n    hosts /etc/x\n    rewrite name a b\n')),
    });
    const [found] = judged(replies({ a: [] }, 'NXDOMAIN'), overridden, rewritten, logged('a', 'E Failed to watch: x\nother')).findings;
    expect(found).toMatchObject({ scope: 'all', message: `1 of 2 DNS replicas answers ${name} with NXDOMAIN; the objects say ${own}` });
    expect(found?.evidence.slice(1)).toMatchObject([
      { source: 'configmap', text: 'Corefile line 7: hosts /etc/x' },
      { text: 'Corefile line 8: rewrite name a b' },
      { source: 'log', text: 'a/coredns: E Failed to watch: x' },
    ]);
    expect(judged(replies({ a: [] })).findings[0]?.message).toContain('with no address;');
    expect(judged(replies({ a: ['10.0.0.9'], b: ['10.0.0.8'] })).findings[0]?.message).toMatch(/^2 of 2 DNS replicas answer /);
  });
  test('of a headless Service that are a moment old: a warning', () => {
    expect(judged(replies({ a: endpoints.slice(1) }), headless).findings).toMatchObject([{ severity: 'warning' }]);
    expect(judged(replies({ a: ['10.0.0.9'] }), headless).findings).toMatchObject([{ severity: 'error' }]);
  });
  test('to the client itself count as well', () => {
    const toClient: Edit = (facts) => {
      const made = valueOf(facts.connections);
      const list = made.list.map((c) => (c.hop === 'dns-server' ? { ...c, answers: ['10.0.0.9'], outcome: 'answered' as const, pod: two ?? '' } : c));
      return { dnsAnswers: seen({}), connections: seen({ ...made, list }) };
    };
    expect(judged(toClient).findings[0]?.evidence[0]?.text).toBe(`${two} answers ${name} A with 10.0.0.9`);
  });
});

describe('the Corefile and the domain', () => {
  const config = (change: (text: string) => string, ...edits: Edit[]) => of('dns/config', (f) => corefile(change)(f), ...edits).findings[0];
  const allDown = dnsPods((list) => list.forEach(notReady));
  const changed = (found: ReturnType<typeof config>): string => (patchOf(found?.fix[0]) as { data: { Corefile: string } }).data.Corefile;
  test('that is right', () => {
    expect(of('dns/config')).toMatchObject({ status: 'pass', summary: 'CoreDNS serves cluster.local' });
    expect(of('dns/config', () => ({ corefile: seen(null) }))).toMatchObject({ status: 'skip', reason: 'there is no Corefile in kube-system' });
  });
  test('what it imports may hold any plugin', () => {
    const unread: Edit = () => ({ corefileCustom: unseen('forbidden', 'the imports', 'not allowed') });
    const imports = corefile((t) => t.replace('errors', 'errors\n    import custom/*.override'));
    expect(of('dns/config', unread)).toMatchObject({ status: 'pass' });
    expect(of('dns/config', imports, unread)).toMatchObject({ status: 'unknown', reason: 'the imports: not allowed' });
    const withoutKubernetes = corefile((t) => t.replace(/kubernetes [^{]*\{[^}]*\}/, 'import custom/*.override'));
    expect(of('dns/config', withoutKubernetes, unread)).toMatchObject({ status: 'unknown' });
    expect(of('dns/config', withoutKubernetes).findings).toMatchObject([{ code: 'dns-config-invalid' }]);
  });
  test('that is not valid: breaks nothing until CoreDNS restarts', () => {
    const broken = (t: string) => t.replace(/\}\n$/, '');
    expect(config(broken)).toMatchObject({
      severity: 'warning',
      confidence: 'likely',
      message: expect.stringMatching(/^The Corefile is not valid \(.*\); CoreDNS uses the last valid one until it restarts$/) as string,
      fix: [{ text: 'Correct the Corefile in ConfigMap "coredns"', command: 'kubectl -n kube-system edit configmap coredns' }],
    });
    expect(config(broken, allDown)).toMatchObject({ severity: 'error', confidence: 'confirmed', message: expect.stringMatching(/\)$/) as string });
  });
  test('of which CoreDNS itself complains', () => {
    const says = logged(one, "plugin/x\n/etc/coredns/Corefile:13 - Error during parsing: Unknown directive 'fowrard'");
    const found = config((t) => t.replace('forward .', 'fowrard .'), allDown, says);
    expect(found).toMatchObject({
      severity: 'error',
      message: 'The Corefile is not valid (line 13: Unknown directive \'fowrard\'; did you mean "forward"?)',
      evidence: [{ source: 'configmap', text: 'Corefile line 13: fowrard . /etc/resolv.conf {' }, { source: 'log' }],
    });
    expect(found?.fix[0]?.text).toBe('Write "forward" in the place of "fowrard" (line 13 of the Corefile)');
    expect(changed(found)).toContain('\n    forward . /etc/resolv.conf {');
    const other = config((t) => t, allDown, logged(one, 'Corefile:3 - Error during parsing: Wrong argument count'));
    expect(other).toMatchObject({
      message: 'The Corefile is not valid (line 3: Wrong argument count)',
      fix: [{ text: 'Correct the Corefile in ConfigMap "coredns"' }],
    });
  });
  test('that forwards to itself', () => {
    const found = config((t) => t.replace('/etc/resolv.conf', '127.0.0.1'), allDown, logged(one, '[FATAL] plugin/loop: Loop (127.0.0.1 -> :53) detected'));
    expect(found).toMatchObject({
      severity: 'error',
      confidence: 'confirmed',
      message: 'CoreDNS asks itself in a loop: it forwards to 127.0.0.1; the plugin loop stops it',
      evidence: [{ text: 'Corefile line 13: forward to 127.0.0.1' }, { source: 'log' }],
    });
    expect(changed(found)).toContain('forward . /etc/resolv.conf {');
    expect(found?.fix.at(-1)?.text).toBe("Forward to the real upstream servers, or give the kubelet a resolvConf without the node's loopback cache");
    for (const to of ['10.0.0.2', '10.0.0.2:53', '[fd00::2]:53', 'tls://9.9.9.9', '/etc/resolv.conf'])
      expect(
        config((t) => t.replace('/etc/resolv.conf', to)),
        to,
      ).toBeUndefined();
  });
  test('without the plugin kubernetes: it is added', () => {
    const found = config((t) => t.replace(/ {4}kubernetes[^}]*\}\n/, ''));
    expect(found).toMatchObject({ severity: 'error', message: 'The Corefile has no "kubernetes" plugin, so CoreDNS resolves no Service' });
    expect(changed(found)).toContain(
      '.:53 {\n    kubernetes cluster.local in-addr.arpa ip6.arpa {\n       pods insecure\n       fallthrough in-addr.arpa ip6.arpa\n       ttl 30\n    }\n    errors',
    );
    const elsewhere = config((t) => t.replace(/ {4}kubernetes[^}]*\}\n/, '').replace('.:53', 'corp.example:53'));
    expect(elsewhere?.fix).toMatchObject([{ text: 'Correct the Corefile in ConfigMap "coredns"' }]);
  });
  test('for another domain than the pods have', () => {
    const found = config((t) => t.replace('kubernetes cluster.local', 'kubernetes corp.local other.local'));
    expect(found).toMatchObject({
      code: 'dns-zone-mismatch',
      message: 'CoreDNS serves Services under corp.local, other.local, the pods look them up under cluster.local',
      evidence: [{ text: 'Corefile: kubernetes corp.local other.local in-addr.arpa ip6.arpa' }, { source: 'resolv.conf' }],
    });
    expect(changed(found)).toContain('kubernetes cluster.local in-addr.arpa ip6.arpa {');
    for (const zone of ['local', '.', 'cluster.local.'])
      expect(
        config((t) => t.replace('kubernetes cluster.local', `kubernetes ${zone}`)),
        zone,
      ).toBeUndefined();
    expect(
      config(
        (t) => t.replace('kubernetes cluster.local', 'kubernetes corp.local'),
        () => ({ connections: unseen('not-asked', 'x', 'y') }),
      ),
    ).toBeUndefined();
  });
});

describe("the client's own DNS", () => {
  const judged = (...edits: Edit[]) => of('dns/client', ...edits);
  const pod = (change: object): Edit => edited('client', (c) => void (c?.pod && Object.assign(c.pod.spec, change)));
  const noConnections: Edit = () => ({ connections: unseen('not-asked', 'connections', '--probe none') });
  const conf = (text: string): Edit => edited('connections', (made) => void (made.resolvConf = text));
  test("the cluster's, by its resolv.conf or its dnsPolicy", () => {
    expect(judged()).toMatchObject({ status: 'pass', summary: 'asks 10.96.0.10' });
    expect(judged(noConnections)).toMatchObject({ status: 'pass', summary: 'dnsPolicy ClusterFirst' });
    expect(judged(noConnections, pod({ dnsPolicy: 'None', dnsConfig: { nameservers: ['10.96.0.10'], searches: [], options: [] } }))).toMatchObject({
      status: 'pass',
    });
    expect(judged(conf('nameserver 169.254.20.10\n'))).toMatchObject({ status: 'pass' });
    expect(judged(() => ({ client: seen(null) }))).toMatchObject({ status: 'skip', reason: 'the client is not a pod' });
    for (const kind of ['node', 'external'] as const)
      expect(judged(edited('client', (c) => void (c && (c.kind = kind))))).toMatchObject({ status: 'skip', reason: 'the client is not a pod' });
    const host = edited('client', (c) => void (c && (c.hostNetwork = true)));
    expect(judged(noConnections, host, pod({ dnsPolicy: 'ClusterFirstWithHostNet' }))).toMatchObject({
      status: 'pass',
      summary: 'dnsPolicy ClusterFirstWithHostNet',
    });
    // One right server of several is enough, and a cluster without its Service has none.
    expect(judged(conf('nameserver 192.0.2.53\nnameserver 10.96.0.10\n'))).toMatchObject({ status: 'pass', summary: 'asks 192.0.2.53, 10.96.0.10' });
    expect(judged(conf('nameserver 192.0.2.53\n'), () => ({ dnsService: seen(null) }))).toMatchObject({ status: 'pass', summary: 'asks 192.0.2.53' });
    expect(
      judged(
        noConnections,
        edited('client', (c) => void (c && (c.pod = null))),
      ),
    ).toMatchObject({ status: 'pass', summary: 'dnsPolicy ClusterFirst' });
  });
  test('another one', () => {
    const [found] = judged(conf('nameserver 192.0.2.53\nsearch a.example\n')).findings;
    expect(found).toMatchObject({
      message: "pod/client uses DNS server 192.0.2.53 instead of the cluster's (10.96.0.10): its dnsPolicy is ClusterFirst",
      evidence: [{ text: 'spec.dnsPolicy: ClusterFirst' }, { text: 'nameserver 192.0.2.53; search a.example' }],
    });
    expect(found?.fix[0]?.command).toMatch(/get pod client -o json \| sed .*"dnsPolicy": "ClusterFirst".* \| kubectl -n sc-healthy replace --force -f -$/);
    expect(judged(noConnections, pod({ dnsPolicy: 'Default' })).findings[0]?.message).toContain('uses DNS server of its node instead');
    expect(
      judged(
        noConnections,
        edited('client', (c) => void (c && (c.hostNetwork = true))),
      ).findings[0],
    ).toMatchObject({
      message: expect.stringMatching(/its dnsPolicy is ClusterFirst with hostNetwork$/) as string,
      fix: [{ text: 'Create pod "client" again with dnsPolicy ClusterFirstWithHostNet: a pod\'s own cannot be changed' }],
    });
    expect(
      judged(noConnections, pod({ dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.53'], searches: [], options: [] } })).findings[0]?.evidence[0]?.text,
    ).toBe('spec.dnsPolicy: None, dnsConfig.nameservers: 192.0.2.53');
  });
  test('of a workload is changed in its template', () => {
    const made: Edit = (facts) => {
      const own = valueOf(facts.deployments)[0];
      return {
        client: seen({
          ...(valueOf(facts.client) as object),
          pod: {
            ...(valueOf(facts.client)?.pod as object),
            metadata: {
              ...(valueOf(facts.client)?.pod?.metadata as object),
              ownerReferences: [{ kind: 'Deployment', name: own?.metadata.name ?? '', controller: true }],
            },
          },
        } as never),
      };
    };
    const [found] = judged(conf('nameserver 192.0.2.53\n'), made).findings;
    expect(found?.fix[0]?.text).toBe('Set dnsPolicy of Deployment "shop" to ClusterFirst');
    expect(patchOf(found?.fix[0])).toEqual({ spec: { template: { spec: { dnsPolicy: 'ClusterFirst', dnsConfig: null } } } });
  });
});

describe("the client's hosts file", () => {
  const pod = (change: object): Edit => edited('client', (c) => void (c?.pod && Object.assign(c.pod.spec, change)));
  const aliases = (...hostAliases: { ip: string; hostnames: string[] }[]) => pod({ hostAliases });
  const judged = (...edits: Edit[]) => of('dns/hosts-file', ...edits);
  const { namespace } = valueOf(recordingOf('healthy').facts.target);
  const codes = (...edits: Edit[]) => judged(...edits).findings.map((f) => f.code);
  test('without an entry for the Service', () => {
    expect(judged()).toMatchObject({ status: 'pass', findings: [] });
    expect(judged(aliases({ ip: '192.0.2.7', hostnames: ['shop-db', 'ashop', 'shop.elsewhere', 'shop.example'] }))).toMatchObject({
      status: 'pass',
      findings: [],
    });
    expect(judged(() => ({ client: seen(null) }))).toMatchObject({ status: 'skip', reason: 'the client is not a pod that exists' });
  });
  test.each(['shop', 'SHOP', `shop.${namespace}`, `shop.${namespace}.svc`, `shop.${namespace}.svc.cluster.local`, `shop.${namespace}.svc.corp.example.`])(
    '%s is its name',
    (name) => expect(codes(aliases({ ip: '192.0.2.7', hostnames: [name] }))).toEqual(['hosts-file-override']),
  );
  test('the short name is that of the own namespace only', () => {
    const elsewhere = edited('client', (c) => void (c?.pod && (c.pod.metadata.namespace = 'elsewhere')));
    expect(codes(elsewhere, aliases({ ip: '192.0.2.7', hostnames: ['shop'] }))).toEqual([]);
    expect(codes(elsewhere, aliases({ ip: '192.0.2.7', hostnames: [`shop.${namespace}`] }))).toEqual(['hosts-file-override']);
  });
  test("the Service's own addresses, and its endpoints', are right", () => {
    const right = valueOf(recordingOf('healthy').facts.service)?.spec.clusterIPs[0] ?? '';
    expect(judged(aliases({ ip: right, hostnames: ['shop'] }))).toMatchObject({ status: 'pass', summary: "hostAliases give the Service's own addresses" });
    const outside = edited('service', (s) => {
      s?.spec.externalIPs.push('192.0.2.7');
      if (s) s.status.loadBalancer.ingress = [{ ip: '192.0.2.8', hostname: '' }];
    });
    expect(codes(outside, aliases({ ip: '192.0.2.7', hostnames: ['shop'] }, { ip: '192.0.2.8', hostnames: ['shop'] }))).toEqual([]);
    const [endpoint = ''] = valueOf(recordingOf('healthy').facts.slices).flatMap((s) => s.endpoints.flatMap((e) => e.addresses));
    expect(codes(aliases({ ip: endpoint, hostnames: ['shop'] }))).toEqual([]);
    expect(codes(() => ({ slices: unseen('forbidden', 'slices', 'x') }), aliases({ ip: endpoint, hostnames: ['shop'] }))).toEqual(['hosts-file-override']);
  });
  test('a pod by itself is created again: other names stay, and entries keep their places', () => {
    const [found] = judged(
      aliases(
        { ip: '192.0.2.7', hostnames: ['shop'] },
        { ip: '192.0.2.8', hostnames: ['ledger'] },
        { ip: '192.0.2.9', hostnames: ['metrics', `shop.${namespace}`] },
      ),
    ).findings;
    expect(found).toMatchObject({
      severity: 'error',
      confidence: 'confirmed',
      scope: 'part',
      evidence: [{ text: 'spec.hostAliases: 192.0.2.7 shop' }, { text: `spec.hostAliases: 192.0.2.9 shop.${namespace}` }, { source: 'service' }],
    });
    expect(found?.message).toMatch(new RegExp(`^pod/client has shop, shop.${namespace} at 192.0.2.7 in its hosts file`));
    expect(found?.fix[0]?.command).toContain(
      `kubectl -n ${namespace} patch --local -f - --type=json -p '[{"op":"replace","path":"/spec/hostAliases/2/hostnames","value":["metrics"]},{"op":"remove","path":"/spec/hostAliases/0"}]' -o json`,
    );
  });
  test('of a workload is changed in its template: an entry without other names is deleted', () => {
    const [found] = report(
      'dns/hosts-file',
      edited('client', (c) => void (c?.pod && (c.pod.spec.hostAliases = [{ ip: '192.0.2.7', hostnames: ['shop'] }]))),
      'client-hosts-file',
    ).findings;
    expect(found?.fix[0]?.text).toBe('Remove shop from hostAliases of Deployment "client"');
    expect(patchOf(found?.fix[0])).toEqual({ spec: { template: { spec: { hostAliases: [{ ip: '192.0.2.7', $patch: 'delete' }] } } } });
  });
  test('a tool that resolves as programs do shows it: one cause, which is not DNS', () => {
    const { facts } = recordingOf('client-hosts-file');
    const list = valueOf(facts.connections).list.map((c) => (c.hop === 'name' ? { ...c, answers: ['192.0.2.7'] } : c));
    const changed = { ...facts, connections: seen({ ...valueOf(facts.connections), list }) };
    const { verdict } = reasoned(pipelineFor(targetOf(changed)), changed);
    expect(verdict.causes.map((c) => c.code)).toEqual(['hosts-file-override']);
  });
});

describe('the search list as the kubelet writes it', () => {
  const judged = (...edits: Edit[]) => of('dns/search', () => ({ connections: unseen('not-asked', 'x', 'y') }), ...edits);
  const pod = (change: object): Edit => edited('client', (c) => void (c?.pod && Object.assign(c.pod.spec, change)));
  const config = (searches: string[], ndots?: string) =>
    pod({ dnsPolicy: 'None', dnsConfig: { nameservers: [], searches, options: ndots === undefined ? [] : [{ name: 'ndots', value: ndots }] } });
  test('a name of another domain, whatever the list', () => {
    const elsewhere = edited('target', (t) => void (t.domain = 'corp.local'));
    expect(judged(elsewhere).findings).toMatchObject([
      {
        code: 'dns-zone-mismatch',
        severity: 'warning',
        confidence: 'confirmed',
        scope: 'part',
        object: { kind: 'Pod', name: 'client' },
        message: 'The given name has the domain corp.local, this cluster has cluster.local: the full name is shop.sc-healthy.svc.cluster.local',
        evidence: [{ source: 'pods', text: 'search sc-healthy.svc.cluster.local svc.cluster.local cluster.local' }],
        fix: [{ text: 'Use shop.sc-healthy, which works with any cluster domain' }],
      },
    ]);
    expect(judged(elsewhere, pod({ dnsPolicy: 'Default' })).findings).toMatchObject([{ evidence: [{ text: 'the Corefile serves cluster.local' }] }]);
    expect(judged(edited('target', (t) => void (t.domain = 'cluster.local'))).findings).toEqual([]);
  });
  test('of a client that is no pod: nothing', () => {
    for (const kind of ['node', 'external'] as const)
      expect(judged(edited('client', (c) => void (c && (c.kind = kind))))).toMatchObject({ status: 'skip', reason: 'the client is not a pod' });
    expect(judged(() => ({ client: seen(null) }))).toMatchObject({ status: 'skip', reason: 'the client is not a pod' });
  });
  test('which forms of the name resolve, by the dots that are enough', () => {
    const all = 'shop, shop.sc-healthy, shop.sc-healthy.svc, shop.sc-healthy.svc.cluster.local resolve to it';
    expect(judged().summary).toBe(all);
    expect(judged(edited('client', (c) => void (c && (c.pod = null)))).summary).toBe(all);
    expect(judged(config([])).summary).toBe('shop.sc-healthy.svc.cluster.local resolves to it');
    expect(judged(config(['svc.cluster.local'])).summary).toBe('shop.sc-healthy, shop.sc-healthy.svc.cluster.local resolve to it');
    const host = edited('client', (c) => void (c && (c.hostNetwork = true)));
    expect(judged(host, pod({ dnsPolicy: 'ClusterFirstWithHostNet' })).summary).toBe(all);
    // Searches of its own are added to those of the cluster, and ndots stays.
    const more = pod({
      dnsPolicy: 'ClusterFirst',
      dnsConfig: { nameservers: [], searches: ['a.example', 'b.example'], options: [{ name: 'timeout', value: '1' }] },
    });
    expect(judged(more).findings[0]?.message).toMatch(/^pod\/client asks 5 failing questions .*\(ndots 5, 5 search domains\)/);
  });
  test('by dnsPolicy', () => {
    expect(judged()).toMatchObject({ status: 'pass', summary: expect.stringContaining('shop.sc-healthy') as string });
    expect(judged(pod({ dnsPolicy: 'Default' }))).toMatchObject({ status: 'pass', summary: "its node's search list is not known" });
    expect(judged(edited('client', (c) => void (c && (c.hostNetwork = true))))).toMatchObject({ summary: "its node's search list is not known" });
    expect(judged(config([])).summary).not.toMatch(/(^|, )shop,/);
    expect(judged(() => ({ service: seen(null) }))).toMatchObject({ status: 'skip', reason: 'the Service does not exist' });
  });
  test('many domains and many dots cost questions', () => {
    const many = ['a', 'b', 'c', 'd', 'e'].map((x) => `${x}.example`);
    const [found] = judged(config(many, '7')).findings;
    expect(found).toMatchObject({
      code: 'dns-pod-config',
      severity: 'warning',
      message: expect.stringMatching(
        /^pod\/client asks 5 failing questions before the right one, each for IPv4 and IPv6 \(ndots 7, 5 search domains\): each lookup makes 12 queries$/,
      ) as string,
    });
    expect(found?.evidence).toMatchObject([
      { source: 'pods', text: `search ${many.join(' ')}; ndots 7` },
      { source: 'resolver', text: expect.stringMatching(/^for shop\.sc-healthy\.svc\.cluster\.local it asks .*, then /) as string },
    ]);
    expect(judged(config(many.slice(0, 3), '7')).findings).toEqual([]);
    expect(judged(config(many, '1')).findings).toEqual([]);
    // The kubelet takes no more than 15.
    expect(judged(config(many, '99')).findings[0]?.message).toContain('ndots 15');
  });
});

describe('the names of ports and pods', () => {
  const judged = (...edits: Edit[]) => of('dns/names', ...edits);
  const srv = (...targets: string[]): Edit =>
    edited('dnsAnswers', (a) =>
      Object.values(a).forEach((r) => r.seen && r.value.more.forEach((m) => void (m.question.endsWith(' SRV') && (m.srv = targets)))),
    );
  test('that are right', () => {
    expect(judged()).toMatchObject({ status: 'pass', summary: '1 further name right' });
    expect(judged(edited('service', (s) => void (s && (s.spec.type = 'ExternalName'))))).toMatchObject({ status: 'skip' });
  });
  test('that have an old port, or none', () => {
    expect(judged(srv('shop:8080')).findings).toMatchObject([
      {
        severity: 'warning',
        message: expect.stringMatching(
          /^DNS replica coredns-\S+ has an old answer: _http\._tcp\.shop\.sc-healthy\.svc\.cluster\.local has port 8080, the Service has 80$/,
        ) as string,
        evidence: [{ source: 'dns' }],
        fix: [{ text: expect.stringContaining('Wait for the TTL') as string }],
      },
    ]);
    expect(judged(srv()).findings[0]?.message).toContain('has no port, the Service has 80');
    const headless = edited('service', (s) => void (s && Object.assign(s.spec, { clusterIP: 'None', clusterIPs: ['None'] })));
    expect(judged(headless, srv('a:8080', 'b:8080')).findings).toEqual([]);
    // Of the endpoints those that are ready, and of their ports the one of that name.
    const endpoints = (change: object, i = 0) => edited('slices', (list) => list.forEach((s) => Object.assign(s.endpoints[i] ?? {}, change)));
    const otherPort = edited('slices', (list) => {
      const [first] = structuredClone(list);
      if (first) list.push({ ...first, ports: [{ name: 'other', protocol: 'TCP', port: 9 }] });
    });
    expect(judged(headless, srv('a:8080'), otherPort).findings).toEqual([]);
    const two = edited('slices', (list) => {
      const [first] = structuredClone(list);
      if (first) list.push({ ...first, ports: first.ports.map((p) => ({ ...p, port: 9 })) });
    });
    expect(judged(headless, srv('a:8080', 'b:9'), two).findings).toEqual([]);
    expect(judged(headless, srv('b:9', 'a:8080'), two).findings).toEqual([]);
    expect(judged(headless, srv('a:8080'), two).findings).toHaveLength(1);
    const down = all(endpoints({ conditions: { ready: false } }), endpoints({ conditions: { ready: false } }, 1));
    expect(judged(headless, srv('a:8080'), down).findings[0]?.message).toContain('the Service has none that is ready');
    const published = edited('service', (s) => void (s && (s.spec.publishNotReadyAddresses = true)));
    expect(judged(headless, srv('a:8080'), down, published).findings).toEqual([]);
    expect(
      judged(
        headless,
        srv('a:8080'),
        edited('slices', (list) => list.splice(0)),
      ).findings[0]?.message,
    ).toContain('the Service has none that is ready');
  });
  test('of pods', () => {
    const [pod] = valueOf(recordingOf('healthy').facts.pods).filter((p) => p.metadata.name !== 'client');
    const asked = (...addresses: string[]): Edit =>
      edited('dnsAnswers', (a) =>
        Object.values(a).forEach(
          (r) => r.seen && r.value.more.push({ question: `${pod?.metadata.name}.shop.x A`, rcode: 'NXDOMAIN', addresses, cname: null, srv: [], latencyMs: 1 }),
        ),
      );
    const ip = pod?.status.podIPs[0]?.ip ?? '';
    expect(judged(asked(ip)).findings).toEqual([]);
    expect(judged(asked('10.0.0.9')).findings[0]?.message).toContain(`resolves to 10.0.0.9, pod ${pod?.metadata.name} has ${ip}`);
    expect(judged(asked()).findings[0]?.message).toContain('resolves to NXDOMAIN, pod');
  });
});

describe('the upstream of several replicas', () => {
  const root =
    (by: Record<string, string>): Edit =>
    () => ({
      dnsAnswers: seen(
        Object.fromEntries(
          Object.entries(by).map(([pod, rcode]) => [
            pod,
            seen({
              question: 'x A',
              rcode: 'NOERROR',
              addresses: [],
              cname: null,
              srv: [],
              latencyMs: 1,
              more: [{ question: '. NS', rcode, addresses: [], cname: null, srv: [], latencyMs: 1 }],
            }),
          ]),
        ),
      ),
    });
  const judged = (...edits: Edit[]) => of('dns/upstream', ...edits);
  test('how many, and to where', () => {
    expect(judged(root({ a: 'no answer within 1 s', b: 'NOERROR' })).findings).toMatchObject([
      {
        message: '1 of 2 DNS replicas gets no answer from upstream (/etc/resolv.conf): names outside the cluster do not resolve there',
        evidence: [{ text: 'a, asked for the root: no answer within 1 s' }, { text: 'b, asked for the root: NOERROR' }],
      },
    ]);
    expect(judged(root({ a: 'no answer', b: 'no answer' })).findings[0]?.message).toMatch(/^2 of 2 DNS replicas get no answer/);
    expect(judged(root({ a: 'no answer' }), () => ({ corefile: unseen('forbidden', 'x', 'y') })).findings[0]?.message).toMatch(
      /^1 of 1 DNS replica gets no answer from upstream: names/,
    );
    expect(judged(() => ({ dnsAnswers: seen({}) }))).toMatchObject({ status: 'skip', reason: 'no DNS replica was asked' });
  });
  test('word for word', () => {
    const log = '[ERROR] plugin/errors: 2 . NS: read udp x->y: i/o timeout';
    expect(judged(root({ a: 'SERVFAIL', b: 'NOERROR' }), logged('a', log)).findings).toMatchObject([
      {
        code: 'dns-upstream-failing',
        severity: 'warning',
        confidence: 'confirmed',
        scope: 'part',
        object: { kind: 'ConfigMap', namespace: 'kube-system', name: 'coredns' },
        evidence: [
          { source: 'dns', text: 'a, asked for the root: SERVFAIL' },
          { source: 'dns', text: 'b, asked for the root: NOERROR' },
          { source: 'log', text: `a: ${log}` },
        ],
        fix: [
          {
            text: 'Check the servers that CoreDNS forwards to, and whether its node reaches them',
            command: 'kubectl -n kube-system get configmap coredns -o yaml',
          },
        ],
      },
    ]);
    // A log that complains of others than those that failed, or of another question, blames nobody.
    expect(judged(root({ a: 'REFUSED' }), logged('a', log)).findings).toEqual([]);
    const other = edited('dnsAnswers', (a) => Object.values(a).forEach((r) => r.seen && r.value.more.forEach((m) => void (m.question = 'x A'))));
    expect(judged(root({ a: 'no answer' }), other)).toMatchObject({ status: 'skip' });
    expect(judged(edited('service', (s) => void (s && (s.spec.type = 'ExternalName'))))).toMatchObject({
      status: 'skip',
      reason: 'the external name itself was looked up',
    });
    expect(judged(root({ a: 'no answer' }), () => ({ service: seen(null) })).findings).toHaveLength(1);
  });
  test.each(['i/o timeout', 'connection refused', 'network is unreachable', 'no route to host'])('%s in the log', (problem) => {
    const says = logged('a', `[ERROR] plugin/errors: 2 . NS: read udp x->y: ${problem}`);
    expect(judged(root({ a: 'SERVFAIL' }), says).findings).toHaveLength(1);
    expect(judged(root({ b: 'SERVFAIL' }), says).findings).toEqual([]);
  });
});
