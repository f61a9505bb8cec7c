/**
 * Istio's rules on the examples of its own reference (istio.io/latest/docs/reference/config/security/…), where no live scenario has them:
 * test/e2e/scenarios/mesh-* hold the others, with the real proxies.
 */
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { istioAuthorization, type MeshPod, peerAuthentication } from '../../src/facts/mesh.ts';
import { istioAdmits, type Peer, type Request } from '../../src/mesh/istio-authorization.ts';
import { missingSidecar } from '../../src/mesh/injection.ts';
import { inboundBypass, outboundBypass } from '../../src/mesh/member.ts';
import { istioAccepts } from '../../src/mesh/mutual-tls.ts';
import { meansService, serviceNamed } from '../../src/mesh/hosts.ts';

const pod = (more: Partial<MeshPod> = {}): MeshPod => ({
  namespace: 'foo',
  name: 'finance-1',
  labels: { app: 'finance' },
  proxySettings: {},
  serviceAccount: 'default',
  containers: ['app', 'istio-proxy'],
  addresses: ['10.244.1.7'],
  hostNetwork: false,
  ports: [],
  ...more,
});

const peer = (name: string, namespace: string, spec: object, creationTimestamp = '2026-01-01T00:00:00Z') =>
  v.parse(peerAuthentication, { metadata: { name, namespace, creationTimestamp }, spec });

describe('PeerAuthentication', () => {
  const ofMesh = peer('default', 'istio-system', { mtls: { mode: 'STRICT' } });
  const ofNamespace = peer('default', 'foo', { mtls: { mode: 'PERMISSIVE' } });
  const selector = { matchLabels: { app: 'finance' } };
  test.each([
    ['none at all', [], 8080, [true, true]],
    ['of the mesh', [ofMesh], 8080, [false, true]],
    ['the namespace before the mesh', [ofMesh, ofNamespace], 8080, [true, true]],
    ['of another namespace', [peer('default', 'bar', { mtls: { mode: 'STRICT' } })], 8080, [true, true]],
    ['the workload before the namespace', [ofNamespace, peer('finance', 'foo', { selector, mtls: { mode: 'STRICT' } })], 8080, [false, true]],
    ['other labels', [ofNamespace, peer('x', 'foo', { selector: { matchLabels: { app: 'x' } }, mtls: { mode: 'STRICT' } })], 8080, [true, true]],
    [
      "the reference's own example: STRICT, and plain text on port 8080",
      [peer('default', 'foo', { selector, mtls: { mode: 'STRICT' }, portLevelMtls: { 8080: { mode: 'DISABLE' } } })],
      8080,
      [true, false],
    ],
    ['its other ports', [peer('default', 'foo', { selector, mtls: { mode: 'STRICT' }, portLevelMtls: { 8080: { mode: 'DISABLE' } } })], 9090, [false, true]],
    [
      'UNSET inherits from the namespace',
      [peer('default', 'foo', { mtls: { mode: 'STRICT' } }), peer('f', 'foo', { selector, mtls: { mode: 'UNSET' } })],
      80,
      [false, true],
    ],
    ['a selector in the root namespace selects nothing here', [peer('f', 'istio-system', { selector, mtls: { mode: 'STRICT' } })], 80, [true, true]],
    [
      'of two the older',
      [peer('b', 'foo', { mtls: { mode: 'STRICT' } }, '2026-02-01T00:00:00Z'), peer('a', 'foo', { mtls: { mode: 'DISABLE' } }, '2026-01-01T00:00:00Z')],
      80,
      [true, false],
    ],
    [
      'ports of a policy for the namespace count for nothing',
      [peer('default', 'foo', { mtls: { mode: 'STRICT' }, portLevelMtls: { 80: { mode: 'DISABLE' } } })],
      80,
      [false, true],
    ],
  ])('%s', (_, policies, port, [plain, mutual]) => {
    expect(istioAccepts(pod(), port, policies)).toMatchObject({ plain, mutual });
  });

  test('without a sidecar mutual TLS is not understood', () => {
    expect(istioAccepts(pod({ containers: ['app'] }), 80, [ofMesh])).toMatchObject({ plain: true, mutual: false });
  });

  test('in ambient mode DISABLE means both', () => {
    const ambient = pod({ containers: ['app'], proxySettings: { 'ambient.istio.io/redirection': 'enabled' } });
    expect(istioAccepts(ambient, 80, [peer('default', 'foo', { mtls: { mode: 'DISABLE' } })])).toMatchObject({ plain: true, mutual: true });
    expect(istioAccepts(ambient, 80, [ofMesh])).toMatchObject({ plain: false, mutual: true });
  });
});

describe('AuthorizationPolicy', () => {
  const sleep: Peer = { identity: { namespace: 'default', serviceAccount: 'sleep' }, addresses: ['10.244.2.9'] };
  const nobody: Peer = { identity: null, addresses: ['10.244.2.9'] };
  const get: Request = { port: 8080, isHttp: true, path: '/info/1' };
  const policy = (spec: object | undefined, namespace = 'foo') => v.parse(istioAuthorization, { metadata: { name: 'p', namespace }, spec });
  const admits = (specs: (object | undefined)[], who: Peer, request: Request = get) =>
    istioAdmits(
      pod(),
      who,
      request,
      specs.map((s) => policy(s)),
    ).verdict;

  const example = {
    action: 'ALLOW',
    rules: [
      {
        from: [{ source: { principals: ['cluster.local/ns/default/sa/sleep'] } }, { source: { namespaces: ['dev'] } }],
        to: [{ operation: { methods: ['GET'], paths: ['/info*'] } }],
      },
    ],
  };
  test.each([
    ["the reference's own example lets sleep in", [example], sleep, get, 'allowed'],
    ['on another path it does not', [example], sleep, { ...get, path: '/admin' }, 'denied'],
    ['where the path is not known, it is open', [example], sleep, { ...get, path: undefined }, 'open'],
    ['a namespace is known by the certificate alone', [{ rules: [{ from: [{ source: { namespaces: ['default'] } }] }] }], nobody, get, 'denied'],
    ['allow-nothing', [{}], sleep, get, 'denied'],
    ['allow-all', [{ rules: [{}] }], nobody, get, 'allowed'],
    ['deny-all', [{ action: 'DENY', rules: [{}] }, { rules: [{}] }], sleep, get, 'denied'],
    ['a DENY without rules denies nothing', [{ action: 'DENY' }], sleep, get, 'allowed'],
    ['AUDIT decides nothing', [{ action: 'AUDIT', rules: [{}] }], sleep, get, 'allowed'],
    ['CUSTOM is left open', [{ action: 'CUSTOM', rules: [{}] }], sleep, get, 'open'],
    ['another trust domain is left open', [{ rules: [{ from: [{ source: { principals: ['corp/ns/default/sa/sleep'] } }] }] }], sleep, get, 'open'],
    ['a range of addresses', [{ rules: [{ from: [{ source: { ipBlocks: ['10.244.0.0/16'] } }] }] }], nobody, get, 'allowed'],
    ['not from a range', [{ rules: [{ from: [{ source: { notIpBlocks: ['10.244.2.0/24'] } }] }] }], nobody, get, 'denied'],
    ['not a namespace', [{ action: 'DENY', rules: [{ from: [{ source: { notNamespaces: ['default'] } }] }] }], sleep, get, 'allowed'],
    ['not a namespace, without an identity', [{ action: 'DENY', rules: [{ from: [{ source: { notNamespaces: ['default'] } }] }] }], nobody, get, 'denied'],
    ['a port', [{ rules: [{ to: [{ operation: { ports: ['9090'] } }] }] }], sleep, get, 'denied'],
    ['a condition of the source', [{ rules: [{ when: [{ key: 'source.namespace', values: ['default'] }] }] }], sleep, get, 'allowed'],
    ['a condition of a header is open', [{ rules: [{ when: [{ key: 'request.headers[x]', values: ['1'] }] }] }], sleep, get, 'open'],
    ['service accounts of the namespace of the policy', [{ rules: [{ from: [{ source: { serviceAccounts: ['default/sleep'] } }] }] }], sleep, get, 'allowed'],
    // Istio documentation, "Authorization for TCP traffic".
    [
      'methods on TCP match nothing in ALLOW',
      [{ rules: [{ to: [{ operation: { methods: ['GET'], ports: ['8080'] } }] }] }],
      sleep,
      { ...get, isHttp: false },
      'denied',
    ],
    [
      'and are left out in DENY',
      [{ action: 'DENY', rules: [{ to: [{ operation: { methods: ['GET'], ports: ['8080'] } }] }] }],
      sleep,
      { ...get, isHttp: false },
      'denied',
    ],
    ['another labels', [{ selector: { matchLabels: { app: 'x' } } }], sleep, get, 'allowed'],
    ['a policy of a waypoint', [{ targetRefs: [{ kind: 'Service', name: 'x' }] }], sleep, get, 'allowed'],
  ])('%s', (_, specs, who, request, verdict) => {
    expect(admits(specs, who, request)).toBe(verdict);
  });

  test('a policy of the root namespace is for every namespace, one of another namespace is not', () => {
    expect(istioAdmits(pod(), sleep, get, [policy({}, 'istio-system')]).verdict).toBe('denied');
    expect(istioAdmits(pod(), sleep, get, [policy({}, 'bar')]).verdict).toBe('allowed');
  });
});

describe('bypasses', () => {
  test.each([
    [{ 'traffic.sidecar.istio.io/excludeInboundPorts': '8080,9090' }, 9090, true],
    [{ 'traffic.sidecar.istio.io/includeInboundPorts': '8080' }, 9090, true],
    [{ 'traffic.sidecar.istio.io/includeInboundPorts': '*' }, 9090, false],
    [{ 'traffic.sidecar.istio.io/includeInboundPorts': '' }, 9090, true],
    [{}, 15021, true],
    [{}, 9090, false],
  ])('inbound %o, port %i: %s', (proxySettings, port, bypassed) => {
    expect(inboundBypass(pod({ proxySettings }), port) !== null).toBe(bypassed);
  });

  test.each([
    [{ 'traffic.sidecar.istio.io/excludeOutboundPorts': '80' }, '10.96.0.9', 80, true],
    [{ 'traffic.sidecar.istio.io/excludeOutboundIPRanges': '10.96.0.0/16' }, '10.96.0.9', 80, true],
    [{ 'traffic.sidecar.istio.io/includeOutboundIPRanges': '10.244.0.0/16' }, '10.96.0.9', 80, true],
    [{ 'traffic.sidecar.istio.io/includeOutboundIPRanges': '' }, '10.96.0.9', 80, true],
    [{ 'traffic.sidecar.istio.io/includeOutboundIPRanges': '', 'traffic.sidecar.istio.io/includeOutboundPorts': '80' }, '10.96.0.9', 80, false],
    [{ 'traffic.sidecar.istio.io/includeOutboundIPRanges': '*' }, '10.96.0.9', 80, false],
    [{}, '10.96.0.9', 80, false],
  ])('outbound %o to %s:%i: %s', (proxySettings, address, port, bypassed) => {
    expect(outboundBypass(pod({ proxySettings }), address, port) !== null).toBe(bypassed);
  });
});

test.each([
  ['shop', { namespace: 'home', name: 'shop' }],
  ['shop.market.svc.cluster.local', { namespace: 'market', name: 'shop' }],
  ['shop.market.svc.corp.example', { namespace: 'market', name: 'shop' }],
  ['api.example.com', undefined],
  ['shop.market', undefined],
  ['*', undefined],
])('host %s', (host, named) => {
  expect(serviceNamed(host, 'home')).toEqual(named);
});

test.each([
  ['shop', 1000],
  ['*.market.svc.cluster.local', '*.market.svc.cluster.local'.length],
  ['*.other.svc.cluster.local', 0],
  ['*', 1],
])('%s means shop of market as exactly as %i', (host, exact) => {
  expect(meansService(host, 'market', { namespace: 'market', name: 'shop' })).toBe(exact);
});

describe('injection', () => {
  const without = pod({ containers: ['app'] });
  const injector = {
    name: 'istio-sidecar-injector',
    revision: 'default',
    webhooks: [
      {
        namespaceSelector: { matchLabels: { 'istio-injection': 'enabled' }, matchExpressions: [] },
        objectSelector: { matchLabels: {}, matchExpressions: [{ key: 'sidecar.istio.io/inject', operator: 'NotIn' as const, values: ['false'] }] },
      },
    ],
  };
  test('a pod that is older than the label', () => {
    expect(missingSidecar(without, { 'istio-injection': 'enabled' }, [injector])).toEqual({
      asked: 'label istio-injection=enabled of namespace foo',
      isServed: true,
    });
  });
  test('a revision that nobody serves', () => {
    expect(missingSidecar(without, { 'istio.io/rev': 'canary' }, [injector])).toEqual({ asked: 'label istio.io/rev=canary of namespace foo', isServed: false });
  });
  test.each([
    ['a pod that wants none', pod({ containers: ['app'], labels: { 'sidecar.istio.io/inject': 'false' } }), { 'istio-injection': 'enabled' }],
    ['a namespace that asks for none', without, {}],
    ['a pod that has one', pod(), { 'istio-injection': 'enabled' }],
    ['a pod on the network of its node', pod({ containers: ['app'], hostNetwork: true }), { 'istio-injection': 'enabled' }],
  ])('%s misses nothing', (_, one, labels: Record<string, string>) => {
    expect(missingSidecar(one, labels, [injector])).toBeUndefined();
  });
});
