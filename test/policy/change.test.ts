/** What is proposed is the smallest change that the evaluator, asked again, finds to be enough. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NetworkPolicy } from '../../src/facts/objects.ts';
import { manifestOf, smallestChange } from '../../src/policy/change.ts';
import { pluginOf } from '../../src/policy/plugin.ts';
import { outside } from '../../src/policy/world.ts';
import { api, ask, far, pod, policy, setOf, web } from './people.ts';

const proposed = (policies: NetworkPolicy[], other = api, labels?: Record<string, string>) =>
  smallestChange({
    direction: 'ingress',
    denied: [{ self: web, other, connection: { port: 8080, protocol: 'TCP' } }],
    candidates: policies,
    set: setOf(policies),
    labels,
  });

describe('the smallest change', () => {
  test('a rule for the right client without the port: one port more', () => {
    const change = proposed([policy({ podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { role: 'api' } } }], ports: [{ port: 80 }] }] })]);
    expect(change).toMatchObject({ whole: true, patch: [{ op: 'add', path: '/spec/ingress/0/ports/-', value: { port: 8080, protocol: 'TCP' } }] });
  });
  test('a rule for a mistyped label: one peer more', () => {
    const change = proposed([policy({ podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { role: 'API' } } }], ports: [{ port: 8080 }] }] })]);
    expect(change?.patch).toEqual([{ op: 'add', path: '/spec/ingress/0/from/-', value: { podSelector: { matchLabels: { role: 'api' } } } }]);
    expect(change?.opens).toBe('pods with role=api of namespace shop in rule 1');
  });
  test('nothing comes near: a rule of its own, with no more than the client and the port', () => {
    const change = proposed([policy({ podSelector: {} })], far);
    expect(change?.patch).toEqual([
      {
        op: 'add',
        path: '/spec/ingress',
        value: [
          {
            from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'other' } }, podSelector: { matchLabels: { role: 'api' } } }],
            ports: [{ port: 8080, protocol: 'TCP' }],
          },
        ],
      },
    ]);
  });
  test('labels that a controller gives to each pod are left out', () => {
    const change = proposed([policy({ podSelector: {} })], pod('x', { app: 'x', 'pod-template-hash': 'abc' }, '10.0.0.9'));
    expect(JSON.stringify(change?.patch)).not.toContain('pod-template-hash');
  });
  test('a pod that means any of its namespace is named by the namespace', () => {
    expect(proposed([policy({ podSelector: {} })], pod('', { 'app.kubernetes.io/managed-by': 'k8s-doctor' }, ''))?.opens).toBe(
      'all pods of namespace shop, port 8080/TCP',
    );
  });
  test('an address outside is named as one', () => {
    expect(proposed([policy({ podSelector: {} })], outside('203.0.113.9'))?.patch?.[0]?.value).toEqual([
      { from: [{ ipBlock: { cidr: '203.0.113.9/32' } }], ports: [{ port: 8080, protocol: 'TCP' }] },
    ]);
    expect(proposed([policy({ podSelector: {} })], outside())).toBeUndefined();
  });
  test('a rule of a kind that comes first can not be undone by a NetworkPolicy', () => {
    const set = setOf(
      [policy({ podSelector: {} })],
      [
        {
          apiVersion: 'policy.networking.k8s.io/v1alpha1',
          kind: 'AdminNetworkPolicy',
          metadata: { name: 'a' },
          spec: { priority: 1, subject: { namespaces: {} }, ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }] },
        },
      ],
    );
    expect(
      smallestChange({
        direction: 'ingress',
        denied: [{ self: web, other: api, connection: { port: 1, protocol: 'TCP' } }],
        candidates: [policy({ podSelector: {} })],
        set,
      }),
    ).toBeUndefined();
  });
  test('whatever denies a pod another pod, some change allows it', () => {
    const labels = fc.dictionary(fc.constantFrom('app', 'role', 'tier'), fc.constantFrom('a', 'b', 'web'));
    const peer = fc.oneof(
      fc.record({ podSelector: fc.record({ matchLabels: labels }) }),
      fc.record({ namespaceSelector: fc.record({ matchLabels: labels }) }),
      fc.constant({ ipBlock: { cidr: '192.0.2.0/24' } }),
    );
    const rule = fc.record({ from: fc.array(peer, { maxLength: 3 }), ports: fc.array(fc.record({ port: fc.constantFrom(80, 8080) }), { maxLength: 2 }) });
    const spec = fc.record({ podSelector: fc.constant({}), ingress: fc.array(rule, { maxLength: 3 }) });
    fc.assert(
      fc.property(fc.array(spec, { minLength: 1, maxLength: 3 }), labels, fc.constantFrom('shop', 'other'), (specs, own, namespace) => {
        const policies = specs.map((s, i) => policy(s, 'shop', `p${i}`));
        const other = pod('c', own, '10.0.0.9', { namespace, namespaceLabels: { 'kubernetes.io/metadata.name': namespace } });
        fc.pre(ask('ingress', web, other, 8080, setOf(policies)).verdict === 'denied');
        expect(proposed(policies, other)?.whole).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('whom else a change lets through', () => {
  const denied = [{ self: web, other: api, connection: { port: 8080, protocol: 'TCP' as const } }];
  const closed = [policy({ podSelector: {} })];
  const own = { labels: { app: 'web' }, name: 'allow-api-to-web' };
  const db = pod('db', { app: 'db' }, '10.0.0.7');

  test('a policy that selects every pod is left as it is: the workload gets one of its own', () => {
    const change = smallestChange({ direction: 'ingress', denied, candidates: closed, set: setOf(closed), own, known: [web, api, db] });
    expect(change).toMatchObject({ whole: true, patch: null, others: [], policy: { metadata: { name: 'allow-api-to-web', namespace: 'shop' } } });
    expect(change && manifestOf(change.policy)).toMatchObject({
      kind: 'NetworkPolicy',
      spec: { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Ingress'] },
    });
  });
  test('without labels of the workload a rule is added, and the others that it lets through are named', () => {
    const change = smallestChange({ direction: 'ingress', denied, candidates: closed, set: setOf(closed), known: [web, api, db] });
    expect(change?.patch).not.toBeNull();
    expect(change?.others).toEqual(['api → db']);
  });
  test('a policy of its own never closes a pod that is open', () => {
    // Only web-0 is closed; a policy for all pods with app=web would close the other one for everybody else.
    const first = pod('web-0', { app: 'web', slot: '0' }, '10.0.0.20');
    const second = pod('web-1', { app: 'web', slot: '1' }, '10.0.0.21');
    const guard = [policy({ podSelector: { matchLabels: { slot: '0' } } })];
    const change = smallestChange({
      direction: 'ingress',
      denied: [{ self: first, other: api, connection: { port: 8080, protocol: 'TCP' } }],
      candidates: guard,
      set: setOf(guard),
      own,
      known: [first, second, api],
    });
    expect(change?.patch).not.toBeNull();
  });
  test('a taken name is not taken again', () => {
    const taken = [...closed, policy({ podSelector: { matchLabels: { app: 'nobody' } } }, 'shop', 'allow-api-to-web')];
    const change = smallestChange({ direction: 'ingress', denied, candidates: closed, set: setOf(taken), own, known: [web, api] });
    expect(change?.policy.metadata.name).toBe('allow-api-to-web-2');
  });
});

describe('egress', () => {
  const denied = [{ self: api, other: web, connection: { port: 8080, protocol: 'TCP' as const } }];
  const asked = (candidates: NetworkPolicy[], more: object = {}) =>
    smallestChange({ direction: 'egress', denied, candidates, set: setOf(candidates), ...more });
  const closed = (egress: object[]) => [policy({ podSelector: {}, policyTypes: ['Egress'], egress })];

  test('a port more, a peer more, a rule of its own', () => {
    const toWeb = { to: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 80 }] };
    expect(asked(closed([toWeb]))).toMatchObject({
      patch: [{ op: 'add', path: '/spec/egress/0/ports/-', value: { port: 8080, protocol: 'TCP' } }],
      opens: 'port 8080/TCP to those that rule 1 already names',
    });
    const toOther = { to: [{ podSelector: { matchLabels: { app: 'WEB' } } }], ports: [{ port: 8080 }] };
    expect(asked(closed([toOther]))).toMatchObject({
      patch: [{ op: 'add', path: '/spec/egress/0/to/-', value: { podSelector: { matchLabels: { app: 'web' } } } }],
      opens: 'pods with app=web of namespace shop in rule 1',
    });
    const toNobody = { to: [{ ipBlock: { cidr: '192.0.2.0/24' } }] };
    expect(asked(closed([toNobody]))?.patch).toEqual([
      {
        op: 'add',
        path: '/spec/egress/-',
        value: { to: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 8080, protocol: 'TCP' }] },
      },
    ]);
  });
  test('a policy of their own for the pods, as it is written in a manifest', () => {
    const change = asked(closed([]), { own: { labels: { role: 'api' }, name: 'Allow "API" → web!' }, known: [web, api] });
    expect(change?.patch).toBeNull();
    expect(change && manifestOf(change.policy)).toEqual({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'allow-api-web', namespace: 'shop' },
      spec: {
        podSelector: { matchLabels: { role: 'api' } },
        policyTypes: ['Egress'],
        egress: [{ to: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 8080, protocol: 'TCP' }] }],
      },
    });
  });
  test("a Service's selector names its pods, and not the labels of one of them", () => {
    expect(asked(closed([]), { labels: { app: 'web' } })?.opens).toBe('pods with app=web of namespace shop, port 8080/TCP');
  });
  test('others that it lets out are named from their side', () => {
    const db = pod('db', { app: 'db' }, '10.0.0.7');
    expect(asked(closed([]), { known: [web, api, db] })?.others).toEqual(['db → web']);
  });
});

describe('what a change is made of', () => {
  const ingress = (other: typeof web, policies: NetworkPolicy[], ports: number[] = [8080], more: object = {}) =>
    smallestChange({
      direction: 'ingress',
      denied: ports.map((port) => ({ self: web, other, connection: { port, protocol: 'TCP' as const } })),
      candidates: policies,
      set: setOf(policies),
      ...more,
    });
  test('only the policy that is changed is another one afterwards', () => {
    const mine = policy({ podSelector: {} }, 'shop', 'mine');
    const others = [
      policy({ podSelector: {}, policyTypes: ['Egress'], egress: [] }, 'shop', 'egress'),
      policy({ podSelector: { matchLabels: { app: 'db' } } }, 'shop', 'db'),
      policy({ podSelector: {} }, 'other', 'mine'),
    ];
    const db = pod('db', { app: 'db' }, '10.0.0.7');
    const elsewhere = pod('x', { app: 'x' }, '10.0.1.7', { namespace: 'other', namespaceLabels: { 'kubernetes.io/metadata.name': 'other' } });
    const change = smallestChange({
      direction: 'ingress',
      denied: [{ self: web, other: api, connection: { port: 8080, protocol: 'TCP' } }],
      candidates: [mine],
      set: setOf([mine, ...others]),
      known: [web, api, db, elsewhere, far],
    });
    expect(change).toMatchObject({ whole: true, others: ['api → db'], policy: { metadata: { name: 'mine', namespace: 'shop' } } });
  });
  test('of two changes that are enough, the one that lets fewer others through', () => {
    const wide = policy({ podSelector: {}, ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 80 }] }] }, 'shop', 'wide');
    const narrow = policy(
      { podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { role: 'api' } } }], ports: [{ port: 80 }] }] },
      'shop',
      'narrow',
    );
    const db = pod('db', { app: 'db' }, '10.0.0.7');
    const best = (...candidates: NetworkPolicy[]) => ingress(api, candidates, [8080], { known: [web, api, db] });
    for (const candidates of [
      [wide, narrow],
      [narrow, wide],
    ])
      expect(best(...candidates)).toMatchObject({ whole: true, policy: { metadata: { name: 'narrow' } }, others: ['api → db'] });
  });
  test('a change that is enough for all comes before one for some that lets fewer through', () => {
    const one = policy({ podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { role: 'api' } } }], ports: [{ port: 80 }] }] }, 'shop', 'one');
    const change = ingress(api, [one], [8080, 9090]);
    expect(change).toMatchObject({ whole: true, opens: 'port 8080/TCP, 9090/TCP to those that rule 1 already names' });
  });
  test('connections that were asked about are no others, nor is a pod to itself', () => {
    const two = [pod('web-0', { app: 'web' }, '10.0.0.20'), pod('web-1', { app: 'web' }, '10.0.0.21')];
    const closed = policy({ podSelector: {} });
    const change = smallestChange({
      direction: 'ingress',
      denied: two.map((self) => ({ self, other: api, connection: { port: 8080, protocol: 'TCP' as const } })),
      candidates: [closed],
      set: setOf([closed]),
      own: { labels: { app: 'web' }, name: 'x' },
      known: [...two, api],
    });
    expect(change).toMatchObject({ patch: null, whole: true, others: [] });
  });
  test('any pod of a namespace that was asked about means each of them', () => {
    const anyOf = pod('', {}, '');
    const db = pod('db', { app: 'db' }, '10.0.0.7');
    const change = ingress(anyOf, [policy({ podSelector: {} })], [8080], { own: { labels: { app: 'web' }, name: 'x' }, known: [web, api, db] });
    expect(change).toMatchObject({ whole: true, others: [], opens: 'all pods of namespace shop, port 8080/TCP' });
  });
  test('nodes and addresses outside are named as they are known', () => {
    const node = { pod: null, node: { name: 'node2', labels: {} }, addresses: ['192.0.2.2'] };
    const closed = policy({ podSelector: {} });
    const change = ingress(
      api,
      [
        policy({
          podSelector: {},
          ingress: [{ from: [{ ipBlock: { cidr: '192.0.2.0/24' } }, { podSelector: { matchLabels: { role: 'API' } } }], ports: [{ port: 80 }] }],
        }),
      ],
      [80],
      {
        known: [web, node, outside('203.0.113.9')],
      },
    );
    expect(change?.others).toEqual([]);
    expect(ingress(node, [closed])?.opens).toBe('192.0.2.2/32, port 8080/TCP');
  });
  test('an IPv6 address is a block of 128 bits', () => {
    expect(ingress(outside('2001:db8::9'), [policy({ podSelector: {} })])?.opens).toBe('2001:db8::9/128, port 8080/TCP');
  });
  test('each port once', () => {
    expect(ingress(api, [policy({ podSelector: {} })], [8080, 80, 8080])?.opens).toBe('pods with role=api of namespace shop, port 8080/TCP, 80/TCP');
  });
  test('a peer of another namespace is put right where its namespace is wrong', () => {
    const wrongNamespace = { podSelector: { matchLabels: { role: 'api' } }, namespaceSelector: { matchLabels: { team: 'a' } } };
    const change = ingress(far, [policy({ podSelector: {}, ingress: [{ from: [wrongNamespace], ports: [{ port: 8080 }] }] })]);
    expect(change?.patch).toEqual([
      {
        op: 'add',
        path: '/spec/ingress/0/from/-',
        value: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'other' } }, podSelector: { matchLabels: { role: 'api' } } },
      },
    ]);
    expect(change?.opens).toBe('pods with role=api of namespace other in rule 1');
  });
  test('a namespace that is right stays as it is written', () => {
    const wrongLabel = { podSelector: { matchLabels: { role: 'API' } }, namespaceSelector: { matchLabels: { team: 'b' } } };
    const change = ingress(far, [policy({ podSelector: {}, ingress: [{ from: [wrongLabel], ports: [{ port: 8080 }] }] })]);
    expect(change?.patch?.[0]?.value).toEqual({ namespaceSelector: { matchLabels: { team: 'b' } }, podSelector: { matchLabels: { role: 'api' } } });
    expect(change?.opens).toBe('pods with role=api in rule 1');
  });
  test('a peer whose label the pod does not have is no near one', () => {
    const otherKey = { podSelector: { matchLabels: { team: 'a' } } };
    expect(ingress(api, [policy({ podSelector: {}, ingress: [{ from: [otherKey], ports: [{ port: 8080 }] }] })])?.patch?.[0]?.path).toBe('/spec/ingress/-');
    const expression = { podSelector: { matchLabels: { role: 'API' }, matchExpressions: [{ key: 'tier', operator: 'Exists' }] } };
    expect(ingress(api, [policy({ podSelector: {}, ingress: [{ from: [expression], ports: [{ port: 8080 }] }] })])?.patch?.[0]?.path).toBe('/spec/ingress/-');
  });
  test('the policy of a few pods is changed before one of all pods', () => {
    const few = policy({ podSelector: { matchLabels: { app: 'web' } } }, 'shop', 'few');
    const all = policy({ podSelector: {} }, 'shop', 'all');
    expect(ingress(api, [all, few])?.policy.metadata.name).toBe('few');
  });
  test('where no change is enough for all connections, it says so', () => {
    const set = setOf([policy({ podSelector: {} })]);
    const change = smallestChange({
      direction: 'ingress',
      denied: [api, far].map((other) => ({ self: web, other, connection: { port: 8080, protocol: 'TCP' as const } })),
      candidates: [policy({ podSelector: {} })],
      set,
    });
    expect(change).toMatchObject({ whole: false, opens: 'pods with role=api of namespace shop, port 8080/TCP' });
  });
  test('the changed policy is the old one and no more than that', () => {
    const before = policy({ podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { app: 'db' } } }], ports: [{ port: 8080 }] }] });
    const after = ingress(api, [before])?.policy;
    expect(after?.spec.ingress[0]).toEqual(before.spec.ingress[0]);
    expect(after && manifestOf(after)).toMatchObject({
      spec: {
        podSelector: {},
        ingress: [{ from: [{ podSelector: { matchLabels: { app: 'db' } } }] }, { from: [{ podSelector: { matchLabels: { role: 'api' } } }] }],
      },
    });
    expect(after && JSON.stringify(manifestOf(after))).not.toContain('matchExpressions');
  });
});

describe('which plug-in enforces', () => {
  const daemon = (name: string, ...images: string[]) => ({ namespace: 'kube-system', name, images });
  test('is recognised by the programs that run', () => {
    expect(pluginOf([daemon('kube-proxy'), daemon('calico-node')], [])).toMatchObject({ name: 'Calico', enforces: 'yes' });
    expect(pluginOf([daemon('cilium')], [])).toMatchObject({ name: 'Cilium', enforces: 'yes' });
    expect(pluginOf([daemon('kube-flannel-ds')], ['v1.35.4'])).toMatchObject({ name: 'Flannel', enforces: 'no' });
    expect(pluginOf([daemon('aws-node', 'amazon-k8s-cni:v1.20', 'amazon/aws-network-policy-agent:v1.2')], [])).toMatchObject({ enforces: 'perhaps' });
    expect(pluginOf([daemon('aws-node', 'amazon-k8s-cni:v1.12')], [])).toMatchObject({ enforces: 'no' });
  });
  test('a plug-in that only routes can run together with one that enforces', () => {
    expect(pluginOf([daemon('kube-flannel-ds'), daemon('kube-network-policies', 'registry.k8s.io/networking/kube-network-policies:v0.9')], [])).toMatchObject({
      name: 'kube-network-policies',
      enforces: 'yes',
    });
    expect(pluginOf([daemon('kube-flannel-ds')], ['v1.34.1+k3s1'])).toMatchObject({ name: 'k3s', enforces: 'perhaps' });
  });
  test.each([
    ['cilium', 'Cilium', 'yes'],
    ['anetd', 'Cilium', 'yes'],
    ['canal', 'Calico', 'yes'],
    ['antrea-agent', 'Antrea', 'yes'],
    ['kube-network-policies', 'kube-network-policies', 'yes'],
    ['kube-router', 'kube-router', 'perhaps'],
    ['ovnkube-node', 'OVN-Kubernetes', 'yes'],
    ['ovnkube-node-dpu', 'OVN-Kubernetes', 'yes'],
    ['kube-ovn-cni', 'Kube-OVN', 'yes'],
    ['weave-net', 'Weave Net', 'yes'],
    ['azure-npm', 'Azure Network Policy Manager', 'yes'],
    ['kindnet', 'kindnet', 'perhaps'],
    ['kube-flannel', 'Flannel', 'no'],
  ])('%s: %s', (name, plugin, enforces) => {
    expect(pluginOf([daemon('kube-proxy'), daemon(name)], ['v1.35.4'])).toMatchObject({ name: plugin, enforces });
  });
  test('with what that was read from, or depends on', () => {
    expect(pluginOf([daemon('calico-node')], [])?.why).toBe('DaemonSet kube-system/calico-node');
    expect(pluginOf([daemon('kube-router')], [])?.why).toBe('it does unless it was started with --run-firewall=false');
    expect(pluginOf([daemon('kindnet')], [])?.why).toBe('it does since kind v0.24');
    expect(pluginOf([daemon('kube-flannel-ds')], [])?.why).toBe('it only routes');
    expect(pluginOf([daemon('aws-node', 'aws-network-policy-agent')], [])?.why).toBe('its agent enforces them where enable-network-policy is set');
    expect(pluginOf([daemon('aws-node')], [])?.why).toBe('its network policy agent is not there');
    expect(pluginOf([], ['v1.35.4', 'v1.34.1+k3s1'])?.why).toBe('k3s enforces them itself unless it was started with --disable-network-policy');
  });
  test('an image of a policy agent in the DaemonSet of another plug-in is not the VPC CNI', () => {
    expect(pluginOf([daemon('other', 'aws-network-policy-agent')], [])).toBeUndefined();
  });
  test('none that is known: nothing is claimed', () => {
    expect(pluginOf([daemon('kube-proxy')], ['v1.35.4'])).toBeUndefined();
  });
});
