/** The kinds beyond networking.k8s.io, field by field: whom each peer means, which ports, and the words for a near miss. Sources: the kinds' own references, named in src/policy. */
import { describe, expect, test } from 'vitest';
import { parseSelector } from '../../src/policy/calico-selector.ts';
import { kindOf, policyKinds, readPolicies } from '../../src/policy/kinds.ts';
import { nearMisses } from '../../src/policy/decide.ts';
import type { Direction, Party } from '../../src/policy/rule.ts';
import { outside } from '../../src/policy/world.ts';
import { api, ask, calico, cilium, far, nodeCalled, pod, policy, setOf, web, world } from './people.ts';

const node2 = nodeCalled('node2', '192.0.2.2');
const onNode2 = pod('agent', { role: 'api' }, '192.0.2.2', { hostNetwork: true, node: 'node2' });
const here = { namespaces: { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } } };

const into = (other: Party, port: number, objects: object[], protocol: 'TCP' | 'UDP' | 'SCTP' = 'TCP') =>
  ask('ingress', web, other, port, setOf([], objects), protocol).verdict;
const out = (self: Party, other: Party, port: number, objects: object[]) => ask('egress', self, other, port, setOf([], objects)).verdict;
/** Why the one rule does not mean the other side. */
const miss = (direction: Direction, self: Party, other: Party, objects: object[], port = 1): [number, string] | undefined => {
  const connection = { port, protocol: 'TCP' as const };
  const [nearest] = nearMisses(direction, self, other, connection, ask(direction, self, other, port, setOf([], objects)));
  return nearest && [nearest.far, nearest.reason];
};

describe('kinds', () => {
  test.each(policyKinds.flatMap((k) => k.apiVersions.map((version) => [version, k.kind, k] as const)))('%s %s', (apiVersion, kind, found) => {
    expect(kindOf({ apiVersion, kind })).toBe(found);
    expect(kindOf({ apiVersion: `${apiVersion}beta9`, kind })).toBeUndefined();
    expect(kindOf({ kind })).toBeUndefined();
    // The API's convention: the lower-case plural of the kind.
    expect(found.plural).toBe(`${kind.toLowerCase().replace(/y$/, 'ie')}s`);
    // "Global" and "Clusterwide" kinds, and those of policy.networking.k8s.io, belong to no namespace.
    expect(found.namespaced).toBe(kind === 'NetworkPolicy' || kind === 'CiliumNetworkPolicy');
  });
  test('objects of other kinds are passed over', () => {
    expect(readPolicies([{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' } }])).toEqual({ policies: [], tiers: [], unread: [] });
  });
  test('a selector that can not be read is listed', () => {
    const broken = { apiVersion: 'projectcalico.org/v3', kind: 'GlobalNetworkPolicy', metadata: { name: 'g' }, spec: { selector: 'a ==' } };
    expect(readPolicies([broken]).unread).toEqual([{ object: 'GlobalNetworkPolicy "g"', path: [], why: 'wants a quoted value before ""' }]);
  });
});

describe('policy.networking.k8s.io', () => {
  const admin = (spec: object, kind = 'AdminNetworkPolicy') => ({
    apiVersion: `policy.networking.k8s.io/${kind === 'ClusterNetworkPolicy' ? 'v1alpha2' : 'v1alpha1'}`,
    kind,
    metadata: { name: 'a' },
    spec: { priority: 1, subject: { namespaces: {} }, ...spec },
  });
  const denies = (peer: object, more: object = {}) => admin({ ingress: [{ action: 'Deny', from: [peer], ...more }] });
  const deniesOut = (peer: object) => admin({ egress: [{ action: 'Deny', to: [peer] }] });

  test('the subject: namespaces, or pods of namespaces', () => {
    const about = (subject: object) => into(api, 1, [admin({ subject, ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }] })]);
    expect(about(here)).toBe('denied');
    expect(about({ namespaces: { matchLabels: { team: 'b' } } })).toBe('allowed');
    expect(about({ pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'web' } } } })).toBe('denied');
    expect(about({ pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'x' } } } })).toBe('allowed');
    expect(about({ pods: { namespaceSelector: { matchLabels: { team: 'b' } }, podSelector: {} } })).toBe('allowed');
    expect(about({})).toBe('allowed');
  });
  test('peers: namespaces, or pods of namespaces', () => {
    expect([api, far, world].map((p) => into(p, 1, [denies(here)]))).toEqual(['denied', 'allowed', 'allowed']);
    const pods = { pods: { namespaceSelector: { matchLabels: { team: 'b' } }, podSelector: { matchLabels: { role: 'api' } } } };
    expect([api, far].map((p) => into(p, 1, [denies(pods)]))).toEqual(['allowed', 'denied']);
    const others = { pods: { namespaceSelector: {}, podSelector: { matchLabels: { role: 'x' } } } };
    expect(into(api, 1, [denies(others)])).toBe('allowed');
  });
  test('networks: any of them', () => {
    const networks = { networks: ['198.51.100.0/24', '203.0.113.0/24'] };
    expect(out(api, world, 1, [deniesOut(networks)])).toBe('denied');
    expect(out(api, outside('192.0.2.1'), 1, [deniesOut(networks)])).toBe('allowed');
    expect(out(api, outside(), 1, [deniesOut(networks)])).toBe('unknown');
  });
  test('nodes, and what is no node', () => {
    const nodes = { nodes: { matchLabels: { 'kubernetes.io/hostname': 'node2' } } };
    expect([node2, world, far].map((p) => out(api, p, 1, [deniesOut(nodes)]))).toEqual(['denied', 'allowed', 'allowed']);
  });
  test('ports of v1alpha1: number, range, name, each with its protocol', () => {
    const on = (ports: object[]) => [denies({ namespaces: {} }, { ports })];
    expect([80, 81].map((p) => into(api, p, on([{ portNumber: { port: 80 } }])))).toEqual(['denied', 'allowed']);
    expect(into(api, 80, on([{ portNumber: { port: 80, protocol: 'UDP' } }]))).toBe('allowed');
    expect(into(api, 80, on([{ portNumber: { port: 80, protocol: 'UDP' } }]), 'UDP')).toBe('denied');
    expect([79, 80, 90, 91].map((p) => into(api, p, on([{ portRange: { start: 80, end: 90 } }])))).toEqual(['allowed', 'denied', 'denied', 'allowed']);
    expect([8080, 80].map((p) => into(api, p, on([{ namedPort: 'http' }])))).toEqual(['denied', 'allowed']);
    expect(into(api, 1, on([]))).toBe('allowed');
  });
  test('protocols of v1alpha2: each with a number, a range, or every port', () => {
    const on = (...protocols: object[]) => [
      admin({ tier: 'Admin', ingress: [{ action: 'Deny', from: [{ namespaces: {} }], protocols }] }, 'ClusterNetworkPolicy'),
    ];
    const number = { destinationPort: { number: 80 } };
    for (const [field, protocol] of [
      ['tcp', 'TCP'],
      ['udp', 'UDP'],
      ['sctp', 'SCTP'],
    ] as const) {
      expect([80, 81].map((p) => into(api, p, on({ [field]: number }), protocol))).toEqual(['denied', 'allowed']);
      expect(into(api, 9, on({ [field]: {} }), protocol)).toBe('denied');
      expect(into(api, 80, on({ [field]: number }), protocol === 'TCP' ? 'UDP' : 'TCP')).toBe('allowed');
    }
    expect(into(api, 90, on({ tcp: { destinationPort: { range: { start: 80, end: 90 } } } }))).toBe('denied');
    expect(into(api, 8080, on({ destinationNamedPort: 'http' }))).toBe('denied');
  });
  test('a peer that is not understood, beside one that is', () => {
    const both = (action: string) => [admin({ ingress: [{ action, from: [{ planets: ['mars'] }, here], ports: [{ portNumber: { port: 80 } }] }] })];
    const closed = policy({ podSelector: {} });
    expect(ask('ingress', web, api, 80, setOf([closed], both('Allow'))).verdict).toBe('denied');
    expect([80, 81].map((p) => into(far, p, both('Deny')))).toEqual(['denied', 'denied']);
    expect(into(far, 80, both('Pass'))).toBe('denied');
  });
  test('domain names beside another peer leave the rest open', () => {
    const rule = admin({ egress: [{ action: 'Deny', to: [{ domainNames: ['example.com'] }, { networks: ['203.0.113.0/24'] }] }] });
    expect(out(api, world, 1, [rule])).toBe('denied');
    expect(out(api, outside('192.0.2.1'), 1, [rule])).toBe('unknown');
  });
  test('"ANPs with no ingress rules do not affect ingress traffic", nor do those without egress rules', () => {
    const named = (spec: object, direction: Direction) => ask(direction, web, api, 1, setOf([], [admin(spec)])).selecting.length;
    expect(named({ ingress: [] }, 'ingress')).toBe(0);
    expect(named({ ingress: [{ action: 'Pass', from: [here] }] }, 'ingress')).toBe(1);
    expect(named({ ingress: [{ action: 'Pass', from: [here] }] }, 'egress')).toBe(0);
    expect(named({ egress: [{ action: 'Pass', to: [here] }] }, 'egress')).toBe(1);
    expect(named({ ingress: null, egress: null }, 'egress')).toBe(0);
  });
  test('why a node or an address is not meant', () => {
    const closed = policy({ podSelector: {}, policyTypes: ['Egress'], egress: [] });
    const missed = (other: Party, peer: object) => {
      const set = setOf([closed], [admin({ egress: [{ action: 'Allow', to: [peer] }] })]);
      const connection = { port: 1, protocol: 'TCP' as const };
      return nearMisses('egress', api, other, connection, ask('egress', api, other, 1, set)).map((m) => [m.far, m.reason]);
    };
    const nodes = { nodes: { matchLabels: { 'kubernetes.io/hostname': 'node9' } } };
    expect(missed(node2, nodes)).toEqual([[1, 'wants kubernetes.io/hostname=node9, it has kubernetes.io/hostname=node2']]);
    expect(missed(world, nodes)).toEqual([[5, 'names nodes']]);
    expect(missed(world, { networks: ['192.0.2.0/24', '198.51.100.0/24'] })).toEqual([[4, 'wants an address in 192.0.2.0/24, it is 203.0.113.9']]);
    expect(missed(onNode2, { namespaces: {} })).toEqual([[2, "it uses its node's network, and such pods are never meant"]]);
  });
  test('of networks the one that matches for certain counts, wherever it is in the list', () => {
    const to = (...networks: string[]) => out(api, outside(), 1, [deniesOut({ networks })]);
    expect([to('192.0.2.0/24', '0.0.0.0/0'), to('0.0.0.0/0', '192.0.2.0/24')]).toEqual(['denied', 'denied']);
    const known = (...networks: string[]) => out(api, world, 1, [deniesOut({ networks })]);
    expect([known('203.0.113.0/24', '192.0.2.0/24'), known('192.0.2.0/24', '203.0.113.0/24')]).toEqual(['denied', 'denied']);
  });
  test('a rule without peers means nobody, and a list that is absent is empty', () => {
    expect(into(api, 1, [admin({ ingress: [{ action: 'Deny' }] })])).toBe('allowed');
    expect(out(api, world, 1, [admin({ egress: [{ action: 'Deny' }] })])).toBe('allowed');
  });
  test('ClusterNetworkPolicy of the tier Baseline has its own priority', () => {
    const baseline = admin({ tier: 'Baseline', priority: 7, ingress: [{ action: 'Deny', from: [here] }] }, 'ClusterNetworkPolicy');
    expect(setOf([], [baseline]).all.map((p) => [p.tier, p.order, p.tie, p.isolates])).toEqual([['baseline', 7, '', { ingress: false, egress: false }]]);
  });
  test('the baseline of v1alpha1 has no priority', () => {
    const baseline = admin({ priority: undefined, ingress: [{ action: 'Deny', from: [here] }] }, 'BaselineAdminNetworkPolicy');
    expect(setOf([], [baseline]).all.map((p) => [p.kind, p.tier, p.order, p.namespace, p.name])).toEqual([
      ['BaselineAdminNetworkPolicy', 'baseline', 0, '', 'a'],
    ]);
    expect(setOf([], [admin({ priority: 7, ingress: [] })]).all.map((p) => [p.tier, p.order])).toEqual([['admin', 7]]);
  });
});

describe('cilium.io', () => {
  const clusterwide = (spec: object) => ({ ...cilium(spec), kind: 'CiliumClusterwideNetworkPolicy', metadata: { name: 'c' } });
  const from = (...selectors: object[]) => [cilium({ ingress: [{ fromEndpoints: selectors }] })];
  const entity = (...names: string[]) => [cilium({ ingress: [{ fromEntities: names }] })];
  const v6 = outside('2001:db8::9');

  test('the endpointSelector: labels with or without their source, the namespace, its labels', () => {
    const about = (endpointSelector: object, policyOf: (spec: object) => object = cilium) => into(api, 1, [policyOf({ endpointSelector, ingress: [{}] })]);
    expect(about({ matchLabels: { app: 'web' } })).toBe('denied');
    expect(about({ matchLabels: { 'k8s:app': 'web' } })).toBe('denied');
    expect(about({ matchLabels: { 'any:app': 'web' } })).toBe('denied');
    expect(about({ matchLabels: { 'k8s.app': 'web' } })).toBe('denied');
    expect(about({ matchLabels: { app: 'x' } })).toBe('allowed');
    expect(about({ matchExpressions: [{ key: 'k8s:app', operator: 'In', values: ['web'] }] })).toBe('denied');
    expect(about({ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] })).toBe('allowed');
    expect(about({ matchLabels: { 'io.kubernetes.pod.namespace': 'shop' } }, clusterwide)).toBe('denied');
    expect(about({ matchLabels: { 'io.kubernetes.pod.namespace': 'other' } }, clusterwide)).toBe('allowed');
    expect(about({ matchLabels: { 'io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name': 'shop' } }, clusterwide)).toBe('denied');
    // What is not known of a pod leaves open whether it is selected.
    expect(about({ matchLabels: { 'io.cilium.k8s.policy.serviceaccount': 'web' } })).toBe('unknown');
    expect(about({ matchLabels: { 'reserved:host': '' } })).toBe('unknown');
    expect(about({ matchExpressions: [{ key: 'container:name', operator: 'Exists' }] })).toBe('unknown');
  });
  test('pods of another namespace, and those on the network of a node, are not selected', () => {
    const all = cilium({ ingress: [{}], egress: [{}] });
    expect(ask('ingress', far, api, 1, setOf([], [all])).verdict).toBe('allowed');
    expect(ask('ingress', far, api, 1, setOf([], [clusterwide({ ingress: [{}] })])).verdict).toBe('denied');
    expect(ask('ingress', onNode2, api, 1, setOf([], [all])).verdict).toBe('allowed');
    // An object without a namespace is in the one called default.
    expect(ask('ingress', web, api, 1, setOf([], [{ ...all, metadata: { name: 'c' } }])).verdict).toBe('allowed');
  });
  test('specs is a list of the same; without an endpointSelector it is about nodes', () => {
    expect(into(api, 1, [cilium({}, { spec: undefined, specs: [{ endpointSelector: {}, ingress: [{}] }] })])).toBe('denied');
    expect(into(api, 1, [cilium({ endpointSelector: undefined, nodeSelector: {}, ingress: [{}] })])).toBe('allowed');
  });
  test('why an endpoint is not meant, and how far it is', () => {
    expect(miss('ingress', web, api, from({ matchLabels: { role: 'db' } }))).toEqual([1, 'wants role=db, it has role=api']);
    expect(miss('ingress', web, far, from({}))).toEqual([3, 'names pods of namespace shop only, and it is in other']);
    expect(miss('ingress', web, world, from({}))).toEqual([5, 'names pods, and this is an address outside the cluster']);
    expect(miss('ingress', web, node2, from({}))).toEqual([5, 'names pods, and this is a node']);
    expect(miss('ingress', web, onNode2, from({}))).toEqual([5, "it uses its node's network, which Cilium takes for the node"]);
  });
  test('an expression on the namespace reaches other namespaces', () => {
    const elsewhere = { matchExpressions: [{ key: 'k8s:io.kubernetes.pod.namespace', operator: 'Exists' }] };
    expect([api, far].map((p) => into(p, 1, from(elsewhere)))).toEqual(['allowed', 'allowed']);
    const labelled = { matchExpressions: [{ key: 'io.cilium.k8s.namespace.labels.team', operator: 'Exists' }] };
    expect([api, far].map((p) => into(p, 1, from(labelled)))).toEqual(['denied', 'allowed']);
  });
  test('a part of a selector that is not known leaves open who is meant', () => {
    expect(into(api, 1, from({ matchLabels: { 'io.cilium.k8s.policy.cluster': 'a' } }))).toBe('unknown');
    expect(into(api, 1, from({ matchLabels: { 'io.cilium.k8s.policy.cluster': 'a', role: 'db' } }))).toBe('denied');
  });
  test('addresses: never a pod, perhaps a node, those outside', () => {
    const cidr = (...fromCIDR: string[]) => [cilium({ ingress: [{ fromCIDR }] })];
    expect([api, node2, onNode2, world, v6].map((p) => into(p, 1, cidr('0.0.0.0/0')))).toEqual(['denied', 'unknown', 'unknown', 'allowed', 'denied']);
    expect(into(node2, 1, cidr('203.0.113.0/24'))).toBe('denied');
    expect(into(world, 1, cidr('198.51.100.0/24', '203.0.113.0/24'))).toBe('allowed');
    expect(miss('ingress', web, api, cidr('10.0.0.0/8'))).toEqual([4, 'names addresses, and Cilium never takes a pod by its address']);
    const set = (entry: object) => into(world, 1, [cilium({ ingress: [{ fromCIDRSet: [entry] }] })]);
    expect(set({ cidr: '203.0.113.0/24', except: ['203.0.113.8/29'] })).toBe('denied');
    expect(set({ cidr: '203.0.113.0/24' })).toBe('allowed');
    // A reference to a CiliumCIDRGroup.
    expect(set({ cidrGroupRef: 'office' })).toBe('unknown');
  });
  test('entities', () => {
    const parties = [api, onNode2, node2, world, v6];
    const verdicts = (...names: string[]) => parties.map((p) => into(p, 1, entity(...names)));
    expect(verdicts('all')).toEqual(['allowed', 'allowed', 'allowed', 'allowed', 'allowed']);
    expect(verdicts('world')).toEqual(['denied', 'denied', 'denied', 'allowed', 'allowed']);
    expect(verdicts('world-ipv4')).toEqual(['denied', 'denied', 'denied', 'allowed', 'denied']);
    expect(verdicts('world-ipv6')).toEqual(['denied', 'denied', 'denied', 'denied', 'allowed']);
    expect(verdicts('cluster')).toEqual(['allowed', 'allowed', 'allowed', 'denied', 'denied']);
    expect(verdicts('host')).toEqual(['denied', 'unknown', 'unknown', 'denied', 'denied']);
    expect(verdicts('remote-node')).toEqual(['denied', 'unknown', 'unknown', 'denied', 'denied']);
    // It may run on a node, or outside the cluster.
    expect(verdicts('kube-apiserver')).toEqual(['denied', 'unknown', 'unknown', 'unknown', 'unknown']);
    expect(verdicts('health')).toEqual(['denied', 'denied', 'denied', 'denied', 'denied']);
    expect(verdicts('health', 'world')).toEqual(['denied', 'denied', 'denied', 'allowed', 'allowed']);
    expect(miss('ingress', web, api, entity('world'))).toEqual([4, 'names the entity world']);
  });
  test('what is not judged beside what is', () => {
    const rule = [cilium({ ingress: [{ fromEndpoints: [{ matchLabels: { role: 'api' } }], fromGroups: [{}] }] })];
    expect(into(api, 1, rule)).toBe('allowed');
    expect(into(far, 1, rule)).toBe('unknown');
    const alone = ask('ingress', web, api, 1, setOf([], [cilium({ ingress: [{ fromGroups: [{}], fromRequires: [{}] }] })]));
    expect(alone.why).toBe('CiliumNetworkPolicy c, ingress[0] has parts that were not judged: fromGroups, fromRequires');
    // A field of the other direction says nothing of this one's peers.
    expect(into(api, 1, [cilium({ ingress: [{ toEndpoints: [{}] }] })])).toBe('unknown');
  });
  test('denials of ports only, and egress', () => {
    const deny = [cilium({ egressDeny: [{ toPorts: [{ ports: [{ port: '80', protocol: 'TCP' }] }] }], enableDefaultDeny: { egress: false } })];
    expect([80, 81].map((p) => ask('egress', web, api, p, setOf([], deny)).verdict)).toEqual(['denied', 'allowed']);
    const open = [cilium({ egress: [{ toEndpoints: [{ matchLabels: { role: 'api' } }], toPorts: [{ ports: [{ port: '80' }] }] }] })];
    expect([api, far].map((p) => ask('egress', web, p, 80, setOf([], open)).verdict)).toEqual(['allowed', 'denied']);
    expect(ask('egress', web, api, 81, setOf([], open)).verdict).toBe('denied');
    expect(ask('ingress', web, api, 81, setOf([], open)).verdict).toBe('allowed');
  });
  test('toPorts without ports is every port; protocols that are not known are any', () => {
    const to = (toPorts: object[]) => [cilium({ ingress: [{ toPorts }] })];
    expect(into(api, 9, to([{}]))).toBe('allowed');
    expect(into(api, 53, to([{ ports: [{ port: '53', protocol: 'udp' }] }]))).toBe('denied');
    expect(into(api, 53, to([{ ports: [{ port: '53', protocol: 'udp' }] }]), 'UDP')).toBe('allowed');
    expect(into(api, 53, to([{ ports: [{ port: '53', protocol: 'SCTP' }] }]), 'SCTP')).toBe('allowed');
    expect(into(api, 53, to([{ ports: [{ port: 53, protocol: 'ANY' }] }]), 'UDP')).toBe('allowed');
    expect(into(api, 53, to([{ ports: [{ port: '53' }] }]), 'SCTP')).toBe('allowed');
  });
  test('enableDefaultDeny: true isolates without a rule, in that direction alone', () => {
    const isolated = [cilium({ enableDefaultDeny: { ingress: true } })];
    expect(into(api, 1, isolated)).toBe('denied');
    expect(ask('egress', web, api, 1, setOf([], isolated)).verdict).toBe('allowed');
    expect(into(api, 1, [cilium({ enableDefaultDeny: { egress: false } })])).toBe('allowed');
  });
});

describe('projectcalico.org', () => {
  const lets = (rule: object, kind?: string) => [calico({ selector: 'all()', ingress: [{ action: 'Allow', ...rule }] }, kind)];
  const source = (entity: object, kind?: string) => lets({ source: entity }, kind);

  test('selectors: what each operator makes of labels that are there and that are not', () => {
    const is = (expression: string, labels: Record<string, string>) => parseSelector(expression).matches(labels);
    const table: [string, boolean, boolean, boolean][] = [
      // With a=x, with a=y, without a.
      ['a == "x"', true, false, false],
      ['a != "x"', false, true, true],
      ['has(a)', true, true, false],
      ['!has(a)', false, false, true],
      ['a in {"x"}', true, false, false],
      ['a in {"x", "y"}', true, true, false],
      ['a in {}', false, false, false],
      ['a not in {"x"}', false, true, true],
      ['a notin {"x", "y"}', false, false, true],
      ['a contains "x"', true, false, false],
      ['a startswith "x"', true, false, false],
      ['a starts with ""', true, true, false],
      ['a endswith "y"', false, true, false],
      ['a ends with "x"', true, false, false],
      ['all()', true, true, true],
      ['global()', false, false, false],
      ['has(b) || a == "x"', true, false, false],
      ['has(a) && !(a == "x")', false, true, false],
      ['!has(b) && (a == "x" || a == "y")', true, true, false],
    ];
    for (const [expression, x, y, none] of table)
      expect([is(expression, { a: 'x' }), is(expression, { a: 'y' }), is(expression, {})], expression).toEqual([x, y, none]);
    expect(is('constructor == "x"', {})).toBe(false);
    expect(is('has(toString)', {})).toBe(false);
    expect(is('example.com/a-b_c == "x"', { 'example.com/a-b_c': 'x' })).toBe(true);
    expect([parseSelector('global()').global, parseSelector('all()').global, parseSelector('').global]).toEqual([true, false, false]);
  });
  test.each([
    ['a', 'wants an operator after "a"'],
    ['a =', 'cannot be read from "="'],
    ['a == b', 'wants a quoted value before "b"'],
    ['a in "x"', 'wants "{" before "x"'],
    ['a in {"x" "y"}', 'wants "}" before "y"'],
    ['a in {"x"', 'wants "}" before ""'],
    ['a not "x"', 'wants an operator after "a"'],
    ['a starts "x"', 'wants an operator after "a"'],
    ['(a == "x"', 'wants ")" before ""'],
    ['a == "x" b', 'has "b" after its end'],
    ['a == "x" &&', 'ends too early'],
    ['has()', 'has() wants the name of a label'],
    ['&& a', 'has "&&" where a label is wanted'],
    ['"x"', 'has "x" where a label is wanted'],
    ['a == "x" ; this is a very long rest of it', 'cannot be read from "; this is a very lon"'],
  ])('%s: %s', (expression, why) => expect(() => parseSelector(expression)).toThrow(why));

  test('the labels that Calico adds', () => {
    for (const selector of ['projectcalico.org/namespace == "shop"', 'projectcalico.org/orchestrator == "k8s"'])
      expect(into(api, 1, [calico({ selector, ingress: [] })]), selector).toBe('denied');
    expect(into(api, 1, [calico({ selector: 'projectcalico.org/namespace == "x"', ingress: [] })])).toBe('allowed');
  });
  test('whom a policy selects', () => {
    const about = (spec: object, kind = 'GlobalNetworkPolicy', namespace?: string) =>
      into(api, 1, [calico({ ingress: [], ...spec }, kind, namespace === undefined ? {} : { namespace })]);
    expect(about({ namespaceSelector: 'projectcalico.org/name == "shop"' })).toBe('denied');
    expect(about({ namespaceSelector: 'team == "b"' })).toBe('allowed');
    expect(about({ serviceAccountSelector: 'a == "b"' })).toBe('unknown');
    expect(about({}, 'NetworkPolicy', 'other')).toBe('allowed');
    expect(about({ preDNAT: true })).toBe('allowed');
    expect(about({ doNotTrack: true })).toBe('allowed');
    expect(ask('ingress', onNode2, api, 1, setOf([], [calico({ ingress: [] }, 'GlobalNetworkPolicy')])).verdict).toBe('allowed');
  });
  test('types, and what they are derived from', () => {
    const verdicts = (spec: object) => (['ingress', 'egress'] as const).map((d) => ask(d, web, api, 1, setOf([], [calico(spec)])).verdict);
    expect(verdicts({ types: ['Egress'] })).toEqual(['allowed', 'denied']);
    expect(verdicts({ types: ['Ingress', 'Egress'] })).toEqual(['denied', 'denied']);
    expect(verdicts({ egress: [{ action: 'Deny' }] })).toEqual(['allowed', 'denied']);
    expect(verdicts({ egress: [{ action: 'Deny' }], ingress: [{ action: 'Deny' }] })).toEqual(['denied', 'denied']);
    expect(verdicts({ ingress: [], egress: [] })).toEqual(['denied', 'allowed']);
  });
  test('actions: Log takes a note and goes on; those of the older API are lower-case', () => {
    const acting = (...actions: string[]) => [calico({ ingress: actions.map((action) => ({ action })) })];
    expect(into(api, 1, acting('Log', 'Allow'))).toBe('allowed');
    expect(into(api, 1, acting('Log'))).toBe('denied');
    expect(into(api, 1, acting('allow'))).toBe('allowed');
    expect(into(api, 1, acting('deny', 'allow'))).toBe('denied');
    expect(into(api, 1, acting('next-tier'))).toBe('allowed');
    const logged = setOf([], acting('Log', 'Allow')).all[0]?.ingress?.map((r) => r.field);
    expect(logged).toEqual(['ingress[1]']);
  });
  test('why a pod is not meant, and how far it is', () => {
    expect(miss('ingress', web, api, source({ selector: 'role == "db"' }))).toEqual([1, 'wants role == "db"']);
    expect(miss('ingress', web, far, source({ selector: 'role == "api"' }))).toEqual([3, 'names pods of namespace shop only, and it is in other']);
    expect(miss('ingress', web, api, source({ namespaceSelector: 'team == "b"' }))).toEqual([2, 'wants namespaces with team == "b", it is in shop']);
    expect(miss('ingress', web, world, source({ namespaceSelector: 'team == "b"' }))).toEqual([5, 'names pods of namespaces']);
    expect(miss('ingress', web, api, source({ notSelector: 'role == "api"' }))).toEqual([1, 'leaves out role == "api"']);
    expect(miss('ingress', web, world, source({ nets: ['0.0.0.0/0'], notNets: ['203.0.113.0/24', '192.0.2.0/24'] }))).toEqual([
      3,
      'leaves out 203.0.113.0/24, 192.0.2.0/24',
    ]);
  });
  test('nodes and addresses may be meant by a selector: a HostEndpoint or a NetworkSet carries labels', () => {
    for (const party of [node2, onNode2, world]) expect(into(party, 1, source({ selector: 'role == "api"' }))).toBe('unknown');
    expect(into(world, 1, source({ selector: 'role == "api"', namespaceSelector: 'global()' }))).toBe('unknown');
    expect(into(world, 1, source({ notSelector: 'role == "api"' }))).toBe('unknown');
    expect(into(api, 1, source({ notSelector: 'role == "db"' }))).toBe('allowed');
  });
  test('nets: any of them, and none of notNets', () => {
    expect(into(world, 1, source({ nets: ['198.51.100.0/24', '203.0.113.0/24'] }))).toBe('allowed');
    expect(into(api, 1, source({ nets: ['203.0.113.0/24'] }))).toBe('denied');
    expect(into(world, 1, source({ notNets: ['198.51.100.0/24'] }))).toBe('allowed');
    expect(into(world, 1, source({ notNets: ['198.51.100.0/24', '203.0.113.0/24'] }))).toBe('denied');
    expect(into(outside(), 1, source({ nets: ['203.0.113.0/24'] }))).toBe('unknown');
    expect(into(outside(), 1, source({ nets: ['203.0.113.0/24', '0.0.0.0/0'] }))).toBe('allowed');
    expect(into(world, 1, source({ nets: ['203.0.113.9'] }))).toBe('allowed');
    expect(into(outside('2001:db8::9'), 1, source({ nets: ['2001:db8::9'] }))).toBe('allowed');
    expect(into(outside('2001:db8::8'), 1, source({ nets: ['2001:db8::9'] }))).toBe('denied');
    expect(miss('ingress', web, world, source({ nets: ['192.0.2.1', '198.51.100.0/24'] }))).toEqual([
      4,
      'wants an address in 192.0.2.1, 198.51.100.0/24, it is 203.0.113.9',
    ]);
    expect(into(outside(), 1, source({ notNets: ['203.0.113.0/24'] }))).toBe('unknown');
  });
  test('ports and protocols', () => {
    expect([79, 80, 90, 91].map((p) => into(api, p, lets({ protocol: 'TCP', destination: { ports: ['80:90'] } })))).toEqual([
      'denied',
      'allowed',
      'allowed',
      'denied',
    ]);
    expect([80, 81].map((p) => into(api, p, lets({ protocol: 'TCP', destination: { ports: [80] } })))).toEqual(['allowed', 'denied']);
    expect([8080, 80].map((p) => into(api, p, lets({ protocol: 'TCP', destination: { notPorts: ['http'] } })))).toEqual(['denied', 'allowed']);
    expect(into(api, 1, lets({ protocol: 'udp' }))).toBe('denied');
    expect(into(api, 1, lets({ protocol: 'udp' }), 'UDP')).toBe('allowed');
    expect(into(api, 1, lets({ protocol: '17' }), 'UDP')).toBe('allowed');
    expect(into(api, 1, lets({ protocol: 132 }), 'SCTP')).toBe('allowed');
    expect(into(api, 1, lets({ notProtocol: 'UDP' }))).toBe('allowed');
    expect(into(api, 1, lets({ notProtocol: 17 }), 'UDP')).toBe('denied');
    const rule = { protocol: 6, notProtocol: 'UDP', destination: { ports: [80, 'http'], notPorts: [81] } };
    expect(miss('ingress', web, api, lets(rule), 7)).toEqual([0, 'is for TCP not UDP ports 80, http not ports 81, the connection goes to 7/TCP']);
  });
  test.each([
    [{ icmp: { type: 8 } }, 'icmp'],
    [{ notICMP: { type: 8 } }, 'notICMP'],
    [{ http: { methods: ['GET'] } }, 'http'],
    [{ source: { ports: [80] } }, 'source.ports'],
    [{ source: { notPorts: [80] } }, 'source.ports'],
    [{ destination: { selector: 'all()' } }, 'destination'],
  ])('%j is not judged', (rule, named) => {
    const found = ask('ingress', web, api, 1, setOf([], lets(rule)));
    expect(found).toMatchObject({ verdict: 'unknown', why: `Calico NetworkPolicy c, ingress[0] has parts that were not judged: ${named}` });
  });
  test("for egress the pod's own side is the source", () => {
    const egress = (rule: object) => ask('egress', web, api, 80, setOf([], [calico({ types: ['Egress'], egress: [{ action: 'Allow', ...rule }] })]));
    expect(egress({ destination: { selector: 'role == "api"', ports: [80] }, protocol: 'TCP' }).verdict).toBe('allowed');
    expect(egress({ destination: { selector: 'role == "db"' } }).verdict).toBe('denied');
    expect(egress({ source: { selector: 'all()' } }).why).toBe('Calico NetworkPolicy c, egress[0] has parts that were not judged: source');
  });
  test('ipVersion: both ends of a packet have the same family', () => {
    const dual = pod('dual', {}, '10.0.0.9');
    dual.addresses.push('fd00::9');
    const rule = lets({ ipVersion: 6 });
    expect(into(dual, 1, rule)).toBe('unknown');
    expect(into(pod('new', {}, ''), 1, rule)).toBe('unknown');
    expect(miss('ingress', web, api, rule)).toEqual([4, 'is for IPv6, and this is IPv4']);
  });
  test('a tier without an order comes last', () => {
    const tier = { apiVersion: 'projectcalico.org/v3', kind: 'Tier', metadata: { name: 't' }, spec: {} };
    expect(readPolicies([tier]).tiers).toEqual([{ name: 't', order: Number.POSITIVE_INFINITY, end: 'deny' }]);
  });
  test('a policy without an order comes after those that have one; of the same order the name decides', () => {
    const named = (name: string, order: number | undefined) => ({ ...calico({ order, ingress: [] }, 'GlobalNetworkPolicy'), metadata: { name } });
    const { tiers } = setOf([], [named('c', undefined), named('b', 5), named('a', 5)]);
    expect(tiers.flatMap((t) => t.groups.map((g) => g.map((p) => p.name)))).toEqual([['a'], ['b'], ['c']]);
  });
});
