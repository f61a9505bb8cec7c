/** What a decision says of itself: which rule decides, why something is left open, in what order policies are asked, and which rule was nearest. */
import { describe, expect, test } from 'vitest';
import { both, decide, nearMisses, policySet, verdictOf } from '../../src/policy/decide.ts';
import type { Direction, Match, Party, Policy, Rule, Tier } from '../../src/policy/rule.ts';
import { newMemory } from '../../src/policy/rule.ts';
import { api, ask, into, nodeCalled, out, pod, policy, setOf, web, world } from './people.ts';

const rule = (action: Rule['action'], match: Match = true, more: Partial<Rule> = {}): Rule => ({
  field: 'ingress[0]',
  index: 0,
  action,
  peers: [() => match],
  ports: null,
  unjudged: [],
  memory: newMemory(),
  ...more,
});

const ruled = (name: string, rules: readonly Rule[], more: Partial<Policy> = {}): Policy => ({
  kind: 'NetworkPolicy',
  namespace: 'shop',
  name,
  tier: 'default',
  order: 0,
  tie: '',
  selects: () => true,
  ingress: rules,
  egress: null,
  isolates: { ingress: true, egress: false },
  ...more,
});

const asked = (policies: readonly Policy[], other: Party = api, tiers: readonly Tier[] = [], self: Party = web) =>
  ask('ingress', self, other, 80, policySet(policies, tiers));

describe('why', () => {
  test('nothing can apply', () => {
    expect(ask('egress', nodeCalled('node1', '192.0.2.1'), web, 1, setOf([]))).toEqual({
      verdict: 'allowed',
      selecting: [],
      by: null,
      why: 'no policy applies to a node',
    });
    expect(ask('egress', world, web, 1, setOf([])).why).toBe('no policy applies to an address outside the cluster');
    expect(asked([]).why).toBe('no policy selects the pod');
    expect(asked([ruled('p', [], { selects: () => false })]).why).toBe('no policy selects the pod');
    expect(asked([ruled('p', [], { ingress: null })]).why).toBe('no policy selects the pod');
  });

  test('a pod reaches itself, whatever selects it; another one of its namespace does not', () => {
    expect(asked([ruled('p', [])], web)).toMatchObject({ verdict: 'allowed', why: 'a pod always reaches itself', selecting: [{ name: 'p' }] });
    expect(asked([ruled('p', [])], pod('web', {}, '10.0.0.9', { namespace: 'other' })).verdict).toBe('denied');
    // Any pod of a namespace has no name.
    const anyOf = pod('', {}, '');
    expect(asked([ruled('p', [])], anyOf, [], anyOf).verdict).toBe('denied');
  });

  test('the rule that decides, or the policies that have none', () => {
    expect(asked([ruled('p', [rule('Allow')])])).toMatchObject({
      verdict: 'allowed',
      why: 'NetworkPolicy p, ingress[0] allows it',
      by: { policy: { name: 'p' } },
    });
    expect(asked([ruled('p', [rule('Deny')])])).toMatchObject({
      verdict: 'denied',
      why: 'NetworkPolicy p, ingress[0] denies it',
      by: { policy: { name: 'p' } },
    });
    expect(asked([ruled('a', []), ruled('b', []), ruled('c', [], { isolates: { ingress: false, egress: true } })])).toMatchObject({
      verdict: 'denied',
      why: 'no rule of a, b allows it',
      by: null,
    });
    expect(asked([ruled('p', [], { isolates: { ingress: false, egress: false } })]).why).toBe('no rule that selects the pod denies it');
  });

  test('two rules of the same order that disagree', () => {
    const found = asked([ruled('a', [rule('Allow')]), ruled('b', [rule('Deny')])]);
    expect(found).toMatchObject({ verdict: 'unknown', by: { policy: { name: 'a' } } });
    expect(found.why).toBe('NetworkPolicy a, ingress[0] and NetworkPolicy b, ingress[0] have the same priority and disagree');
  });

  test('a part that was not judged, and what is asked after it', () => {
    const open = rule('Allow', true, { unjudged: ['serviceAccounts', 'fqdns'] });
    expect(asked([ruled('p', [open])])).toMatchObject({
      verdict: 'unknown',
      why: 'NetworkPolicy p, ingress[0] has parts that were not judged: serviceAccounts, fqdns',
      by: { rule: open },
    });
    expect(asked([ruled('p', [open, rule('Allow')])]).verdict).toBe('allowed');
  });

  test('an address that is not known', () => {
    const found = asked([ruled('p', [rule('Allow', 'maybe')])], pod('x', {}, '', { node: 'node2' }));
    expect(found).toMatchObject({ verdict: 'unknown', why: 'NetworkPolicy p, ingress[0] names addresses, and that of the other side is not known' });
    expect(asked([ruled('p', [], { selects: () => 'maybe' })]).why).toBe('what selects the pod is not known for certain');
  });

  test("the network of a node, the pod's own or another's", () => {
    const onNode = pod('agent', {}, '192.0.2.2', { hostNetwork: true, node: 'node2' });
    expect(asked([ruled('p', [], { selects: () => 'maybe' })], api, [], onNode).why).toMatch(/^the pod uses its node's network/);
    expect(asked([ruled('p', [rule('Allow', 'maybe')])], onNode).why).toMatch(/^the client uses its node's network/);
    const unplaced = pod('new', {}, '10.0.0.7', { node: null });
    expect(asked([ruled('p', [])], nodeCalled('node2', '192.0.2.2'), [], unplaced)).toMatchObject({
      verdict: 'unknown',
      why: 'the plug-in decides whether the node that the pod runs on is treated like other nodes',
    });
    expect(asked([ruled('p', [])], api, [], unplaced).verdict).toBe('denied');
  });

  test('"Traffic to and from the node where a Pod is running is always allowed"', () => {
    expect(asked([ruled('p', [])], nodeCalled('node1', '192.0.2.1'))).toMatchObject({
      verdict: 'allowed',
      why: 'a pod and its own node always reach each other',
      selecting: [{ name: 'p' }],
    });
    expect(asked([ruled('p', [])], nodeCalled('node2', '192.0.2.2')).verdict).toBe('denied');
    const beside = pod('agent', {}, '192.0.2.1', { hostNetwork: true, node: 'node1' });
    expect(asked([ruled('p', [])], beside).verdict).toBe('unknown');
    expect(asked([ruled('p', [])], pod('agent', {}, '192.0.2.2', { hostNetwork: true, node: 'node2' })).verdict).toBe('denied');
    // The kinds of the whole cluster come first.
    expect(asked([ruled('first', [rule('Deny')], { tier: 'admin' })], nodeCalled('node1', '192.0.2.1')).verdict).toBe('denied');
  });
});

describe('the order', () => {
  const tier = (name: string, order: number, end: Tier['end'] = 'deny'): Tier => ({ name, order, end });
  const names = (policies: readonly Policy[], tiers: readonly Tier[] = []) =>
    policySet(policies, tiers).tiers.map((t) => [t.tier.name, ...t.groups.map((g) => g.map((p) => p.name).join('+'))]);

  test('of tiers: by their number, then by their name; one that nobody described comes last, and denies', () => {
    const policies = ['c', 'a', 'b', 'undescribed'].map((name) => ruled(name, [], { tier: name }));
    expect(names(policies, [tier('a', 20), tier('b', 20), tier('c', 10)])).toEqual([
      ['c', 'c'],
      ['a', 'a'],
      ['b', 'b'],
      ['undescribed', 'undescribed'],
    ]);
    expect(policySet(policies).tiers.map((t) => [t.tier.order, t.tier.end])).toEqual(policies.map(() => [Number.POSITIVE_INFINITY, 'deny']));
  });

  test('of policies in a tier: by their number, then by what breaks ties; the rest are one group', () => {
    const of = (name: string, order: number, tie: string) => ruled(name, [], { order, tie });
    expect(names([of('e', 2, 'a'), of('d', 1, 'b'), of('c', 1, 'a'), of('b', 1, 'a'), of('a', 0, 'z')])).toEqual([['default', 'a', 'c+b', 'd', 'e']]);
  });

  test('the first tier that decides; one that ends with "next" hands on', () => {
    const [first, second] = [ruled('first', [], { tier: 'one' }), ruled('second', [rule('Allow')], { tier: 'two' })];
    expect(asked([first, second], api, [tier('one', 1), tier('two', 2)]).verdict).toBe('denied');
    expect(asked([first, second], api, [tier('one', 1, 'next'), tier('two', 2)])).toMatchObject({ verdict: 'allowed', by: { policy: { name: 'second' } } });
    expect(asked([first, second], api, [tier('one', 2), tier('two', 1)]).verdict).toBe('allowed');
  });

  test('the first rule that matches, and Pass hands on to the next tier', () => {
    const miss: Match = { far: 1, reason: () => 'no' };
    expect(asked([ruled('p', [rule('Deny', miss), rule('Allow'), rule('Deny')])]).verdict).toBe('allowed');
    const passing = ruled('passing', [rule('Pass'), rule('Deny')], { tier: 'one' });
    const denying = ruled('denying', [rule('Deny')], { tier: 'two' });
    expect(asked([passing], api, [tier('one', 1)]).verdict).toBe('allowed');
    expect(asked([passing, denying], api, [tier('one', 1), tier('two', 2)])).toMatchObject({ verdict: 'denied', by: { policy: { name: 'denying' } } });
  });

  test('a policy that may select the pod leaves both open, unless both say the same', () => {
    const perhaps = { selects: () => 'maybe' as const, tier: 'one' };
    const tiers = [tier('one', 1), tier('two', 2)];
    const denying = ruled('denying', [rule('Deny')], { tier: 'two' });
    expect(asked([ruled('p', [rule('Allow')], perhaps), denying], api, tiers).verdict).toBe('unknown');
    expect(asked([ruled('p', [rule('Deny')], perhaps), denying], api, tiers).verdict).toBe('denied');
  });
});

test('both sides: a denial of one is enough, and what one leaves open stays open', () => {
  const all = ['allowed', 'unknown', 'denied'] as const;
  expect(all.map((egress) => all.map((ingress) => both(egress, ingress)))).toEqual([
    ['allowed', 'unknown', 'denied'],
    ['unknown', 'unknown', 'denied'],
    ['denied', 'denied', 'denied'],
  ]);
});

test('what is remembered for many pairs is what is decided for one', () => {
  const set = setOf([
    policy({
      podSelector: { matchLabels: { app: 'web' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { role: 'api' } } }], ports: [{ port: 'http' }] }],
    }),
    policy(
      { podSelector: { matchLabels: { role: 'api' } }, policyTypes: ['Egress'], egress: [{ to: [{ ipBlock: { cidr: '203.0.113.0/24' } }] }] },
      'shop',
      'q',
    ),
  ]);
  const parties = [web, api, world, nodeCalled('node1', '192.0.2.1'), nodeCalled('node2', '192.0.2.2'), pod('other', { app: 'web' }, '10.0.0.3')].map(
    (p, index) => ({
      ...p,
      index,
    }),
  );
  const verdicts = new Set<string>();
  for (let round = 0; round < 2; round++) {
    for (const direction of ['ingress', 'egress'] satisfies Direction[]) {
      for (const self of parties) {
        for (const other of parties) {
          for (const port of [8080, 9090]) {
            const connection = { port, protocol: 'TCP' as const };
            const { verdict } = decide(direction, self, other, connection, set);
            expect(verdictOf(direction, self, other, connection, set), `${direction} ${self.index} ${other.index} ${port}`).toBe(verdict);
            verdicts.add(verdict);
          }
        }
      }
    }
  }
  expect([...verdicts].toSorted()).toEqual(['allowed', 'denied']);
});

test('what is remembered of many parties is of each its own', () => {
  const set = setOf([policy({ podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { even: 'yes' } } }] }] })]);
  const parties = Array.from({ length: 300 }, (_, index) => ({
    ...pod(`p${index}`, index % 2 === 0 ? { even: 'yes' } : {}, `10.1.${index >> 8}.${index & 255}`),
    index,
  }));
  for (let round = 0; round < 2; round++)
    for (const other of parties) {
      const verdict = verdictOf('ingress', { ...web, index: 300 }, other, { port: 1, protocol: 'TCP' }, set);
      expect(verdict, `p${other.index}`).toBe(other.index % 2 === 0 ? 'allowed' : 'denied');
    }
});

describe('a policy that may select the pod, beside one that does', () => {
  const perhaps = { selects: () => 'maybe' as const };
  test('isolates only perhaps', () => {
    expect(asked([ruled('p', [], perhaps)]).verdict).toBe('unknown');
    expect(asked([ruled('p', [], perhaps), ruled('q', [])]).verdict).toBe('denied');
    // If it selects the pod, it answers; if not, nothing else isolates.
    expect(asked([ruled('p', [rule('Allow')], perhaps)]).verdict).toBe('allowed');
  });
  test("NetworkPolicies select a pod on its node's network all together or not at all; other kinds do so each for itself", () => {
    const [letting, silent] = [ruled('p', [rule('Allow')], perhaps), ruled('q', [], perhaps)];
    expect(asked([letting, silent]).verdict).toBe('allowed');
    expect(asked([{ ...letting, kind: 'X' }, silent]).verdict).toBe('unknown');
    expect(asked([letting, { ...silent, kind: 'X' }]).verdict).toBe('unknown');
    expect(asked([letting, ruled('q', [])]).verdict).toBe('unknown');
  });
});

describe('the nearest rule', () => {
  const misses = (other: Party, port: number, ...ingress: object[]) => {
    const decision = ask('ingress', web, other, port, setOf([policy({ podSelector: {}, ingress })]));
    return nearMisses('ingress', web, other, { port, protocol: 'TCP' }, decision).map((m) => [m.rule.index, m.far, m.reason]);
  };
  const from = (...peers: object[]) => ({ from: peers });
  const role = (name: string) => ({ podSelector: { matchLabels: { role: name } } });

  test('the right client on another port is nearer than another client', () => {
    expect(misses(api, 8080, { ...from(role('db')) }, { ...from(role('api')), ports: [{ port: 80 }] })).toEqual([
      [1, 0, 'allows 80/TCP, the connection goes to 8080/TCP'],
      [0, 1, 'wants role=db, it has role=api'],
    ]);
  });
  test('another client on another port is farther', () => {
    expect(misses(api, 8080, { ...from(role('db')), ports: [{ port: 80 }] }, from(role('db')))).toEqual([
      [1, 1, 'wants role=db, it has role=api'],
      [0, 2, 'wants role=db, it has role=api'],
    ]);
  });
  test('of several peers the nearest counts', () => {
    expect(misses(api, 8080, from({ ipBlock: { cidr: '192.0.2.0/24' } }, role('db')))).toEqual([[0, 1, 'wants role=db, it has role=api']]);
  });
  test('a rule that would match is no miss, nor is one that denies', () => {
    const connection = { port: 80, protocol: 'TCP' as const };
    const set = policySet([ruled('p', [rule('Deny', { far: 1, reason: () => 'another' }), rule('Allow')])]);
    expect(nearMisses('ingress', web, api, connection, decide('ingress', web, api, connection, set))).toEqual([]);
    expect(misses(api, 8080)).toEqual([]);
  });
  test('why a party is not meant, and how far it is', () => {
    const one = (other: Party, peer: object) => misses(other, 8080, from(peer))[0]?.slice(1);
    const far = pod('far', { role: 'api' }, '10.0.1.2', { namespace: 'other', namespaceLabels: { 'kubernetes.io/metadata.name': 'other' } });
    const dual = { ...world, addresses: ['203.0.113.9', '2001:db8::9'] };
    expect(one(world, role('api'))).toEqual([5, 'names pods, and this is an address outside the cluster']);
    expect(one(nodeCalled('node2', '192.0.2.2'), role('api'))).toEqual([5, 'names pods, and this is node node2']);
    expect(one(far, role('api'))).toEqual([3, 'names pods of namespace shop only, and it is in other']);
    expect(one(far, { namespaceSelector: { matchLabels: { team: 'b' } } })).toEqual([2, 'wants team=b, there is no label team on namespace other']);
    expect(one(dual, { ipBlock: { cidr: '192.0.2.0/24' } })).toEqual([4, 'wants an address in 192.0.2.0/24, it is 203.0.113.9, 2001:db8::9']);
    expect(one(dual, { ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.64/26', '203.0.113.8/29'] } })).toEqual([
      3,
      'names 203.0.113.0/24 without 203.0.113.8/29, where 203.0.113.9, 2001:db8::9 lies',
    ]);
  });
  test('ports as a person writes them', () => {
    expect(misses(api, 8080, { ports: [{ port: 80, endPort: 90 }, { protocol: 'UDP' }, { port: 'dns', protocol: 'UDP' }] })).toEqual([
      [0, 0, 'allows 80-90/TCP, every port/UDP, dns/UDP, the connection goes to 8080/TCP'],
    ]);
  });
  test('a rule that names nobody is the farthest', () => {
    const connection = { port: 80, protocol: 'TCP' as const };
    const set = policySet([ruled('p', [rule('Allow', true, { peers: [] })])]);
    const [miss] = nearMisses('ingress', web, api, connection, decide('ingress', web, api, connection, set));
    expect(miss).toMatchObject({ far: 5, reason: 'names nobody' });
  });
  test('for egress the port is that of the other side', () => {
    const named = policy({ podSelector: {}, policyTypes: ['Egress'], egress: [{ ports: [{ port: 'http' }] }] });
    const decision = ask('egress', api, web, 9090, setOf([named]));
    expect(decision.verdict).toBe('denied');
    expect(nearMisses('egress', api, web, { port: 9090, protocol: 'TCP' }, decision).map((m) => m.reason)).toEqual([
      'allows http/TCP, the connection goes to 9090/TCP',
    ]);
    expect(out(web, 8080, named)).toBe('allowed');
    expect(into(api, 8080, named)).toBe('allowed');
  });
});
