/** What a node should do with a Service's packets, object field by object field. Sources: KEP-1669, KEP-2086, KEP-2433, KEP-3015, and Service in core/v1. */
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import * as o from '../../src/facts/objects.ts';
import { compare, isPartial } from '../../src/proxy/compare.ts';
import { endsOf, expected, isProxied, type ProxyNode, proxyNodeOf } from '../../src/proxy/expected.ts';
import { type Handling, keyOf, notHandled, type Origin, origins } from '../../src/proxy/model.ts';

const node: ProxyNode = { name: 'node1', zone: 'a', addresses: ['192.0.2.1', '2001:db8::1'] };
const port = { name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' };
const service = (spec: object = {}, more: { labels?: object; status?: object } = {}) =>
  v.parse(o.service, {
    metadata: { namespace: 'shop', name: 'web', labels: more.labels },
    spec: { type: 'ClusterIP', clusterIP: '10.96.0.20', clusterIPs: ['10.96.0.20'], ports: [port], selector: { app: 'web' }, ...spec },
    status: more.status,
  });
const slice = (endpoints: object[], more: object = {}) =>
  v.parse(o.endpointSlice, {
    metadata: { namespace: 'shop', name: 'web-x' },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints,
    ...more,
  });
const at = (address: string, nodeName = 'node1', more: object = {}) => ({ addresses: [address], nodeName, conditions: { ready: true }, ...more });
const [here, there] = [at('10.244.1.5'), at('10.244.2.5', 'node2')];

/** What is expected at the first address of a kind. */
const want = (of: ReturnType<typeof service>, slices: ReturnType<typeof slice>[], kind = 'cluster-ip', origin: Origin = 'pod', on = node) => {
  const end = endsOf(of, of.spec.ports, on).find((e) => e.kind === kind);
  if (!end) throw new Error(`no address of kind ${kind}`);
  return expected(of, slices, end, on, origin);
};
const backends = (...args: Parameters<typeof want>) => want(...args)?.backends.map((b) => b.replace(/:8080$/, ''));

describe('the addresses of a Service', () => {
  const ends = (of: ReturnType<typeof service>, on = node) => endsOf(of, of.spec.ports, on).map((e) => `${e.kind} ${keyOf(e)}`);
  test('its virtual IP, external IPs, load balancers and node ports, each with its port', () => {
    const all = service(
      { type: 'LoadBalancer', externalIPs: ['198.51.100.7'], ports: [{ ...port, nodePort: 30080 }] },
      { status: { loadBalancer: { ingress: [{ ip: '203.0.113.1' }, { hostname: 'lb.example.com' }] } } },
    );
    expect(ends(all)).toEqual([
      'cluster-ip 10.96.0.20:80/TCP',
      'external-ip 198.51.100.7:80/TCP',
      'load-balancer-ip 203.0.113.1:80/TCP',
      'node-port 192.0.2.1:30080/TCP',
    ]);
  });
  test('of the families that the Service has', () => {
    const both = { type: 'NodePort', clusterIPs: ['10.96.0.20', 'fd00:96::20'], externalIPs: ['2001:db8::7'], ports: [{ ...port, nodePort: 30080 }] };
    expect(ends(service(both))).toEqual([
      'cluster-ip 10.96.0.20:80/TCP',
      'cluster-ip [fd00:96::20]:80/TCP',
      'external-ip [2001:db8::7]:80/TCP',
      'node-port 192.0.2.1:30080/TCP',
      'node-port [2001:db8::1]:30080/TCP',
    ]);
    expect(ends(service({ ...both, clusterIPs: ['10.96.0.20'] }))).toEqual(['cluster-ip 10.96.0.20:80/TCP', 'node-port 192.0.2.1:30080/TCP']);
  });
  test('"ipMode Proxy": the load balancer delivers to nodes, and the nodes do not take its address', () => {
    const proxied = service({ type: 'LoadBalancer' }, { status: { loadBalancer: { ingress: [{ ip: '203.0.113.1', ipMode: 'Proxy' }] } } });
    expect(ends(proxied)).toEqual(['cluster-ip 10.96.0.20:80/TCP']);
  });
  test.each([
    ['headless', service({ clusterIP: 'None', clusterIPs: ['None'] })],
    ['ExternalName', service({ type: 'ExternalName', externalName: 'example.com', clusterIPs: [] })],
    ['without an address yet', service({ clusterIPs: [] })],
    ['without ports', service({ ports: [] })],
    ['another proxy', service({}, { labels: { 'service.kubernetes.io/service-proxy-name': 'mine' } })],
    ['headless by label', service({}, { labels: { 'service.kubernetes.io/headless': '' } })],
  ])('none where no proxy handles it: %s', (_, of) => {
    expect(isProxied(of)).toBe(false);
    expect(ends(of)).toEqual([]);
  });
});

describe('the endpoints of a port', () => {
  test('ready ones, sorted, with the first address of each', () => {
    expect(want(service(), [slice([at('10.244.2.5', 'node2'), { ...at('10.244.1.5'), addresses: ['10.244.1.5', '10.244.1.6'] }])])).toEqual({
      verdict: 'backends',
      backends: ['10.244.1.5:8080', '10.244.2.5:8080'],
      affinitySeconds: null,
      sourceRanges: [],
    });
  });
  test('by the name and the protocol of the port', () => {
    const named = (ports: object[]) => backends(service(), [slice([here], { ports })]);
    expect(named([{ name: 'http', port: 8080 }])).toEqual(['10.244.1.5']);
    expect(named([{ name: 'https', port: 8080 }])).toEqual([]);
    expect(named([{ name: 'http', port: 8080, protocol: 'UDP' }])).toEqual([]);
    expect(named([{ name: 'http' }])).toEqual([]);
    const unnamed = service({ ports: [{ port: 80, protocol: 'TCP' }] });
    expect(backends(unnamed, [slice([here], { ports: [{ port: 8080 }] })])).toEqual(['10.244.1.5']);
  });
  test('of the family of the address', () => {
    const six = slice([at('fd00:244:1::5')], { metadata: { namespace: 'shop', name: 'web-6' }, addressType: 'IPv6' });
    const both = service({ clusterIPs: ['10.96.0.20', 'fd00:96::20'] });
    const [four, sixth] = endsOf(both, both.spec.ports, node).map((end) => expected(both, [slice([here]), six], end, node, 'pod')?.backends);
    expect([four, sixth]).toEqual([['10.244.1.5:8080'], ['[fd00:244:1::5]:8080']]);
  });
  test('in two slices it counts once', () => expect(backends(service(), [slice([here]), slice([here])])).toEqual(['10.244.1.5']));
  test('"ready … nil should be interpreted as true"', () =>
    expect(backends(service(), [slice([at('10.244.1.5', 'node1', { conditions: {} })])])).toEqual(['10.244.1.5']));
  test('none is ready: those that serve while they terminate (KEP-1669), else nobody', () => {
    const ending = (address: string, conditions: object) => at(address, 'node1', { conditions: { ready: false, terminating: true, ...conditions } });
    expect(backends(service(), [slice([ending('10.244.1.5', { serving: true }), ending('10.244.1.6', { serving: false })])])).toEqual(['10.244.1.5']);
    expect(backends(service(), [slice([ending('10.244.1.5', { serving: true }), there])])).toEqual(['10.244.2.5']);
    expect(want(service(), [slice([at('10.244.1.5', 'node1', { conditions: { ready: false, serving: true } })])])?.verdict).toBe('rejected');
    expect(want(service(), [])?.verdict).toBe('rejected');
  });
});

describe('near endpoints', () => {
  const hinted = (address: string, nodeName: string, zones: string[], nodes: string[] = []) =>
    at(address, nodeName, {
      hints: { ...(zones.length > 0 && { forZones: zones.map((name) => ({ name })) }), ...(nodes.length > 0 && { forNodes: nodes.map((name) => ({ name })) }) },
    });
  const [a, b] = [hinted('10.244.1.5', 'node1', ['a']), hinted('10.244.2.5', 'node2', ['b'])];
  test('hints for zones, where all endpoints have one (KEP-2433)', () => {
    expect(backends(service(), [slice([a, b])])).toEqual(['10.244.1.5']);
    expect(backends(service(), [slice([a, b, at('10.244.3.5', 'node3')])])).toHaveLength(3);
  });
  test('none for this zone: all of them; a zone that is not known: nothing is claimed', () => {
    expect(backends(service(), [slice([a, b])], 'cluster-ip', 'pod', { ...node, zone: 'c' })).toHaveLength(2);
    expect(backends(service(), [slice([a, b])], 'cluster-ip', 'pod', { ...node, zone: '' })).toHaveLength(2);
    expect(want(service(), [slice([a, b])], 'cluster-ip', 'pod', { ...node, zone: null })).toBeNull();
  });
  test('hints for nodes come first (KEP-3015)', () => {
    const nodes = [hinted('10.244.1.5', 'node1', ['a'], ['node2']), hinted('10.244.2.5', 'node2', ['a'], ['node1'])];
    expect(backends(service(), [slice(nodes)])).toEqual(['10.244.2.5']);
    expect(backends(service(), [slice(nodes)], 'cluster-ip', 'pod', { ...node, name: 'node9' })).toHaveLength(2);
  });
  test('endpoints that are not ready do not count', () => {
    const starting = at('10.244.3.5', 'node3', { conditions: { ready: false } });
    expect(backends(service(), [slice([a, b, starting])])).toEqual(['10.244.1.5']);
  });
});

describe('policies of traffic', () => {
  test('internalTrafficPolicy Local: the endpoints of the node, or none (KEP-2086)', () => {
    const local = service({ internalTrafficPolicy: 'Local' });
    expect(backends(local, [slice([here, there])])).toEqual(['10.244.1.5']);
    expect(want(local, [slice([there])])).toMatchObject({ verdict: 'dropped', backends: [], affinitySeconds: null });
    expect(want(local, [])?.verdict).toBe('rejected');
  });
  const balanced = (spec: object = {}) =>
    service({ type: 'LoadBalancer', ports: [{ ...port, nodePort: 30080 }], ...spec }, { status: { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } } });
  test('externalTrafficPolicy Local holds for clients outside', () => {
    const local = balanced({ externalTrafficPolicy: 'Local' });
    const all = [slice([here, there])];
    for (const kind of ['load-balancer-ip', 'node-port']) {
      expect(backends(local, all, kind, 'outside'), kind).toEqual(['10.244.1.5']);
      expect(backends(local, all, kind, 'pod'), kind).toHaveLength(2);
      expect(backends(balanced(), all, kind, 'outside'), kind).toHaveLength(2);
    }
    expect(backends(local, all, 'cluster-ip', 'outside')).toHaveLength(2);
    expect(want(local, [slice([there])], 'node-port', 'outside')?.verdict).toBe('dropped');
  });
  test('loadBalancerSourceRanges hold at the load balancer, for clients outside', () => {
    const ranged = (...loadBalancerSourceRanges: string[]) => balanced({ loadBalancerSourceRanges });
    const ranges = (...given: string[]) => want(ranged(...given), [slice([here])], 'load-balancer-ip', 'outside')?.sourceRanges;
    expect(ranges('198.51.100.0/24', ' 192.0.2.0/24 ', 'nonsense', 'fd00::/8')).toEqual(['192.0.2.0/24', '198.51.100.0/24']);
    expect(ranges('198.51.100.0/24', '0.0.0.0/0')).toEqual([]);
    expect(want(ranged('192.0.2.0/24'), [slice([here])], 'node-port', 'outside')?.sourceRanges).toEqual([]);
    expect(want(ranged('192.0.2.0/24'), [], 'load-balancer-ip', 'outside')).toMatchObject({ verdict: 'rejected', sourceRanges: [] });
    // From inside it depends on settings of the proxy.
    expect(want(ranged('192.0.2.0/24'), [slice([here])], 'load-balancer-ip', 'pod')).toBeNull();
    expect(want(balanced(), [], 'node-port', 'node')).toBeNull();
  });
  test('sessionAffinity: three hours, or as long as the Service says', () => {
    const kept = (spec: object) => want(service(spec), [slice([here])])?.affinitySeconds;
    expect(kept({ sessionAffinity: 'None' })).toBeNull();
    expect(kept({ sessionAffinity: 'ClientIP' })).toBe(10_800);
    expect(kept({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } })).toBe(5);
  });
});

describe('a node as its proxy knows it', () => {
  const labelled = v.parse(o.node, {
    metadata: { name: 'node1', labels: { 'topology.kubernetes.io/zone': 'a' } },
    status: {
      addresses: [
        { type: 'InternalIP', address: '192.0.2.1' },
        { type: 'ExternalIP', address: '203.0.113.1' },
        { type: 'Hostname', address: 'node1' },
      ],
    },
  });
  test('its zone and its internal addresses', () => {
    expect(proxyNodeOf('node1', labelled, undefined)).toEqual({ name: 'node1', zone: 'a', addresses: ['192.0.2.1'] });
    expect(proxyNodeOf('node1', { ...labelled, metadata: { ...labelled.metadata, labels: {} } }, undefined).zone).toBe('');
  });
  test('without the object: the address of its kube-proxy, and no zone', () => {
    const proxy = v.parse(o.pod, { metadata: { name: 'kube-proxy-x', namespace: 'kube-system' }, spec: { containers: [] }, status: { hostIP: '192.0.2.7' } });
    expect(proxyNodeOf('node1', undefined, proxy)).toEqual({ name: 'node1', zone: null, addresses: ['192.0.2.7'] });
    expect(proxyNodeOf('node1', undefined, undefined)).toEqual({ name: 'node1', zone: null, addresses: [] });
  });
});

describe('rules against objects', () => {
  const web = service({ type: 'NodePort', ports: [{ ...port, nodePort: 30080 }] });
  const endpoints = [slice([here, there])];
  const right: Handling = {
    ...notHandled,
    verdict: 'backends',
    byDefault: false,
    backends: [
      { to: '10.244.1.5:8080', percent: 50 },
      { to: '10.244.2.5:8080', percent: 50 },
    ],
  };
  const ends = endsOf(web, web.spec.ports, node);
  const judged = (change: (kind: string, origin: Origin) => Handling | undefined, mode = 'iptables', slices = endpoints, of = web) =>
    compare(
      of,
      of.spec.ports,
      slices,
      node,
      mode,
      Object.fromEntries(
        ends.map((end) => [keyOf(end), Object.fromEntries(origins.flatMap((origin) => [[origin, change(end.kind, origin)]].filter(([, h]) => h)))]),
      ),
    );

  test('all as it should be', () => expect(judged(() => right)).toEqual({ differences: [], right: 6, unread: [] }));
  test('what was not asked is not judged', () => expect(judged((kind) => (kind === 'cluster-ip' ? right : undefined)).right).toBe(3));
  test('one difference of several packets is one, with where they start', () => {
    const half = { ...right, backends: [{ to: '10.244.1.5:8080', percent: 100 }] };
    const { differences, right: others } = judged((kind, origin) => (kind === 'cluster-ip' && origin !== 'outside' ? half : right));
    expect(others).toBe(4);
    expect(differences).toMatchObject([{ end: { kind: 'cluster-ip' }, from: ['pod', 'node'], absent: ['10.244.2.5:8080'], wrong: [] }]);
    expect(differences.map(isPartial)).toEqual([true]);
  });
  test('a backend that is none', () => {
    const other = { ...right, backends: [{ to: '10.244.9.9:8080', percent: 100 }] };
    const { differences } = judged(() => other);
    expect(differences).toHaveLength(2);
    expect(differences[0]).toMatchObject({ absent: ['10.244.1.5:8080', '10.244.2.5:8080'], wrong: ['10.244.9.9:8080'] });
    expect(differences.map(isPartial)).toEqual([false, false]);
  });
  test('shares may differ by what is rounded, and no more', () => {
    const shares = (first: number) => ({
      ...right,
      backends: [
        { to: '10.244.1.5:8080', percent: first },
        { to: '10.244.2.5:8080', percent: 100 - first },
      ],
    });
    expect(judged(() => shares(50.1)).differences).toEqual([]);
    expect(judged(() => shares(50.5)).differences).toHaveLength(2);
    expect(judged(() => shares(90), 'ipvs').differences).toEqual([]);
    expect(judged(() => shares(90), 'cilium')).toMatchObject({ differences: [], right: 3 });
  });
  test('affinity and source ranges count where the mode shows them', () => {
    const kept = { ...right, affinitySeconds: 10 };
    expect(['iptables', 'nftables', 'ipvs', 'cilium'].map((mode) => judged(() => kept, mode).differences.length)).toEqual([2, 2, 2, 0]);
    const ranged = { ...right, sourceRanges: ['10.0.0.0/8'] };
    expect(['iptables', 'nftables', 'ipvs', 'cilium'].map((mode) => judged(() => ranged, mode).differences.length)).toEqual([2, 2, 0, 0]);
  });
  test('a node port that is closed on an address is no difference (nodePortAddresses); a virtual IP that is not handled is one', () => {
    expect(judged(() => notHandled).differences.map((d) => d.end.kind)).toEqual(['cluster-ip']);
    expect(judged(() => ({ ...notHandled, byDefault: false, verdict: 'dropped' })).differences.map((d) => d.end.kind)).toEqual(['cluster-ip', 'node-port']);
  });
  test('without endpoints a packet is dropped or rejected, whichever the version does', () => {
    for (const verdict of ['dropped', 'rejected', 'not-handled'] as const)
      expect(judged(() => ({ ...notHandled, verdict, byDefault: false }), 'iptables', []).differences, verdict).toEqual([]);
    expect(judged(() => right, 'iptables', []).differences).toMatchObject([{ from: ['pod', 'node', 'outside'] }, { from: ['outside'] }]);
  });
  test('what was not read is listed once, and judged neither way', () => {
    expect(judged(() => ({ ...right, unread: ['a', 'b'] }))).toEqual({ differences: [], right: 0, unread: ['a', 'b'] });
  });
});
