/** The checks of kube-proxy on facts of real incidents, each with one thing changed. */
import { describe, expect, test } from 'vitest';
import { type Fact, seen, unseen } from '../../src/facts/fact.ts';
import type { Facts, NodeRules } from '../../src/facts/facts.ts';
import type { Pod, Workload } from '../../src/facts/objects.ts';
import { all, type Edit, edited } from '../support/edits.ts';
import { recordingOf, reportOf as report, valueOf } from '../support/recordings.ts';

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
  test('a node that was refused is unknown, whatever the others have', () => {
    const found = report(
      'kube-proxy/rules',
      onOneNode(() => unseen('forbidden', 'running a command', 'not allowed')),
    );
    expect(found.status).toBe('unknown');
    expect(found.reason).toMatch(/^rules on node\d, node\d match the 3 endpoints · \w+ mode; running a command: not allowed$/);
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
  const on = (client: string | null, more: Edit = () => ({})) =>
    all(table(99, 100), more, (f) => ({
      client: seen(null),
      connections: f.connections.seen ? seen({ ...f.connections.value, node: client }) : f.connections,
    }));
  test('of the node of the client all fails, of another a part', () => {
    expect(report('kube-proxy/conntrack', on('node1')).findings).toMatchObject([{ scope: 'all', object: { kind: 'Node', name: 'node1' } }]);
    expect(report('kube-proxy/conntrack', on('node2')).findings).toMatchObject([{ scope: 'part' }]);
    expect(report('kube-proxy/conntrack', on(null)).findings).toMatchObject([{ scope: 'all' }]);
  });
  test('what is said of it, and what to do on that node', () => {
    expect(report('kube-proxy/conntrack', table(95, 100)).findings).toMatchObject([
      {
        message: 'Node node1: its connection tracking table is full (95 of 100 entries), so new connections fail there',
        evidence: [{ source: 'nf_conntrack on node1', text: 'nf_conntrack_count 95, nf_conntrack_max 100' }],
        fix: [
          { command: expect.stringMatching(/^kubectl -n kube-system exec kube-proxy-\w+ -- conntrack -S$/) as string },
          { command: 'kubectl -n kube-system edit configmap kube-proxy' },
        ],
      },
    ]);
    for (const count of [80, 94])
      expect(report('kube-proxy/conntrack', table(count, 100)).findings).toMatchObject([
        { message: expect.stringContaining('is nearly full (' + count + ' of 100 entries); when it is full, new connections fail there') as string },
      ]);
    expect(report('kube-proxy/conntrack', table(79, 100)).findings).toEqual([]);
  });
  test('entries of UDP whose endpoint is gone', () => {
    const [endpoint = ''] = valueOf(recordingOf('healthy-canary').facts.slices).flatMap((s) => s.endpoints.flatMap((e) => e.addresses));
    const stale = (...backends: string[]) =>
      report(
        'kube-proxy/conntrack',
        table(
          1,
          100,
          backends.map((backend) => ({ to: '10.96.0.9:53', backend })),
        ),
      ).findings;
    expect(stale(endpoint)).toEqual([]);
    expect(stale(endpoint, '10.244.9.9')).toMatchObject([
      {
        code: 'conntrack-stale',
        severity: 'warning',
        scope: 'part',
        message: 'Node node1: packets of open UDP sockets to Service "shop" still go to 10.244.9.9, which is not an endpoint',
        evidence: [{ source: 'conntrack on node1', text: '10.96.0.9:53 → 10.244.9.9' }],
        fix: [
          {
            text: 'Delete the entries on node1; the next packet gets a new one',
            command: expect.stringMatching(/ exec kube-proxy-\w+ -- conntrack -D -p udp --reply-src 10\.244\.9\.9$/) as string,
          },
          {},
        ],
      },
    ]);
    expect(stale('10.244.9.9', '10.244.9.8')[0]?.message).toMatch(/still go to 10\.244\.9\.9, 10\.244\.9\.8, which are no endpoints$/);
  });
  test('of no Service, and of no table', () => {
    expect(
      report(
        'kube-proxy/conntrack',
        all(table(1, 2), () => ({ service: seen(null) })),
      ),
    ).toMatchObject({ status: 'skip' });
    expect(report('kube-proxy/conntrack', () => ({ conntrack: seen({ node1: unseen('forbidden', 'x', 'y') }) }))).toMatchObject({
      status: 'unknown',
      reason: "no node's connection tracking table could be read",
    });
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
  const says = (written: number, queued: number, more: object = {}) => report('kube-proxy/syncing', health(written, queued, more)).findings;
  test.each([
    // It failed: three seconds are the limit; it did not: thirty.
    [-100, -3, { failures: 1 }, 0],
    [-100, -3.1, { failures: 1 }, 1],
    [-100, -3.1, { healthz: 503 }, 1],
    [-100, -3.1, { log: failed }, 1],
    [-100, -30, {}, 0],
    [-100, -30.1, {}, 1],
    [-100, -60, { askedAt: null }, 0],
    [-100, -60, { askedAt: null, log: `${failed}\n${failed}` }, 1],
    [-60, -60, {}, 0],
    [-60, -60, { failures: 1 }, 0],
    [-100, -60, { log: 'I0101 Sync failed; retrying' }, 1],
  ])('that wrote %i s ago and was asked to %d s ago (%j): %i', (written, queued, more, count) => {
    expect(says(written, queued, more)).toHaveLength(count);
  });
  test('what it shows: when it wrote, and since when a change waits', () => {
    const node = valueOf(recordingOf('healthy-canary').facts.proxyPods)[0]?.spec.nodeName ?? '';
    expect(says(-100, -60)[0]?.evidence).toEqual([
      { source: `kube-proxy on ${node}`, text: 'IPv4 rules: last written at 2099-12-31T23:58:20.000Z, changes are waiting since 2099-12-31T23:59:00.000Z' },
    ]);
    const never = report('kube-proxy/syncing', (f) => {
      const { proxyLogs, proxyHealth } = health(-100, -60)(f);
      const [known] = Object.values(valueOf(proxyHealth));
      const value = known && valueOf(known);
      return { proxyLogs, proxyHealth: seen({ [node]: seen({ ...value, syncs: [{ family: 'IPv4', written: 0, queued: 5 }] } as never) }) };
    }).findings[0];
    expect(never?.evidence[0]?.text).toBe('IPv4 rules: not written since it started');
    const same = failed.replace('1 proxier', '2 proxier');
    expect(
      says(-100, -60, { log: [failed, same, 'E0101 other] "nft failed" x'].join('\n') })[0]?.evidence.filter((e) => e.source.startsWith('log of')),
    ).toHaveLength(2);
    expect(says(-100, -60, { log: '' })[0]?.evidence.some((e) => e.source === '/metrics')).toBe(false);
  });
  test('on the node of the client, on another, or wherever', () => {
    const from = (client: string | null, written = -100) =>
      report('kube-proxy/syncing', (f) => ({
        ...health(written, -60, written === -1 ? { healthz: null } : {})(f),
        client: seen(null),
        connections: f.connections.seen ? seen({ ...f.connections.value, node: client }) : f.connections,
      })).findings[0];
    const node = valueOf(recordingOf('healthy-canary').facts.proxyPods)[0]?.spec.nodeName ?? '';
    for (const written of [-100, -1]) {
      expect(from(node, written)?.scope).toBe('all');
      expect(from('elsewhere', written)?.scope).toBe('part');
      expect(from(null, written)?.scope).toBe('all');
    }
    expect(from(node)?.message).toBe(`kube-proxy on ${node} runs, but fails to write its rules: changes to Services since then have no effect`);
    expect(from(node, -1)?.message).toBe(
      `kube-proxy on ${node} does not answer on its health port, although its pod runs: it hangs, or it cannot listen there`,
    );
  });
  test('that does not answer is a warning: it may only be kept from listening', () => {
    expect(report('kube-proxy/syncing', health(-1, -2, { healthz: null })).findings).toMatchObject([{ code: 'kube-proxy-not-syncing', severity: 'warning' }]);
  });
});

const nothing: Edit = () => ({});
const patchOf = (fix: { command?: string } | undefined): unknown => JSON.parse(/-p '(.*)'$/s.exec(fix?.command?.split(' && ')[0] ?? '')?.[1] ?? 'null');
const notReady = (p: { status: { conditions: { type: string; status: string }[] } } | undefined) =>
  p?.status.conditions.forEach((c) => void (c.type === 'Ready' && (c.status = 'False')));
const proxyPods = (change: (list: Pod[]) => void): Edit => edited('proxyPods', change);

describe('what is said of rules', () => {
  const of = (incident: string, ...edits: Edit[]) => report('kube-proxy/rules', all(...edits), incident).findings;
  const from = (node: string | null): Edit =>
    all(
      () => ({ client: seen(null) }),
      edited('connections', (made) => void (made.node = node)),
    );
  const texts = (list: readonly { text: string }[] | undefined) => list?.map((e) => e.text);
  const noProxies: Edit = () => ({ proxyPods: unseen('forbidden', 'pods', 'not allowed') });
  test('that the proxy did not write: the command that deletes each', () => {
    const [found] = of('rule-by-hand');
    const rule = '-d 10.96.206.191/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.9.9:8080';
    expect(texts(found?.evidence)).toEqual([
      '10.96.206.191:80 is forwarded to 10.244.9.9:8080; 10.244.9.9:8080 is not an endpoint; 10.244.2.205:8080, 10.244.3.203:8080 are missing',
      `node2: nat/PREROUTING: ${rule}`,
      'right on node1, node3',
    ]);
    expect(found?.fix).toEqual([
      {
        text: `Delete the rule on node2 that kube-proxy did not write, and exclude Services in the program that writes it: nat/PREROUTING: ${rule}`,
        command: `kubectl -n kube-system exec kube-proxy-89nt4 -- iptables -t nat -D PREROUTING ${rule}`,
      },
    ]);
    const named = (facts: Facts, name: 'nodeRules' | 'nodeRulesLater') =>
      edited(name, (by) =>
        Object.values(by)
          .flatMap((f) => (f.seen ? Object.values(f.value.modes).flatMap((m) => Object.values(m).flatMap((o) => Object.values(o))) : []))
          .forEach((h) => void (h.foreign.length > 0 && (h.foreign = ['a chain of somebody']))),
      )(facts);
    const [unsorted] = of('rule-by-hand', (f) => ({ ...named(f, 'nodeRules'), ...named(f, 'nodeRulesLater') }));
    expect(unsorted?.fix).toEqual([{ text: expect.stringMatching(/: a chain of somebody$/) as string }]);
  });
  test('that are gone from a node: for which addresses, and how they come back', () => {
    const [found, ...more] = of('rules-flushed');
    expect(more).toEqual([]);
    expect(found).toMatchObject({ scope: 'all', object: { name: 'shop' }, also: [{ name: 'kube-dns', namespace: 'kube-system' }], nodes: ['node3'] });
    expect(texts(found?.evidence)).toEqual([
      'no rule for 10.96.180.215:80: the node has no rules of a proxy at all',
      'no rule for 10.96.0.10:53/UDP, 10.96.0.10:53, 10.96.0.10:9153: the node has no rules of a proxy at all',
      'right on node1, node2',
    ]);
    expect(found?.fix.map((f) => f.command)).toEqual(['kubectl -n kube-system delete pod kube-proxy-kz544']);
    expect(of('rules-flushed', from('node1'))).toMatchObject([{ scope: 'part' }]);
    expect(of('rules-flushed', from(null))).toMatchObject([{ scope: 'part' }]);
    expect(of('rules-flushed', noProxies)[0]?.fix).toEqual([
      {
        text: 'Restart kube-proxy on node3',
        command: 'kubectl -n kube-system delete pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=node3',
      },
    ]);
    const nodePort = edited(
      'service',
      (s) => void (s && Object.assign(s.spec, { type: 'NodePort', ports: s.spec.ports.map((x) => ({ ...x, nodePort: 31000 })) })),
    );
    expect(of('rules-flushed', nodePort)[0]?.message).toMatch(/: no rule for 10\.96\.180\.215:80: the node has no rules of a proxy at all$/);
  });
  test('that reject every address: the table of each family is written again', () => {
    const [four] = of('nftables-maps-empty');
    expect(four).toMatchObject({ scope: 'all', nodes: ['node1', 'node2', 'node3'] });
    expect(four?.evidence).toHaveLength(6);
    expect(four?.fix[1]?.command).toBe(
      ['xrjph', 'snnc4', 'dm6v7'].map((pod) => `kubectl -n kube-system exec kube-proxy-${pod} -- nft delete table ip kube-proxy`).join(' && '),
    );
    expect(of('nftables-maps-empty', from(null))).toMatchObject([{ scope: 'all' }]);
    expect(of('dual-rules-flushed')[0]?.fix[1]?.command).toBe('kubectl -n kube-system exec kube-proxy-njb8t -- nft delete table ip6 kube-proxy');
    expect(of('dual-rules-flushed', noProxies)[0]?.fix).toHaveLength(1);
    expect(of('dual-rules-flushed')[0]?.message).toContain('no rule for [fd00:96::1bb7]:80 (rejected, like every address without a rule)');
  });
  test('of DNS alone, whose Service is named', () => {
    expect(of('rules-for-dns-missing')).toMatchObject([{ object: { namespace: 'kube-system', name: 'kube-dns' }, scope: 'all', nodes: ['node2'] }]);
    expect(of('rules-for-dns-missing')[0]).not.toHaveProperty('also');
    expect(texts(of('rules-for-dns-missing')[0]?.evidence)).toEqual([
      'no rule for 10.96.0.10:53/UDP',
      'no rule for 10.96.0.10:53',
      'no rule for 10.96.0.10:9153',
      'right on node1, node3',
    ]);
    // A Service of the same name elsewhere is another one.
    const namesake = edited('service', (s) => void (s && (s.metadata.name = 'kube-dns')));
    expect(of('rules-for-dns-missing', namesake)).toMatchObject([{ object: { namespace: 'kube-system' } }]);
  });
  test('that differ from what they should do', () => {
    const [first] = Object.keys(valueOf(recordingOf('healthy-canary').facts.nodeRules));
    const says = (change: (h: Handling) => Partial<Handling>) => report('kube-proxy/rules', onOneNode(each(change))).findings[0]?.message ?? '';
    const ip = valueOf(recordingOf('healthy-canary').facts.service)?.spec.clusterIP ?? '';
    expect(says(() => ({ verdict: 'dropped', backends: [] }))).toMatch(
      /: 10\.\S+:80 is dropped, expected: forwarded to 10\.244\.\S+, 10\.244\.\S+, 10\.244\.\S+$/,
    );
    expect(says(() => ({ verdict: 'dropped', backends: [] }))).toContain(
      `kube-proxy rules on ${first} for Service "shop" and kube-dns do not match the endpoints: ${ip}:80 `,
    );
    expect(says((h) => ({ backends: h.backends.map((b, i) => ({ ...b, percent: i === 0 ? 90 : 10 })) }))).toMatch(
      /; shares are not equal: 10\.\S+ 90 %, 10\.\S+ 10 %, 10\.\S+ 10 %$/,
    );
    expect(says((h) => ({ backends: [...h.backends, { to: '10.9.9.9:1', percent: 1 }, { to: '10.9.9.8:1', percent: 1 }] }))).toMatch(
      /; 10\.9\.9\.9:1, 10\.9\.9\.8:1 are no endpoints/,
    );
    const nobody = edited('slices', (list) => list.splice(0));
    expect(report('kube-proxy/rules', nobody).findings[0]?.message).toMatch(/ is forwarded to 10\.\S+, 10\.\S+, 10\.\S+, expected: rejected$/);
  });
  test('of two modes: those of the mode that is set up count', () => {
    const wrong = each(() => ({ backends: [{ to: '10.9.9.9:1', percent: 100 }] }));
    const both = (facts: Facts) => {
      const right = valueOf(facts.nodeRules);
      const nodeRules = Object.fromEntries(
        Object.entries(right).map(([node, fact]) => {
          const [[mode, own] = ['', {}]] = Object.entries(valueOf(fact).modes);
          const [other = {}] = Object.values(valueOf(wrong(valueOf(fact))).modes);
          return [node, seen({ ...valueOf(fact), modes: { ipvs: other, [mode]: own } })];
        }),
      );
      return { nodeRules: seen(nodeRules) };
    };
    const set = (mode: string | null) =>
      report(
        'kube-proxy/rules',
        all(both, () => ({ proxyMode: seen(mode as never) })),
      );
    const [mode = ''] = Object.keys(valueOf(Object.values(valueOf(recordingOf('healthy-canary').facts.nodeRules))[0] as Fact<NodeRules>).modes);
    expect(set(mode).findings).toEqual([]);
    expect(set('ipvs').findings).toHaveLength(1);
    // Two modes are no one mode to speak of.
    expect(set(mode).summary).not.toContain(' mode');
  });
  test('of an earlier mode', () => {
    const [found] = report('kube-proxy/leftover', nothing, 'two-modes-at-once').findings;
    expect(found).toMatchObject({
      scope: 'all',
      message: 'Node node2 still has nftables rules of an earlier kube-proxy mode, which forward Service "shop" to wrong addresses',
      evidence: [{ source: 'rules on node2', text: 'nftables rules besides iptables rules: forwards to 10.244.9.9:8080' }],
      fix: [
        {
          text: 'Remove the nftables table of the earlier mode on node2; the next connection takes the rules of iptables. Or restart the node',
          command: 'kubectl -n kube-system exec kube-proxy-xw66s -- nft delete table ip kube-proxy',
        },
      ],
    });
    // Nothing says which mode is set up: the rules that are right are those of the present one.
    const unsaid: Edit = () => ({ proxyMode: unseen('forbidden', 'x', 'y'), proxyHealth: unseen('forbidden', 'x', 'y') });
    expect(report('kube-proxy/leftover', unsaid, 'two-modes-at-once').findings[0]?.message).toContain('nftables rules of an earlier');
  });
});

describe('whether kube-proxy runs', () => {
  const of = (...edits: Edit[]) => report('kube-proxy/running', all(...edits));
  const onNode = (node: string, change: (p: Pod) => void): Edit => proxyPods((list) => list.filter((p) => p.spec.nodeName === node).forEach(change));
  const workload = (change: (w: Workload) => void): Edit => edited('proxyWorkload', (w) => void (w && change(w)));
  const noClient: Edit = () => ({ client: seen(null), connections: unseen('not-asked', 'x', 'y') });
  const clientOn = (node: string): Edit => edited('connections', (made) => void (made.node = node));
  const gone = (node: string): Edit => proxyPods((list) => void list.splice(0, list.length, ...list.filter((p) => p.spec.nodeName !== node)));

  test('on each node, and how often it restarted', () => {
    expect(of()).toMatchObject({ status: 'pass', summary: 'kube-proxy is ready on all 3 nodes' });
    expect(of(onNode('node2', (p) => p.status.containerStatuses.forEach((s) => void (s.restartCount = 3)))).summary).toBe(
      'kube-proxy is ready on all 3 nodes; restarted: node2 3 times',
    );
    expect(of(() => ({ nodes: unseen('forbidden', 'nodes', 'not allowed') }))).toMatchObject({
      status: 'unknown',
      reason: 'kube-proxy is ready on 3 of 3 nodes; nodes: not allowed',
    });
    expect(of(edited('service', (s) => void (s && Object.assign(s.spec, { clusterIP: 'None', clusterIPs: ['None'] }))))).toMatchObject({
      status: 'skip',
      reason: 'the Service has no virtual IP',
    });
    expect(of(edited('service', (s) => void (s && (s.spec.type = 'ExternalName'))))).toMatchObject({ status: 'skip' });
  });
  test('not on one: all fails from there, a part from elsewhere', () => {
    const [found] = of(onNode('node2', notReady), clientOn('node2')).findings;
    expect(found).toMatchObject({
      code: 'kube-proxy-down',
      scope: 'all',
      message: 'kube-proxy does not run on node2, so the rules there are not updated',
      nodes: ['node2'],
      evidence: [
        { source: 'daemonsets', text: 'kube-proxy: 3 ready of 3 wanted' },
        { text: 'no ready kube-proxy pod on node2' },
        { text: expect.stringMatching(/^kube-proxy-\w+ on node2: not ready$/) as string },
      ],
      fix: [
        { text: 'Restart kube-proxy', command: 'kubectl -n kube-system rollout restart daemonset/kube-proxy' },
        { text: 'Find out why its pods do not start', command: 'kubectl -n kube-system describe pods -l k8s-app=kube-proxy' },
      ],
    });
    expect(of(onNode('node2', notReady), clientOn('node1')).findings).toMatchObject([{ scope: 'part' }]);
    expect(of(onNode('node2', notReady), noClient).findings).toMatchObject([{ scope: 'part' }]);
    // It is being replaced.
    expect(of(onNode('node2', (p) => void (p.metadata.deletionTimestamp = 'x'))).findings).toHaveLength(1);
    const waits = onNode('node2', (p) => {
      notReady(p);
      p.status.containerStatuses.forEach((s) => Object.assign(s, { state: { waiting: { reason: 'ErrImagePull' } } }));
    });
    expect(of(waits).findings[0]?.evidence[2]?.text).toMatch(/: ErrImagePull$/);
    expect(of(onNode('node2', (p) => (notReady(p), p.status.containerStatuses.splice(0)))).findings[0]?.evidence[2]?.text).toMatch(/: Running$/);
  });
  test('a node that is not ready itself is another fault', () => {
    const lost = edited('nodes', (list) => list.forEach((n) => n.metadata.name === 'node2' && notReady(n)));
    expect(of(onNode('node2', notReady), lost)).toMatchObject({ status: 'pass', findings: [] });
    const blind: Edit = () => ({ nodes: unseen('forbidden', 'nodes', 'not allowed') });
    expect(of(onNode('node2', notReady), blind)).toMatchObject({ status: 'unknown', reason: 'kube-proxy is ready on 2 of 3 nodes; nodes: not allowed' });
    expect(
      of(
        proxyPods((list) => list.forEach(notReady)),
        blind,
      ).findings[0]?.message,
    ).toMatch(/^kube-proxy runs on no node/);
  });
  test('on none', () => {
    const none = proxyPods((list) => list.splice(0));
    expect(of(none).findings).toMatchObject([{ scope: 'all', message: 'kube-proxy runs on no node, so nothing writes the rules for Service addresses' }]);
    expect(of(none).findings[0]).not.toHaveProperty('nodes');
    expect(
      of(
        none,
        workload((w) => void (w.status.desiredNumberScheduled = 0)),
      ).findings[0]?.fix,
    ).toMatchObject([
      { text: 'Correct the nodeSelector of DaemonSet "kube-proxy": it matches no node', command: 'kubectl -n kube-system describe daemonset kube-proxy' },
    ]);
    expect(
      of(
        proxyPods((list) => list.forEach(notReady)),
        () => ({ proxyWorkload: seen(null) }),
      ).findings[0]?.evidence[0]?.text,
    ).toBe('the DaemonSet kube-proxy does not exist');
  });
  test('what keeps it off a node is changed', () => {
    const by = (...edits: Edit[]) => of(gone('node2'), ...edits).findings[0];
    const selected = by(
      workload((w) => void (w.spec.template.spec.nodeSelector = { pool: 'a' })),
      edited('nodes', (list) => list.forEach((n) => n.metadata.name !== 'node2' && void (n.metadata.labels['pool'] = 'a'))),
    );
    expect(selected?.message).toBe(
      'kube-proxy does not run on node2, so the rules there are not updated: its nodeSelector wants pool=a, and node2 has no label pool',
    );
    expect(patchOf(selected?.fix[0])).toEqual({ spec: { template: { spec: { nodeSelector: { pool: null } } } } });
    const tainted = by(
      workload((w) => void (w.spec.template.spec.tolerations = [])),
      edited('nodes', (list) => list.forEach((n) => n.metadata.name === 'node2' && n.spec.taints.push({ key: 'gpu', value: '', effect: 'NoSchedule' }))),
    );
    expect(tainted?.fix[0]?.text).toBe('Let DaemonSet "kube-proxy" tolerate every taint, as its manifest does');
    expect(patchOf(tainted?.fix[0])).toEqual({ spec: { template: { spec: { tolerations: [{ operator: 'Exists' }] } } } });
    const affine = by(
      workload(
        (w) =>
          void (w.spec.template.spec.affinity = {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'NotIn', values: ['node2'] }], matchFields: [] }],
              },
            },
          } as never),
      ),
    );
    expect(affine?.fix[0]?.text).toMatch(/^Remove the required nodeAffinity of DaemonSet "kube-proxy": /);
    expect(patchOf(affine?.fix[0])).toEqual({
      spec: { template: { spec: { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: null } } } } },
    });
  });
  test('another program in its place', () => {
    const without: Edit = () => ({ proxyPods: seen([]), proxyWorkload: seen(null) });
    const daemon =
      (name: string): Edit =>
      () => ({ networkDaemons: seen([{ namespace: 'kube-system', name, images: [] }]) });
    expect(of(without, (f) => ({ ciliumPods: f.proxyPods }))).toMatchObject({ status: 'unknown' });
    expect(of((f) => ({ ciliumPods: seen(valueOf(f.proxyPods)) }), without)).toMatchObject({ status: 'pass', summary: 'Cilium handles Services' });
    expect(of(without, daemon('kube-router'))).toMatchObject({
      status: 'unknown',
      reason: 'kube-router handles Services here instead of kube-proxy, which is not judged',
    });
    expect(of(without, daemon('other'))).toMatchObject({
      status: 'unknown',
      reason: 'another program handles Services here instead of kube-proxy, which is not judged',
    });
  });
});

describe('rules of two modes', () => {
  const of = (...edits: Edit[]) => report('kube-proxy/leftover', all(...edits), 'two-modes-at-once');
  const modes = (change: (r: NodeRules, node: string) => void): Edit =>
    edited('nodeRules', (list) => Object.entries(list).forEach(([node, r]) => r.seen && change(r.value, node)));
  const noHealth: Edit = () => ({ proxyHealth: unseen('not-asked', 'x', 'y') });
  test('of which those of the earlier mode are removed', () => {
    const [found] = of().findings;
    expect(found).toMatchObject({ code: 'kube-proxy-rules-stale', confidence: 'likely', nodes: ['node2'] });
    expect(found?.message).toMatch(/^Node node2 still has nftables rules of an earlier kube-proxy mode/);
    expect(found?.fix[0]?.text).toMatch(
      /^Remove the nftables table of the earlier mode on node2; the next connection takes the rules of iptables\. Or restart the node$/,
    );
    expect(found?.fix[0]?.command).toMatch(/ -- nft delete table ip kube-proxy$/);
    expect(of(edited('service', (s) => void (s && (s.spec.clusterIPs = ['fd00::1'])))).findings[0]?.fix[0]?.command).toMatch(
      / -- nft delete table ip6 kube-proxy$/,
    );
  });
  test('the mode that the proxy itself names counts, then the configured one', () => {
    const nft: Edit = edited('proxyHealth', (h) => Object.values(h).forEach((x) => x.seen && void (x.value.mode = 'nftables')));
    expect(of(nft).findings[0]?.message).toContain('still has iptables rules');
    expect(of(nft).findings[0]?.fix[0]?.command).toMatch(/ -- kube-proxy --cleanup$/);
    expect(of(noHealth, () => ({ proxyMode: seen('nftables') })).findings[0]?.message).toContain('still has iptables rules');
    expect(of(noHealth, () => ({ proxyMode: unseen('forbidden', 'x', 'y') })).findings[0]?.fix[0]?.text).toContain('the rules of the present mode');
  });
  test('what they do with the Service', () => {
    const verdict = (change: object) =>
      modes((r) =>
        Object.entries(r.modes).forEach(
          ([mode, handled]) => mode === 'nftables' && Object.values(handled).forEach((by) => Object.values(by).forEach((h) => Object.assign(h, change))),
        ),
      );
    expect(of(verdict({ verdict: 'not-handled', byDefault: true, backends: [] })).findings).toMatchObject([
      {
        severity: 'warning',
        message: 'Node node2 still has nftables rules of an earlier kube-proxy mode, which nothing updates',
        evidence: [{ source: 'rules on node2', text: 'nftables rules besides iptables rules: no rule for this Service' }],
      },
    ]);
    const [wrong] = of(verdict({ verdict: 'backends', byDefault: false, backends: [{ to: '10.9.9.9:1', percent: 100 }] })).findings;
    expect(wrong).toMatchObject({
      severity: 'error',
      message: 'Node node2 still has nftables rules of an earlier kube-proxy mode, which forward Service "shop" to wrong addresses',
      evidence: [{ text: 'nftables rules besides iptables rules: forwards to 10.9.9.9:1' }],
    });
    expect(of(verdict({ verdict: 'rejected', byDefault: false, backends: [] })).findings[0]?.evidence[0]?.text).toBe(
      'nftables rules besides iptables rules: forwards to nothing (rejected)',
    );
    const same = modes((r) => void (r.modes['nftables'] && r.modes['iptables'] && (r.modes['nftables'] = structuredClone(r.modes['iptables']))));
    expect(of(same).findings[0]?.evidence[0]?.text).toBe('nftables rules besides iptables rules: the same for this Service so far');
  });
  test('of a mode for which no remedy is known', () => {
    const other = modes((r) => {
      const { nftables, ...rest } = r.modes;
      if (nftables) r.modes = { ...rest, ebpf: nftables };
    });
    expect(of(other).findings[0]?.fix).toEqual([{ text: expect.stringMatching(/^Remove the rules of the earlier mode on node2; /) as string }]);
  });
  test("on the client's node, or on others", () => {
    const from =
      (node: string | null): Edit =>
      (f) => ({ client: seen(null), connections: f.connections.seen ? seen({ ...f.connections.value, node }) : f.connections });
    expect([of(from('node2')), of(from('node1')), of(from(null))].map((r) => r.findings[0]?.scope)).toEqual(['all', 'part', 'all']);
  });
  test('of one mode, or not read', () => {
    expect(report('kube-proxy/leftover', nothing)).toMatchObject({ status: 'pass', findings: [] });
    expect(of(edited('nodeRules', (list) => Object.keys(list).forEach((n) => delete list[n])))).toMatchObject({
      status: 'unknown',
      reason: "no node's rules could be read",
    });
    expect(of(() => ({ service: seen(null) }))).toMatchObject({ status: 'skip', reason: 'the Service is not known' });
  });
});

describe('whom wrong rules concern', () => {
  const nodes = Object.keys(valueOf(recordingOf('healthy-canary').facts.nodeRules)).toSorted();
  const [first = '', second = ''] = nodes;
  const broken = each(() => ({ verdict: 'dropped', backends: [] }));
  const missing = each(() => ({ verdict: 'not-handled', byDefault: true, backends: [] }));
  const on =
    (change: typeof broken, ...names: string[]): Edit =>
    (facts) => ({
      nodeRules: seen(Object.fromEntries(Object.entries(valueOf(facts.nodeRules)).map(([n, f]) => [n, names.includes(n) ? change(valueOf(f)) : f]))),
    });
  const from =
    (node: string | null): Edit =>
    (f) => ({ client: seen(null), connections: f.connections.seen ? seen({ ...f.connections.value, node }) : f.connections });
  const of = (...edits: Edit[]) => report('kube-proxy/rules', all(...edits)).findings[0];
  test('all connections of a client on that node, a part elsewhere', () => {
    expect(of(on(broken, first), from(first))?.scope).toBe('all');
    expect(of(on(broken, first), from(second))?.scope).toBe('part');
    expect(of(on(broken, first), from(null))?.scope).toBe('part');
    expect(of(on(broken, ...nodes), from(null))?.scope).toBe('all');
    const oneMissing = each((h) => ({ backends: h.backends.slice(1) }));
    expect(of(on(oneMissing, first), from(first))?.scope).toBe('part');
    expect(of(on(oneMissing, ...nodes), from(null))?.scope).toBe('part');
  });
  test('each Service whose rules are wrong is named, the nodes in order', () => {
    const found = of(on(missing, second, first), from(null));
    expect(found?.message).toMatch(new RegExp(`^kube-proxy on ${first}, ${second} has no rules for Service "shop" and kube-dns: no rule for `));
    expect(found).toMatchObject({ object: { name: 'shop' }, also: [{ kind: 'Service', namespace: 'kube-system', name: 'kube-dns' }], nodes: [first, second] });
    const alone = of(on(broken, first), () => ({ dnsService: seen(null) }));
    expect(alone).not.toHaveProperty('also');
    expect(alone?.message).toMatch(new RegExp(`^kube-proxy rules on ${first} for Service "shop" do not match the endpoints: `));
    expect(of(on(broken, ...nodes))?.evidence.some((e) => e.text.startsWith('right on'))).toBe(false);
  });
  test('a failed connection from a node whose rules could not be understood leaves it open', () => {
    const unread = each(() => ({ unread: ['-m magic -j DROP'] }));
    const failing = edited('connections', (made) => made.list.forEach((c) => void (c.hop === 'virtual-ip' && (c.outcome = 'timed-out'))));
    const judged = (...edits: Edit[]) => report('kube-proxy/rules', all(on(unread, first), ...edits));
    expect(judged(from(first))).toMatchObject({ status: 'pass' });
    expect(judged(failing, from(second))).toMatchObject({ status: 'pass' });
    const open = judged(failing, from(first));
    expect(open).toMatchObject({ status: 'unknown' });
    expect(open.reason).toMatch(
      new RegExp(
        `^rules on ${first} \\(Kubernetes v[\\d.]+\\) could not be understood: -m magic -j DROP \\(iptables mode\\); --capture FILE keeps what was read`,
      ),
    );
    expect(judged(failing, from(first), () => ({ nodes: unseen('forbidden', 'x', 'y') })).reason).toMatch(
      new RegExp(`^rules on ${first} could not be understood: `),
    );
  });
  test('what is right, in one line', () => {
    const summary = (...edits: Edit[]) => report('kube-proxy/rules', all(...edits)).summary;
    expect(summary()).toBe(`rules on ${nodes.join(', ')} match the 3 endpoints · iptables mode`);
    const without = edited('slices', (list) => list.splice(0));
    const rejecting: Edit = (facts) => ({
      nodeRules: seen(
        Object.fromEntries(
          Object.entries(valueOf(facts.nodeRules)).map(([n, f]) => [
            n,
            each((h) => (h.backends.some((b) => b.to.endsWith(':8080')) ? { verdict: 'rejected', backends: [] } : {}))(valueOf(f)),
          ]),
        ),
      ),
    });
    expect(summary(without, rejecting)).toBe(`rules on ${nodes.join(', ')} reject connections: there is no endpoint · iptables mode`);
    const one = edited('nodeRules', (list) => void delete list[first]);
    expect(summary(one)).toBe(`rules on ${nodes.slice(1).join(', ')} match the 3 endpoints; 1 node not checked (--nodes all) · iptables mode`);
    expect(
      summary(
        on(
          each(() => ({ unread: ['x'] })),
          first,
        ),
      ),
    ).toMatch(/; rules on \S+ \(Kubernetes v[\d.]+\) could not be understood: x \(iptables mode\); --capture FILE .* · iptables mode$/);
    expect(
      report(
        'kube-proxy/rules',
        edited('nodeRules', (list) => nodes.forEach((n) => delete list[n])),
      ),
    ).toMatchObject({
      status: 'unknown',
      reason: "no node's rules could be read",
    });
    const headless = edited('service', (s) => void (s && Object.assign(s.spec, { clusterIP: 'None', clusterIPs: ['None'] })));
    expect(summary(headless)).toBe(`rules on ${nodes.join(', ')} match the DNS pods`);
  });
  test('of a Service that is not known nothing is said', () => {
    expect(report('kube-proxy/rules', () => ({ service: seen(null) }))).toMatchObject({ status: 'skip', reason: 'the Service is not known' });
  });
  test('what could not be read a second time is not settled, unless a connection failed', () => {
    const later: Edit = () => ({ nodeRulesLater: unseen('timed-out', 'x', 'no answer') });
    expect(report('kube-proxy/rules', all(on(broken, first), later))).toMatchObject({ status: 'pass', findings: [] });
    const oneNode: Edit = () => ({ nodeRulesLater: seen({ [first]: unseen('timed-out', 'x', 'no answer') }) });
    expect(report('kube-proxy/rules', all(on(broken, first), oneNode))).toMatchObject({ status: 'pass', findings: [] });
    expect(report('kube-proxy/rules', all(on(broken, second), oneNode)).findings).toHaveLength(1);
    const chosen: Edit = () => ({ nodeRulesLater: unseen('not-asked', 'x', '--probe none') });
    expect(report('kube-proxy/rules', all(on(broken, first), chosen)).findings).toHaveLength(1);
  });
  test('a node port is wrong for those outside', () => {
    const port = (change: (h: Handling) => Partial<Handling>, origins: ('pod' | 'node' | 'outside')[]) =>
      report(
        'kube-proxy/rules',
        edited('nodeRules', (list) =>
          Object.values(list)
            .slice(0, 1)
            .forEach((f) => {
              if (!f.seen) return;
              for (const handled of Object.values(f.value.modes))
                for (const [key, by] of Object.entries(handled))
                  if (/:3\d{4}\//.test(key)) for (const o of origins) if (by[o]) Object.assign(by[o], change(by[o]));
            }),
        ),
        'healthy-node-port',
      ).findings[0];
    const dropped = () => ({ verdict: 'dropped' as const, backends: [] });
    expect(port(dropped, ['outside'])?.evidence[0]?.text).toMatch(/^[\d.]+:3\d{4} \(node port\) from outside is dropped, expected: forwarded to /);
    expect(port(dropped, ['outside', 'pod', 'node'])?.evidence[0]?.text).toMatch(/^[\d.]+:3\d{4} \(node port\) is dropped, expected: forwarded to /);
    expect(port(dropped, ['outside', 'pod', 'node'])?.scope).toBe('part');
  });
});

describe('a Service that kube-proxy is to leave alone', () => {
  const of = (...edits: Edit[]) => report('kube-proxy/excluded', all(...edits));
  const label = (key: string) => edited('service', (s) => void (s && (s.metadata.labels = { ...s.metadata.labels, [key]: '' })));
  test.each(['service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless'])('by %s', (key) => {
    const [found] = of(label(key)).findings;
    expect(found).toMatchObject({
      code: 'service-excluded-from-proxy',
      severity: 'error',
      confidence: 'likely',
      scope: 'all',
      message: `Service "shop" has the label ${key}=, so kube-proxy ignores it and its virtual IP has no rules`,
      evidence: [{ source: 'service', text: `metadata.labels: ${key}=` }],
      fix: [{ text: `Remove the label ${key} from Service "shop"` }, { text: 'Or run the proxy that the label names' }],
    });
    expect(patchOf(found?.fix[0])).toEqual({ metadata: { labels: { [key]: null } } });
  });
  test('is none without them, and without a virtual IP there is nothing to leave', () => {
    expect(of()).toMatchObject({ status: 'pass', findings: [] });
    const key = label('service.kubernetes.io/service-proxy-name');
    const spec = (change: object) => edited('service', (s) => void (s && Object.assign(s.spec, change)));
    for (const none of [spec({ clusterIP: 'None', clusterIPs: ['None'] }), spec({ type: 'ExternalName' }), (() => ({ service: seen(null) })) as Edit])
      expect(of(key, none)).toMatchObject({ status: 'skip', reason: 'the Service has no virtual IP' });
  });
});

describe('how differences are worded', () => {
  const of = (change: (h: Handling) => Partial<Handling>) => report('kube-proxy/rules', onOneNode(each(change))).findings[0];
  test.each([
    [
      'nothing, by default',
      () => ({ verdict: 'rejected', byDefault: true, backends: [] }),
      /no rule for [\d.]+:80 \(rejected, like every address without a rule\)$/,
    ],
    ['two that are missing', () => ({ backends: [] }), / are missing$/],
    [
      'two that are none',
      () => ({
        backends: [
          { to: '10.9.9.9:1', percent: 50 },
          { to: '10.9.9.8:1', percent: 50 },
        ],
      }),
      /10\.9\.9\.9:1, 10\.9\.9\.8:1 are no endpoints/,
    ],
    ['ranges that nobody asked for', () => ({ sourceRanges: ['192.0.2.0/24'] }), /it allows 192\.0\.2\.0\/24, expected: every address$/],
  ] satisfies [string, (h: Handling) => Partial<Handling>, RegExp][])('%s', (_, change, words) => expect(of(change)?.evidence[0]?.text).toMatch(words));
  test('an affinity that is missing', () => {
    const kept = edited(
      'service',
      (s) => void (s && Object.assign(s.spec, { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 10 } } })),
    );
    expect(report('kube-proxy/rules', kept).findings[0]?.evidence[0]?.text).toMatch(/; session affinity is missing$/);
  });
  test('a rule of somebody else is deleted, in the family of its address', () => {
    const foreign = of(() => ({ verdict: 'dropped', backends: [], foreign: ['nat/PREROUTING: -d 10.96.0.1/32 -j DROP'] }));
    expect(foreign?.fix).toMatchObject([
      {
        text: expect.stringMatching(
          /^Delete the rule on node\d that kube-proxy did not write, and exclude Services in the program that writes it: nat\/PREROUTING: -d 10\.96\.0\.1\/32 -j DROP$/,
        ) as string,
        command: expect.stringMatching(/ -- iptables -t nat -D PREROUTING -d 10\.96\.0\.1\/32 -j DROP$/) as string,
      },
    ]);
    expect(foreign?.evidence.some((e) => e.source === 'other rule')).toBe(true);
    expect(of(() => ({ verdict: 'dropped', backends: [], foreign: ['ip/other/chain: drop'] }))?.fix[0]).not.toHaveProperty('command');
  });
  test('what is restarted', () => {
    expect(of(() => ({ backends: [] }))?.fix).toMatchObject([
      { text: expect.stringMatching(/^Restart kube-proxy on node\d$/) as string, changes: [{ how: 'restart' }] },
    ]);
    const noPods: Edit = proxyPods((list) => list.splice(0));
    const [found] = report(
      'kube-proxy/rules',
      all((f) => onOneNode(each(() => ({ backends: [] })))(f), noPods),
    ).findings;
    expect(found?.fix[0]?.command).toMatch(/^kubectl -n kube-system delete pod -l k8s-app=kube-proxy --field-selector=spec\.nodeName=node\d$/);
    expect(of(() => ({ verdict: 'rejected', byDefault: true, backends: [] }))?.fix[1]).toMatchObject({
      text: expect.stringContaining('delete its table on each of these nodes') as string,
      command: expect.stringMatching(/ -- nft delete table ip kube-proxy$/) as string,
    });
  });
});
