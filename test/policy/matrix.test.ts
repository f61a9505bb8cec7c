/** Who may talk to whom: pods that may do the same are one group, under the name that they share. */
import { describe, expect, test } from 'vitest';
import { matrixOf } from '../../src/policy/matrix.ts';
import type { Connection, Party } from '../../src/policy/rule.ts';
import { api, far, pod, policy, setOf } from './people.ts';

const http = { name: 'http', port: 8080, protocol: 'TCP' } as const;
const replica = (name: string, address: string, more: object = {}) =>
  pod(name, { app: 'web', 'pod-template-hash': name.split('-')[1] ?? '' }, address, { ports: [http], ...more });
const [first, second] = [replica('web-7d9f-abc', '10.0.0.11'), replica('web-7d9f-axy', '10.0.0.12')];
const declared = (to: Party): Connection[] => (to.pod?.ports ?? []).map(({ port, protocol }) => ({ port, protocol }));
const fromApi = policy({ podSelector: { matchLabels: { app: 'web' } }, ingress: [{ from: [{ podSelector: { matchLabels: { role: 'api' } } }] }] });

const matrix = (parties: Party[], policies = [fromApi], portsOf = declared) =>
  matrixOf(
    setOf(policies),
    parties.map((p, index) => ({ ...p, index })),
    portsOf,
  );
const names = (m: ReturnType<typeof matrix>) => m.groups.map((g) => `${g.namespace}/${g.name}`);

describe('groups', () => {
  test('pods of the same labels and ports are one, in the order of their names; labels that a controller gives to each do not count', () => {
    const m = matrix([second, far, first, api]);
    expect(names(m)).toEqual(['other/far', 'shop/api', 'shop/web-7d9f-a*']);
    expect(m.groups.map((g) => g.members)).toEqual([[1], [3], [0, 2]]);
  });
  test('other ports, another namespace, and the network of the node make another group', () => {
    for (const more of [{ ports: [] }, { namespace: 'other' }, { hostNetwork: true }])
      expect(matrix([first, replica('web-7d9f-axy', '10.0.0.12', more)], []).groups, JSON.stringify(more)).toHaveLength(2);
  });
  test('pods that a rule treats apart by their addresses are apart', () => {
    const oneAddress = policy({
      podSelector: { matchLabels: { role: 'api' } },
      policyTypes: ['Egress'],
      egress: [{ to: [{ ipBlock: { cidr: '10.0.0.11/32' } }] }],
    });
    const m = matrix([first, second, api], [oneAddress]);
    expect(names(m)).toEqual(['shop/api', 'shop/web-7d9f-abc', 'shop/web-7d9f-axy']);
    expect(m.cells[0]).toEqual(['allowed', 'allowed', 'denied']);
  });
  test('pods that a rule treats apart among themselves are apart', () => {
    const third = replica('web-7d9f-ccc', '10.0.0.13');
    const among = policy({ podSelector: { matchLabels: { app: 'web' } }, ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.11/32' } }] }] });
    expect(matrix([first, second, third], [among]).groups).toHaveLength(3);
  });
});

describe('cells', () => {
  test('from a row to a column, and on the diagonal among its own pods', () => {
    const m = matrix([api, first, second]);
    expect(names(m)).toEqual(['shop/api', 'shop/web-7d9f-a*']);
    expect(m.cells).toEqual([
      ['allowed', 'allowed'],
      ['no-port', 'denied'],
    ]);
  });
  test('the only pod of a group may reach itself', () => expect(matrix([first]).cells).toEqual([['allowed']]));
  test('some ports of several, and what is not known', () => {
    const onePort = policy({ podSelector: {}, ingress: [{ ports: [{ port: 8080 }] }] });
    const two = (): Connection[] => [8080, 9090].map((port) => ({ port, protocol: 'TCP' }));
    expect(matrix([api, first], [onePort], two).cells[0]).toEqual(['allowed', 'part']);
    const agent = pod('agent', { app: 'agent' }, '192.0.2.2', { hostNetwork: true, node: 'node2', ports: [http] });
    expect(matrix([api, agent], [onePort], two).cells[1]).toEqual(['part', 'allowed']);
    expect(matrix([api, agent], [policy({ podSelector: {} })]).cells[1]).toEqual(['unknown', 'allowed']);
  });
  test('both sides count', () => {
    const noWay = policy({ podSelector: { matchLabels: { role: 'api' } }, policyTypes: ['Egress'], egress: [] });
    expect(matrix([api, first], [noWay]).cells[0]?.[1]).toBe('denied');
  });
});

test('pairs of different pods are counted, of all kinds', () => {
  expect(matrix([api, first, second]).pairs).toEqual({ allowed: 2, denied: 2, unknown: 0, part: 0, 'no-port': 2 });
});
