/** Each option of iptables and each statement of nftables alone: which packets it means, and what becomes of them. Sources: iptables-extensions(8), nft(8), libnftables-json(5). */
import { describe, expect, test } from 'vitest';
import { iptablesReader } from '../../src/proxy/iptables.ts';
import type { Handling, Packet } from '../../src/proxy/model.ts';
import { nftJsonReader } from '../../src/proxy/nft-json.ts';
import { priorityOf } from '../../src/proxy/nft.ts';
import { nftReader } from '../../src/proxy/nft-text.ts';
import { judgeRules } from '../../src/proxy/read.ts';
import type { RuleReader, Wanted } from '../../src/proxy/rule.ts';

const shop: Packet = { address: '10.96.0.20', port: 80, protocol: 'TCP', origin: 'pod', source: '10.244.1.9', toNode: false };
const local: Packet = { ...shop, origin: 'node', source: '192.0.2.1', toNode: true };

async function met(reader: (w: Wanted) => RuleReader, text: string, packet: Packet = shop): Promise<Handling> {
  const found = await judgeRules<never>(
    reader,
    async (line) => {
      text.split('\n').forEach(line);
      return undefined;
    },
    { packets: [packet], likely: () => false },
  );
  const [handling] = 'handled' in found ? found.handled : [];
  if (!handling) throw new Error('one packet was asked about');
  return handling;
}

describe('iptables', () => {
  /** Rules of the table nat before kube-proxy's own, which translate to 10.244.1.5:8080; `more` are other tables. */
  const listing = (rules: readonly string[], more = '') => `*nat
:MINE - [0:0]
:KUBE-SERVICES - [0:0]
${rules.map((r) => (r.startsWith('-A ') ? r : `-A PREROUTING ${r}\n-A OUTPUT ${r}`)).join('\n')}
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.20/32 -p tcp -m tcp --dport 80 -j KUBE-SEP-A
-A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination 10.244.1.5:8080
COMMIT
${more}`;
  const of = (rules: readonly string[], packet = shop, more = '') => met(iptablesReader, listing(rules, more), packet);
  const aside = '-j DNAT --to-destination 10.9.9.9:1';
  /** The share of packets that a rule means, in percent; undefined where that is not known. */
  const means = async (options: string, packet = shop): Promise<number | undefined> => {
    const { backends, unread } = await of([`${options} ${aside}`], packet);
    return unread.length > 0 ? undefined : (backends.find((b) => b.to === '10.9.9.9:1')?.percent ?? 0);
  };

  test.each([
    ['', 100],
    ['-s 10.244.1.9/32', 100],
    ['-s 10.244.1.9', 100],
    ['-s 10.244.2.0/24', 0],
    ['! -s 10.244.2.0/24', 100],
    ['! -s 10.244.1.0/24', 0],
    ['-s 10.1.0.0/16,10.244.0.0/16', 100],
    ['-d 10.96.0.20/32', 100],
    ['-d 10.96.0.20', 100],
    ['-d 10.96.0.0/16', 100],
    ['-d 10.97.0.0/16', 0],
    ['-d 10.96.0.21/32', 0],
    ['-d 10.96.0.21', 0],
    ['! -d 10.96.0.21/32', 100],
    ['! -d 10.96.0.20/32', 0],
    ['-d 10.96.0.20/32,nonsense', undefined],
    ['-p tcp', 100],
    ['-p udp', 0],
    ['! -p udp', 100],
    ['-p tcp -m tcp --dport 80', 100],
    ['-p tcp -m tcp --dport 81', 0],
    ['-p tcp -m tcp --dport 79:81', 100],
    ['-p tcp -m tcp --dport :79', 0],
    ['-p tcp -m tcp --dport :80', 100],
    ['-p tcp -m tcp --dport 81:', 0],
    ['-p tcp -m tcp --dport 80:', 100],
    ['-p tcp -m tcp ! --dport 80', 0],
    ['-p tcp -m tcp ! --dport 81', 100],
    ['-p tcp -m multiport --dports 22,80', 100],
    ['-p tcp -m multiport --dports 22,443', 0],
    ['-p tcp -m multiport --dports 22,79:81', 100],
    ['-m addrtype --dst-type LOCAL', 0],
    ['-m addrtype ! --dst-type LOCAL', 100],
    ['-m addrtype --src-type LOCAL', 0],
    ['-m addrtype --dst-type UNICAST', undefined],
    ['-m conntrack --ctstate NEW', 100],
    ['-m conntrack --ctstate NEW,UNTRACKED', 100],
    ['-m conntrack --ctstate RELATED,ESTABLISHED', 0],
    ['-m conntrack ! --ctstate NEW', 0],
    ['-m state --state NEW', 100],
    ['-m mark --mark 0x0/0x4000', 100],
    ['-m mark --mark 0x4000/0x4000', 0],
    ['-m mark ! --mark 0x4000/0x4000', 100],
    ['-m mark --mark 0x0', 100],
    ['-m statistic --mode random --probability 0.25000000000', 25],
    ['-m statistic --mode random ! --probability 0.25000000000', 75],
    ['-m statistic --mode nth --every 4 --packet 0', 25],
    ['-m statistic --mode nth --every 0 --packet 0', 100],
    ['-m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-A --mask 255.255.255.255 --rsource', 0],
    ['-m recent ! --rcheck --name X --mask 255.255.255.255 --rsource', 100],
    ['-m recent --set --name KUBE-SEP-A --mask 255.255.255.255 --rsource', 100],
    ['-m comment --comment "-s 10.1.1.1 -p udp"', 100],
    ['-m comment --comment "a \\" quote"', 100],
    ['-m nfacct --nfacct-name x', 100],
    ['-i lo', 0],
    ['! -i lo', 100],
    ['-i eth0', undefined],
    ['-o eth0', undefined],
    ['-o lo', undefined],
    ['-d 10.1.0.0/16,10.96.0.0/16', 100],
    ['-m limit --limit 5/min', undefined],
    ['-m magic ! --spell abra -p udp', 0],
    ['-m magic --spell abra cadabra ! -p udp', undefined],
  ] as const)('a rule with "%s" means %s %% of the packets', async (options, share) => {
    expect(await means(options)).toBe(share);
  });

  test.each([
    ['-m addrtype --dst-type LOCAL', 100],
    ['-m addrtype --src-type LOCAL', 100],
    ['-m addrtype ! --src-type LOCAL', 0],
    // What the node sends to itself comes in by its loopback.
    ['-i lo', 100],
    ['-s 192.0.2.1/32', 100],
  ] as const)('of the node itself, "%s" means %s %%', async (options, share) => {
    expect(await means(options, local)).toBe(share);
  });
  test.each([
    ['-m addrtype --src-type LOCAL', 100, 0],
    ['-m addrtype --dst-type LOCAL', 0, 100],
    ['-i lo', 0, 0],
  ] as const)('"%s" means %s %% of what a node sends elsewhere, and %s %% of what it gets from a pod', async (options, sent, got) => {
    expect(await means(options, { ...local, toNode: false })).toBe(sent);
    expect(await means(options, { ...shop, toNode: true })).toBe(got);
  });

  test.each([
    ['ACCEPT', 'not-handled'],
    ['DROP', 'dropped'],
    ['REJECT --reject-with icmp-port-unreachable', 'rejected'],
    ['RETURN', 'not-handled'],
    ['MASQUERADE', 'not-handled'],
    ['SNAT --to-source 192.0.2.1', 'not-handled'],
    ['LOG --log-prefix "x"', 'backends'],
    ['NFLOG', 'backends'],
    ['CONNMARK --restore-mark', 'backends'],
    ['TCPMSS --clamp-mss-to-pmtu', 'backends'],
    ['CT --notrack', 'backends'],
    ['MINE', 'backends'],
  ] as const)('-j %s: %s', async (target, verdict) => {
    expect(await of([`-j ${target}`])).toMatchObject({ verdict, unread: [] });
  });
  test.each([
    'REDIRECT --to-ports 1',
    'NETMAP --to 10.0.0.0/8',
    'NFQUEUE --queue-num 1',
    'TPROXY --on-port 1',
    'SYNPROXY',
    'TEE --gateway 10.0.0.1',
    'MARK --bogus 1',
    'DNAT',
    'DNAT --to-destination 10.9.9.9:1-9',
    'DNAT --to-destination 10.9.9.1-10.9.9.9',
  ])('-j %s: what follows is not sure', async (target) => expect(await of([`-j ${target}`])).toMatchObject({ verdict: 'backends', unread: [`-j ${target}`] }));
  test('a part that is set aside for a moment is counted once', async () => {
    const half = '-m statistic --mode random --probability 0.50000000000';
    const found = await of([`${half} -j MARK --set-xmark 0x1/0x1`, '-j MARK --set-xmark 0x0/0x1', `${half} ${aside}`]);
    expect(found.backends).toEqual([
      { to: '10.244.1.5:8080', percent: 50 },
      { to: '10.9.9.9:1', percent: 50 },
    ]);
  });
  test('a jump comes back, by its end or by RETURN, and a goto does not', async () => {
    expect((await of(['-j MINE', '-A MINE -p tcp -j RETURN', '-A MINE -j DROP'])).verdict).toBe('backends');
    expect((await of(['-g MINE', '-A MINE -p udp -j DROP'])).verdict).toBe('not-handled');
  });

  test.each([
    [['--set-xmark 0x4000/0x4000'], 0x4000],
    [['--set-xmark 0x6/0xffffffff', '--set-xmark 0x5/0x4'], 0x7],
    [['--set-mark 0x9'], 0x9],
    [['--set-mark 0x6', '--set-mark 0x1/0x1'], 0x7],
    [['--set-mark 0x6', '--and-mark 0x3'], 0x2],
    [['--set-mark 0x6', '--or-mark 0x3'], 0x7],
    [['--set-mark 0x6', '--xor-mark 0x3'], 0x5],
    [['--set-mark 0x80000000'], 0x8000_0000],
  ] as const)('-j MARK %j leaves %i', async (sets, mark) => {
    const rules = sets.map((s) => `-j MARK ${s}`);
    const asked = async (value: number) => (await of([...rules, `-m mark --mark 0x${value.toString(16)} ${aside}`])).backends[0]?.to;
    expect(await asked(mark)).toBe('10.9.9.9:1');
    expect(await asked(mark + 1)).toBe('10.244.1.5:8080');
  });

  describe('of other tables', () => {
    const filter = (...rules: string[]) => `*filter\n${rules.join('\n')}\nCOMMIT\n`;
    const other: Packet = { ...shop, port: 81 };
    test.each([
      ['a rule of a firewall for the address', ['-A FORWARD -d 10.96.0.20/32 -j DROP'], 'dropped'],
      ['a rule of a firewall for everything', ['-A FORWARD -s 10.244.0.0/16 -j DROP'], 'not-handled'],
      ['a rule for all but the address', ['-A FORWARD ! -d 10.96.0.20/32 -j DROP'], 'not-handled'],
      ['a chain of a firewall', ['-A FORWARD -j UFW', '-A UFW -j DROP'], 'not-handled'],
      ["kube-proxy's own chain", ['-A FORWARD -j KUBE-SERVICES', '-A KUBE-SERVICES -d 10.96.0.20/32 -j REJECT'], 'rejected'],
      ['a chain that another point of the kernel has', ['-A INPUT -j KUBE-SERVICES', '-A KUBE-SERVICES -d 10.96.0.20/32 -j REJECT'], 'not-handled'],
    ] as const)('%s', async (_, rules, verdict) => expect((await of([], other, filter(...rules))).verdict).toBe(verdict));
    test('ACCEPT ends its own table only', async () => {
      expect((await of([], shop, '*raw\n-A PREROUTING -d 10.96.0.20/32 -j ACCEPT\nCOMMIT\n')).verdict).toBe('backends');
    });
    test('a packet to the node itself comes by INPUT, one from it by OUTPUT', async () => {
      const drop = (chain: string) => filter(`-A ${chain} -d 10.96.0.20/32 -j DROP`);
      const from = async (packet: Packet) =>
        (await Promise.all(['INPUT', 'FORWARD', 'OUTPUT'].map((c) => of([], packet, drop(c))))).map((h) => h.verdict === 'dropped');
      expect(await from(other)).toEqual([false, true, false]);
      expect(await from({ ...other, toNode: true })).toEqual([true, false, false]);
      expect(await from({ ...local, port: 81, toNode: false })).toEqual([false, false, true]);
      expect(await from({ ...local, port: 81 })).toEqual([true, false, true]);
    });
    test('raw and mangle come before the translation, filter after it', async () => {
      for (const table of ['raw', 'mangle']) {
        const found = await of([], shop, `*${table}\n-A PREROUTING -d 10.96.0.20/32 -j DROP\nCOMMIT\n`);
        expect(found).toMatchObject({ verdict: 'dropped', foreign: [`${table}/PREROUTING: -d 10.96.0.20/32 -j DROP`] });
      }
      expect((await of([], shop, filter('-A FORWARD -d 10.96.0.20/32 -j DROP'))).verdict).toBe('backends');
    });
  });

  describe('what the backend sees', () => {
    const masquerade = [
      '-A POSTROUTING -j KUBE-POSTROUTING',
      '-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN',
      '-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0',
      '-A KUBE-POSTROUTING -j MASQUERADE --random-fully',
    ];
    const seen = async (...rules: string[]) => (await of([...rules, ...masquerade])).masquerade;
    test('the client, or the node where the packet was marked for it', async () => {
      expect(await seen()).toBe(false);
      expect(await seen('-j MARK --or-mark 0x4000')).toBe(true);
      expect(await seen('-s 10.1.0.0/16 -j MARK --or-mark 0x4000')).toBe(false);
    });
    test('it is not known where a rule that could not be read may have marked it', async () => {
      const found = await of(['-m magic --spell abra -j MARK --or-mark 0x4000', ...masquerade]);
      expect(found).toMatchObject({ masquerade: null, unread: [], verdict: 'backends' });
      expect(await seen('-m magic --spell abra -j MINE', '-A MINE -j MARK --or-mark 0x4000')).toBeNull();
      expect(await seen('-m magic --spell abra -j LOG')).toBe(false);
    });
    test('a chain that only marks leaves open nothing else, however often it is met; one that does more does', async () => {
      const twice = ['-m magic --spell abra -j MINE', '-m magic --spell cadabra -j MINE', '-A MINE -j MARK --or-mark 0x4000'];
      expect(await of([...twice, ...masquerade])).toMatchObject({ masquerade: null, unread: [] });
      expect((await of([...twice, '-A MINE -j DROP', ...masquerade])).unread).toEqual(['-m magic --spell abra -j MINE', '-m magic --spell cadabra -j MINE']);
    });
    test('nor where it differs between the packets', async () => {
      expect(await seen('-m statistic --mode random --probability 0.50000000000 -j MARK --or-mark 0x4000')).toBeNull();
    });
  });

  test('a client is kept as long as the rule says', async () => {
    const kept = async (option: string) => (await of([`-m recent ${option} --name x --rsource ${aside}`])).affinitySeconds;
    expect(await kept('--rcheck --seconds 100')).toBe(100);
    expect(await kept('--update --seconds 7')).toBe(7);
    expect(await kept('--rcheck')).toBe(0);
    expect((await of([])).affinitySeconds).toBeNull();
  });

  describe('loadBalancerSourceRanges', () => {
    const firewall = (...ranges: string[]) => [
      '-d 10.96.0.20/32 -j KUBE-FW-A',
      ...ranges.map((r) => `-A KUBE-FW-A -s ${r} -j KUBE-SEP-A`),
      '-A KUBE-FW-A -j DROP',
    ];
    test('are those that let a client in', async () => {
      expect(await of(firewall('10.7.0.0/16', '10.5.0.0/16'))).toMatchObject({
        verdict: 'backends',
        sourceRanges: ['10.5.0.0/16', '10.7.0.0/16'],
        backends: [{ to: '10.244.1.5:8080', percent: 100 }],
      });
      expect(await of(firewall('10.244.0.0/16'))).toMatchObject({ verdict: 'backends', sourceRanges: [] });
      expect(await of(firewall())).toMatchObject({ verdict: 'dropped', sourceRanges: [] });
    });
    test('a range that is dropped before is none of them, nor is one of another chain', async () => {
      const [jump = '', ...chain] = firewall('10.9.0.0/16', '10.7.0.0/16');
      expect(await of([jump, '-A KUBE-FW-A -s 10.9.0.0/16 -j DROP', ...chain])).toMatchObject({ sourceRanges: ['10.7.0.0/16'] });
      expect(await of(['-s 10.7.0.0/16 -j KUBE-SEP-A', '-j DROP'])).toMatchObject({ verdict: 'dropped', sourceRanges: [] });
    });
    test('the address of the load balancer itself, which kube-proxy lets in as well, is none of them', async () => {
      expect((await of(firewall('10.96.0.20/32'))).verdict).toBe('dropped');
    });
  });

  test('whether kube-proxy has written rules at all', async () => {
    const isPresent = (text: string) => {
      const reader = iptablesReader({ packets: [shop], likely: () => false });
      text.split('\n').forEach(reader.line);
      return reader.end().rules.present;
    };
    expect(isPresent(listing([]))).toBe(true);
    expect(isPresent('*nat\n-A PREROUTING -j DROP\nCOMMIT')).toBe(false);
    expect(isPresent('*filter\n-A KUBE-SERVICES -d 10.96.0.20/32 -j REJECT\nCOMMIT')).toBe(false);
    expect(isPresent('-A KUBE-SERVICES -d 10.96.0.20/32 -j REJECT')).toBe(false);
  });
  test('counters before a rule, and lines that are none', async () => {
    const text = listing(['-A PREROUTING -p udp -j DROP']).replace('-A PREROUTING -p udp', `[12:345] -A PREROUTING ${aside}\n-A PREROUTING -p udp`);
    expect((await met(iptablesReader, text)).backends[0]?.to).toBe('10.9.9.9:1');
    expect((await met(iptablesReader, `# a comment\n-A PREROUTING -j DROP\n${listing([])}`)).verdict).toBe('backends');
    expect((await met(iptablesReader, `${listing([])}-A`)).unread).toEqual([]);
  });
  test('two tables, of which the first has no end', async () => {
    expect((await met(iptablesReader, `*mangle\n${listing([])}`)).unread).toEqual(['table mangle ends early']);
  });
});

describe('nftables, as text and as JSON', () => {
  const payload = (protocol: string, field: string) => ({ payload: { protocol, field } });
  const meta = (key: string) => ({ meta: { key } });
  const is = (left: unknown, right: unknown, op = '==') => ({ match: { op, left, right } });
  const aside = { dnat: { family: 'ip', addr: '10.9.9.9', port: 1 } };
  const inTable = { family: 'ip', table: 'kube-proxy' };
  const lookup = { concat: [payload('ip', 'daddr'), meta('l4proto'), payload('th', 'dport')] };

  const textOf = (rules: readonly string[], chains = '') => `table ip kube-proxy {
	map service-ips {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.96.0.20 . tcp . 80 : goto endpoint-A }
	}
	set ranges {
		type ipv4_addr
		flags interval
		elements = { 10.1.0.0/16, 10.244.0.0/16 }
	}
	set clients {
		type ipv4_addr
		flags dynamic,timeout
		timeout 10s
	}
	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		jump services
	}
	chain nat-output {
		type nat hook output priority dstnat; policy accept;
		jump services
	}
	chain services {
		${rules.join('\n\t\t')}
		ip daddr . meta l4proto . th dport vmap @service-ips
	}
	chain mine {
	}
	chain endpoint-A {
		meta l4proto tcp dnat to 10.244.1.5:8080
	}
${chains}
}`;
  const jsonOf = (rules: readonly (readonly unknown[])[], objects: readonly unknown[] = []) =>
    JSON.stringify({
      nftables: [
        { metainfo: { version: '1.0.6' } },
        { map: { ...inTable, name: 'service-ips', elem: [[{ concat: ['10.96.0.20', 'tcp', 80] }, { goto: { target: 'endpoint-A' } }]] } },
        {
          set: {
            ...inTable,
            name: 'ranges',
            flags: ['interval'],
            elem: [{ prefix: { addr: '10.1.0.0', len: 16 } }, { prefix: { addr: '10.244.0.0', len: 16 } }],
          },
        },
        { set: { ...inTable, name: 'clients', flags: ['timeout'], timeout: 10 } },
        { chain: { ...inTable, name: 'nat-prerouting', type: 'nat', hook: 'prerouting', prio: -100 } },
        { chain: { ...inTable, name: 'nat-output', type: 'nat', hook: 'output', prio: -100 } },
        ...['services', 'mine', 'endpoint-A'].map((name) => ({ chain: { ...inTable, name } })),
        ...['nat-prerouting', 'nat-output'].map((chain) => ({ rule: { ...inTable, chain, expr: [{ jump: { target: 'services' } }] } })),
        ...rules.map((expr) => ({ rule: { ...inTable, chain: 'services', expr } })),
        { rule: { ...inTable, chain: 'services', expr: [{ vmap: { key: lookup, data: '@service-ips' } }] } },
        { rule: { ...inTable, chain: 'endpoint-A', expr: [is(meta('l4proto'), 'tcp'), { dnat: { family: 'ip', addr: '10.244.1.5', port: 8080 } }] } },
        ...objects,
      ],
    });
  const asText = (rules: readonly string[], packet?: Packet, chains?: string) => met(nftReader, textOf(rules, chains), packet);
  const asJson = (rules: readonly (readonly unknown[])[], packet?: Packet, objects?: readonly unknown[]) => met(nftJsonReader, jsonOf(rules, objects), packet);
  const shareOf = ({ backends, unread }: Handling) => (unread.length > 0 ? undefined : (backends.find((b) => b.to === '10.9.9.9:1')?.percent ?? 0));

  test.each([
    ['', [], 100],
    ['ip saddr 10.244.1.9', [is(payload('ip', 'saddr'), '10.244.1.9')], 100],
    ['ip saddr 10.244.2.0/24', [is(payload('ip', 'saddr'), { prefix: { addr: '10.244.2.0', len: 24 } })], 0],
    ['ip saddr != 10.244.2.0/24', [is(payload('ip', 'saddr'), { prefix: { addr: '10.244.2.0', len: 24 } }, '!=')], 100],
    ['ip saddr { 10.1.0.1, 10.244.1.9 }', [is(payload('ip', 'saddr'), { set: ['10.1.0.1', '10.244.1.9'] })], 100],
    ['ip saddr @ranges', [is(payload('ip', 'saddr'), '@ranges')], 100],
    ['ip saddr != @ranges', [is(payload('ip', 'saddr'), '@ranges', '!=')], 0],
    ['ip saddr @absent', [is(payload('ip', 'saddr'), '@absent')], undefined],
    ['ip saddr @clients', [is(payload('ip', 'saddr'), '@clients')], 0],
    ['ip daddr 10.96.0.20', [is(payload('ip', 'daddr'), '10.96.0.20')], 100],
    ['ip daddr 10.96.0.21', [is(payload('ip', 'daddr'), '10.96.0.21')], 0],
    ['ip daddr nonsense', [is(payload('ip', 'daddr'), 'nonsense')], undefined],
    ['ip protocol tcp', [is(payload('ip', 'protocol'), 'tcp')], 100],
    ['meta l4proto 6', [is(meta('l4proto'), 6)], 100],
    ['meta l4proto 17', [is(meta('l4proto'), 17)], 0],
    ['meta l4proto { tcp, udp }', [is(meta('l4proto'), { set: ['tcp', 'udp'] })], 100],
    ['tcp dport 80', [is(payload('tcp', 'dport'), 80)], 100],
    ['tcp dport 81', [is(payload('tcp', 'dport'), 81)], 0],
    ['udp dport 80', [is(payload('udp', 'dport'), 80)], 0],
    ['th dport 79-81', [is(payload('th', 'dport'), { range: [79, 81] })], 100],
    ['th dport != 80', [is(payload('th', 'dport'), 80, '!=')], 0],
    ['fib daddr type local', [is({ fib: { result: 'type', flags: ['daddr'] } }, 'local')], 0],
    ['fib daddr type != local', [is({ fib: { result: 'type', flags: 'daddr' } }, 'local', '!=')], 100],
    ['fib saddr type local', [is({ fib: { result: 'type', flags: ['saddr'] } }, 'local')], 0],
    ['fib daddr type unicast', [is({ fib: { result: 'type', flags: ['daddr'] } }, 'unicast')], undefined],
    ['ct state new', [is({ ct: { key: 'state' } }, 'new')], 100],
    ['ct state established,related', [is({ ct: { key: 'state' } }, ['established', 'related'])], 0],
    ['ct status dnat', [is({ ct: { key: 'status' } }, 'dnat')], 0],
    ['meta mark 0x0', [is(meta('mark'), 0)], 100],
    ['meta mark & 0x00004000 == 0x00004000', [is({ '&': [meta('mark'), 16_384] }, 16_384)], 0],
    ['meta mark & 0x00004000 != 0x00004000', [is({ '&': [meta('mark'), 16_384] }, 16_384, '!=')], 100],
    ['mark and 0x4000 == 0x0', [is({ '&': [meta('mark'), 16_384] }, 0)], 100],
    ['iifname "eth0"', [is(meta('iifname'), 'eth0')], undefined],
    ['meta oifname "eth0"', [is(meta('oifname'), 'eth0')], undefined],
    ['iifname "lo"', [is(meta('iifname'), 'lo')], 0],
    ['meta iifname "lo"', [is(meta('iifname'), 'lo')], 0],
    ['oifname "lo"', [is(meta('oifname'), 'lo')], undefined],
    ['iifname { "lo", "eth0" }', [is(meta('iifname'), { set: ['lo', 'eth0'] })], undefined],
    ['ip daddr { 10.1.0.1, 10.96.0.20 }', [is(payload('ip', 'daddr'), { set: ['10.1.0.1', '10.96.0.20'] })], 100],
    ['ip saddr { 10.244.1.9, nonsense }', [is(payload('ip', 'saddr'), { set: ['10.244.1.9', 'nonsense'] })], undefined],
    ['th dport { 22, 79-81 }', [is(payload('th', 'dport'), { set: [22, { range: [79, 81] }] })], 100],
    ['sctp dport 80', [is(payload('sctp', 'dport'), 80)], 0],
    ['udp dport != 81', [is(payload('udp', 'dport'), 81, '!=')], 0],
    ['fib saddr type unicast', [is({ fib: { result: 'type', flags: ['saddr'] } }, 'unicast')], undefined],
    ['fib daddr oif 3', [is({ fib: { result: 'oif', flags: ['daddr'] } }, 3)], undefined],
    ['ct status != dnat', [is({ ct: { key: 'status' } }, 'dnat', '!=')], 100],
    ['ct mark 1', [is({ ct: { key: 'mark' } }, 1)], undefined],
    [
      'ip saddr . ip daddr { 10.244.1.9 . 10.96.0.20 }',
      [is({ concat: [payload('ip', 'saddr'), payload('ip', 'daddr')] }, { set: [{ concat: ['10.244.1.9', '10.96.0.20'] }] })],
      undefined,
    ],
    ['add @clients { ip saddr timeout 10s }', [{ set: { op: 'add', elem: payload('ip', 'saddr'), set: '@clients' } }], 100],
    ['socket mark 1', [is({ socket: { key: 'mark' } }, 1)], undefined],
    ['counter packets 5 bytes 300', [{ counter: { packets: 5, bytes: 300 } }], 100],
    ['counter', [{ counter: null }], 100],
    ['update @clients { ip saddr }', [{ set: { op: 'update', elem: payload('ip', 'saddr'), set: '@clients' } }], 100],
  ] as const)('"%s": %j means %s %% of the packets', async (text, json, share) => {
    expect([shareOf(await asText([`${text} dnat to 10.9.9.9:1`])), shareOf(await asJson([[...json, aside]]))]).toEqual([share, share]);
  });

  test.each([
    ['fib daddr type local', [is({ fib: { result: 'type', flags: ['daddr'] } }, 'local')]],
    ['fib saddr type local', [is({ fib: { result: 'type', flags: ['saddr'] } }, 'local')]],
  ] as const)('of the node itself, "%s" means all', async (text, json) => {
    expect([shareOf(await asText([`${text} dnat to 10.9.9.9:1`], local)), shareOf(await asJson([[...json, aside]], local))]).toEqual([100, 100]);
  });
  test.each([
    ['fib saddr type local', [is({ fib: { result: 'type', flags: ['saddr'] } }, 'local')], 100, 0],
    ['fib daddr type local', [is({ fib: { result: 'type', flags: ['daddr'] } }, 'local')], 0, 100],
    ['iifname "lo"', [is(meta('iifname'), 'lo')], 0, 0],
  ] as const)('"%s" means %j: %s %% of what a node sends elsewhere, and %s %% of what it gets from a pod', async (text, json, sent, got) => {
    const of = async (packet: Packet) => [shareOf(await asText([`${text} dnat to 10.9.9.9:1`], packet)), shareOf(await asJson([[...json, aside]], packet))];
    expect(await of({ ...local, toNode: false })).toEqual([sent, sent]);
    expect(await of({ ...shop, toNode: true })).toEqual([got, got]);
  });
  test.each([
    ['ip6 saddr fd00::9', 100],
    ['ip6 saddr fd00::/64', 100],
    ['ip6 daddr fd00::21', 0],
    ['ip6 daddr fd00::20', 100],
    ['ip6 nexthdr tcp', 100],
    ['ip6 nexthdr udp', 0],
  ] as const)('of IPv6: "%s" means %s %%', async (text, share) => {
    const six: Packet = { ...shop, address: 'fd00::20', source: 'fd00::9' };
    const table = textOf([`${text} dnat ip6 to [fd00::7]:1`])
      .replace('table ip ', 'table ip6 ')
      .replaceAll('10.96.0.20', 'fd00::20')
      .replace('10.244.1.5:8080', '[fd00:1::5]:8080');
    expect((await met(nftReader, table, six)).backends.map((b) => b.to)).toEqual([share === 100 ? '[fd00::7]:1' : '[fd00:1::5]:8080']);
  });

  test.each([
    ['accept', { accept: null }, 'not-handled'],
    ['drop', { drop: null }, 'dropped'],
    ['return', { return: null }, 'backends'],
    ['continue', { continue: null }, 'backends'],
    ['reject', { reject: null }, 'rejected'],
    ['reject with icmp type port-unreachable comment "x"', { reject: { type: 'icmp', expr: 'port-unreachable' } }, 'rejected'],
    ['reject with tcp reset', { reject: { type: 'tcp reset' } }, 'rejected'],
    ['drop comment "x"', { drop: null }, 'dropped'],
    ['masquerade fully-random', { masquerade: { flags: 'fully-random' } }, 'not-handled'],
    ['masquerade random persistent', { masquerade: { flags: ['random', 'persistent'] } }, 'not-handled'],
    ['jump mine', { jump: { target: 'mine' } }, 'backends'],
  ] as const)('%s', async (text, json, verdict) => {
    // The chain of the Services is entered by a jump: what returns from it meets no more rules.
    const expected = text === 'return' ? 'not-handled' : verdict;
    expect(await asText([text])).toMatchObject({ verdict: expected, unread: [], byDefault: expected === 'not-handled' });
    expect(await asJson([[json]])).toMatchObject({ verdict: expected, unread: [] });
  });
  test.each([
    ['log', { log: null }],
    ['log prefix "lost: " level warn', { log: { prefix: 'lost: ', level: 'warn' } }],
    ['log prefix "x" group 1 snaplen 64 queue-threshold 5', { log: { prefix: 'x', group: 1, snaplen: 64, 'queue-threshold': 5 } }],
    ['log flags tcp sequence,options flags skuid', { log: { flags: ['tcp sequence', 'tcp options', 'skuid'] } }],
    ['log flags all', { log: { flags: 'all' } }],
    ['log flags ip options', { log: { flags: 'ip options' } }],
  ] as const)('%s changes nothing', async (text, json) => {
    const expected = { verdict: 'backends', unread: [] };
    expect(await asJson([[json]])).toMatchObject(expected);
    expect(await asText([text])).toMatchObject(expected);
    expect(shareOf(await asText([`${text} dnat to 10.9.9.9:1`]))).toBe(100);
  });
  test('a goto does not come back', async () => {
    expect((await asText(['goto mine'])).verdict).toBe('not-handled');
    expect((await asJson([[{ goto: { target: 'mine' } }]])).verdict).toBe('not-handled');
  });
  test.each([
    ['dnat to 10.9.9.9:1-5', { dnat: { addr: '10.9.9.9', port: { range: [1, 5] } } }],
    ['dnat to 10.9.9.1-10.9.9.9', { dnat: { addr: { range: ['10.9.9.1', '10.9.9.9'] } } }],
    ['dnat', { dnat: null }],
    ['dnat to somewhere', { dnat: { port: 1 } }],
    ['dnat to 10.9.9.9:1 persistent', { dnat: { addr: '10.9.9.9', port: '1' } }],
    ['numgen inc mod 2 vmap { 0 : drop }', { vmap: { key: { numgen: { mode: 'inc', mod: 2 } }, data: { set: [[0, { drop: null }]] } } }],
  ] as const)('%s: what follows is not sure', async (text, json) => {
    expect([(await asText([text])).unread, (await asJson([[json]])).unread]).toEqual([[text], [JSON.stringify([json])]]);
  });
  test('an address without a port, and one of IPv6', async () => {
    expect((await asText(['dnat to 10.9.9.9'])).backends[0]?.to).toBe('10.9.9.9');
    expect((await asText(['dnat ip to 10.9.9.9:1 comment "x"'])).backends[0]?.to).toBe('10.9.9.9:1');
    expect((await asJson([[{ dnat: { addr: '10.9.9.9' } }]])).backends[0]?.to).toBe('10.9.9.9');
    expect((await asJson([[{ dnat: { addr: 'fd00::9', port: 1 } }]])).backends[0]?.to).toBe('[fd00::9]:1');
    expect((await asText(['dnat ip6 to [fd00::9]:1'])).backends[0]?.to).toBe('[fd00::9]:1');
  });

  const pairs = (ports: readonly unknown[]) => ports.map((port, i) => [i, { concat: [`10.9.9.${i}`, port] }]);
  const drawn = (mode: string, mod: number, ports: readonly unknown[]) => ({
    dnat: { family: 'ip', addr: { map: { key: { numgen: { mode, mod, offset: 0 } }, data: { set: pairs(ports) } } } },
  });
  test('one of several addresses, drawn at random', async () => {
    const halves = [0, 1].map((i) => ({ to: `10.9.9.${i}:80`, percent: 50 }));
    for (const how of ['ip addr . port', 'ip'])
      expect(await asText([`dnat ${how} to numgen random mod 2 map { 0 : 10.9.9.0 . 80, 1 : 10.9.9.1 . 80 }`])).toMatchObject({ backends: halves, unread: [] });
    expect(await asJson([[drawn('random', 2, [80, 80])]])).toMatchObject({ backends: halves, unread: [] });
  });
  test.each([
    ['another number of addresses', 'random mod 3 map { 0 : 10.9.9.0 . 80, 1 : 10.9.9.1 . 80 }', drawn('random', 3, [80, 80])],
    ['a port that is none', 'random mod 2 map { 0 : 10.9.9.0 . 80, 1 : 10.9.9.1 . x80 }', drawn('random', 2, [80, 'x80'])],
    ['a port with more behind it', 'random mod 2 map { 0 : 10.9.9.0 . 80, 1 : 10.9.9.1 . 80x }', drawn('random', 2, [80, null])],
    ['no port', 'random mod 2 map { 0 : 10.9.9.0, 1 : 10.9.9.1 }', drawn('random', 2, [])],
    ['another sign', 'random mod 2 map { 0 = 10.9.9.0 . 80, 1 = 10.9.9.1 . 80 }', drawn('random', 2, [])],
    ['a range', 'random mod 2 map { 0 : 10.9.9.0 - 80, 1 : 10.9.9.1 - 80 }', drawn('random', 2, [])],
    ['a turn instead of a draw', 'inc mod 2 map { 0 : 10.9.9.0 . 80, 1 : 10.9.9.1 . 80 }', drawn('inc', 2, [80, 80])],
    ['a map that ends early', 'random mod 2 map { 0 : 10.9.9.0 . 80', drawn('random', 2, [80])],
  ] as const)('one of several addresses with %s: what follows is not sure', async (_, map, json) => {
    expect((await asText([`dnat ip addr . port to numgen ${map}`])).unread).toHaveLength(1);
    expect((await asJson([[json]])).unread).toHaveLength(1);
  });

  test.each([
    ['a comment', '10.96.0.20 . tcp . 80 comment "default/shop" : goto endpoint-A'],
    ['a comment behind the verdict', '10.96.0.21 . tcp . 80 : goto mine comment "x", 10.96.0.20 . tcp . 80 : goto endpoint-A'],
    ['counters', '10.96.0.20 . tcp . 80 counter packets 3 bytes 180 : goto endpoint-A'],
    ['a time', '10.96.0.20 . tcp . 80 timeout 10s expires 5s : goto endpoint-A'],
    [
      'others on lines before',
      '10.96.0.19 . tcp . 80 : goto mine,\n\t\t\t     10.96.0.21 . tcp . 80 : goto mine,\n\t\t\t     10.96.0.20 . tcp . 80 : goto endpoint-A',
    ],
    ['others on lines behind', '10.96.0.20 . tcp . 80 : goto endpoint-A,\n\t\t\t     10.96.0.21 . udp . 80 : goto mine'],
  ])('an element of a map with %s', async (_, elements) => {
    const table = textOf([]).replace('10.96.0.20 . tcp . 80 : goto endpoint-A', elements);
    expect(await met(nftReader, table)).toMatchObject({
      verdict: 'backends',
      backends: [{ to: '10.244.1.5:8080', percent: 100 }],
      byDefault: false,
      unread: [],
    });
  });
  test('an element whose verdict is not known', async () => {
    const queue = textOf([]).replace('80 : goto endpoint-A', '80 : queue');
    expect((await met(nftReader, queue)).unread).toEqual(['ip daddr . meta l4proto . th dport vmap @service-ips']);
  });
  test('a map in place', async () => {
    const key = {
      vmap: {
        key: meta('l4proto'),
        data: {
          set: [
            ['udp', { drop: null }],
            ['tcp', { reject: null }],
          ],
        },
      },
    };
    for (const found of [await asText(['meta l4proto vmap { udp : drop, tcp : reject }']), await asJson([[key]])])
      expect(found).toMatchObject({ verdict: 'rejected', unread: [] });
    const withComment = { vmap: { key: meta('l4proto'), data: { set: [[{ elem: { val: 'tcp', comment: 'x' } }, { drop: null }]] } } };
    expect((await asJson([[withComment]])).verdict).toBe('dropped');
  });
  test('of a table, also blocks of other kinds are passed over, and one that ends early is said', async () => {
    const others = '\tcounter lost {\n\t\tpackets 0 bytes 0\n\t}\n\tflowtable f {\n\t\thook ingress priority 0\n\t}\n\tmap service-ips';
    expect(await met(nftReader, textOf([]).replace('\tmap service-ips', others))).toMatchObject({ verdict: 'backends', unread: [] });
    const early = textOf([]).trimEnd().slice(0, -1);
    expect((await met(nftReader, early)).unread).toEqual(['table ip kube-proxy ends early']);
    expect((await met(nftReader, `${early}table ip other {\n}`)).unread).toEqual(['table ip kube-proxy ends early']);
    expect((await met(nftJsonReader, jsonOf([]).slice(0, -2))).unread).toEqual(['the JSON of nft ends early']);
  });
  test('an address that no map has is refused by default', async () => {
    const check = '\tchain cluster-ips-check {\n\t\tip daddr 10.96.0.20 reject\n\t}';
    expect(await asText(['jump cluster-ips-check'], shop, check)).toMatchObject({ verdict: 'rejected', byDefault: true });
    expect(await asText(['jump another'], shop, check.replace('cluster-ips-check', 'another'))).toMatchObject({ verdict: 'rejected', byDefault: false });
  });
  test('whether kube-proxy has written rules at all', () => {
    const isPresent = (reader: (w: Wanted) => RuleReader, text: string) => {
      const one = reader({ packets: [shop], likely: () => false });
      text.split('\n').forEach(one.line);
      return one.end().rules.present;
    };
    expect([isPresent(nftReader, textOf([])), isPresent(nftJsonReader, jsonOf([]))]).toEqual([true, true]);
    expect([isPresent(nftReader, textOf([]).replaceAll('kube-proxy', 'other')), isPresent(nftJsonReader, '{"nftables":[]}')]).toEqual([false, false]);
  });

  const setTo = (how: unknown) => ({ mangle: { key: meta('mark'), value: how } });
  test.each([
    [[['meta mark set 0x9', setTo(9)]], 9],
    [
      [
        ['meta mark set 0x6', setTo(6)],
        ['meta mark set mark or 0x3', setTo({ '|': [meta('mark'), 3] })],
      ],
      7,
    ],
    [
      [
        ['meta mark set 0x6', setTo(6)],
        ['meta mark set meta mark ^ 0x3', setTo({ '^': [meta('mark'), 3] })],
      ],
      5,
    ],
    [
      [
        ['mark set 0x6', setTo(6)],
        ['mark set meta mark xor 0x3', setTo({ '^': [meta('mark'), 3] })],
      ],
      5,
    ],
    [
      [
        ['meta mark set 0x6', setTo(6)],
        ['meta mark set meta mark | 0x3', setTo({ '|': [meta('mark'), 3] })],
      ],
      7,
    ],
    [
      [
        ['meta mark set 0x6', setTo(6)],
        ['meta mark set meta mark & 0x3', setTo({ '&': [meta('mark'), 3] })],
      ],
      2,
    ],
    [
      [
        ['mark set 0x6', setTo(6)],
        ['meta mark set mark and 0x3', setTo({ '&': [meta('mark'), 3] })],
      ],
      2,
    ],
  ] as const)('%j leaves the mark %i', async (sets, mark) => {
    for (const [value, to] of [
      [mark, '10.9.9.9:1'],
      [mark + 1, '10.244.1.5:8080'],
    ] as const) {
      expect((await asText([...sets.map(([t]) => t), `meta mark ${value} dnat to 10.9.9.9:1`])).backends[0]?.to).toBe(to);
      expect((await asJson([...sets.map(([, j]) => [j]), [is(meta('mark'), value), aside]])).backends[0]?.to).toBe(to);
      // All in one rule, as kube-proxy writes them.
      expect((await asText([`${sets.map(([t]) => t).join(' ')} jump mine`, `meta mark ${value} dnat to 10.9.9.9:1`])).backends[0]?.to).toBe(to);
    }
  });
  test('another field that is set is not known', async () => {
    expect((await asJson([[{ mangle: { key: payload('ip', 'dscp'), value: 1 } }]])).unread).toHaveLength(1);
    expect((await asJson([[setTo({ '<<': [meta('mark'), 1] })]])).unread).toHaveLength(1);
  });

  test('parts drawn at random, in place', async () => {
    const drawn = {
      vmap: {
        key: { numgen: { mode: 'random', mod: 4, offset: 0 } },
        data: {
          set: [
            [0, { goto: { target: 'endpoint-A' } }],
            [1, { drop: null }],
          ],
        },
      },
    };
    const parts = [await asText(['numgen random mod 4 vmap { 0 : goto endpoint-A, 1 : drop }']), await asJson([[drawn]])];
    for (const found of parts) expect(found).toMatchObject({ verdict: 'backends', backends: [{ to: '10.244.1.5:8080', percent: 75 }] });
  });
  test('the order of hooks is that of their priorities', async () => {
    const hook = (name: string, priority: string, rule: string) => `	chain ${name} {
		type filter hook prerouting priority ${priority}; policy accept;
		${rule}
	}`;
    const first = (a: string, b: string) =>
      asText([], shop, [hook('one', a, 'ip daddr 10.96.0.20 drop'), hook('two', b, 'ip daddr 10.96.0.20 reject')].join('\n'));
    expect((await first('raw', 'dstnat - 10')).verdict).toBe('dropped');
    expect((await first('dstnat - 10', 'raw')).verdict).toBe('rejected');
    expect((await first('-300', 'raw + 1')).verdict).toBe('dropped');
    // After the translation nothing of the address is left.
    expect((await first('filter', 'security')).verdict).toBe('backends');
    const chain = { chain: { ...inTable, name: 'one', type: 'filter', hook: 'prerouting', prio: -101 } };
    const rule = { rule: { ...inTable, chain: 'one', expr: [is(payload('ip', 'daddr'), '10.96.0.20'), { drop: null }] } };
    expect((await asJson([], shop, [chain, rule])).verdict).toBe('dropped');
    const later = { chain: { ...chain.chain, prio: 0 } };
    expect((await asJson([], shop, [later, rule])).verdict).toBe('backends');
  });
  test.each([
    ['-300', -300],
    ['raw', -300],
    ['  mangle', -150],
    ['raw + 1', -299],
    ['dstnat - 10', -110],
    ['dstnat-10', -110],
    ['srcnat + 100', 200],
    ['security', 50],
    ['filter', 0],
    ['nonsense', 0],
  ])('priority "%s" is %i', (text, priority) => expect(priorityOf(text)).toBe(priority));
  test('how long a client is kept', async () => {
    const kept = (timeout: string) => met(nftReader, textOf(['ip saddr @clients drop']).replace('timeout 10s', `timeout ${timeout}`));
    expect((await kept('1m40s')).affinitySeconds).toBe(100);
    expect((await kept('3h')).affinitySeconds).toBe(10_800);
    expect((await kept('1d1s')).affinitySeconds).toBe(86_401);
    expect((await kept('500ms')).affinitySeconds).toBe(0.5);
    expect((await kept('1w2m')).affinitySeconds).toBe(604_920);
    expect((await asJson([[is(payload('ip', 'saddr'), '@clients'), { drop: null }]])).affinitySeconds).toBe(10);
    const inWords = jsonOf([[is(payload('ip', 'saddr'), '@clients'), { drop: null }]]).replace('"timeout":10', '"timeout":"1m"');
    expect((await met(nftJsonReader, inWords)).affinitySeconds).toBe(60);
  });
  test('a rule of another table is not met', async () => {
    const foreign = textOf([]).replaceAll('kube-proxy', 'other').replace('jump services', 'drop');
    expect((await met(nftReader, `${foreign}\n${textOf([])}`)).verdict).toBe('backends');
    const rule = { rule: { family: 'ip', table: 'other', chain: 'services', expr: [{ drop: null }] } };
    expect((await asJson([], shop, [rule])).verdict).toBe('backends');
  });
});
