/** What is said of a service mesh, on facts of a real cluster with one of them changed. */
import { describe, expect, test } from 'vitest';
import { seen, unseen } from '../../src/facts/fact.ts';
import type { FactTypes } from '../../src/facts/facts.ts';
import { all, type Edit, edited } from '../support/edits.ts';
import { recordingOf, reportOf, valueOf } from '../support/recordings.ts';

type Mesh = NonNullable<FactTypes['mesh']>;
const mesh = (change: (m: Mesh) => void): Edit => edited('mesh', (m) => void (m && change(m)));
const pods = (change: (p: Extract<Mesh['pods'], { seen: true }>['value'][number]) => void): Edit => mesh((m) => valueOf(m.pods).forEach(change));
const client = (change: (p: NonNullable<Extract<Mesh['client'], { seen: true }>['value']>) => void): Edit =>
  mesh((m) => {
    const own = valueOf(m.client);
    if (own) change(own);
  });
/** The pod of this name gets policy "one", each other pod policy "two": the mesh's first, with a selector. */
const policyForEach = (list: 'peerAuthentications' | 'authorizations', pod: string | undefined): Edit =>
  all(
    pods((p) => void (p.labels['is'] = p.name === pod ? 'one' : 'two')),
    mesh((m) => {
      const [policy] = valueOf<readonly { metadata: object; spec: object }[]>(m[list]);
      if (policy)
        m[list] = seen(
          ['one', 'two'].map((name) => ({
            ...structuredClone(policy),
            metadata: { ...policy.metadata, name },
            spec: { ...policy.spec, selector: { matchLabels: { is: name } } },
          })),
        ) as never;
    }),
  );
const patchOf = (fix: { command?: string } | undefined): unknown => JSON.parse(/-p '(.*)'$/s.exec(fix?.command ?? '')?.[1] ?? 'null');
const ids = ['mesh/injection', 'mesh/authorization', 'mesh/tls', 'mesh/routing'];

test.each(ids)('%s: without a mesh, without the Service, or where it could not be read, nothing is judged', (id) => {
  const of = (edit: Edit) => reportOf(id, edit, 'mesh-strict-port');
  expect(of(() => ({ mesh: seen(null) }))).toMatchObject({ status: 'skip', reason: 'the cluster has no kinds of a service mesh' });
  expect(of(() => ({ service: seen(null) }))).toMatchObject({ status: 'skip', reason: 'the Service is not known' });
  expect(of(mesh((m) => void (m.pods = unseen('forbidden', 'pods', 'not allowed'))))).toMatchObject({ status: 'unknown', reason: 'pods: not allowed' });
});

describe('a sidecar that is missing', () => {
  const of = (...edits: Edit[]) => reportOf('mesh/injection', all(...edits), 'mesh-revision-unknown');
  test('because no webhook adds one', () => {
    expect(of().findings).toMatchObject([
      {
        severity: 'error',
        object: { kind: 'Pod', name: 'client' },
        message: 'Pod "client" has no sidecar, although label istio.io/rev=canary asks for one: no webhook adds one for revision "canary" (revisions: default)',
        fix: [
          {
            text: 'Label the namespace with a revision that is installed, then create the pods again',
            command: 'kubectl get mutatingwebhookconfigurations -L istio.io/rev',
          },
        ],
      },
    ]);
    expect(of(mesh((m) => void (m.injectors = seen([])))).findings[0]?.message).toMatch(/\(revisions: none\)$/);
  });
  test('because the pod is older than the label', () => {
    const later = client((p) => void (p.labels = { 'sidecar.istio.io/inject': 'true' }));
    expect(of(later).findings).toMatchObject([
      {
        message: 'Pod "client" has no sidecar, although label sidecar.istio.io/inject=true asks for one: created before injection was asked for',
        evidence: [{ source: 'mesh', text: 'containers of pod client: c' }],
        fix: [{ text: 'Create the pod again, so that the webhook adds a sidecar', command: 'kubectl -n sc-mesh-revision-unknown rollout restart deployment' }],
      },
    ]);
  });
  test('in the pods of the Service, by the label of their namespace', () => {
    const namespace = edited('namespaces', (list) =>
      Object.values(list).forEach((n) => n.seen && n.value && void (n.value.metadata.labels['istio-injection'] = 'enabled')),
    );
    const bare = pods((p) => Object.assign(p, { containers: ['web'], labels: { app: 'shop' } }));
    const inside = client((p) => Object.assign(p, { labels: { app: 'client' }, containers: ['c', 'istio-proxy'] }));
    const [found] = of(namespace, bare, inside).findings;
    expect(found).toMatchObject({
      severity: 'warning',
      message:
        '2 pods of namespace sc-mesh-revision-unknown have no sidecar, although label istio-injection=enabled of namespace sc-mesh-revision-unknown asks for one: created before injection was asked for',
      fix: [{ text: 'Create the pods again, so that the webhook adds a sidecar' }],
    });
    expect(found?.evidence).toHaveLength(2);
    const many = mesh((m) => {
      const [pod] = valueOf(m.pods);
      if (pod) m.pods = seen(['a', 'b', 'c', 'd'].map((name) => ({ ...structuredClone(pod), name, containers: ['web', 'log'] })));
    });
    expect(of(namespace, bare, inside, many).findings[0]).toMatchObject({
      confidence: 'likely',
      scope: 'all',
      evidence: ['a', 'b', 'c'].map((name) => ({ source: 'mesh', text: `containers of pod ${name}: web, log` })),
    });
    // The client's own is a finding beside theirs, and an error where it is what is refused.
    expect(of(namespace, bare).findings.map((f) => [f.object.name, f.severity])).toEqual([
      ['client', 'warning'],
      [found?.object.name, 'warning'],
    ]);
    expect(of(bare, inside)).toMatchObject({ status: 'pass', summary: 'no pod misses a sidecar' });
    for (const blind of [
      () => ({ namespaces: unseen('forbidden', 'namespaces', 'not allowed') }),
      edited('namespaces', (list) => Object.keys(list).forEach((n) => void (list[n] = unseen('forbidden', 'namespaces', 'not allowed')))),
    ])
      expect(of(bare, inside, blind)).toMatchObject({ status: 'unknown', reason: 'namespaces: not allowed' });
  });
});

describe('mutual TLS', () => {
  const of = (incident: string, ...edits: Edit[]) => reportOf('mesh/tls', all(...edits), incident);
  test('that the pods require, and a client outside does not send', () => {
    expect(of('mesh-strict-port').findings).toMatchObject([
      {
        code: 'mesh-tls-required',
        scope: 'all',
        fix: [{ text: 'Take pod/client into the mesh: label its namespace for injection, and create the pod again' }, {}],
      },
    ]);
    const loose = mesh((m) => valueOf(m.peerAuthentications).forEach((p) => void Object.assign(p.spec, { portLevelMtls: {} })));
    expect(of('mesh-strict-port', loose)).toMatchObject({ status: 'pass', summary: 'plain text is sent, which 2 pods take' });
    const one = all(
      loose,
      edited('slices', (list) => list.forEach((s) => s.endpoints.splice(1))),
    );
    expect(of('mesh-strict-port', one)).toMatchObject({ summary: 'plain text is sent, which 1 pod takes' });
    const part = pods((p) => void (p.name.endsWith('gnk98') && (p.containers = ['web'])));
    const outside = of('mesh-strict-port', part).findings;
    expect(outside[0]?.message).toContain('of pod shop-6944c7684-wghzj, and pod/client sends plain text');
    expect(
      of(
        'mesh-strict-port',
        pods((p) => void (p.containers = ['web'])),
      ),
    ).toMatchObject({ status: 'skip', reason: 'neither the client nor a pod behind the Service is in a mesh' });
  });
  test('that a DestinationRule decides', () => {
    const [found] = of('mesh-rule-disables').findings;
    expect(found?.message).toContain('and 2 pods do not take it');
    expect(patchOf(found?.fix[0])).toEqual({ spec: { trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } } });
    const [one] = of(
      'mesh-rule-disables',
      edited('slices', (list) => list.forEach((s) => s.endpoints.splice(1))),
    ).findings;
    expect(one?.message).toMatch(/\(tls\.mode DISABLE\), and pod shop-\S+ does not take it: /);
    const [without] = of('mesh-rule-without-sidecar').findings;
    expect(without?.message).toMatch(/ has pod\/client send TLS \(/);
    expect(patchOf(without?.fix[0])).toEqual({ spec: { trafficPolicy: { tls: { mode: 'DISABLE' } } } });
  });
  test('that one of the pods requires, or each by a policy of its own', () => {
    const [first, second] = valueOf(recordingOf('mesh-strict-port').facts.slices).flatMap((s) => s.endpoints.map((e) => e.targetRef?.name ?? ''));
    const each = policyForEach('peerAuthentications', first);
    const found = of('mesh-strict-port', each).findings;
    expect(found.map((f) => [f.object.name, f.pods, f.scope])).toEqual([
      ['one', [first], 'all'],
      ['two', [second], 'all'],
    ]);
    const onlyOne = all(
      each,
      mesh((m) => valueOf(m.peerAuthentications).splice(1)),
    );
    expect(of('mesh-strict-port', onlyOne).findings).toMatchObject([{ object: { kind: 'PeerAuthentication', name: 'one' }, scope: 'part', pods: [first] }]);
  });
  test('past which a pod sends by an annotation of its own', () => {
    const [found] = of('mesh-port-excluded').findings;
    expect(found?.fix[0]).toMatchObject({
      text: 'Take the annotation that bypasses the proxy out of the pod template of pod/client',
      command: 'kubectl -n sc-mesh-port-excluded get pod client -o yaml',
    });
    expect(of('mesh-healthy-strict')).toMatchObject({ status: 'pass', summary: 'mutual TLS is sent, which 2 pods take' });
  });
});

describe('authorization', () => {
  const of = (incident: string, ...edits: Edit[]) => reportOf('mesh/authorization', all(...edits), incident);
  test('that allows another account: one for this one is created', () => {
    const [found] = of('mesh-denies-account').findings;
    expect(found).toMatchObject({
      code: 'mesh-denies',
      scope: 'all',
      fix: [{ changes: [{ how: 'create', kind: 'authorizationpolicy', manifest: { spec: { action: 'ALLOW' } } }] }],
    });
    expect(found?.evidence[0]?.text).toMatch(/^pod\/client has service account guest of namespace sc-mesh-denies-account$/);
  });
  test('that denies: it is edited', () => {
    expect(of('mesh-denies-path').findings[0]?.fix).toMatchObject([
      {
        text: 'Allow pod/client in AuthorizationPolicy "shop" in namespace sc-mesh-denies-path',
        command: 'kubectl -n sc-mesh-denies-path edit authorizationpolicy shop',
      },
    ]);
    expect(of('mesh-denies-without-identity').findings[0]?.evidence[0]?.text).toMatch(/^pod\/client has no identity \(/);
  });
  test('of some of the pods, or of each by a policy of its own', () => {
    const names = valueOf(valueOf(recordingOf('mesh-denies-account').facts.mesh)?.pods ?? { seen: false }).map((p) => p.name);
    const each = policyForEach('authorizations', names[0]);
    expect(of('mesh-denies-account', each).findings.map((f) => [f.object.name, f.pods, f.scope])).toEqual([
      ['one', [names[0]], 'all'],
      ['two', [names[1]], 'all'],
    ]);
    const onlyOne = all(
      each,
      mesh((m) => valueOf(m.authorizations).splice(1)),
    );
    expect(of('mesh-denies-account', onlyOne).findings).toMatchObject([
      { scope: 'part', pods: [names[0]], message: expect.stringContaining(` denies pod/client on port 8080 of pod ${names[0]}: `) as string },
    ]);
  });
  test('that depends on what is in no object', () => {
    const custom = mesh((m) => valueOf(m.authorizations).forEach((p) => Object.assign(p.spec, { action: 'CUSTOM', rules: [{}] })));
    expect(of('mesh-denies-account', custom)).toMatchObject({
      status: 'unknown',
      reason: 'AuthorizationPolicy "shop" in namespace sc-mesh-denies-account: whether a rule of action CUSTOM matches is in no object',
    });
  });
  test('on a port whose name is of no protocol', () => {
    const unnamed = all(
      edited('service', (s) => s?.spec.ports.forEach((p) => Object.assign(p, { name: 'web', appProtocol: undefined }))),
      edited('slices', (list) => list.forEach((s) => s.ports.forEach((p) => void (p.name = 'web')))),
    );
    const quiet = edited('target', (t) => void delete t.http);
    expect(of('mesh-denies-account', unnamed, quiet).findings[0]?.evidence[1]?.text).toMatch(/^2 pods, port 8080, read as HTTP or TCP, by its first bytes: /);
  });
  test("that Linkerd's annotation of the pods decides", () => {
    const linkerd = all(
      pods((p) => Object.assign(p, { containers: ['web', 'linkerd-proxy'], proxySettings: { 'config.linkerd.io/default-inbound-policy': 'deny' } })),
      client((p) => Object.assign(p, { containers: ['c', 'linkerd-proxy'], proxySettings: {} })),
    );
    const [found] = of('mesh-denies-account', linkerd).findings;
    expect(found).toMatchObject({
      object: { kind: 'Pod', namespace: 'sc-mesh-denies-account' },
      message: expect.stringMatching(/^The proxy of 2 pods denies pod\/client on port 8080: /) as string,
      fix: [
        {
          text: 'Allow pod/client by an AuthorizationPolicy for a Server of port 8080',
          command: expect.stringMatching(/^kubectl -n sc-mesh-denies-account get pod shop-/) as string,
        },
      ],
    });
    expect(found?.pods).toHaveLength(2);
  });
  test('of which none applies, or what arrives is refused before', () => {
    expect(of('mesh-healthy-account')).toMatchObject({ status: 'pass' });
    expect(of('mesh-strict-port')).toMatchObject({ status: 'skip', reason: 'the proxies do not agree about TLS' });
    const nobody = all(
      pods((p) => void (p.containers = ['web'])),
      client((p) => void (p.containers = ['c'])),
    );
    expect(of('mesh-denies-account', nobody)).toMatchObject({ status: 'skip', reason: 'neither the client nor a pod behind the Service is in a mesh' });
  });
});

describe('what the proxy of the client does', () => {
  const of = (incident: string, ...edits: Edit[]) => reportOf('mesh/routing', all(...edits), incident);
  test('with a Service that its Sidecar does not name', () => {
    const [found] = of('mesh-egress-unnamed').findings;
    expect(patchOf(found?.fix[0])).toEqual([
      { op: 'add', path: '/spec/egress/0/hosts/-', value: 'sc-mesh-egress-unnamed/shop.sc-mesh-egress-unnamed.svc.cluster.local' },
    ]);
    const [only] = of('mesh-egress-registry-only').findings;
    expect(only?.message).toMatch(/: with outboundTrafficPolicy REGISTRY_ONLY it answers itself$/);
    // Pods that take plain text are reached past the mesh.
    const [first] = valueOf(valueOf(recordingOf('mesh-egress-unnamed').facts.mesh)?.pods ?? { seen: false }).map((p) => p.name);
    const plain = (is: (name: string) => boolean) => pods((p) => void (is(p.name) && (p.containers = ['web'])));
    expect(
      of(
        'mesh-egress-unnamed',
        plain(() => true),
      ),
    ).toMatchObject({ status: 'pass' });
    expect(
      of(
        'mesh-egress-unnamed',
        plain((name) => name === first),
      ).findings,
    ).toMatchObject([{ scope: 'part', confidence: 'likely', pods: [expect.not.stringMatching(first ?? '')] }]);
  });
  test('with requests that a VirtualService answers or sends elsewhere', () => {
    expect(of('mesh-aborts').findings).toMatchObject([
      { code: 'mesh-route-broken', fix: [{ text: 'Correct VirtualService "shop"', command: 'kubectl -n sc-mesh-aborts edit virtualservice shop' }] },
    ]);
    expect(of('mesh-healthy-route')).toMatchObject({ status: 'pass', summary: 'no rule of the mesh sends requests elsewhere' });
  });
  test('of a client outside the mesh: nothing', () => {
    expect(of('mesh-strict-port')).toMatchObject({ status: 'skip', reason: 'the client has no Istio sidecar, so no VirtualService or Sidecar applies to it' });
  });
});
