/** The kinds beyond networking.k8s.io: of each, the part that is judged, and what is said of the rest. */
import { describe, expect, test } from 'vitest';
import { parseSelector, SelectorError } from '../../src/policy/calico-selector.ts';
import { readPolicies } from '../../src/policy/kinds.ts';
import { outside } from '../../src/policy/world.ts';
import { api, ask, calico, cilium, far, nodeCalled, pod, policy, setOf, web, world } from './people.ts';

const deny = policy({ podSelector: {}, policyTypes: ['Ingress'] }, 'shop', 'deny');
const everything = { namespaces: {} };

describe('policy.networking.k8s.io', () => {
  const admin = (rules: object[], more: object = {}, name = 'admin') => ({
    apiVersion: 'policy.networking.k8s.io/v1alpha1',
    kind: 'AdminNetworkPolicy',
    metadata: { name },
    spec: { priority: 10, subject: everything, ingress: rules, ...more },
  });
  const rule = (action: string, more: object = {}) => ({ action, from: [everything], ...more });

  test('Allow: "even if it would otherwise have been denied by NetworkPolicy"', () => {
    expect(ask('ingress', web, api, 1, setOf([deny], [admin([rule('Allow')])])).verdict).toBe('allowed');
  });
  test('Deny comes before NetworkPolicies, and names its rule', () => {
    const open = policy({ podSelector: {}, ingress: [{}] });
    expect(ask('ingress', web, api, 1, setOf([open], [admin([rule('Deny')])]))).toMatchObject({
      verdict: 'denied',
      why: 'AdminNetworkPolicy admin, ingress[0] denies it',
    });
  });
  test('Pass: "skip any remaining ANP rules, and then pass execution to any NetworkPolicies"', () => {
    const set = [admin([rule('Pass')]), admin([rule('Deny')], { priority: 20 }, 'later')];
    expect(ask('ingress', web, api, 1, setOf([], set)).verdict).toBe('allowed');
    expect(ask('ingress', web, api, 1, setOf([deny], set)).verdict).toBe('denied');
  });
  test('priority: "Policies with lower priority values have higher precedence"', () => {
    expect(ask('ingress', web, api, 1, setOf([], [admin([rule('Deny')], { priority: 20 }), admin([rule('Allow')], { priority: 5 }, 'first')])).verdict).toBe(
      'allowed',
    );
  });
  test('"If two (or more) policies with the same priority could both match a connection, then the implementation can apply any"', () => {
    const both = ask('ingress', web, api, 1, setOf([], [admin([rule('Deny')]), admin([rule('Allow')], {}, 'other')]));
    expect(both).toMatchObject({ verdict: 'unknown', why: expect.stringContaining('have the same priority and disagree') });
  });
  test('the baseline holds only for pods that no NetworkPolicy selects', () => {
    const baseline = { ...admin([rule('Deny')]), kind: 'BaselineAdminNetworkPolicy', metadata: { name: 'default' } };
    expect(ask('ingress', web, api, 1, setOf([], [baseline])).verdict).toBe('denied');
    expect(ask('ingress', web, api, 1, setOf([policy({ podSelector: {}, ingress: [{}] })], [baseline])).verdict).toBe('allowed');
  });
  test('"Note that host-networked pods are not included in subject selection", nor as peers', () => {
    const agent = pod('agent', {}, '192.0.2.2', { hostNetwork: true, node: 'node2' });
    expect(ask('ingress', agent, api, 1, setOf([], [admin([rule('Deny')])])).verdict).toBe('allowed');
    expect(ask('ingress', web, agent, 1, setOf([], [admin([rule('Deny')])])).verdict).toBe('allowed');
  });
  test('egress to nodes and networks; domain names are not judged', () => {
    const to = (...peers: object[]) => setOf([], [admin([], { ingress: [], egress: [{ action: 'Deny', to: peers }] })]);
    expect(ask('egress', api, nodeCalled('node2', '192.0.2.2'), 1, to({ nodes: { matchLabels: { 'kubernetes.io/hostname': 'node2' } } })).verdict).toBe(
      'denied',
    );
    expect(ask('egress', api, nodeCalled('node2', '192.0.2.2'), 1, to({ nodes: { matchLabels: { x: 'y' } } })).verdict).toBe('allowed');
    expect(ask('egress', api, world, 1, to({ networks: ['203.0.113.0/24', '2001:db8::/32'] })).verdict).toBe('denied');
    expect(ask('egress', api, world, 1, to({ domainNames: ['*.example.com'] }))).toMatchObject({
      verdict: 'unknown',
      why: expect.stringContaining('domainNames'),
    });
  });
  test('"fail closed": a peer of a later version makes Allow match nothing, and Deny deny all', () => {
    const later = (action: string) => setOf([], [admin([{ action, from: [{ planets: ['mars'] }] }])]);
    expect(ask('ingress', web, api, 1, later('Deny')).verdict).toBe('denied');
    expect(ask('ingress', web, api, 1, setOf([deny], [admin([{ action: 'Allow', from: [{ planets: ['mars'] }] }])])).verdict).toBe('denied');
  });
  test('ClusterNetworkPolicy: tiers, Accept, protocols', () => {
    const cluster = (tier: string, action: string, protocols?: object[]) => ({
      apiVersion: 'policy.networking.k8s.io/v1alpha2',
      kind: 'ClusterNetworkPolicy',
      metadata: { name: 'c' },
      spec: { tier, priority: 1, subject: everything, ingress: [{ action, from: [everything], ...(protocols && { protocols }) }] },
    });
    expect(ask('ingress', web, api, 1, setOf([deny], [cluster('Admin', 'Accept')])).verdict).toBe('allowed');
    expect(ask('ingress', web, api, 1, setOf([deny], [cluster('Baseline', 'Accept')])).verdict).toBe('denied');
    const ranged = setOf([], [cluster('Admin', 'Deny', [{ tcp: { destinationPort: { range: { start: 80, end: 90 } } } }, { destinationNamedPort: 'http' }])]);
    expect([79, 85, 8080].map((p) => ask('ingress', web, api, p, ranged).verdict)).toEqual(['allowed', 'denied', 'denied']);
  });
  test("an object that can't be read is listed, not dropped", () => {
    expect(readPolicies([{ ...admin([{ action: 'Maybe', from: [] }]) }]).unread).toEqual([
      { object: 'AdminNetworkPolicy "admin"', path: ['spec', 'ingress', 0, 'action'], why: expect.any(String) },
    ]);
  });
});

describe('cilium.io', () => {
  const into = (from: Parameters<typeof ask>[2], port: number, ...policies: object[]) => ask('ingress', web, from, port, setOf([], policies)).verdict;

  test('a rule isolates; an empty one lets nobody in, an empty list says nothing', () => {
    expect(into(api, 1, cilium({ ingress: [{}] }))).toBe('denied');
    expect(into(api, 1, cilium({ ingress: [] }))).toBe('allowed');
  });
  test("fromEndpoints means the policy's own namespace unless it names one", () => {
    const from = (selector: object) => cilium({ ingress: [{ fromEndpoints: [selector] }] });
    expect(into(api, 1, from({}))).toBe('allowed');
    expect(into(far, 1, from({}))).toBe('denied');
    expect(into(far, 1, from({ matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'other', 'k8s:role': 'api' } }))).toBe('allowed');
    expect(into(far, 1, from({ matchLabels: { 'io.cilium.k8s.namespace.labels.team': 'b' } }))).toBe('allowed');
    expect(into(far, 1, { ...cilium({ ingress: [{ fromEndpoints: [{}] }] }), kind: 'CiliumClusterwideNetworkPolicy', metadata: { name: 'c' } })).toBe(
      'allowed',
    );
  });
  test('toPorts: number as text, range, name, ANY; "0" is every port', () => {
    const to = (...ports: object[]) => cilium({ ingress: [{ toPorts: [{ ports }] }] });
    expect(into(api, 8080, to({ port: '8080', protocol: 'TCP' }))).toBe('allowed');
    expect(into(api, 8080, to({ port: '8080', protocol: 'UDP' }))).toBe('denied');
    expect(into(api, 8085, to({ port: '8080', endPort: 8090 }))).toBe('allowed');
    expect(into(api, 8080, to({ port: 'http' }))).toBe('allowed');
    expect(into(api, 7, to({ port: '0', protocol: 'ANY' }))).toBe('allowed');
  });
  test('"Deny policies take precedence over allow policies", NetworkPolicies among them', () => {
    const set = setOf([policy({ podSelector: {}, ingress: [{}] })], [cilium({ ingressDeny: [{ fromEndpoints: [{ matchLabels: { role: 'api' } }] }] })]);
    expect(ask('ingress', web, api, 1, set)).toMatchObject({ verdict: 'denied', why: 'CiliumNetworkPolicy c, ingressDeny[0] denies it' });
  });
  test('enableDefaultDeny: false does not isolate', () => {
    expect(into(api, 1, cilium({ ingress: [{ fromEndpoints: [{ matchLabels: { x: 'y' } }] }], enableDefaultDeny: { ingress: false } }))).toBe('allowed');
  });
  test('a CIDR never means a pod; world means those outside', () => {
    expect(into(api, 1, cilium({ ingress: [{ fromCIDR: ['10.0.0.0/8'] }] }))).toBe('denied');
    expect(into(world, 1, cilium({ ingress: [{ fromCIDRSet: [{ cidr: '203.0.113.0/24', except: ['203.0.113.0/29'] }] }] }))).toBe('allowed');
    expect(into(world, 1, cilium({ ingress: [{ fromEntities: ['world'] }] }))).toBe('allowed');
    expect(into(api, 1, cilium({ ingress: [{ fromEntities: ['world'] }] }))).toBe('denied');
    expect(into(api, 1, cilium({ ingress: [{ fromEntities: ['cluster'] }] }))).toBe('allowed');
  });
  test('what is not judged is named', () => {
    const set = setOf([], [cilium({ egress: [{ toFQDNs: [{ matchName: 'example.com' }] }] })]);
    expect(ask('egress', api, world, 443, set)).toMatchObject({
      verdict: 'unknown',
      why: 'CiliumNetworkPolicy c, egress[0] has parts that were not judged: toFQDNs',
    });
    expect(into(far, 1, cilium({ ingress: [{ fromEndpoints: [{ matchLabels: { 'io.cilium.k8s.policy.serviceaccount': 'x', role: 'other' } }] }] }))).toBe(
      'denied',
    );
  });

  // Form: what `cilium-dbg policy get` lists of an agent: the rules of policies with their sources in keys, as docs.cilium.io shows it.
  test('rules as an agent lists them, with the sources of labels in their keys', () => {
    const listed = {
      endpointSelector: { matchLabels: { 'k8s:app': 'web', 'k8s:io.kubernetes.pod.namespace': 'shop' } },
      ingress: [
        {
          fromEndpoints: [{ matchLabels: { 'k8s:role': 'api', 'k8s:io.kubernetes.pod.namespace': 'shop' } }],
          toPorts: [{ ports: [{ port: '8080', protocol: 'TCP' }] }],
        },
      ],
      labels: [
        { key: 'io.cilium.k8s.policy.derived-from', value: 'CiliumNetworkPolicy', source: 'k8s' },
        { key: 'io.cilium.k8s.policy.name', value: 'web', source: 'k8s' },
        { key: 'io.cilium.k8s.policy.namespace', value: 'shop', source: 'k8s' },
      ],
      enableDefaultDeny: { ingress: true, egress: false },
      description: 'web is for api alone',
    };
    const into = (from: Parameters<typeof ask>[2], port: number) => ask('ingress', web, from, port, setOf([], [cilium(listed)])).verdict;
    expect([into(api, 8080), into(api, 80), into(far, 8080), into(world, 8080)]).toEqual(['allowed', 'denied', 'denied', 'denied']);
  });
});

describe('projectcalico.org', () => {
  const into = (from: Parameters<typeof ask>[2], port: number, ...policies: object[]) => ask('ingress', web, from, port, setOf([], policies)).verdict;

  test('selectors are expressions', () => {
    const is = (expression: string, labels: Record<string, string>) => parseSelector(expression).matches(labels);
    expect(is('', {})).toBe(true);
    expect(is('all()', {})).toBe(true);
    expect(is('a == "x" && b != \'y\'', { a: 'x' })).toBe(true);
    expect(is('a in {"x", "y"} || has(b)', { a: 'z', b: '' })).toBe(true);
    expect(is('a not in {"x"}', {})).toBe(true);
    expect(is('!(a == "x")', { a: 'x' })).toBe(false);
    expect(is('a starts with "ab" && a ends with "yz" && a contains "m"', { a: 'abmyz' })).toBe(true);
    expect(is('a != "x" && b == "1" || c == "2"', { c: '2', a: 'x' })).toBe(true);
    for (const broken of ['a =', 'a == x', 'has()', '(a == "x"', 'a == "x" b', 'a == "x']) expect(() => parseSelector(broken)).toThrow(SelectorError);
  });
  test('order, then the first rule that matches; the rest of the tier is denied', () => {
    const first = calico({ order: 10, selector: 'app == "web"', ingress: [{ action: 'Allow', source: { selector: 'role == "api"' } }] });
    const second = calico({ order: 20, selector: 'all()', ingress: [{ action: 'Deny' }] }, 'GlobalNetworkPolicy', { name: 'd' });
    expect(into(api, 1, second, first)).toBe('allowed');
    expect(into(far, 1, second, first)).toBe('denied');
    expect(into(api, 1, calico({ order: 30, selector: 'role == "nobody"', ingress: [] }))).toBe('allowed');
  });
  test('NetworkPolicies of Kubernetes have order 1000 among them', () => {
    const kubernetes = policy({ podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] });
    const before = calico({ order: 900, selector: 'all()', ingress: [{ action: 'Deny', source: { selector: 'role == "api"' } }] });
    const after = calico({ order: 1100, selector: 'all()', ingress: [{ action: 'Deny' }] });
    expect(ask('ingress', web, api, 1, setOf([kubernetes], [before])).verdict).toBe('denied');
    expect(ask('ingress', web, api, 1, setOf([kubernetes], [after])).verdict).toBe('allowed');
  });
  test('types are derived: ingress unless there are egress rules alone', () => {
    expect(into(api, 1, calico({ selector: 'all()', egress: [{ action: 'Deny' }] }))).toBe('allowed');
    expect(into(api, 1, calico({ selector: 'all()' }))).toBe('denied');
  });
  test('tiers: Pass goes on to the next; defaultAction Pass lets the rest go on', () => {
    const tier = (order: number, defaultAction?: string) => ({
      apiVersion: 'projectcalico.org/v3',
      kind: 'Tier',
      metadata: { name: 'sec' },
      spec: { order, ...(defaultAction && { defaultAction }) },
    });
    const passing = calico({ tier: 'sec', selector: 'all()', ingress: [{ action: 'Pass', source: { selector: 'role == "api"' } }] }, 'GlobalNetworkPolicy');
    expect(into(api, 1, tier(10), passing)).toBe('allowed');
    expect(into(pod('x', {}, '10.0.0.9'), 1, tier(10), passing)).toBe('denied');
    expect(into(pod('x', {}, '10.0.0.9'), 1, tier(10, 'Pass'), passing)).toBe('allowed');
  });
  // Calico v3.32, "Tier" and "Get started with policy tiers": kube-admin has order 1,000, default 1,000,000, kube-baseline 10,000,000.
  test('the tiers that Calico v3.32 makes by itself are around the default one', () => {
    const made = [
      ['kube-admin', 1000, 'Pass'],
      ['default', 1_000_000, 'Deny'],
      ['kube-baseline', 10_000_000, 'Pass'],
    ].map(([name, order, defaultAction]) => ({ apiVersion: 'projectcalico.org/v3', kind: 'Tier', metadata: { name }, spec: { order, defaultAction } }));
    const inTier = (tier: string, action: string) =>
      calico(
        { tier, order: 50, selector: "app == 'web'", types: ['Ingress'], ingress: [{ action, protocol: 'TCP', source: { selector: "role == 'api'" } }] },
        'GlobalNetworkPolicy',
        { name: `${tier}.x` },
      );
    const open = calico({ selector: 'all()', ingress: [{ action: 'Allow' }] });
    const closed = calico({ selector: 'all()', ingress: [{ action: 'Deny' }] });
    expect(into(api, 1, ...made, inTier('kube-admin', 'Deny'), open)).toBe('denied');
    expect(into(api, 1, ...made, inTier('kube-admin', 'Allow'), closed)).toBe('allowed');
    expect(into(api, 1, ...made, inTier('kube-admin', 'Pass'), closed)).toBe('denied');
    // The default tier decides before the baseline is asked.
    expect(into(api, 1, ...made, inTier('kube-baseline', 'Deny'), open)).toBe('allowed');
    expect(into(api, 1, ...made, inTier('kube-baseline', 'Deny'))).toBe('denied');
  });
  test('staged policies are reported on by Calico, and allow and deny nothing', () => {
    const spec = { tier: 'default', selector: 'all()', types: ['Ingress'], ingress: [{ action: 'Deny' }] };
    for (const kind of ['StagedNetworkPolicy', 'StagedGlobalNetworkPolicy'])
      expect(into(api, 1, calico(spec, kind, { name: 'internal-access.deny' }))).toBe('allowed');
    expect(into(api, 1, calico({ podSelector: {}, policyTypes: ['Ingress'] }, 'StagedKubernetesNetworkPolicy'))).toBe('allowed');
  });
  test('ipVersion: a rule for one family says nothing of the other', () => {
    const v6 = { ...web, addresses: ['fd00:244:1::1'] };
    const rule = (ipVersion: number) => calico({ selector: 'all()', ingress: [{ action: 'Allow', ipVersion }] });
    const over = (self: typeof web, address: string, version: number) =>
      ask('ingress', self, { ...api, addresses: [address] }, 1, setOf([], [rule(version)])).verdict;
    expect([over(web, '10.0.0.2', 4), over(web, '10.0.0.2', 6), over(v6, 'fd00:244:1::2', 6), over(v6, 'fd00:244:1::2', 4)]).toEqual([
      'allowed',
      'denied',
      'allowed',
      'denied',
    ]);
  });
  test('a selector without a namespaceSelector means the own namespace; a global policy means all', () => {
    expect(into(far, 1, calico({ selector: 'all()', ingress: [{ action: 'Allow', source: { selector: 'role == "api"' } }] }))).toBe('denied');
    expect(
      into(far, 1, calico({ selector: 'all()', ingress: [{ action: 'Allow', source: { selector: 'role == "api"', namespaceSelector: 'team == "b"' } }] })),
    ).toBe('allowed');
    expect(
      into(far, 1, calico({ selector: 'all()', ingress: [{ action: 'Allow', source: { namespaceSelector: 'projectcalico.org/name == "other"' } }] })),
    ).toBe('allowed');
    expect(into(far, 1, calico({ selector: 'all()', ingress: [{ action: 'Allow', source: { selector: 'role == "api"' } }] }, 'GlobalNetworkPolicy'))).toBe(
      'allowed',
    );
  });
  test('ports, protocols, nets and their negations', () => {
    const to = (rule: object) => calico({ selector: 'all()', ingress: [{ action: 'Allow', ...rule }] });
    expect(into(api, 8080, to({ protocol: 'TCP', destination: { ports: ['http'] } }))).toBe('allowed');
    expect(into(api, 8085, to({ protocol: 6, destination: { ports: ['8080:8090'] } }))).toBe('allowed');
    expect(into(api, 80, to({ protocol: 'TCP', destination: { notPorts: [80] } }))).toBe('denied');
    expect(into(api, 80, to({ notProtocol: 'TCP' }))).toBe('denied');
    expect(into(world, 80, to({ source: { nets: ['203.0.113.0/24'], notNets: ['203.0.113.8/29'] } }))).toBe('denied');
    expect(into(api, 80, to({ source: { notSelector: 'role == "api"' } }))).toBe('denied');
  });
  test('what is not judged is named', () => {
    const set = setOf([], [calico({ selector: 'all()', ingress: [{ action: 'Allow', http: { methods: ['GET'] } }] })]);
    expect(ask('ingress', web, api, 1, set)).toMatchObject({
      verdict: 'unknown',
      why: 'Calico NetworkPolicy c, ingress[0] has parts that were not judged: http',
    });
    expect(into(api, 1, calico({ selector: 'all()', ingress: [{ action: 'Allow', source: { serviceAccounts: { names: ['x'] } } }] }))).toBe('unknown');
    expect(into(outside('192.0.2.1'), 1, calico({ selector: 'all()', ingress: [{ action: 'Allow', source: { selector: 'set == "office"' } }] }))).toBe(
      'unknown',
    );
  });
});
