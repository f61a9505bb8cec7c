/** Hosts, paths and precedence, by the examples of the two specifications. */
import * as v from 'valibot';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gateway, ingress, route } from '../../src/facts/front.ts';
import { attachments } from '../../src/front/attached.ts';
import { claimants, claimsOfIngress, claimsOfRoute, compareClaims, pathMatches } from '../../src/front/claims.ts';
import { hostInCommon, hostMatches } from '../../src/front/hosts.ts';

describe('hosts', () => {
  // Kubernetes documentation, Ingress, "Hostname wildcards".
  test.each([
    ['*.foo.com', 'bar.foo.com', true],
    ['*.foo.com', 'baz.bar.foo.com', false],
    ['*.foo.com', 'foo.com', false],
    ['foo.com', 'FOO.com', true],
    ['', 'any.example', true],
  ])('of an Ingress: %s and %s: %s', (pattern, host, is) => {
    expect(hostMatches(pattern, host, 'one')).toBe(is);
  });
  // Gateway API, HTTPRouteSpec.hostnames.
  test.each([
    ['test.example.com', 'test.example.com', 'test.example.com'],
    ['*.example.com', 'test.example.com', 'test.example.com'],
    ['*.example.com', 'foo.test.example.com', 'foo.test.example.com'],
    ['*.example.com', '*.example.com', '*.example.com'],
    ['*.example.com', '*.test.example.com', '*.test.example.com'],
    ['*.example.com', 'example.com', undefined],
    ['test.example.com', 'example.com', undefined],
    ['test.example.com', '*.example.com', 'test.example.com'],
    ['', '*.example.com', '*.example.com'],
    ['*.example.com', '', '*.example.com'],
  ])('a listener %s and a route %s have %s in common', (listener, own, common) => {
    expect(hostInCommon(listener, own)).toBe(common);
    expect(hostInCommon(own, listener)).toBe(common);
  });
});

describe('paths', () => {
  // Kubernetes documentation, Ingress, "Examples" of path types.
  test.each([
    ['Prefix', '/', '/any/path', true],
    ['Exact', '/foo', '/foo', true],
    ['Exact', '/foo', '/bar', false],
    ['Exact', '/foo', '/foo/', false],
    ['Exact', '/foo/', '/foo', false],
    ['Prefix', '/foo', '/foo', true],
    ['Prefix', '/foo', '/foo/', true],
    ['Prefix', '/foo/', '/foo', true],
    ['Prefix', '/aaa/bb', '/aaa/bbb', false],
    ['Prefix', '/aaa/bbb', '/aaa/bbb/ccc', true],
    ['Prefix', '/aaa/bbb', '/aaa/bbbxyz', false],
    ['RegularExpression', '/v\\d+', '/v2', true],
    ['RegularExpression', '/v\\d+', '/v2/x', false],
    ['RegularExpression', '/(a+)+', `/${'a'.repeat(300)}!`, false],
    ['RegularExpression', '/v(', '/v2', undefined],
    ['RegularExpression', '/v(?=2).*', '/v2', undefined],
  ] as const)('%s %s of %s: %s', (pathType, path, asked, is) => {
    expect(pathMatches({ pathType, path }, asked)).toBe(is);
  });
});

const made = (name: string, created: string, spec: object) =>
  v.parse(route, { kind: 'HTTPRoute', metadata: { name, namespace: 'shop', creationTimestamp: created }, spec: { parentRefs: [{ name: 'web' }], ...spec } });
const to = (name: string) => [{ name, port: 80 }];
const path = (type: string, value: string) => ({ path: { type, value } });
const backendOf = (routes: ReturnType<typeof made>[], host: string, asked: string) =>
  claimants(
    routes.flatMap((r) => claimsOfRoute(r)),
    { scheme: 'http', host, path: asked },
  )[0]?.backends[0]?.name;

describe('the rule that gets a request (Gateway API, HTTPRouteRule.matches)', () => {
  test('the most specific host, then an exact path, then the longest prefix', () => {
    const routes = [
      made('a', '2026-01-01T00:00:00Z', { hostnames: ['*.example.com'], rules: [{ matches: [path('Exact', '/cart')], backendRefs: to('wild') }] }),
      made('b', '2026-01-02T00:00:00Z', {
        hostnames: ['shop.example.com'],
        rules: [
          { matches: [path('PathPrefix', '/')], backendRefs: to('all') },
          { matches: [path('PathPrefix', '/cart')], backendRefs: to('cart') },
          { matches: [path('Exact', '/cart')], backendRefs: to('exact') },
        ],
      }),
    ];
    expect(backendOf(routes, 'shop.example.com', '/cart')).toBe('exact');
    expect(backendOf(routes, 'shop.example.com', '/cart/1')).toBe('cart');
    expect(backendOf(routes, 'shop.example.com', '/')).toBe('all');
    expect(backendOf(routes, 'other.example.com', '/cart')).toBe('wild');
    expect(backendOf(routes, 'example.org', '/cart')).toBeUndefined();
  });
  test('of equals the older route, then the first by name', () => {
    const rules = (name: string) => ({ hostnames: ['shop.example.com'], rules: [{ backendRefs: to(name) }] });
    const [older, newer, twin] = [
      made('z', '2026-01-01T00:00:00Z', rules('older')),
      made('a', '2026-01-02T00:00:00Z', rules('newer')),
      made('y', '2026-01-01T00:00:00Z', rules('twin')),
    ];
    expect(backendOf([newer, older], 'shop.example.com', '/')).toBe('older');
    expect(backendOf([older, twin], 'shop.example.com', '/')).toBe('twin');
  });
  test('a match on a header is not that of a plain request', () => {
    const canary = { ...path('PathPrefix', '/'), headers: [{ name: 'x-canary', value: '1' }] };
    const one = made('a', '2026-01-01T00:00:00Z', { rules: [{ matches: [canary], backendRefs: to('canary') }, { backendRefs: to('stable') }] });
    expect(backendOf([one], 'x.example', '/')).toBe('stable');
  });
  test('the order of claims is total, whatever order they come in', () => {
    const hosts = fc.constantFrom('', '*.example.com', 'shop.example.com');
    const one = fc.record({
      host: hosts,
      type: fc.constantFrom('Exact', 'PathPrefix'),
      value: fc.constantFrom('/', '/a', '/a/b'),
      name: fc.constantFrom('r1', 'r2', 'r3'),
    });
    fc.assert(
      fc.property(fc.array(one, { minLength: 2, maxLength: 6 }), fc.nat(), (all, seed) => {
        const claims = all.flatMap((c, i) =>
          claimsOfRoute(
            made(`${c.name}${i}`, '2026-01-01T00:00:00Z', {
              ...(c.host && { hostnames: [c.host] }),
              rules: [{ matches: [path(c.type, c.value)], backendRefs: to(c.name) }],
            }),
          ),
        );
        const turned = [...claims.slice(seed % claims.length), ...claims.slice(0, seed % claims.length)];
        const names = (list: typeof claims) => list.toSorted(compareClaims).map((c) => c.name);
        expect(names(turned)).toEqual(names(claims));
      }),
    );
  });
});

test('an Ingress: rules, its default backend last', () => {
  const one = v.parse(ingress, {
    metadata: { name: 'shop', namespace: 'shop' },
    spec: {
      defaultBackend: { service: { name: 'rest', port: { number: 80 } } },
      rules: [
        { host: 'shop.example.com', http: { paths: [{ path: '/cart', pathType: 'Prefix', backend: { service: { name: 'cart', port: { name: 'http' } } } }] } },
        { http: { paths: [{ pathType: 'ImplementationSpecific', backend: { service: { name: 'any', port: { number: 8080 } } } }] } },
      ],
    },
  });
  const claims = claimsOfIngress(one);
  const get = (host: string, asked: string) => claimants(claims, { scheme: 'http', host, path: asked })[0]?.backends[0];
  expect(get('shop.example.com', '/cart/1')).toMatchObject({ name: 'cart', port: 'http' });
  expect(get('shop.example.com', '/')).toMatchObject({ name: 'any', port: 8080 });
  expect(claims.map((c) => c.field)).toEqual(['spec.rules[0].http.paths[0]', 'spec.rules[1].http.paths[0]', 'spec.defaultBackend']);
});

describe('where a route is attached', () => {
  const web = (listeners: object[]) => v.parse(gateway, { metadata: { name: 'web', namespace: 'infra' }, spec: { gatewayClassName: 'x', listeners } });
  const http = (more: object = {}) => ({ name: 'http', port: 80, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'All' } }, ...more });
  const attach = (listeners: object[], parentRef: object, hostnames: string[] = [], labels: Record<string, string> | undefined = { team: 'shop' }) =>
    attachments(
      made('r', '', { parentRefs: [{ name: 'web', namespace: 'infra', ...parentRef }], hostnames, rules: [{ backendRefs: to('a') }] }),
      [web(listeners)],
      () => labels,
    )[0];
  test.each([
    ['all right', [http()], {}, [], undefined],
    ['no such Gateway', [http()], { name: 'wbe' }, [], 'Gateway infra/wbe does not exist'],
    ['no such listener', [http()], { sectionName: 'https' }, [], 'there is no listener "https" of Gateway infra/web; it has: http'],
    ['no listener of that port', [http()], { port: 8080 }, [], 'no listener of Gateway infra/web has port 8080'],
    ['only its own namespace', [http({ allowedRoutes: {} })], {}, [], 'lets in routes of namespace shop (allowedRoutes.namespaces.from: Same)'],
    [
      'a selector that does not fit',
      [http({ allowedRoutes: { namespaces: { from: 'Selector', selector: { matchLabels: { team: 'pay' } } } } })],
      {},
      [],
      'from: Selector',
    ],
    ['a selector that fits', [http({ allowedRoutes: { namespaces: { from: 'Selector', selector: { matchLabels: { team: 'shop' } } } } })], {}, [], undefined],
    ['another protocol', [http({ protocol: 'TLS' })], {}, [], 'serves routes of kind HTTPRoute'],
    ['other kinds only', [http({ allowedRoutes: { namespaces: { from: 'All' }, kinds: [{ kind: 'GRPCRoute' }] } })], {}, [], 'serves routes of kind HTTPRoute'],
    ['no host in common', [http({ hostname: 'a.example.com' })], {}, ['b.example.com'], 'has a host name in common with b.example.com (http: a.example.com)'],
    ['a parent that is a Service', [http()], { kind: 'Service', group: '' }, [], 'its parent is a Service'],
  ] as const)('%s', (_, listeners, parentRef, hostnames, why) => {
    const found = attach([...listeners], parentRef, [...hostnames]);
    if (why === undefined) expect(found?.listeners).toHaveLength(1);
    else expect(found?.why).toContain(why);
  });
  test('where the labels of the namespace are not known, it is not called refused', () => {
    const selected = http({ allowedRoutes: { namespaces: { from: 'Selector', selector: { matchLabels: { team: 'pay' } } } } });
    expect(
      attachments(made('r', '', { parentRefs: [{ name: 'web', namespace: 'infra' }], rules: [] }), [web([selected])], () => undefined)[0]?.why,
    ).toBeUndefined();
  });
});
