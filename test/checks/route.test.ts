/** What is in front of a Service, on facts of a real cluster with one of them changed. */
import { describe, expect, test } from 'vitest';
import { seen, unseen } from '../../src/facts/fact.ts';
import type { FactTypes } from '../../src/facts/facts.ts';
import { all, type Edit, edited } from '../support/edits.ts';
import { reportOf, valueOf } from '../support/recordings.ts';

type Front = FactTypes['front'];
type Answer = FactTypes['frontAnswers'][number];
const front = (change: (f: Front) => void): Edit => edited('front', change);
const nothing: Edit = () => ({});
const first = <T>(list: readonly T[]): T => {
  const [one] = list;
  if (!one) throw new Error('the recording has none');
  return one;
};
/** What the recording is about. */
const ownIngress = (f: Front, namespace: string) => valueOf(f.ingresses).find((i) => i.metadata.namespace === namespace) ?? first([]);
const ownRoute = (f: Front, namespace: string) => valueOf(f.routes).find((r) => r.metadata.namespace === namespace) ?? first([]);
const gatewayOf = (f: Front) => first(valueOf(f.gateways));
const patched = (command: string | undefined) => /-p '(.*)'$/.exec(command ?? '')?.[1];

describe('the class of an Ingress', () => {
  const ns = 'sc-ingress-class-missing';
  const of = (edit: Edit) => reportOf('route/class', edit, 'ingress-class-missing');
  const ingress = (change: (i: ReturnType<typeof ownIngress>) => void) => front((f) => change(ownIngress(f, ns)));
  const classes = (...names: string[]) =>
    front((f) => {
      const meta = { ...ownIngress(f, ns).metadata, namespace: '' };
      f.ingressClasses = seen(
        names.map((name) => ({ metadata: { ...meta, name }, isDefault: name === 'default', spec: { controller: `example.com/${name}` } })),
      );
    });
  const noProxy = front((f) => void (f.proxy = seen(null)));

  test('that does not exist, with those that there are', () => {
    expect(of(nothing).findings).toMatchObject([
      {
        code: 'route-class-missing',
        confidence: 'likely',
        object: { kind: 'Ingress', namespace: ns, name: 'shop' },
        message: 'Ingress "shop" is of class "nginx", which does not exist; there is no IngressClass',
        evidence: [
          { source: 'ingress', text: 'spec.ingressClassName: nginx' },
          { source: 'ingressclasses', text: 'none' },
        ],
        fix: [{ text: 'Set spec.ingressClassName to the class of a controller that runs', command: 'kubectl get ingressclasses' }],
      },
    ]);
    const [one] = of(classes('public')).findings;
    expect(one?.message).toBe('Ingress "shop" is of class "nginx", which does not exist; there are: public');
    expect(one?.evidence[1]?.text).toBe('public');
    expect(one?.fix).toHaveLength(1);
    expect(one?.fix[0]).toMatchObject({
      text: 'Set the class of Ingress "shop" to "public"',
      command: expect.stringContaining(' patch ingress shop ') as string,
    });
    expect(patched(one?.fix[0]?.command)).toBe('{"spec":{"ingressClassName":"public"}}');
    expect(of(classes('public', 'private')).findings[0]?.fix).toMatchObject([{ command: 'kubectl get ingressclasses' }]);
  });
  test('that an annotation names, and one that nothing names', () => {
    const byAnnotation = ingress((i) => Object.assign(i, { classAnnotation: 'old', spec: { ...i.spec, ingressClassName: null } }));
    expect(of(byAnnotation).findings[0]).toMatchObject({
      message: expect.stringContaining('"old"') as string,
      evidence: [{ text: 'annotation kubernetes.io/ingress.class: old' }, {}],
    });
    const without = ingress((i) => void (i.spec.ingressClassName = null));
    expect(of(without).findings[0]).toMatchObject({
      message: 'Ingress "shop" names no class, and no IngressClass is the default',
      evidence: [{ text: 'spec.ingressClassName is not set' }, {}],
    });
    expect(of(all(without, classes('other', 'default'), noProxy))).toMatchObject({ status: 'pass', summary: 'class default, controller example.com/default' });
  });
  test('that no object describes, where a controller has given an address', () => {
    const served = ingress((i) => i.status.loadBalancer.ingress.push({ ip: '192.0.2.1' }));
    expect(of(all(served, noProxy))).toMatchObject({ status: 'pass', findings: [] });
    expect(of(served).findings).toEqual([]);
  });
  test('what could not be read leaves it open', () => {
    expect(of(front((f) => void (f.ingressClasses = unseen('forbidden', 'classes', 'not allowed'))))).toMatchObject({
      status: 'unknown',
      reason: 'not allowed',
    });
    expect(
      of(
        all(
          classes('nginx'),
          front((f) => void (f.proxy = unseen('forbidden', 'pods', 'not allowed to list pods'))),
        ),
      ),
    ).toMatchObject({
      status: 'unknown',
      reason: 'not allowed to list pods',
    });
  });
  test('whose controller has no pods here: fine for a cloud, else not known', () => {
    const by = (controller: string) =>
      of(
        all(
          classes('nginx'),
          noProxy,
          front((f) => void (first(valueOf(f.ingressClasses)).spec.controller = controller)),
        ),
      );
    expect(by('ingress.k8s.aws/alb')).toMatchObject({ status: 'pass', summary: 'class nginx, controller ingress.k8s.aws/alb' });
    expect(by('example.com/own')).toMatchObject({ status: 'pass' });
    expect(by('k8s.io/ingress-nginx')).toMatchObject({ status: 'unknown', reason: 'the pods of k8s.io/ingress-nginx were not found' });
  });
  test('whose pods are not ready', () => {
    const healthy = (edit: Edit) => reportOf('route/class', edit, 'ingress-healthy');
    expect(healthy(nothing)).toMatchObject({ status: 'pass', summary: 'class contour: Contour, 3 of 3 pods ready' });
    const pods = (change: (list: NonNullable<ReturnType<typeof proxyOf>>['pods']) => void) => front((f) => change(proxyOf(f)?.pods ?? []));
    const proxyOf = (f: Front) => valueOf(f.proxy);
    const notReady = (p: { status: { conditions: { type: string; status: string }[] } }) =>
      p.status.conditions.forEach((c) => void (c.type === 'Ready' && (c.status = 'False')));
    expect(healthy(pods((list) => notReady(first(list))))).toMatchObject({ summary: 'class contour: Contour, 2 of 3 pods ready' });
    expect(healthy(pods((list) => list.forEach(notReady))).findings).toMatchObject([
      {
        code: 'route-controller-down',
        object: { kind: 'Pod', namespace: 'projectcontour', name: 'envoy-97fh6' },
        message: 'Contour: none of 3 pods that take the requests is ready',
        evidence: [{ source: 'pods', text: 'projectcontour/envoy-97fh6: Running, not ready' }, { text: 'projectcontour/envoy-lhnbl: Running, not ready' }, {}],
        fix: [{ text: 'Find out why Contour does not run', command: 'kubectl -n projectcontour describe pod envoy-97fh6' }],
      },
    ]);
    expect(healthy(pods((list) => list.splice(0))).findings).toMatchObject([
      {
        object: { kind: 'IngressClass', name: 'contour' },
        message: 'Contour: no pod takes the requests of class contour',
        evidence: [],
        fix: [{ command: 'kubectl get pods -A' }],
      },
    ]);
  });
});

describe('the class of a Gateway', () => {
  const of = (edit: Edit) => reportOf('route/class', edit, 'route-healthy');
  const idle = front((f) => gatewayOf(f).status.conditions.splice(0));
  const ownClass = (f: Front) => first(valueOf(f.gatewayClasses));
  test('that a controller serves, although it leaves the class alone', () => {
    expect(of(nothing)).toMatchObject({ status: 'pass', summary: expect.stringContaining('class example: Contour') as string });
    for (const type of ['Programmed', 'Accepted'])
      expect(of(front((f) => void (gatewayOf(f).status.conditions = [{ type, status: 'True' }])))).toMatchObject({ status: 'pass' });
  });
  test('that no controller has accepted', () => {
    expect(of(idle).findings).toMatchObject([
      {
        object: { kind: 'GatewayClass', namespace: '', name: 'example' },
        message: 'No controller has accepted GatewayClass "example" (projectcontour.io/gateway-controller): Waiting for controller',
        evidence: [{ source: 'gatewayclasses', text: 'Accepted: Unknown, Pending' }],
        fix: [{ text: 'Check that the controller projectcontour.io/gateway-controller runs', command: 'kubectl get gatewayclasses' }],
      },
    ]);
    expect(
      of(
        all(
          idle,
          front((f) => ownClass(f).status.conditions.splice(0)),
        ),
      ).findings[0],
    ).toMatchObject({
      message: 'No controller has accepted GatewayClass "example" (projectcontour.io/gateway-controller)',
      evidence: [{ text: 'Accepted: not set' }],
    });
    expect(
      of(
        all(
          idle,
          front((f) => ownClass(f).status.conditions.forEach((c) => void (c.status = 'True'))),
        ),
      ).status,
    ).toBe('pass');
  });
  test('that does not exist', () => {
    const other = front((f) => void (gatewayOf(f).spec.gatewayClassName = 'exmaple'));
    expect(of(other).findings).toMatchObject([
      {
        object: { kind: 'Gateway', namespace: 'projectcontour', name: 'contour' },
        message: 'Gateway "contour" is of class "exmaple", which does not exist; there are: example',
        evidence: [{ text: 'example' }],
        fix: [{ text: 'Set spec.gatewayClassName to a class that exists' }],
      },
    ]);
    expect(of(front((f) => void (f.gatewayClasses = seen([])))).findings[0]).toMatchObject({
      message: 'Gateway "contour" is of class "example", which does not exist',
      evidence: [{ text: 'none' }],
    });
    expect(of(front((f) => void (f.gatewayClasses = unseen('forbidden', 'classes', 'not allowed'))))).toMatchObject({
      status: 'unknown',
      reason: 'not allowed',
    });
  });
});

describe('the Gateway', () => {
  const of = (edit: Edit) => reportOf('route/gateway', edit, 'route-healthy');
  const status = (change: (s: ReturnType<typeof gatewayOf>['status']) => void) => front((f) => change(gatewayOf(f).status));
  test('that is programmed, with its addresses', () => {
    expect(of(nothing)).toMatchObject({ status: 'pass', summary: 'Gateway projectcontour/contour: 1 listener, no address' });
    expect(of(status((s) => s.addresses.push({ value: '192.0.2.1' }, { value: 'lb.example.com' })))).toMatchObject({
      summary: 'Gateway projectcontour/contour: 1 listener, 192.0.2.1, lb.example.com',
    });
  });
  test('whose listener is refused, or in conflict', () => {
    const refused = status(
      (s) =>
        void (first(s.listeners).conditions = [
          { type: 'Accepted', status: 'False', reason: 'PortUnavailable', message: 'in use' },
          { type: 'Programmed', status: 'False' },
        ]),
    );
    expect(of(refused).findings).toMatchObject([
      {
        severity: 'error',
        object: { kind: 'Gateway', namespace: 'projectcontour', name: 'contour' },
        message: 'Listener "http" of Gateway "contour": Accepted is False (PortUnavailable): in use',
        evidence: [{ source: 'gateway', text: 'http: Accepted=False, PortUnavailable: in use' }],
        fix: [{ text: 'Correct what the condition names', command: 'kubectl -n projectcontour describe gateway contour' }],
      },
    ]);
    for (const type of ['Conflicted', 'OverlappingTLSConfig']) {
      const is = (value: string) =>
        of(status((s) => void (first(s.listeners).conditions = [{ type, status: value, reason: 'X' }]))).findings.map((f) => f.message);
      expect(is('True')).toEqual([`Listener "http" of Gateway "contour": ${type} is True (X)`]);
      expect(is('False')).toEqual([]);
    }
  });
  test('another listener than the route uses', () => {
    const other = status((s) => s.listeners.push({ ...first(s.listeners), name: 'other', conditions: [{ type: 'Accepted', status: 'False', reason: 'X' }] }));
    expect(of(other)).toMatchObject({ status: 'pass' });
  });
  test('without an address it still serves; not programmed it does not', () => {
    const says = (reason: string) => of(status((s) => void (s.conditions = [{ type: 'Programmed', status: 'False', reason, message: 'wait' }]))).findings;
    expect(says('AddressNotAssigned')).toMatchObject([
      {
        severity: 'warning',
        message: 'Gateway "contour": Programmed is False (AddressNotAssigned): wait',
        evidence: [{ text: 'Programmed=False, AddressNotAssigned: wait' }],
      },
    ]);
    expect(says('AddressNotUsable')).toMatchObject([{ severity: 'warning' }]);
    expect(says('Invalid')).toMatchObject([{ severity: 'error', scope: 'all' }]);
  });
  test('of which no controller has said anything', () => {
    expect(of(status((s) => void (s.conditions = [{ type: 'Programmed', status: 'Unknown' }])))).toMatchObject({
      status: 'unknown',
      reason: 'no controller has written the status of Gateway "contour" yet',
    });
    expect(of(front((f) => void (f.gateways = seen([]))))).toMatchObject({ status: 'skip', reason: 'no Gateway is concerned' });
  });
});

describe('the attachment of a route', () => {
  const ns = 'sc-route-healthy';
  const of = (edit: Edit) => reportOf('route/attached', edit, 'route-healthy');
  const route = (change: (r: ReturnType<typeof ownRoute>) => void) => front((f) => change(ownRoute(f, ns)));
  const parent = (change: (p: ReturnType<typeof ownRoute>['spec']['parentRefs'][number]) => void) => route((r) => change(first(r.spec.parentRefs)));
  test('to which listeners', () => {
    expect(of(nothing)).toMatchObject({ status: 'pass', summary: 'attached to contour/http' });
    expect(of(front((f) => void (f.namespaces = unseen('forbidden', 'namespaces', 'not allowed'))))).toMatchObject({
      summary: 'attached to contour/http (labels of namespaces were not read)',
    });
  });
  test('to a listener that is not there: its name is proposed where there is one only', () => {
    const [one] = of(parent((p) => void (p.sectionName = 'https'))).findings;
    expect(one).toMatchObject({
      severity: 'error',
      scope: 'all',
      object: { kind: 'HTTPRoute', namespace: ns, name: 'shop' },
      message: 'HTTPRoute "shop" is not attached: there is no listener "https" of Gateway projectcontour/contour; it has: http',
      evidence: [{ source: 'route', text: 'spec.parentRefs[0].sectionName' }],
      fix: [{ text: 'Name the listener "http"' }],
    });
    expect(patched(one?.fix[0]?.command)).toBe('[{"op":"replace","path":"/spec/parentRefs/0/sectionName","value":"http"}]');
    const two = all(
      parent((p) => void (p.sectionName = 'https')),
      front((f) => gatewayOf(f).spec.listeners.push({ ...first(gatewayOf(f).spec.listeners), name: 'other' })),
    );
    expect(of(two).findings[0]?.fix).toMatchObject([
      { text: 'Change spec.parentRefs[0].sectionName of the route', command: `kubectl -n ${ns} describe httproute/shop` },
    ]);
  });
  test('to one of two Gateways: a warning', () => {
    const both = route((r) => r.spec.parentRefs.push({ ...first(r.spec.parentRefs), name: 'other' }));
    expect(of(both).findings).toMatchObject([{ severity: 'warning', scope: 'part', evidence: [{ text: 'spec.parentRefs[1].name' }] }]);
  });
  test('that the Gateway does not let in', () => {
    const same = front((f) => void (first(gatewayOf(f).spec.listeners).allowedRoutes = { namespaces: { from: 'Same' }, kinds: [] }));
    expect(of(same).findings[0]?.fix[0]?.text).toMatch(/^Change spec\.listeners.* of Gateway contour$/);
  });
  test('that names no parent, or that a controller refuses', () => {
    expect(of(route((r) => r.spec.parentRefs.splice(0))).findings).toMatchObject([
      {
        message: 'HTTPRoute "shop" names no parent: spec.parentRefs is empty',
        evidence: [{ source: 'route', text: 'spec.parentRefs is not set' }],
        fix: [{ text: 'Name a Gateway in spec.parentRefs', command: 'kubectl get gateways -A' }],
      },
    ]);
    const refused = (condition: object) => route((r) => void (first(r.status.parents).conditions = [{ type: 'Accepted', status: 'False', ...condition }]));
    expect(of(refused({ reason: 'NotAllowed', message: 'no' })).findings).toMatchObject([
      {
        severity: 'error',
        scope: 'all',
        message: 'HTTPRoute "shop" is not accepted: no',
        evidence: [{ source: 'status', text: 'contour: Accepted=False, NotAllowed: no' }],
        fix: [{ text: 'Correct what the condition names', command: `kubectl -n ${ns} describe httproute/shop` }],
      },
    ]);
    expect(of(refused({ reason: 'NotAllowed' })).findings[0]?.message).toBe('HTTPRoute "shop" is not accepted: NotAllowed');
    expect(of(route((r) => void (first(r.status.parents).conditions = [{ type: 'ResolvedRefs', status: 'False' }]))).findings).toEqual([]);
  });
});

describe('the certificate in front', () => {
  const at = '2026-11-26T06:58:50.269Z';
  const certificate = { names: ['ingress-healthy.example.com'], from: '2026-01-02T00:00:00.000Z', to: '2027-01-02T00:00:00.000Z', issuer: 'own' };
  const tls = (secretName: string | undefined) =>
    front((f) => void (ownIngress(f, 'sc-ingress-healthy').spec.tls = [{ hosts: ['ingress-healthy.example.com'], secretName }]));
  const secret = (value: object | null) => front((f) => void (f.secrets['sc-ingress-healthy/shop-tls'] = seen(value as never)));
  const answered = (change: Partial<NonNullable<Answer['certificate']>> | null): Edit =>
    edited('frontAnswers', (list) => list.forEach((a) => Object.assign(a, { at, certificate: change && { ...certificate, ...change } })));
  const of = (...edits: Edit[]) => reportOf('route/tls', all(tls('shop-tls'), secret({}), answered({}), ...edits), 'ingress-healthy');
  test('that is for the host, and valid', () => {
    expect(of()).toMatchObject({ status: 'pass', summary: 'certificate for ingress-healthy.example.com, from 2026-01-02 to 2027-01-02, by own' });
    expect(of(answered({ names: ['*.example.com', 'x.example.org'] }))).toMatchObject({ status: 'pass' });
  });
  test('that is for another host, or ran out', () => {
    expect(of(answered({ names: ['shop.example.org', '*.b.example.com'] })).findings).toMatchObject([
      {
        severity: 'error',
        object: { kind: 'Ingress', namespace: 'sc-ingress-healthy', name: 'shop' },
        message: 'The certificate is for shop.example.org, *.b.example.com, not for ingress-healthy.example.com',
        evidence: [{ source: 'tls', text: 'for shop.example.org, *.b.example.com, from 2026-01-02 to 2027-01-02, by own' }],
        fix: [{ text: 'Give a certificate that names ingress-healthy.example.com' }],
      },
    ]);
    expect(of(answered({ to: '2026-11-26T06:58:50.000Z' })).findings).toMatchObject([
      { message: 'The certificate ran out on 2026-11-26', fix: [{ text: 'Renew the certificate' }] },
    ]);
    expect(of(answered({ to: at })).findings).toEqual([]);
  });
  test('whose Secret is not there', () => {
    expect(of(secret(null)).findings).toMatchObject([
      {
        severity: 'error',
        message: 'The Secret sc-ingress-healthy/shop-tls, which spec.tls of Ingress "shop" names, does not exist',
        evidence: [{ text: 'secrets "sc-ingress-healthy/shop-tls" not found' }],
        fix: [{ text: 'Create the Secret sc-ingress-healthy/shop-tls with tls.crt and tls.key, or correct its name' }],
      },
    ]);
    const plain = edited('target', (t) => void (t.front = { kind: 'ingress', namespace: 'sc-ingress-healthy', name: 'shop', scheme: 'http' } as never));
    expect(of(secret(null), plain).findings).toMatchObject([{ severity: 'warning' }]);
    expect(of(front((f) => void (f.secrets['sc-ingress-healthy/shop-tls'] = unseen('forbidden', 'secrets', 'not allowed')))).status).toBe('pass');
  });
  test('that was not seen', () => {
    expect(of(answered(null))).toMatchObject({ status: 'unknown', reason: 'no certificate was seen' });
    expect(
      of(
        tls(undefined),
        edited('frontAnswers', (list) => list.splice(0)),
      ),
    ).toMatchObject({ status: 'skip', reason: 'no certificate was seen' });
    expect(reportOf('route/tls', nothing, 'ingress-healthy')).toMatchObject({ status: 'skip', reason: 'the request is not over TLS' });
  });
});

describe('a real request', () => {
  const of = (change: (list: Answer[]) => void) => reportOf('route/request', edited('frontAnswers', change), 'ingress-healthy');
  const each = (change: Partial<Answer>) => of((list) => list.forEach((a) => Object.assign(a, change)));
  const url = 'http://ingress-healthy.example.com/';
  test('that is answered by the program, or by the proxy itself', () => {
    expect(of(() => undefined)).toMatchObject({ status: 'pass', summary: `${url}: HTTP 200 by the program` });
    expect(each({ status: 301, headers: { server: 'envoy' } })).toMatchObject({ status: 'pass', summary: `${url}: HTTP 301 by the proxy` });
    expect(of((list) => list.splice(0))).toMatchObject({ status: 'unknown', reason: 'no pod that takes the requests could be asked' });
  });
  test('that fails by the program', () => {
    const direct = { pod: 'shop-1', status: 503, error: '' };
    expect(each({ status: 503, body: '<h1>Down</h1>\nsecond line', direct }).findings).toMatchObject([
      {
        code: 'http-failing',
        scope: 'all',
        message: `Ingress "shop": ${url} is answered with 503 by the program in pod shop-1`,
        evidence: [
          { source: 'probe', text: `pod projectcontour/envoy-97fh6: ${url}: HTTP 503 by the program (server: envoy)` },
          { text: `pod projectcontour/envoy-lhnbl: ${url}: HTTP 503 by the program (server: envoy)` },
          { source: 'answer', text: 'Down' },
          { text: 'through the API server, pod shop-1 itself: HTTP 503' },
        ],
        fix: [{ text: 'Read the log of the program', command: 'kubectl -n sc-ingress-healthy logs shop-1 --tail=50' }],
      },
    ]);
  });
  test('that fails by the proxy, or gets no answer', () => {
    const [byProxy] = each({ status: 502, headers: {}, direct: { pod: 'shop-1', status: null, error: 'no route' } }).findings;
    expect(byProxy).toMatchObject({
      code: 'route-request-failing',
      message: `Ingress "shop": ${url} is answered with 502 by the proxy`,
      evidence: [
        { text: `pod projectcontour/envoy-97fh6: ${url}: HTTP 502 by the proxy` },
        {},
        { text: 'through the API server, pod shop-1 itself: no route' },
      ],
      fix: [{ text: 'Read the log of the proxy', command: 'kubectl -n projectcontour logs envoy-97fh6 --all-containers --tail=50' }],
    });
    const [none] = each({ status: null, error: 'nothing listens on port 80', headers: {} }).findings;
    expect(none).toMatchObject({
      message: `Ingress "shop": no answer came to ${url} (nothing listens on port 80)`,
      evidence: [{ text: `pod projectcontour/envoy-97fh6: ${url}: nothing listens on port 80` }, {}],
    });
    expect(of((list) => Object.assign(first(list), { status: 500 })).findings).toMatchObject([{ scope: 'part' }]);
    expect(each({ status: 404, headers: {} }).findings).toMatchObject([{ code: 'route-request-failing' }]);
    expect(each({ status: 404 }).findings).toEqual([]);
  });
});

describe('the object that was asked for', () => {
  const asked = (kind: 'ingress' | 'route', name: string): Edit => edited('target', (t) => void (t.front = { kind, namespace: t.namespace, name } as never));
  const of = (edit: Edit, incident = 'ingress-healthy') => reportOf('route/exists', edit, incident);
  test('that does not exist: where there is one, and what is like it', () => {
    expect(of(asked('ingress', 'shpo')).findings).toMatchObject([
      {
        code: 'route-not-found',
        message: 'Ingress "shpo" does not exist in namespace sc-ingress-healthy; did you mean "shop"?',
        evidence: [{ source: 'ingresses', text: 'in this namespace: shop' }],
        fix: [{ text: 'List all of them', command: 'kubectl get ingresses -A' }],
      },
    ]);
    const elsewhere = all(
      asked('ingress', 'shop'),
      edited('target', (t) => void (t.front = { kind: 'ingress', namespace: 'empty', name: 'shop' } as never)),
    );
    const [found] = of(elsewhere).findings;
    expect(found?.message).toMatch(/^Ingress "shop" does not exist in namespace empty; there is one in namespace sc-ingress-class-missing, /);
    expect(found?.evidence).toMatchObject([{ text: 'there are none in this namespace' }]);
    expect(of(asked('route', 'nothing-alike'), 'route-healthy').findings).toMatchObject([
      {
        message: 'Route "nothing-alike" does not exist in namespace sc-route-healthy',
        evidence: [{ source: 'routes', text: 'in this namespace: shop' }],
        fix: [{ command: 'kubectl get httproutes,grpcroutes -A' }],
      },
    ]);
  });
  test('that could not be read', () => {
    const unread = unseen('forbidden', 'ingresses', 'not allowed');
    expect(
      of(
        all(
          asked('ingress', 'shpo'),
          front((f) => void (f.ingresses = unread)),
        ),
      ),
    ).toMatchObject({ status: 'unknown', reason: 'not allowed' });
    expect(
      of(
        all(
          asked('route', 'shpo'),
          front((f) => void (f.routes = unread)),
        ),
        'route-healthy',
      ),
    ).toMatchObject({ status: 'unknown', reason: 'not allowed' });
  });
});

describe('what claims a URL', () => {
  const host = 'route-healthy-weights.example.com';
  const url = (path = '/shop', asked = host): Edit =>
    edited('target', (t) => void (t.front = { kind: 'url', namespace: '', name: '', host: asked, path, scheme: 'http' }));
  /** The path that the one rule of each route claims. */
  const claimed = (value: string): Edit =>
    front((f) =>
      valueOf(f.routes).forEach((r) =>
        r.spec.rules.forEach((rule) => void (rule.matches = [{ method: null, headers: [], queryParams: [], path: { type: 'RegularExpression', value } }])),
      ),
    );
  const exists = (...edits: Edit[]) => reportOf('route/exists', all(url(), ...edits), 'route-host-not-claimed');
  test('a rule, by its path', () => {
    expect(exists()).toMatchObject({ status: 'pass', summary: `HTTPRoute sc-route-healthy-weights/shop claims ${host}/shop (spec.rules[0].matches[0])` });
  });
  test('a regular expression that matches claims the path, and one that does not leaves it without a rule', () => {
    expect(exists(claimed('/sh.p'))).toMatchObject({ status: 'pass', findings: [] });
    expect(exists(claimed('/cart.*')).findings).toMatchObject([
      {
        code: 'route-not-found',
        message: `No rule claims the path /shop of ${host}`,
        evidence: [{ source: 'routes', text: expect.stringMatching(/^hosts that are claimed: .*route-healthy-weights\.example\.com/) as string }],
        fix: [{ text: 'Correct the host and path of a rule, or the parentRefs of the route that should have them' }],
      },
    ]);
  });
  test('whether an expression of another kind claims the path is not known, and no rule is said to be missing', () => {
    expect(exists(claimed('/(?!cart).*'))).toMatchObject({ status: 'unknown', findings: [], reason: expect.stringContaining('/(?!cart).*') as string });
  });
  test('nothing, of another host', () => {
    const [near] = exists(url('/', host.replace('weights', 'weihgts'))).findings;
    expect(near?.message).toBe(`No Ingress and no route that is attached claims the host ${host.replace('weights', 'weihgts')}; did you mean "${host}"?`);
    const none = all(
      url('/', 'x.example.org'),
      front((f) => void (f.routes = seen([]))),
    );
    expect(exists(none).findings).toMatchObject([
      { message: 'No Ingress and no route that is attached claims the host x.example.org', evidence: [{ text: 'no host is claimed' }] },
    ]);
    expect(
      exists(
        url('/', 'x.example.org'),
        front((f) => void (f.routes = unseen('forbidden', 'routes', 'not allowed'))),
      ),
    ).toMatchObject({ status: 'unknown', reason: 'not allowed' });
  });
});

describe('the rule that gets the request', () => {
  const of = (edit: Edit, incident: string) => reportOf('route/rule', edit, incident);
  test('its own, alone or before others', () => {
    expect(of(nothing, 'route-healthy')).toMatchObject({ status: 'pass', summary: 'spec.rules[0].matches[0] gets route-healthy.example.com/' });
    const rival = front((f) =>
      valueOf(f.routes).push({
        ...ownRoute(f, 'sc-route-healthy'),
        metadata: { ...ownRoute(f, 'sc-route-healthy').metadata, name: 'later', creationTimestamp: '2027-01-01T00:00:00Z' },
      }),
    );
    expect(of(rival, 'route-healthy')).toMatchObject({ summary: 'spec.rules[0].matches[0] gets route-healthy.example.com/, before 1 other rules' });
  });
  test('an older one that claims the same', () => {
    const older = front((f) =>
      valueOf(f.routes).push({
        ...ownRoute(f, 'sc-route-healthy'),
        metadata: { ...ownRoute(f, 'sc-route-healthy').metadata, name: 'older', creationTimestamp: '2020-01-01T00:00:00Z' },
      }),
    );
    expect(of(older, 'route-healthy').findings).toMatchObject([
      {
        code: 'route-overridden',
        severity: 'error',
        confidence: 'confirmed',
        message: 'HTTPRoute sc-route-healthy/older gets route-healthy.example.com/ before HTTPRoute "shop": both claim the same, and it is older',
      },
    ]);
    const ofIngress = front((f) => {
      const own = ownIngress(f, 'sc-ingress-healthy');
      valueOf(f.ingresses).push({ ...own, metadata: { ...own.metadata, name: 'older', creationTimestamp: '2020-01-01T00:00:00Z' } });
    });
    expect(of(ofIngress, 'ingress-healthy').findings).toMatchObject([{ severity: 'warning', confidence: 'likely', object: { kind: 'Ingress', name: 'shop' } }]);
  });
});

describe('the backends of a rule', () => {
  const ns = 'sc-route-healthy';
  const of = (edit: Edit, incident = 'route-healthy') => reportOf('route/backends', edit, incident);
  const rule = (change: (r: ReturnType<typeof ownRoute>['spec']['rules'][number]) => void) => front((f) => change(first(ownRoute(f, ns).spec.rules)));
  const backend = (change: (b: ReturnType<typeof ownRoute>['spec']['rules'][number]['backendRefs'][number]) => void) =>
    rule((r) => change(first(r.backendRefs)));
  test('that are right', () => expect(of(nothing)).toMatchObject({ status: 'pass', findings: [] }));
  test('none, or none that gets anything', () => {
    expect(of(rule((r) => r.backendRefs.splice(0))).findings).toMatchObject([
      {
        message: 'HTTPRoute "shop": spec.rules[0].matches[0] names no backend, so its requests fail',
        scope: 'all',
        severity: 'error',
        evidence: [{ source: 'route', text: 'spec.rules[0].matches[0]: no backend' }],
      },
    ]);
    expect(of(backend((b) => void (b.weight = 0))).findings).toMatchObject([
      {
        message: 'HTTPRoute "shop": every backend of spec.rules[0].matches[0] has weight 0, so its requests fail',
        evidence: [{ text: `spec.rules[0].matches[0]: ${ns}/shop:80 weight 0` }],
        fix: [{ text: 'Give Service "shop" weight 1 in spec.rules[0].matches[0]' }],
      },
    ]);
    expect(patched(of(backend((b) => void (b.weight = 0))).findings[0]?.fix[0]?.command)).toBe(
      '[{"op":"replace","path":"/spec/rules/0/backendRefs/0/weight","value":1}]',
    );
    const none = rule((r) => void (r.backendRefs = [first(r.backendRefs), first(r.backendRefs)].map((b) => ({ ...b, weight: 0 }))));
    expect(of(none).findings[0]?.fix).toEqual([
      {
        text: 'Give a backend of spec.rules[0].matches[0] that is to serve a weight of more than 0',
        command: `kubectl -n ${ns} edit httproute shop`,
      },
    ]);
    expect(of(rule((r) => void (r.backendRefs = []))).findings[0]?.fix).toEqual([
      { text: 'Name a Service in spec.rules[0].matches[0]', command: `kubectl -n ${ns} edit httproute shop` },
    ]);
    const redirect = rule((r) => Object.assign(r, { backendRefs: [], filters: [{ type: 'RequestRedirect' }] }));
    expect(of(redirect).findings).toEqual([]);
  });
  test('one of two that is not there', () => {
    const [found] = of(rule((r) => r.backendRefs.push({ ...first(r.backendRefs), name: 'shpo' }))).findings;
    expect(found).toMatchObject({ scope: 'part', evidence: [{ text: `spec.rules[0].matches[0]: ${ns}/shop:80 weight 1, ${ns}/shpo:80 weight 1` }] });
    expect(patched(found?.fix[0]?.command)).toBe('[{"op":"replace","path":"/spec/rules/0/backendRefs/1/name","value":"shop"}]');
  });
  test('with another port', () => {
    const [found] = of(backend((b) => void (b.port = 8080))).findings;
    expect(found).toMatchObject({ scope: 'all', message: expect.stringContaining('port 8080') as string });
    expect(patched(found?.fix[0]?.command)).toBe('[{"op":"replace","path":"/spec/rules/0/backendRefs/0/port","value":80}]');
  });
  test('that a controller could not resolve, although they look right', () => {
    const refused = front(
      (f) => void (first(ownRoute(f, ns).status.parents).conditions = [{ type: 'ResolvedRefs', status: 'False', reason: 'X', message: 'no' }]),
    );
    expect(of(refused).findings).toMatchObject([
      {
        code: 'route-backend-invalid',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'all',
        object: { kind: 'HTTPRoute', namespace: ns, name: 'shop' },
        message: 'HTTPRoute "shop": ResolvedRefs is False (X): no',
        evidence: [{ source: 'status', text: 'ResolvedRefs=False, X: no' }],
        fix: [{ text: 'Correct the reference that the condition names', command: `kubectl -n ${ns} describe httproute shop` }],
      },
    ]);
  });
  test('in another namespace: a ReferenceGrant there names the route and the Service', () => {
    const from = { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'sc-route-not-granted' };
    const to = { group: '', kind: 'Service' };
    const isRefused = (namespace: string, spec: object) =>
      of(
        front((f) => void (f.referenceGrants = seen([{ metadata: { name: 'g', namespace }, spec }] as never))),
        'route-not-granted',
      ).findings.some((f) => f.message.includes('no ReferenceGrant there lets it be named'));
    const other = { group: 'x', kind: 'x', namespace: 'x' };
    expect(isRefused('route-other', { from: [from], to: [to] })).toBe(false);
    expect(isRefused('route-other', { from: [other, from], to: [other, { ...to, name: 'shop' }] })).toBe(false);
    expect(isRefused('elsewhere', { from: [from], to: [to] })).toBe(true);
    for (const change of [{ group: 'x' }, { kind: 'TCPRoute' }, { namespace: 'x' }])
      expect(isRefused('route-other', { from: [{ ...from, ...change }], to: [to] }), JSON.stringify(change)).toBe(true);
    for (const change of [{ group: 'x' }, { kind: 'Secret' }, { name: 'other' }])
      expect(isRefused('route-other', { from: [from], to: [{ ...to, ...change }] }), JSON.stringify(change)).toBe(true);
    const unread = front((f) => void (f.referenceGrants = unseen('forbidden', 'referencegrants', 'not allowed')));
    // What the controller says of it remains.
    expect(of(unread, 'route-not-granted').findings.map((f) => f.message)).toEqual([
      expect.stringMatching(/^HTTPRoute "shop": ResolvedRefs is False \(RefNotPermitted\): /),
    ]);
  });
  test('without a Service that is near, or with several ports', () => {
    expect(of(backend((b) => void (b.name = 'quite-another'))).findings).toMatchObject([
      {
        message: `HTTPRoute "shop": Service ${ns}/quite-another does not exist`,
        fix: [{ text: 'Create the Service, or name another in spec.rules[0].matches[0]', command: `kubectl -n ${ns} get services` }],
      },
    ]);
    const two = front((f) => {
      const own = valueOf(f.services).find((s) => s.metadata.namespace === ns && s.metadata.name === 'shop');
      own?.spec.ports.push({ ...first(own.spec.ports), name: '', port: 81 });
    });
    const fix = [{ text: 'Name one of its ports in spec.rules[0].matches[0]' }];
    expect(
      of(
        all(
          two,
          backend((b) => void (b.port = 8080)),
        ),
      ).findings,
    ).toMatchObject([{ message: `HTTPRoute "shop": Service ${ns}/shop has no port 8080; it has: 80 (http), 81`, fix }]);
    expect(
      of(
        all(
          two,
          backend((b) => void (b.port = undefined as never)),
        ),
      ).findings,
    ).toMatchObject([{ message: `HTTPRoute "shop": no port of Service ${ns}/shop is named`, fix }]);
    expect(
      of(
        all(
          two,
          backend((b) => void (b.port = 81)),
        ),
      ).findings,
    ).toEqual([]);
  });
  test('of each rule, weight and kind', () => {
    const more = front((f) => {
      const { rules } = ownRoute(f, ns).spec;
      const [own] = structuredClone(rules);
      if (own) rules.push({ ...own, matches: [{ ...first(own.matches), path: { type: 'PathPrefix', value: '/cart' } }] });
      first(first(rules).backendRefs).name = 'shpo';
    });
    expect(of(more).findings).toMatchObject([{ message: expect.stringContaining('shpo does not exist') as string }]);
    const weightless = rule((r) => r.backendRefs.push({ ...first(r.backendRefs), name: 'shpo', weight: 0 }));
    expect(of(weightless).findings).toMatchObject([{ scope: 'part' }]);
    const foreign = rule((r) => r.backendRefs.push({ ...first(r.backendRefs), kind: 'Bucket', group: 'example.com', name: 'files' }));
    expect(of(foreign).findings).toEqual([]);
  });
  test('of Services that could not be read', () => {
    expect(of(front((f) => void (f.services = unseen('forbidden', 'services', 'not allowed'))))).toMatchObject({ status: 'unknown', reason: 'not allowed' });
  });
  test('of an Ingress, by name or number', () => {
    const path = (change: (b: { name: string; port?: unknown }) => void) =>
      front((f) => change(ownIngress(f, 'sc-ingress-healthy').spec.rules[0]?.http?.paths[0]?.backend.service as never));
    const [named] = of(
      path((b) => void (b.port = { name: 'web' })),
      'ingress-healthy',
    ).findings;
    expect(named?.message).toContain('web');
    const [missing] = of(
      path((b) => void (b.name = 'shpo')),
      'ingress-healthy',
    ).findings;
    expect(patched(missing?.fix[0]?.command)).toBe('[{"op":"replace","path":"/spec/rules/0/http/paths/0/backend/service/name","value":"shop"}]');
  });
});
