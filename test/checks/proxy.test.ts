/** The checks of kube-proxy on facts of real incidents, each with one thing changed. */
import { describe, expect, test } from 'vitest';
import { type Fact, seen, unseen } from '../../src/facts/fact.ts';
import type { Facts, NodeRules } from '../../src/facts/facts.ts';
import { reportOf as report, valueOf } from '../support/recordings.ts';

/** The recorded rules of each node, changed on the first of them. */
const onOneNode = (change: (rules: NodeRules) => Fact<NodeRules>) => (facts: Facts) => {
  const [first, ...rest] = Object.entries(valueOf(facts.nodeRules));
  if (!first) throw new Error('no node was read');
  return { nodeRules: seen(Object.fromEntries([[first[0], change(valueOf(first[1]))], ...rest])) };
};
type Handling = NonNullable<NodeRules['modes'][string][string]['pod']>;
/** The same change of all that a node's rules do. */
const each =
  (change: (h: Handling) => Partial<Handling>) =>
  (rules: NodeRules): Fact<NodeRules> => {
    const modes: NodeRules['modes'] = {};
    for (const [mode, handled] of Object.entries(rules.modes))
      for (const [key, by] of Object.entries(handled))
        for (const origin of ['pod', 'node', 'outside'] as const) {
          const have = by[origin];
          if (have) ((modes[mode] ??= {})[key] ??= {})[origin] = { ...have, ...change(have) };
        }
    return seen({ ...rules, modes });
  };

describe("each node's rules", () => {
  test('as they were recorded, are right, and each node is named', () => {
    const found = report('kube-proxy/rules', () => ({}));
    expect(found).toMatchObject({ status: 'pass', findings: [] });
    expect(found.summary).toMatch(/node1.*node2.*node3|node\d, node\d, node\d/);
  });
  test('rules that could not be understood are neither right nor wrong', () => {
    const found = report('kube-proxy/rules', onOneNode(each(() => ({ unread: ['-m magic -j DROP'] }))));
    expect(found).toMatchObject({ status: 'pass', findings: [] });
    expect(found.summary).toContain('could not be understood');
  });
  test('where no node could be understood, nothing is called right', () => {
    const all = (facts: Facts) => ({
      nodeRules: seen(Object.fromEntries(Object.entries(valueOf(facts.nodeRules)).map(([n, f]) => [n, each(() => ({ unread: ['x'] }))(valueOf(f))]))),
    });
    expect(report('kube-proxy/rules', all)).toMatchObject({ status: 'unknown' });
  });
  const gone = each(() => ({ verdict: 'not-handled', byDefault: true, backends: [] }));
  /** The first reading of a node is wrong, the second right. */
  const forAMoment = (facts: Facts) => ({ ...onOneNode(gone)(facts), nodeRulesLater: facts.nodeRules });
  test('what is right a moment later is not reported', () => {
    expect(report('kube-proxy/rules', forAMoment)).toMatchObject({ status: 'pass', findings: [] });
  });
  test('unless a connection from that node met it', () => {
    const [finding] = report('kube-proxy/rules', (facts) => {
      const connections = valueOf(facts.connections);
      const list = connections.list.map((c) => (c.hop === 'virtual-ip' ? { ...c, outcome: 'timed-out' as const } : c));
      const node = Object.keys(valueOf(facts.nodeRules))[0] ?? null;
      return { ...forAMoment(facts), connections: seen({ ...connections, node, list }) };
    }).findings;
    expect(finding).toMatchObject({ code: 'kube-proxy-rules-missing', scope: 'all' });
    expect(finding?.message).toContain('a second later it was right');
  });
  test('rules that go while they are watched are missing', () => {
    const found = report('kube-proxy/rules', (facts) => ({ nodeRulesLater: onOneNode(gone)(facts).nodeRules }));
    expect(found.findings).toMatchObject([{ code: 'kube-proxy-rules-missing' }]);
  });
  test('a node that was refused hides nothing of the others', () => {
    const found = report(
      'kube-proxy/rules',
      onOneNode(() => unseen('forbidden', 'running a command', 'not allowed')),
    );
    expect(found.status).toBe('pass');
    expect(found.summary).toContain('1 node not checked');
  });
  test.each([
    ['one endpoint is left out', (h: Handling) => ({ backends: h.backends.slice(1) }), 'is missing'],
    ['an address that is no endpoint', () => ({ backends: [{ to: '10.9.9.9:1', percent: 100 }] }), '10.9.9.9:1 is not an endpoint'],
    ['unequal parts', (h: Handling) => ({ backends: h.backends.map((b, i) => ({ ...b, percent: i === 0 ? 90 : 10 })) }), 'shares are not equal'],
    ['an affinity that nobody asked for', () => ({ affinitySeconds: 10_800 }), 'session affinity of 10800 s is not in the Service'],
    ['dropped', () => ({ verdict: 'dropped', backends: [] }), 'is dropped, expected: forwarded to'],
  ] satisfies [string, (h: Handling) => Partial<Handling>, string][])('%s: stale, on that node alone', (_, change, words) => {
    const [finding, ...more] = report('kube-proxy/rules', onOneNode(each(change))).findings;
    expect(more).toEqual([]);
    expect(finding?.code).toBe('kube-proxy-rules-stale');
    expect(finding?.evidence.map((e) => e.text).join('\n')).toContain(words);
    expect(finding?.evidence.at(-1)?.text).toMatch(/^right on node\d, node\d$/);
  });
  test('no rules of any proxy: missing', () => {
    const found = report(
      'kube-proxy/rules',
      onOneNode((r) => seen({ ...r, modes: {} })),
    );
    expect(found.findings[0]).toMatchObject({ code: 'kube-proxy-rules-missing', confidence: 'confirmed' });
    expect(found.findings[0]?.message).toContain('no rules of a proxy at all');
  });
});

describe('what the rules of a mode do not show is not judged', () => {
  /** The recorded rules as if they were of another kind, with something changed. */
  const as = (mode: string, change: (h: Handling) => Partial<Handling>) => (facts: Facts) => ({
    proxyMode: seen(mode),
    nodeRules: seen(
      Object.fromEntries(
        Object.entries(valueOf(facts.nodeRules)).map(([node, fact]) => {
          const changed = valueOf(each(change)(valueOf(fact)));
          return [node, seen({ ...changed, modes: Object.fromEntries(Object.values(changed.modes).map((m) => [mode, m])) })];
        }),
      ),
    ),
  });
  const weighed = (h: Handling) => ({ backends: h.backends.map((b, i) => ({ ...b, percent: i === 0 ? 90 : 10 })) });
  const kept = () => ({ affinitySeconds: 10_800 });
  test.each([
    ['ipvs', 'shares', weighed, 'pass'],
    ['ipvs', 'affinity', kept, 'fail'],
    ['cilium', 'shares', weighed, 'pass'],
    ['cilium', 'affinity', kept, 'pass'],
    ['iptables', 'shares', weighed, 'fail'],
    ['nftables', 'affinity', kept, 'fail'],
  ] as const)('%s: %s', (mode, _, change, status) => {
    expect(report('kube-proxy/rules', as(mode, change)).status).toBe(status);
  });
  test('a missing endpoint is reported for each kind', () => {
    for (const mode of ['ipvs', 'cilium', 'iptables', 'nftables'])
      expect(
        report(
          'kube-proxy/rules',
          as(mode, (h) => ({ backends: h.backends.slice(1) })),
        ).findings[0]?.code,
        mode,
      ).toBe('kube-proxy-rules-stale');
  });
});

describe('connection tracking', () => {
  const table =
    (count: number, max: number, udp: { to: string; backend: string }[] = []) =>
    () => ({ conntrack: seen({ node1: seen({ count, max, udp }) }) });
  test.each([
    [99, 100, 'error'],
    [95, 100, 'error'],
    [85, 100, 'warning'],
  ] as const)('%i of %i in use: %s', (count, max, severity) => {
    expect(report('kube-proxy/conntrack', table(count, max)).findings).toMatchObject([{ code: 'conntrack-full', severity }]);
  });
  test('with room it is right, and its size is shown', () => {
    const found = report('kube-proxy/conntrack', table(40, 262_144));
    expect(found).toMatchObject({ status: 'pass', summary: 'connection tracking has room: node1 40 of 262144' });
  });
  test('a table whose size is not known is not full', () => {
    expect(report('kube-proxy/conntrack', table(40, 0)).findings).toEqual([]);
  });
});

describe('a kube-proxy whose rules are not right', () => {
  const health =
    (written: number, queued: number, more: object = {}) =>
    (facts: Facts) => {
      const node = valueOf(facts.proxyPods)[0]?.spec.nodeName ?? '';
      const pod = valueOf(facts.proxyPods)[0]?.metadata.name ?? '';
      const now = Date.parse('2100-01-01T00:00:00Z') / 1000;
      const syncs = [{ family: 'IPv4', written: now + written, queued: now + queued }];
      const { log = '', ...rest } = more as { log?: string };
      return {
        proxyLogs: seen({ [pod]: seen(log) }),
        proxyHealth: seen({ [node]: seen({ healthz: 200, askedAt: now, syncs, failures: 0, mode: null, ...rest }) }),
      };
    };
  const failed = 'E0101 00:00:00.000000 1 proxier.go:1] "Failed to execute iptables-restore" err=<\n\texit status 3\n >';
  test('that wrote after the last change is not blamed, whatever it logged before', () => {
    expect(report('kube-proxy/syncing', health(-1, -2, { failures: 3, log: failed })).findings).toEqual([]);
  });
  test('that has just been asked to write is given the time', () => {
    expect(report('kube-proxy/syncing', health(-100, -1, { failures: 1 })).findings).toEqual([]);
  });
  test('that fails to write is blamed, with what it says of it', () => {
    const [finding] = report('kube-proxy/syncing', health(-100, -60, { failures: 2, healthz: 503, log: failed })).findings;
    expect(finding).toMatchObject({ code: 'kube-proxy-not-syncing', severity: 'error', confidence: 'confirmed' });
    expect(finding?.evidence.map((e) => e.text).join('\n')).toMatch(/answers 503[\s\S]*2 attempts[\s\S]*exit status 3/);
  });
  test.each([
    ['once', [failed], 0],
    ['again and again', [failed, failed, failed], 1],
  ])('of which only the log shows that it failed %s: at most a warning', (_, lines, findings) => {
    const found = report('kube-proxy/syncing', (facts) => {
      const { proxyLogs } = health(0, 0, { log: lines.join('\n') })(facts);
      return { proxyLogs, proxyHealth: unseen('not-asked', 'its health', '--probe none') };
    });
    expect(found.findings.map((f) => f.severity)).toEqual(Array.from({ length: findings }, () => 'warning'));
  });
  test('that does not answer is a warning: it may only be kept from listening', () => {
    expect(report('kube-proxy/syncing', health(-1, -2, { healthz: null })).findings).toMatchObject([{ code: 'kube-proxy-not-syncing', severity: 'warning' }]);
  });
});
