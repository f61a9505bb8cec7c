/**
 * NetworkPolicy field by field. Each test cites the sentence it holds the evaluator to: the API's reference
 * (networking.k8s.io/v1 types, Kubernetes v1.35), or "Network Policies" in its concepts (kubernetes.io/docs/concepts/services-networking/network-policies).
 */
import { describe, expect, test } from 'vitest';
import { nearMisses } from '../../src/policy/decide.ts';
import { directionsOf } from '../../src/policy/network-policy.ts';
import { outside } from '../../src/policy/world.ts';
import { api, ask, far, into, nodeCalled, out, pod, policy, setOf, web, world } from './people.ts';

describe('NetworkPolicySpec.podSelector', () => {
  test('"selects the pods to which this NetworkPolicy object applies": others take everything', () => {
    expect(into(api, 8080)).toBe('allowed');
    expect(into(api, 8080, policy({ podSelector: { matchLabels: { app: 'db' } }, policyTypes: ['Ingress'] }))).toBe('allowed');
    expect(into(api, 8080, policy({ podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Ingress'] }))).toBe('denied');
  });
  test('"An empty selector matches all pods in the policy\'s namespace", as an absent one does', () => {
    expect(into(api, 8080, policy({ podSelector: {}, policyTypes: ['Ingress'] }))).toBe('denied');
    expect(into(api, 8080, policy({ policyTypes: ['Ingress'] }))).toBe('denied');
  });
  test('metadata.namespace: policies of another namespace do not select the pod', () => {
    expect(into(api, 8080, policy({ podSelector: {} }, 'other'))).toBe('allowed');
  });
  test('LabelSelector.matchExpressions: In, NotIn, Exists, DoesNotExist, "The requirements are ANDed"', () => {
    const denies = (...matchExpressions: object[]) => into(api, 1, policy({ podSelector: { matchExpressions }, policyTypes: ['Ingress'] }));
    expect(denies({ key: 'app', operator: 'In', values: ['db', 'web'] })).toBe('denied');
    expect(denies({ key: 'app', operator: 'NotIn', values: ['web'] })).toBe('allowed');
    expect(denies({ key: 'tier', operator: 'NotIn', values: ['x'] })).toBe('denied');
    expect(denies({ key: 'app', operator: 'Exists' })).toBe('denied');
    expect(denies({ key: 'app', operator: 'DoesNotExist' })).toBe('allowed');
    expect(denies({ key: 'app', operator: 'Exists' }, { key: 'tier', operator: 'Exists' })).toBe('allowed');
  });
  test('a label may be called like a property of every object', () => {
    expect(into(api, 1, policy({ podSelector: { matchExpressions: [{ key: 'constructor', operator: 'Exists' }] }, policyTypes: ['Ingress'] }))).toBe('allowed');
  });
});

describe('NetworkPolicySpec.policyTypes', () => {
  test('"If this field is not specified, it will default based on the existence of ingress or egress rules; policies that contain an egress section are assumed to affect egress, and all policies (whether or not they contain an ingress section) are assumed to affect ingress"', () => {
    expect(directionsOf(policy({ podSelector: {} }))).toEqual(['ingress']);
    expect(directionsOf(policy({ podSelector: {}, egress: [{}] }))).toEqual(['ingress', 'egress']);
    expect(out(web, 1, policy({ podSelector: {} }))).toBe('allowed');
  });
  test('"If you want to write an egress-only policy, you must explicitly specify policyTypes [ "Egress" ]"', () => {
    expect(into(api, 1, policy({ podSelector: {}, policyTypes: ['Egress'] }))).toBe('allowed');
    expect(out(web, 1, policy({ podSelector: {}, policyTypes: ['Egress'] }))).toBe('denied');
  });
  test('rules of a direction that policyTypes leaves out mean nothing', () => {
    expect(out(web, 1, policy({ podSelector: {}, policyTypes: ['Ingress'], egress: [] }))).toBe('allowed');
  });
});

describe('NetworkPolicySpec.ingress and .egress', () => {
  test('"If this field is empty then this NetworkPolicy does not allow any traffic"', () => {
    expect(into(api, 8080, policy({ podSelector: {}, ingress: [] }))).toBe('denied');
    expect(out(web, 8080, policy({ podSelector: {}, policyTypes: ['Egress'], egress: [] }))).toBe('denied');
  });
  test('an empty rule allows all: [{}] is not []', () => {
    expect(into(world, 1, policy({ podSelector: {}, ingress: [{}] }))).toBe('allowed');
    expect(out(world, 1, policy({ podSelector: {}, egress: [{}] }))).toBe('allowed');
  });
  test('"Traffic is allowed to a pod if ... the traffic matches at least one ingress rule across all of the NetworkPolicy objects whose podSelector matches the pod"', () => {
    const allow = policy({ podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { role: 'api' } } }] }] }, 'shop', 'allow');
    expect(into(api, 8080, policy({ podSelector: {} }, 'shop', 'deny'), allow)).toBe('allowed');
    expect(into(world, 8080, policy({ podSelector: {} }, 'shop', 'deny'), allow)).toBe('denied');
  });
  test('the two directions are judged apart: "both the egress policy on the source pod and the ingress policy on the destination pod need to allow the connection"', () => {
    const inOnly = policy({ podSelector: {}, policyTypes: ['Ingress'] });
    expect(into(api, 1, inOnly)).toBe('denied');
    expect(out(web, 1, inOnly)).toBe('allowed');
  });
});

describe('NetworkPolicyIngressRule.from, NetworkPolicyEgressRule.to', () => {
  test('"If this field is empty or missing, this rule matches all sources (traffic not restricted by source)"', () => {
    expect(into(world, 1, policy({ podSelector: {}, ingress: [{ from: [] }] }))).toBe('allowed');
  });
  test('"Items in this list are combined using a logical OR operation"', () => {
    const two = policy({
      podSelector: {},
      ingress: [{ from: [{ podSelector: { matchLabels: { role: 'x' } } }, { podSelector: { matchLabels: { role: 'api' } } }] }],
    });
    expect(into(api, 1, two)).toBe('allowed');
  });
  test('peers and ports of one rule must both match', () => {
    const one = policy({ podSelector: {}, ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 8080 }] }] });
    expect(into(api, 8080, one)).toBe('allowed');
    expect(into(api, 8081, one)).toBe('denied');
    expect(into(far, 8080, one)).toBe('denied');
  });
});

describe('NetworkPolicyPeer', () => {
  const from = (...peers: object[]) => policy({ podSelector: {}, ingress: [{ from: peers }] });
  test('podSelector: "Otherwise it selects the pods matching podSelector in the policy\'s own namespace"', () => {
    expect(into(api, 1, from({ podSelector: {} }))).toBe('allowed');
    expect(into(far, 1, from({ podSelector: {} }))).toBe('denied');
  });
  test('namespaceSelector: "Otherwise it selects all pods in the namespaces selected by namespaceSelector"', () => {
    expect(into(far, 1, from({ namespaceSelector: { matchLabels: { team: 'b' } } }))).toBe('allowed');
    expect(into(api, 1, from({ namespaceSelector: { matchLabels: { team: 'b' } } }))).toBe('denied');
  });
  test('namespaceSelector: "if present but empty, it selects all namespaces"', () => {
    expect(into(far, 1, from({ namespaceSelector: {} }))).toBe('allowed');
  });
  test('"If podSelector is also set, then the NetworkPolicyPeer as a whole selects the pods matching podSelector in the namespaces selected by namespaceSelector"; as two peers, either will do', () => {
    const ns = { namespaceSelector: { matchLabels: { team: 'b' } } };
    expect(into(far, 1, from({ ...ns, podSelector: { matchLabels: { role: 'web' } } }))).toBe('denied');
    expect(into(far, 1, from(ns, { podSelector: { matchLabels: { role: 'web' } } }))).toBe('allowed');
  });
  test('kubernetes.io/metadata.name: "The Kubernetes control plane sets an immutable label on all namespaces"', () => {
    expect(into(far, 1, from({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'other' } } }))).toBe('allowed');
  });
  test('selectors never name addresses outside the cluster', () => {
    expect(into(world, 1, from({ namespaceSelector: {} }))).toBe('denied');
  });
});

describe('IPBlock', () => {
  const from = (ipBlock: object) => policy({ podSelector: {}, ingress: [{ from: [{ ipBlock }] }] });
  test('cidr: "Valid examples are "192.168.1.0/24" or "2001:db8::/64"", each for its own family', () => {
    expect(into(world, 1, from({ cidr: '203.0.113.0/24' }))).toBe('allowed');
    expect(into(outside('2001:db8::1'), 1, from({ cidr: '2001:db8::/32' }))).toBe('allowed');
    expect(into(world, 1, from({ cidr: '2001:db8::/32' }))).toBe('denied');
    expect(into(world, 1, from({ cidr: '::/0' }))).toBe('denied');
  });
  test('except: "a slice of CIDRs that should not be included within an ipBlock"', () => {
    expect(into(world, 1, from({ cidr: '203.0.113.0/24', except: ['203.0.113.8/29'] }))).toBe('denied');
    expect(into(outside('203.0.113.16'), 1, from({ cidr: '203.0.113.0/24', except: ['203.0.113.8/29'] }))).toBe('allowed');
  });
  test('what one block leaves out, another may hold', () => {
    const two = policy({
      podSelector: {},
      ingress: [{ from: [{ ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.8/29'] } }, { ipBlock: { cidr: '203.0.113.9/32' } }] }],
    });
    expect(into(world, 1, two)).toBe('allowed');
  });
  test('a pod lies in it by its address', () => {
    expect(into(api, 1, from({ cidr: '10.0.0.2/32' }))).toBe('allowed');
  });
  test('an address that is not known may lie in any but the whole', () => {
    expect(into(outside(), 1, from({ cidr: '10.0.0.0/8' }))).toBe('unknown');
    expect(into(outside(), 1, from({ cidr: '0.0.0.0/0' }))).toBe('allowed');
    expect(into(outside(), 1, from({ cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] }))).toBe('unknown');
  });
});

describe('NetworkPolicyPort', () => {
  const ports = (...list: object[]) => policy({ podSelector: {}, ingress: [{ ports: list }] });
  test('ports: "If this field is empty or missing, this rule matches all ports"', () => {
    expect(into(api, 8080, ports())).toBe('allowed');
  });
  test('protocol: "If not specified, this field defaults to TCP"; TCP, UDP, SCTP', () => {
    expect(into(api, 8080, ports({ port: 8080 }))).toBe('allowed');
    expect(into(api, 8080, ports({ port: 8080, protocol: 'UDP' }))).toBe('denied');
    expect(ask('ingress', web, api, 8080, setOf([ports({ port: 8080, protocol: 'SCTP' })]), 'SCTP').verdict).toBe('allowed');
    expect(ask('ingress', web, api, 8080, setOf([ports({ port: 8080, protocol: 'UDP' })]), 'UDP').verdict).toBe('allowed');
  });
  test('port: "If this field is not provided, this matches all port names and numbers" of the protocol', () => {
    expect(into(api, 5, ports({ protocol: 'TCP' }))).toBe('allowed');
    expect(into(api, 5, ports({ protocol: 'UDP' }))).toBe('denied');
  });
  test('port: "This can either be a numerical or named port on a pod": a name is looked up on the receiving pod, by protocol', () => {
    expect(into(api, 8080, ports({ port: 'http' }))).toBe('allowed');
    expect(into(api, 9090, ports({ port: 'http' }))).toBe('denied');
    expect(into(api, 8080, ports({ port: 'http', protocol: 'UDP' }))).toBe('denied');
    const named = policy({ podSelector: {}, policyTypes: ['Egress'], egress: [{ ports: [{ port: 'http' }] }] });
    expect(out(web, 8080, named)).toBe('allowed');
    expect(out(world, 8080, named)).toBe('denied');
  });
  test('endPort: "the range of ports from port to endPort, inclusive"', () => {
    expect([7999, 8000, 8100, 8101].map((p) => into(api, p, ports({ port: 8000, endPort: 8100 })))).toEqual(['denied', 'allowed', 'allowed', 'denied']);
  });
  test('"Each item in this list is combined using a logical OR"', () => {
    expect(into(api, 81, ports({ port: 80 }, { port: 81 }))).toBe('allowed');
  });
});

describe('what the API leaves to the plug-in is said to be so', () => {
  const closed = policy({ podSelector: {} });
  test('"A Pod cannot block access to itself"', () => {
    expect(into(web, 1, closed)).toBe('allowed');
  });
  test('"Traffic to and from the node where a Pod is running is always allowed, regardless of the IP address of the Pod or the node"', () => {
    expect(into(nodeCalled('node1', '192.0.2.1'), 1, closed)).toBe('allowed');
    expect(into(nodeCalled('node2', '192.0.2.2'), 1, closed)).toBe('denied');
    expect(into(nodeCalled('node2', '192.0.2.2'), 1, policy({ podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '192.0.2.0/24' } }] }] }))).toBe(
      'allowed',
    );
  });
  test('a pod whose node is not known may be on the one that asks', () => {
    expect(ask('ingress', pod('new', {}, '10.0.0.7', { node: null }), nodeCalled('node1', '192.0.2.1'), 1, setOf([closed])).verdict).toBe('unknown');
  });
  test('"NetworkPolicy behaviour for hostNetwork pods is undefined", but of the two ways that it may be, both say no here', () => {
    const onNode = pod('agent', { role: 'agent' }, '192.0.2.2', { hostNetwork: true, node: 'node2' });
    expect(into(onNode, 1, closed)).toBe('denied');
    expect(into(onNode, 1, policy({ podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { role: 'agent' } } }] }] }))).toBe('unknown');
    expect(into(onNode, 1, policy({ podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '192.0.2.0/24' } }] }] }))).toBe('allowed');
    expect(into({ ...onNode, pod: { ...onNode.pod, node: 'node1' } as NonNullable<typeof onNode.pod> }, 1, closed)).toBe('unknown');
  });
  test("policies that select a pod on its node's network may or may not hold", () => {
    const onNode = pod('agent', {}, '192.0.2.2', { hostNetwork: true, node: 'node2' });
    expect(ask('ingress', onNode, api, 1, setOf([closed])).verdict).toBe('unknown');
    expect(ask('ingress', onNode, api, 1, setOf([policy({ podSelector: {}, ingress: [{}] })])).verdict).toBe('allowed');
  });
});

test('the nearest rule comes first, each with its first mismatch', () => {
  const set = setOf([
    policy({
      podSelector: {},
      ingress: [
        { from: [{ ipBlock: { cidr: '192.0.2.0/24' } }] },
        { from: [{ podSelector: { matchLabels: { role: 'API' } } }], ports: [{ port: 8080 }] },
        { from: [{ podSelector: {} }], ports: [{ port: 80 }] },
      ],
    }),
  ]);
  const decision = ask('ingress', web, api, 8080, set);
  expect(nearMisses('ingress', web, api, { port: 8080, protocol: 'TCP' }, decision).map((m) => [m.rule.field, m.reason])).toEqual([
    ['ingress[2]', 'allows 80/TCP, the connection goes to 8080/TCP'],
    ['ingress[1]', 'wants role=API, it has role=api'],
    ['ingress[0]', 'wants an address in 192.0.2.0/24, it is 10.0.0.2'],
  ]);
});
