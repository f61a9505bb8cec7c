import { describe, expect, test } from 'vitest';
import type { NetworkPolicy } from '../../src/facts/objects.ts';
import * as v from 'valibot';
import { networkPolicy } from '../../src/facts/objects.ts';
import { decide, directionsOf, type Party } from '../../src/policy/evaluate.ts';

const policy = (spec: object, namespace = 'shop', name = 'p'): NetworkPolicy => v.parse(networkPolicy, { metadata: { name, namespace }, spec });
const pod = (name: string, labels: Record<string, string>, address: string, more: Partial<NonNullable<Party['pod']>> = {}): Party => ({
  addresses: [address],
  pod: { namespace: 'shop', name, labels, namespaceLabels: { 'kubernetes.io/metadata.name': 'shop' }, hostNetwork: false, ports: [], ...more },
});
const web = pod('web', { app: 'web' }, '10.0.0.1', { ports: [{ name: 'http', port: 8080, protocol: 'TCP' }] });
const api = pod('api', { role: 'api' }, '10.0.0.2');
const far = pod('far', { role: 'api' }, '10.0.1.2', { namespace: 'other', namespaceLabels: { 'kubernetes.io/metadata.name': 'other', team: 'b' } });
const outside: Party = { addresses: ['203.0.113.9'], pod: null };
const into = (from: Party, port: number, ...policies: NetworkPolicy[]) => decide('ingress', web, from, port, 'TCP', policies).verdict;

describe('NetworkPolicySpec', () => {
  test('a pod that no policy selects takes everything', () => {
    expect(into(api, 8080)).toBe('allowed');
    expect(into(api, 8080, policy({ podSelector: { matchLabels: { app: 'db' } }, policyTypes: ['Ingress'] }))).toBe('allowed');
  });
  test('policies of another namespace do not select it', () => {
    expect(into(api, 8080, policy({ podSelector: {} }, 'other'))).toBe('allowed');
  });
  test('podSelector: empty selects every pod of the namespace', () => {
    expect(into(api, 8080, policy({ podSelector: {}, policyTypes: ['Ingress'] }))).toBe('denied');
  });
  test('policyTypes: derived as Ingress, and Egress where there are egress rules', () => {
    expect(directionsOf(policy({ podSelector: {} }))).toEqual(['ingress']);
    expect(directionsOf(policy({ podSelector: {}, egress: [{}] }))).toEqual(['ingress', 'egress']);
    expect(directionsOf(policy({ podSelector: {}, policyTypes: ['Egress'] }))).toEqual(['egress']);
  });
  test('ingress: [] denies, [{}] allows all', () => {
    expect(into(api, 8080, policy({ podSelector: {}, ingress: [] }))).toBe('denied');
    expect(into(outside, 1, policy({ podSelector: {}, ingress: [{}] }))).toBe('allowed');
  });
  test('several policies are added up: one that allows is enough', () => {
    expect(
      into(
        api,
        8080,
        policy({ podSelector: {} }, 'shop', 'deny'),
        policy({ podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { role: 'api' } } }] }] }),
      ),
    ).toBe('allowed');
  });
});

describe('NetworkPolicyPeer', () => {
  const from = (...peers: object[]) => policy({ podSelector: {}, ingress: [{ from: peers }] });
  test("podSelector alone means the policy's own namespace", () => {
    expect(into(api, 1, from({ podSelector: {} }))).toBe('allowed');
    expect(into(far, 1, from({ podSelector: {} }))).toBe('denied');
  });
  test('namespaceSelector alone means all pods of these namespaces', () => {
    expect(into(far, 1, from({ namespaceSelector: { matchLabels: { team: 'b' } } }))).toBe('allowed');
    expect(into(api, 1, from({ namespaceSelector: { matchLabels: { team: 'b' } } }))).toBe('denied');
  });
  test('both in one peer must hold, as two peers either', () => {
    const ns = { namespaceSelector: { matchLabels: { team: 'b' } } };
    expect(into(far, 1, from({ ...ns, podSelector: { matchLabels: { role: 'web' } } }))).toBe('denied');
    expect(into(far, 1, from(ns, { podSelector: { matchLabels: { role: 'web' } } }))).toBe('allowed');
  });
  test('ipBlock with except', () => {
    expect(into(outside, 1, from({ ipBlock: { cidr: '203.0.113.0/24' } }))).toBe('allowed');
    expect(into(outside, 1, from({ ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.8/29'] } }))).toBe('denied');
    expect(into({ addresses: ['2001:db8::1'], pod: null }, 1, from({ ipBlock: { cidr: '2001:db8::/32' } }))).toBe('allowed');
    expect(into(outside, 1, from({ ipBlock: { cidr: '2001:db8::/32' } }))).toBe('denied');
  });
  test('selectors never name addresses outside of the cluster', () => {
    expect(into(outside, 1, from({ namespaceSelector: {} }))).toBe('denied');
  });
});

describe('NetworkPolicyPort', () => {
  const ports = (...list: object[]) => policy({ podSelector: {}, ingress: [{ ports: list }] });
  test('a number, with TCP as the default protocol', () => {
    expect(into(api, 8080, ports({ port: 8080 }))).toBe('allowed');
    expect(into(api, 8081, ports({ port: 8080 }))).toBe('denied');
    expect(into(api, 8080, ports({ port: 8080, protocol: 'UDP' }))).toBe('denied');
  });
  test('endPort makes a range, both ends in it', () => {
    expect([7999, 8000, 8100, 8101].map((p) => into(api, p, ports({ port: 8000, endPort: 8100 })))).toEqual(['denied', 'allowed', 'allowed', 'denied']);
  });
  test('a name is looked up on the receiving pod', () => {
    expect(into(api, 8080, ports({ port: 'http' }))).toBe('allowed');
    expect(into(api, 9090, ports({ port: 'http' }))).toBe('denied');
    const out = policy({ podSelector: {}, policyTypes: ['Egress'], egress: [{ ports: [{ port: 'http' }] }] });
    expect(decide('egress', api, web, 8080, 'TCP', [out]).verdict).toBe('allowed');
    expect(decide('egress', api, outside, 8080, 'TCP', [out]).verdict).toBe('denied');
  });
  test('a protocol alone means all its ports', () => {
    expect(into(api, 5, ports({ protocol: 'TCP' }))).toBe('allowed');
  });
});

describe('what is special', () => {
  test('a pod always reaches itself', () => {
    expect(decide('ingress', web, web, 1, 'TCP', [policy({ podSelector: {} })]).verdict).toBe('allowed');
  });
  test("a pod on its node's network is left to the plug-in", () => {
    const onNode = pod('agent', {}, '10.1.0.1', { hostNetwork: true });
    expect(decide('ingress', onNode, api, 1, 'TCP', [policy({ podSelector: {} })]).verdict).toBe('unknown');
    expect(into(onNode, 1, policy({ podSelector: {} }))).toBe('unknown');
  });
  test('the nearest rule stands first, with its first mismatch', () => {
    const decision = decide('ingress', web, api, 8080, 'TCP', [
      policy({
        podSelector: {},
        ingress: [
          { from: [{ ipBlock: { cidr: '192.0.2.0/24' } }] },
          { from: [{ podSelector: { matchLabels: { role: 'API' } } }], ports: [{ port: 8080 }] },
          { from: [{ podSelector: {} }], ports: [{ port: 80 }] },
        ],
      }),
    ]);
    expect(decision.nearest.map((m) => m.reason)).toEqual([
      'allows 80/TCP, the connection goes to 8080/TCP',
      'wants role=API, it has role=api',
      'wants an address in 192.0.2.0/24, it is 10.0.0.2',
    ]);
  });
});
