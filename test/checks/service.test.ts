/** The Service itself, on facts of a real cluster with one of them changed. */
import { describe, expect, test } from 'vitest';
import { seen, unseen } from '../../src/facts/fact.ts';
import type { FactTypes } from '../../src/facts/facts.ts';
import { all, type Edit, edited } from '../support/edits.ts';
import { recordingOf, reportOf, valueOf } from '../support/recordings.ts';

type Service = NonNullable<FactTypes['service']>;
const nothing: Edit = () => ({});
const service = (change: (s: Service) => void): Edit => edited('service', (s) => void (s && change(s)));
const target = (change: object): Edit => edited('target', (t) => void Object.assign(t, change));
const spec = (change: object): Edit => service((s) => void Object.assign(s.spec, change));
const noService: Edit = () => ({ service: seen(null) });
const patchOf = (fix: { command?: string } | undefined) => /-p '(.*)'$/.exec(fix?.command ?? '')?.[1];

describe('whether it exists', () => {
  const of = (edit: Edit, incident = 'not-found') => reportOf('service/exists', edit, incident);
  const near =
    (...list: [namespace: string, name: string][]): Edit =>
    () => ({ nearServices: seen(list.map(([namespace, name]) => ({ namespace, name }))) });
  test('what there is instead', () => {
    expect(of(nothing).findings).toMatchObject([
      {
        code: 'service-not-found',
        message: 'Service "shopweb" does not exist in namespace sc-not-found; similar: "shop-web"',
        evidence: [{ source: 'services', text: 'services "shopweb" not found in namespace sc-not-found' }, { text: 'sc-not-found/shop-web exists' }],
        fix: [{ text: 'Diagnose Service "shop-web" in namespace sc-not-found instead', command: 'k8s-doctor svc shop-web -n sc-not-found' }],
      },
    ]);
    expect(of(near(['other', 'shopweb'], ['third', 'shopweb'], ['sc-not-found', 'shop-web'])).findings).toMatchObject([
      {
        message: 'Service "shopweb" does not exist in namespace sc-not-found; a Service of that name exists in namespace other, third',
        fix: [{ text: 'Diagnose Service "shopweb" in namespace other instead', command: 'k8s-doctor svc shopweb -n other' }],
      },
    ]);
    // Names of other namespaces are no advice for this one, and of the similar ones three are enough.
    expect(of(near(['other', 'shop-web'])).findings).toMatchObject([
      { message: 'Service "shopweb" does not exist in namespace sc-not-found', fix: [{ text: 'List all Services' }] },
    ]);
    const many = ['shopweb1', 'shopweb2', 'shopweb3', 'shopweb4'].map((n): [string, string] => ['sc-not-found', n]);
    expect(of(near(...many)).findings[0]?.message).toMatch(/; similar: ("shopweb\d"(, )?){3}$/);
    const crowd = Array.from({ length: 12 }, (_, i): [string, string] => ['sc-not-found', `x${i}`]);
    expect(of(near(...crowd)).findings[0]?.evidence).toHaveLength(11);
    expect(of(near(['sc-not-found', 'mail'])).findings).toMatchObject([
      { message: 'Service "shopweb" does not exist in namespace sc-not-found', fix: [{ text: 'List all Services', command: 'kubectl get services -A' }] },
    ]);
  });
  test('a namespace that does not exist', () => {
    const gone = edited('namespaces', (n) => void (n['sc-not-found'] = seen(null)));
    expect(of(all(gone, near())).findings).toMatchObject([
      { message: 'Namespace "sc-not-found" does not exist', evidence: [{ text: 'namespaces "sc-not-found" not found' }] },
    ]);
  });
  test('without the right to list others it is still not there; without an answer it is not known', () => {
    expect(of(() => ({ nearServices: unseen('forbidden', 'services', 'not allowed') })).findings).toMatchObject([
      { message: 'Service "shopweb" does not exist in namespace sc-not-found' },
    ]);
    expect(of(() => ({ nearServices: unseen('timed-out', 'services', 'no answer') }))).toMatchObject({ status: 'unknown', reason: 'no answer' });
  });
  test('what it is', () => {
    const is = (edit: Edit) => of(edit, 'healthy-canary').summary;
    expect(is(nothing)).toBe('ClusterIP 10.96.92.180, port 80 → 8080');
    expect(is(spec({ clusterIP: 'None', clusterIPs: ['None'] }))).toBe('ClusterIP headless, port 80 → 8080');
    expect(is(spec({ clusterIPs: ['10.96.92.180', 'fd00::1'] }))).toBe('ClusterIP 10.96.92.180, fd00::1, port 80 → 8080');
    expect(is(service((s) => s.spec.ports.forEach((p) => delete p.targetPort)))).toBe('ClusterIP 10.96.92.180, port 80 → 80');
    expect(is(spec({ type: 'ExternalName', externalName: 'db.example', ports: [] }))).toBe('ExternalName db.example');
  });
  test('one that is being deleted', () => {
    const deleted = service((s) => void (s.metadata.deletionTimestamp = '2026-11-25T20:00:00Z'));
    const [found] = of(deleted, 'healthy-canary').findings;
    expect(found).toMatchObject({
      code: 'being-deleted',
      severity: 'warning',
      object: { kind: 'Service', name: 'shop' },
      message: 'Service "shop" is being deleted (since 2026-11-25T20:00:00Z); a finalizer keeps it',
      evidence: [{ source: 'service', text: 'metadata.deletionTimestamp: 2026-11-25T20:00:00Z' }],
      fix: [
        {
          text: 'Find out what deleted it and which finalizer keeps it, and create it again',
          command: 'kubectl -n sc-healthy-canary get service shop -o yaml',
        },
      ],
    });
    expect(
      of(
        all(
          deleted,
          edited('slices', (list) => list.splice(0)),
        ),
        'healthy-canary',
      ).findings,
    ).toMatchObject([{ severity: 'error' }]);
  });
  test('a namespace that is being deleted', () => {
    const leaving = (change: (n: Extract<FactTypes['namespaces'][string], { seen: true }>['value'] & object) => void) =>
      edited('namespaces', (list) => {
        const own = valueOf(list['sc-healthy-canary'] ?? { seen: false });
        if (own) change(own);
      });
    const byPhase = leaving(
      (n) =>
        void (n.status = {
          phase: 'Terminating',
          conditions: [
            { type: 'NamespaceContentRemaining', status: 'True', message: 'pods remain' },
            { type: 'NamespaceFinalizersRemaining', status: 'False', message: 'no' },
            { type: 'Other', status: 'True', message: 'x' },
          ],
        }),
    );
    expect(of(byPhase, 'healthy-canary').findings).toMatchObject([
      {
        severity: 'warning',
        object: { kind: 'Namespace', namespace: '', name: 'sc-healthy-canary' },
        message: 'Namespace "sc-healthy-canary" is being deleted, and everything in it with it',
        evidence: [
          { source: 'namespaces', text: 'metadata.deletionTimestamp: not set' },
          { source: 'namespaces', text: 'pods remain' },
        ],
        fix: [
          {
            text: 'Find out what deleted namespace "sc-healthy-canary", and create it again; what keeps it is in its status',
            command: 'kubectl get namespace sc-healthy-canary -o yaml',
          },
        ],
      },
    ]);
    const byTime = leaving((n) => void (n.metadata.deletionTimestamp = '2026-11-25T20:00:00Z'));
    expect(of(byTime, 'healthy-canary').findings).toMatchObject([
      { message: 'Namespace "sc-healthy-canary" is being deleted (since 2026-11-25T20:00:00Z), and everything in it with it' },
    ]);
  });
});

describe('an external name', () => {
  const of = (...edits: Edit[]) => reportOf('service/external-name', all(...edits), 'external-name-broken');
  const lookup = (change: object | null) =>
    edited('connections', (c) => {
      if (change) c.list.forEach((x) => void (x.hop === 'name' && Object.assign(x, change)));
      else c.list = c.list.filter((x) => x.hop !== 'name');
    });
  const answers = (rcode: string, ...addresses: string[]) =>
    edited('dnsAnswers', (a) => Object.values(a).forEach((r) => void (r.seen && Object.assign(r.value, { rcode, addresses }))));
  const named = (externalName: string) => spec({ externalName });
  const noLogs: Edit = () => ({ dnsLogs: unseen('forbidden', 'logs', 'not allowed') });

  test('that resolves, for the client or for the servers', () => {
    expect(of(lookup({ outcome: 'answered', answers: ['192.0.2.7'] }))).toMatchObject({ status: 'pass', summary: 'db.nowhere.example resolves to 192.0.2.7' });
    expect(of(lookup(null), answers('NOERROR', '192.0.2.7', '192.0.2.8'))).toMatchObject({ summary: 'db.nowhere.example resolves to 192.0.2.7, 192.0.2.8' });
    expect(of(named('shop.other.svc.cluster.local'), lookup({ outcome: 'answered', answers: ['10.96.0.9'] })).summary).toBe(
      'shop.other.svc.cluster.local resolves to 10.96.0.9, which is Service other/shop of this cluster; to check it: "k8s-doctor svc other/shop"',
    );
    expect(reportOf('service/external-name', nothing, 'healthy-canary')).toMatchObject({ status: 'skip', reason: 'not an ExternalName' });
  });
  test('that is an address', () => {
    expect(of(named('192.0.2.1')).findings).toMatchObject([
      {
        code: 'external-name-broken',
        confidence: 'likely',
        message: 'Service "shop": spec.externalName "192.0.2.1" is an IP address; DNS answers it as a name, and no such name exists',
        evidence: [{ source: 'service', text: 'spec.externalName: 192.0.2.1' }],
        fix: [{ text: 'Set spec.externalName of Service "shop" to a DNS name that exists', command: 'kubectl -n sc-external-name-broken edit service shop' }],
      },
    ]);
  });
  test('that does not exist', () => {
    const [found] = of(lookup({ outcome: 'name-not-found' }), answers('NXDOMAIN')).findings;
    expect(found?.message).toBe('Service "shop": spec.externalName "db.nowhere.example" does not exist in DNS');
    expect(found?.evidence).toMatchObject([
      { text: 'spec.externalName: db.nowhere.example' },
      { source: 'probe' },
      { source: 'dns', text: 'coredns-5457787b77-5c42t answers db.nowhere.example A with NXDOMAIN' },
      { source: 'dns' },
    ]);
    expect(of(lookup(null), answers('NXDOMAIN')).findings[0]?.message).toMatch(/does not exist in DNS$/);
    expect(of(named('shop.other.svc'), lookup({ outcome: 'name-not-found' }), answers('NXDOMAIN')).findings[0]?.message).toBe(
      'Service "shop": spec.externalName "shop.other.svc" does not exist in DNS: namespace other has no Service "shop"',
    );
  });
  test('whose servers fail: the log of CoreDNS shows whether it reached them', () => {
    expect(of().findings).toMatchObject([
      {
        code: 'external-name-broken',
        message: 'Service "shop": spec.externalName "db.nowhere.example" does not resolve: the DNS servers of its zone report a failure',
      },
    ]);
    expect(of(lookup(null)).findings).toMatchObject([{ code: 'external-name-broken' }]);
    expect(of(noLogs)).toMatchObject({ status: 'unknown', reason: 'logs: not allowed' });
    for (const problem of ['i/o timeout', 'connection refused', 'network is unreachable', 'no route to host']) {
      const logged = edited(
        'dnsLogs',
        (logs) => void (logs['coredns-5457787b77-5c42t/coredns'] = seen(`[ERROR] plugin/errors: 2 db.nowhere.example. A: read udp: ${problem}`)),
      );
      const [found] = of(logged).findings;
      expect(found).toMatchObject({
        code: 'dns-upstream-failing',
        confidence: 'confirmed',
        message: 'CoreDNS cannot resolve "db.nowhere.example": the upstream servers that it forwards to do not answer',
        fix: [{ text: 'Check the servers that CoreDNS forwards to', command: 'kubectl -n kube-system get configmap coredns -o yaml' }],
      });
      expect(found?.evidence.at(-1)).toMatchObject({ source: 'log', text: expect.stringContaining(problem) as string });
    }
    const ofAnother = edited('dnsLogs', (logs) => void (logs['coredns-5457787b77-5c42t/coredns'] = seen('[ERROR] plugin/errors: 2 x.example. A: i/o timeout')));
    expect(of(ofAnother).findings).toMatchObject([{ code: 'external-name-broken' }]);
  });
  test('that some servers do not know, and of which others report a failure', () => {
    const [first] = Object.keys(valueOf(recordingOf('external-name-broken').facts.dnsAnswers));
    const oneSays = (rcode: string) =>
      edited('dnsAnswers', (a) => {
        const r = a[first ?? ''];
        if (r?.seen) r.value.rcode = rcode;
      });
    expect(of(lookup(null), answers('SERVFAIL'), oneSays('NXDOMAIN')).findings[0]?.message).toMatch(/does not exist in DNS$/);
    expect(of(lookup(null), answers('NOERROR')).findings[0]?.message).toMatch(/does not exist in DNS$/);
    expect(of(lookup(null), answers('SERVFAIL'), noLogs)).toMatchObject({ status: 'unknown', reason: 'logs: not allowed' });
    expect(of(lookup({ outcome: 'dns-failed' }), answers('NXDOMAIN'), noLogs)).toMatchObject({ status: 'unknown' });
    const notAsked: Edit = () => ({ dnsLogs: unseen('not-asked', 'logs', '--probe none') });
    expect(of(lookup({ outcome: 'dns-failed' }), notAsked).findings).toMatchObject([{ code: 'external-name-broken' }]);
    expect(of(named('shop.other.service'), lookup({ outcome: 'name-not-found' }), answers('NXDOMAIN')).findings[0]?.message).toMatch(/does not exist in DNS$/);
    expect(of(named('a.shop.other.svc'), lookup({ outcome: 'name-not-found' }), answers('NXDOMAIN')).findings[0]?.message).toMatch(/does not exist in DNS$/);
  });
  test('of which nobody could be asked', () => {
    expect(
      of(
        lookup({ outcome: 'dns-timed-out' }),
        edited('dnsAnswers', (a) => Object.keys(a).forEach((k) => delete a[k])),
      ),
    ).toMatchObject({ status: 'unknown', reason: 'no DNS server could be asked for the external name' });
    const nobody = edited('dnsAnswers', (a) => Object.keys(a).forEach((k) => delete a[k]));
    expect(of(lookup(null), nobody)).toMatchObject({ status: 'unknown' });
    // What the client asked decides, and it got no answer.
    expect(of(lookup({ outcome: 'dns-timed-out' }), answers('NXDOMAIN'))).toMatchObject({ status: 'unknown' });
    expect(of(lookup(null), answers('NOERROR', '192.0.2.7'), () => ({ connections: unseen('not-asked', 'x', 'y') }))).toMatchObject({ status: 'pass' });
  });
});

describe('the port that was asked for', () => {
  const of = (edit: Edit) => reportOf('service/port', edit, 'port-asked-missing');
  test('is not there', () => {
    const more = service((s) => s.spec.ports.push({ ...(s.spec.ports[0] as Service['spec']['ports'][number]), name: '', port: 81 }));
    expect(of(more).findings).toMatchObject([
      {
        message: 'Service "shop" has no port 8080; its ports: 80 (http), 81',
        evidence: [{ text: 'spec.ports: 80 (http), 81' }],
        fix: [{ text: 'Connect to port 80 (http) or 81, or add port 8080 to Service "shop"', command: 'kubectl -n sc-port-asked-missing edit service shop' }],
      },
    ]);
    expect(of(spec({ ports: [] })).findings).toMatchObject([
      { message: 'Service "shop" has no port 8080; its ports: none', evidence: [{ text: 'spec.ports: none' }] },
    ]);
  });
  test('is there, by number or name', () => {
    for (const port of ['80', 'http']) expect(of(target({ port }))).toMatchObject({ status: 'pass', findings: [] });
    expect(of(noService)).toMatchObject({ status: 'skip', reason: 'the Service does not exist' });
    expect(of(spec({ type: 'ExternalName' }))).toMatchObject({ status: 'skip', reason: 'an ExternalName has no ports' });
  });
});

describe('the load balancer', () => {
  const of = (edit: Edit) => reportOf('service/load-balancer', edit, 'load-balancer-pending');
  test('has no address', () => {
    expect(of(nothing).findings).toMatchObject([
      {
        severity: 'error',
        evidence: [{ source: 'service', text: 'status.loadBalancer is empty' }],
        fix: [{ command: 'kubectl -n sc-load-balancer-pending describe service shop' }, { text: 'Use node port 31544 of any node until then' }],
      },
    ]);
    expect(of(target({ from: { kind: 'pod', namespace: 'x', name: 'client' } })).findings).toMatchObject([{ severity: 'warning' }]);
    expect(of(spec({ loadBalancerClass: 'example.com/own' })).findings).toMatchObject([
      { message: 'Service "shop" has no load balancer address: no controller has set status.loadBalancer (loadBalancerClass "example.com/own")' },
    ]);
    expect(of(service((s) => s.spec.ports.forEach((p) => delete p.nodePort))).findings[0]?.fix).toHaveLength(1);
    const event = (kind: string, name: string) => ({
      reason: 'SyncLoadBalancerFailed',
      message: `no quota for ${kind} ${name}`,
      involvedObject: { kind, name },
      type: 'Warning',
    });
    const said = of(edited('events', (list) => void list.push(...([event('Service', 'shop'), event('Service', 'other'), event('Pod', 'shop')] as never[]))))
      .findings[0];
    expect(said?.evidence.slice(1)).toMatchObject([{ source: 'events', text: 'SyncLoadBalancerFailed: no quota for Service shop' }]);
  });
  test('has one, or is none', () => {
    const given = service((s) => void (s.status.loadBalancer.ingress = [{ ip: '192.0.2.1' }, { hostname: 'lb.example.com' }]));
    expect(of(given)).toMatchObject({ status: 'pass', summary: 'load balancer at 192.0.2.1, lb.example.com' });
    expect(of(spec({ type: 'NodePort' }))).toMatchObject({ status: 'skip', reason: 'not a LoadBalancer' });
  });
  test('accepts clients of some addresses only', () => {
    const ranges = (...list: string[]) => spec({ loadBalancerSourceRanges: list });
    const judged = (...edits: Edit[]) => reportOf('service/source-ranges', all(...edits), 'load-balancer-pending');
    expect(judged(ranges('192.0.2.0/24', '198.51.100.0/24')).findings).toMatchObject([
      {
        severity: 'warning',
        confidence: 'possible',
        scope: 'part',
        message: 'Service "shop": its load balancer accepts clients from 192.0.2.0/24, 198.51.100.0/24 only',
        evidence: [{ text: 'spec.loadBalancerSourceRanges: 192.0.2.0/24, 198.51.100.0/24' }],
        fix: [
          {
            text: 'Add the client\'s address range to loadBalancerSourceRanges of Service "shop"',
            command: 'kubectl -n sc-load-balancer-pending edit service shop',
          },
        ],
      },
    ]);
    expect(judged(ranges('0.0.0.0/0'))).toMatchObject({ status: 'pass', summary: 'loadBalancerSourceRanges allow every address' });
    const dual = spec({ clusterIPs: ['10.96.0.9', 'fd00::9'] });
    expect(judged(dual, ranges(' 0.0.0.0/0', '::/0')).status).toBe('pass');
    expect(judged(dual, ranges('0.0.0.0/0')).findings).toMatchObject([{ message: expect.stringMatching(/accepts clients from 0.0.0.0\/0 only$/) as string }]);
    expect(judged(spec({ clusterIPs: ['fd00::9'] }), ranges('::/0')).status).toBe('pass');
    for (const other of [
      ranges(),
      all(ranges('192.0.2.0/24'), spec({ type: 'NodePort' })),
      all(ranges('192.0.2.0/24'), target({ from: { kind: 'pod', namespace: 'x', name: 'client' } })),
    ])
      expect(judged(other)).toMatchObject({ status: 'skip', reason: 'no source ranges apply' });
  });
});

describe('traffic policies', () => {
  const of = (...edits: Edit[]) => reportOf('service/traffic-policy', all(...edits), 'node-port-local-part');
  const ofClient = (...edits: Edit[]) => reportOf('service/traffic-policy', all(...edits), 'internal-policy-local');
  const everyNode = edited('slices', (list) =>
    list.forEach((s) => {
      const [first] = s.endpoints;
      if (first) s.endpoints = ['node1', 'node2', 'node3'].map((nodeName, i) => ({ ...first, nodeName, addresses: [`10.244.${i}.9`] }));
    }),
  );
  test('Local, and nodes without an endpoint', () => {
    const [found] = of().findings;
    expect(found).toMatchObject({
      confidence: 'likely',
      scope: 'part',
      message: 'Service "shop": externalTrafficPolicy is Local, and node1, node2 have no ready endpoint: they drop connections to the node port',
      evidence: [{ text: 'spec.externalTrafficPolicy: Local (only endpoints on the node that handles the packet)' }, { text: 'ready endpoints are on node3' }],
    });
    expect(patchOf(found?.fix[0])).toBe('{"spec":{"externalTrafficPolicy":"Cluster"}}');
    expect(of(edited('nodes', (list) => list.splice(1))).findings[0]?.message).toContain('node1 has no ready endpoint: it drops connections');
    expect(of(everyNode)).toMatchObject({ status: 'pass', summary: 'externalTrafficPolicy Local; every node has an endpoint' });
    const noNodes: Edit = () => ({ nodes: unseen('forbidden', 'nodes', 'not allowed') });
    expect(of(noNodes)).toMatchObject({ status: 'unknown', reason: 'nodes: not allowed' });
    expect(ofClient(noNodes).findings).toMatchObject([{ scope: 'all' }]);
    const balanced = spec({ type: 'LoadBalancer', healthCheckNodePort: 32000 });
    expect(of(balanced)).toMatchObject({
      status: 'pass',
      summary: 'externalTrafficPolicy Local; load balancers leave out node1, node2 (health check on port 32000)',
    });
    for (const unasked of [spec({ type: 'LoadBalancer', healthCheckNodePort: undefined }), spec({ type: 'NodePort', healthCheckNodePort: 32000 })])
      expect(of(unasked).findings).toHaveLength(1);
  });
  test('Local for clients inside', () => {
    const [found] = ofClient().findings;
    expect(found).toMatchObject({
      scope: 'all',
      message: expect.stringMatching(/^Service "shop": internalTrafficPolicy is Local, and the client's node node\d has no ready endpoint$/) as string,
    });
    expect(patchOf(found?.fix[0])).toBe('{"spec":{"internalTrafficPolicy":"Cluster"}}');
    expect(ofClient(everyNode).summary).toMatch(/^internalTrafficPolicy Local; node\d has an endpoint$/);
    const [unknownClient] = ofClient(edited('client', (c) => void (c && (c.node = null)))).findings;
    expect(unknownClient).toMatchObject({ scope: 'part', message: expect.stringMatching(/have no ready endpoint$/) as string });
  });
  test('Cluster, of others, or with nobody ready', () => {
    expect(of(spec({ externalTrafficPolicy: 'Cluster' }))).toMatchObject({ status: 'skip', reason: 'traffic policy Cluster' });
    expect(of(target({ from: { kind: 'pod', namespace: 'x', name: 'client' } }))).toMatchObject({ status: 'skip', reason: 'traffic policy Cluster' });
    expect(ofClient(target({ from: { kind: 'external', namespace: '', name: '' } }))).toMatchObject({ status: 'skip', reason: 'traffic policy Cluster' });
    expect(of(edited('slices', (list) => list.splice(0)))).toMatchObject({ status: 'skip', reason: 'there is no ready endpoint on any node' });
    expect(of(spec({ type: 'ExternalName' }))).toMatchObject({ status: 'skip', reason: 'no traffic policy applies' });
  });
});
