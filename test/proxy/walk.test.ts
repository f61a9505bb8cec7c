/** Rules beside kube-proxy's own, rules that are not known, and listings that are damaged: read as far as they go, never taken for right. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { iptablesReader } from '../../src/proxy/iptables.ts';
import type { Handling, Packet } from '../../src/proxy/model.ts';
import { nftJsonReader } from '../../src/proxy/nft-json.ts';
import { nftReader } from '../../src/proxy/nft-text.ts';
import { judgeRules } from '../../src/proxy/read.ts';
import type { RuleReader, Wanted } from '../../src/proxy/rule.ts';

const shop: Packet = { address: '10.96.0.20', port: 80, protocol: 'TCP', origin: 'pod', source: '10.244.1.9', toNode: false };

async function of(reader: (w: Wanted) => RuleReader, text: string, packets: Packet[] = [shop], likely = false): Promise<Handling[]> {
  const found = await judgeRules<never>(
    reader,
    async (line) => {
      text.split('\n').forEach(line);
      return undefined;
    },
    { packets, likely: () => likely },
  );
  if ('error' in found) throw new Error('no error can come of a text');
  return found.handled;
}

/** A Service with two endpoints, as `iptables-save` lists it; `more` comes before kube-proxy's own rules in PREROUTING. */
const iptables = (more = '', services = '') => `*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SEP-A - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-SHOP - [0:0]
:MINE - [0:0]
${more}
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SEP-A -s 10.244.1.5/32 -j KUBE-MARK-MASQ
-A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination 10.244.1.5:8080
-A KUBE-SEP-B -p tcp -m tcp -j DNAT --to-destination 10.244.2.5:8080
-A KUBE-SERVICES -d 10.96.0.20/32 -p tcp -m comment --comment "default/shop:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-SHOP
${services}
-A KUBE-SVC-SHOP -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-A
-A KUBE-SVC-SHOP -j KUBE-SEP-B
COMMIT
`;
const both = [
  { to: '10.244.1.5:8080', percent: 50 },
  { to: '10.244.2.5:8080', percent: 50 },
];

describe('rules beside those of kube-proxy', () => {
  test('none: both endpoints, in equal parts, from one reading or two', async () => {
    for (const likely of [true, false])
      expect((await of(iptablesReader, iptables(), [shop], likely))[0]).toMatchObject({ verdict: 'backends', backends: both, unread: [] });
  });
  test('one that jumps to another chain first is followed', async () => {
    const [h] = await of(iptablesReader, iptables('-A PREROUTING -d 10.96.0.0/16 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.9.9.9:1'));
    expect(h).toMatchObject({ verdict: 'backends', backends: [{ to: '10.9.9.9:1', percent: 100 }] });
    expect(h?.foreign).toEqual(['nat/PREROUTING: -d 10.96.0.0/16 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.9.9.9:1']);
  });
  test('one that takes a part of the packets takes that part', async () => {
    const [h] = await of(
      iptablesReader,
      iptables('-A PREROUTING -d 10.96.0.20/32 -m statistic --mode nth --every 4 --packet 0 -j DNAT --to-destination 10.9.9.9:1'),
    );
    expect(h?.backends.map((b) => b.percent)).toEqual([37.5, 37.5, 25]);
  });
  test('a chain of its own, with a return for other sources', async () => {
    const rules = '-A PREROUTING -j MINE\n-A MINE ! -s 10.244.1.0/24 -j RETURN\n-A MINE -j DROP';
    const packets: Packet[] = [shop, { ...shop, source: '10.244.2.9' }];
    expect((await of(iptablesReader, iptables(rules), packets)).map((h) => h.verdict)).toEqual(['dropped', 'backends']);
  });
  test.each([
    ['an extension that is not known', '-A PREROUTING -m magic --spell abra -j DROP'],
    ['a set', '-A PREROUTING -m set --match-set blocked src -j DROP'],
    ['an interface', '-A PREROUTING -i eth7 -j ACCEPT'],
    ['a target whose end is not known', '-A PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 1'],
  ])('%s is named as unread: what follows is not sure', async (_, rule) => {
    const [h] = await of(iptablesReader, iptables(rule));
    expect(h?.unread).toEqual([rule.replace('-A PREROUTING ', '')]);
  });
  test.each([
    ['marks', '-A PREROUTING -m magic --spell abra -j MARK --set-xmark 0x1/0x1'],
    ['counts and logs', '-A PREROUTING -m magic --spell abra -j LOG'],
    ['concerns other ports', '-A PREROUTING -m magic --spell abra -p tcp -m tcp --dport 81 -j DROP'],
    ['concerns other protocols', '-A PREROUTING -m magic --spell abra -p udp -j DROP'],
  ])('one that only %s leaves nothing open', async (_, rule) => {
    expect((await of(iptablesReader, iptables(rule)))[0]).toMatchObject({ backends: both, unread: [] });
  });
  test('chains that jump to themselves end', async () => {
    const [h] = await of(iptablesReader, iptables('-A PREROUTING -j MINE\n-A MINE -j MINE'));
    expect(h?.unread).toEqual(['chain nat/MINE jumps to itself']);
  });
  test('chains that jump to themselves from many places end as soon', async () => {
    const jumps = Array.from({ length: 20 }, () => '-A MINE -j MINE').join('\n');
    const [h] = await of(iptablesReader, iptables(`-A PREROUTING -j MINE\n${jumps}`));
    expect(h?.unread).toEqual(['chain nat/MINE jumps to itself']);
  });
  test.each([
    ['each packet', ''],
    ['packets that a match chooses which is not known', ' -m magic --spell abra'],
  ])('chains of more levels than the kernel allows end for %s, and leave open what is behind them', async (_, match) => {
    const levels = Array.from({ length: 20_000 }, (__, i) => `-A MINE${i} -j MINE${i + 1}`).join('\n');
    const [h] = await of(iptablesReader, iptables(`-A PREROUTING${match} -j MINE0\n${levels}\n-A MINE20000 -j DROP`));
    expect(h).toMatchObject({ verdict: 'backends', backends: both });
    expect(h?.unread).toHaveLength(1);
  });
  test('a chain that is reached in many ways is followed once', async () => {
    const levels = Array.from({ length: 25 }, (_, i) => `-A MINE${i} -j MINE${i + 1}\n-A MINE${i} -j MINE${i + 1}`).join('\n');
    const drops = '-A MINE25 -d 10.96.0.20/32 -j DROP';
    expect((await of(iptablesReader, iptables(`-A PREROUTING -j MINE0\n${levels}\n${drops}`)))[0]).toMatchObject({ verdict: 'dropped', unread: [] });
  });
});

test('ip6tables-save is read as well', async () => {
  const six: Packet = { ...shop, address: 'fd00::20', source: 'fd00::9' };
  const text = iptables()
    .replaceAll('10.96.0.20/32', 'fd00::20/128')
    .replaceAll('10.244.1.5/32', 'fd00:1::5/128')
    .replace('10.244.1.5:8080', '[fd00:1::5]:8080');
  expect((await of(iptablesReader, text, [six]))[0]?.backends.map((b) => b.to)).toEqual(['10.244.2.5:8080', '[fd00:1::5]:8080']);
});

describe('damaged listings', () => {
  test('a table without its end is reported', async () => {
    const text = iptables();
    const [h] = await of(iptablesReader, text.slice(0, text.indexOf('-A KUBE-SVC-SHOP -j KUBE-SEP-B')));
    expect(h?.unread).toEqual(['table nat ends early']);
  });
  test('JSON that is cut off is known in no part', async () => {
    expect((await of(nftJsonReader, '{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"ta'))[0]?.unread).toEqual(['the JSON of nft ends early']);
  });

  const recorded = ['iptables-save.txt', 'nft-ruleset.txt'].map((f) => readFileSync(new URL(`./fixtures/${f}`, import.meta.url), 'utf8').split('\n'));
  const line = fc.oneof(fc.constantFrom(...recorded.flat()), fc.string(), fc.string({ unit: 'binary' }));
  const words = fc.array(
    fc.constantFrom(
      '-A',
      'KUBE-SERVICES',
      '!',
      '-d',
      '10.96.0.20',
      '-j',
      '-m',
      '--dport',
      '80',
      '"',
      '{',
      '}',
      'vmap',
      '@x',
      'dnat',
      'to',
      ':',
      ',',
      'numgen random mod',
      '0',
    ),
  );
  const any = fc.array(
    fc.oneof(
      line,
      words.map((w) => w.join(' ')),
    ),
    { maxLength: 60 },
  );
  test.each([
    ['iptables', iptablesReader],
    ['nft', nftReader],
    ['nft as JSON', nftJsonReader],
  ] as const)('%s: whatever the lines are, they are read to the end', async (_, reader) => {
    await fc.assert(
      fc.asyncProperty(any, fc.boolean(), async (lines, likely) => {
        const handled = await of(reader, ['*nat', 'table ip kube-proxy {', ...lines].join('\n'), [shop], likely);
        return handled.length === 1;
      }),
      { numRuns: 3000 },
    );
  });
});

describe('nftables', () => {
  const table = (services: string, more = '') => `table ip kube-proxy {
	map service-ips {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.96.0.20 . tcp . 80 comment "a, {b}" : goto service-X-default/shop/tcp/http }
	}
	set affinity-A {
		type ipv4_addr
		flags dynamic,timeout
		timeout 1m40s
	}
	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		jump services
	}
	chain services {
		${services}
	}
	chain service-X-default/shop/tcp/http {
		ip saddr @affinity-A goto endpoint-A
		${more || 'numgen random mod 2 vmap { 0 : goto endpoint-A, 1 : goto endpoint-B }'}
	}
	chain endpoint-A {
		update @affinity-A { ip saddr }
		meta l4proto tcp dnat to 10.244.1.5:8080
	}
	chain endpoint-B {
		meta l4proto 6 dnat to 10.244.2.5:8080
	}
}`;
  const lookup = 'ip daddr . meta l4proto . th dport vmap @service-ips';
  test('maps, comments, shares, and how long a client is kept', async () => {
    expect((await of(nftReader, table(lookup)))[0]).toMatchObject({ verdict: 'backends', backends: both, affinitySeconds: 100, unread: [] });
  });
  test('a statement that is not known is named', async () => {
    expect((await of(nftReader, table(`tproxy to :9\n\t\t${lookup}`)))[0]?.unread).toEqual(['tproxy to :9']);
  });
  test('IPv6 has a table of its own', async () => {
    const six: Packet = { ...shop, address: 'fd00::20', source: 'fd00::9' };
    const text = table('ip6 daddr . meta l4proto . th dport vmap @service-ips')
      .replace('table ip ', 'table ip6 ')
      .replace('ipv4_addr .', 'ipv6_addr .')
      .replace('10.96.0.20', 'fd00::20')
      .replace('10.244.1.5:8080', '[fd00:1::5]:8080')
      .replace('10.244.2.5:8080', '[fd00:2::5]:8080')
      .replace('ip saddr @', 'ip6 saddr @');
    expect((await of(nftReader, text, [six]))[0]).toMatchObject({
      verdict: 'backends',
      backends: [{ to: '[fd00:1::5]:8080' }, { to: '[fd00:2::5]:8080' }],
      unread: [],
    });
  });
  test('an address of the other family is none of this table', async () => {
    const six: Packet = { ...shop, address: 'fd00::20', source: 'fd00::9' };
    expect((await of(nftReader, table(lookup), [six]))[0]).toMatchObject({ verdict: 'not-handled', unread: [] });
  });
});

/** A Service's own chain as kube-proxy v1.37 writes it (kubernetes/kubernetes v1.37.2, pkg/proxy/nftables/proxier.go). */
describe('nftables of kube-proxy v1.37: one translation for several endpoints', () => {
  const table = (family: 'ip' | 'ip6', address: string, rule: string) => `table ${family} kube-proxy {
	map service-ips {
		type ${family === 'ip' ? 'ipv4' : 'ipv6'}_addr . inet_proto . inet_service : verdict
		elements = { ${address} . tcp . 80 : goto service-ULMVA6XW-ns1/svc1/tcp/p80 }
	}
	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		jump services
	}
	chain services {
		${family} daddr . meta l4proto . th dport vmap @service-ips
	}
	chain service-ULMVA6XW-ns1/svc1/tcp/p80 {
		${rule}
	}
}`;
  test.each([
    'meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.244.1.5 . 8080, 1 : 10.244.2.5 . 8080 }',
    'meta l4proto tcp dnat ip addr . port to numgen random mod 2 map { 0 : 10.244.1.5 . 8080 , 1 : 10.244.2.5 . 8080 }',
  ])('%s', async (rule) => {
    const [h] = await of(nftReader, table('ip', '10.96.0.20', rule));
    expect(h).toMatchObject({ verdict: 'backends', backends: both, unread: [] });
  });
  test('of IPv6', async () => {
    const packet: Packet = { ...shop, address: 'fd00:96::20', source: 'fd00:244:1::9' };
    const rule = 'meta l4proto tcp dnat ip6 to numgen random mod 2 map { 0 : fd00:244:1::5 . 8080, 1 : fd00:244:2::5 . 8080 }';
    const [h] = await of(nftReader, table('ip6', 'fd00:96::20', rule), [packet]);
    expect(h?.backends).toEqual([
      { to: '[fd00:244:1::5]:8080', percent: 50 },
      { to: '[fd00:244:2::5]:8080', percent: 50 },
    ]);
  });
  test('one that is cut off, or counts otherwise, is not understood', async () => {
    for (const map of ['{ 0 : 10.244.1.5 . 8080, 1 : 10.244', '{ 0 : 10.244.1.5 . 8080 }', '@endpoints']) {
      const [h] = await of(nftReader, table('ip', '10.96.0.20', `meta l4proto tcp dnat ip to numgen random mod 2 map ${map}`));
      expect(h?.unread.length).toBeGreaterThan(0);
    }
  });
  test('as JSON', async () => {
    const address = {
      addr: {
        map: {
          key: { numgen: { mode: 'random', mod: 2, offset: 0 } },
          data: {
            set: [
              [0, { concat: ['10.244.1.5', 8080] }],
              [1, { concat: ['10.244.2.5', 8080] }],
            ],
          },
        },
      },
    };
    const inTable = { family: 'ip', table: 'kube-proxy' };
    const json = {
      nftables: [
        { map: { ...inTable, name: 'service-ips', elem: [[{ concat: ['10.96.0.20', 'tcp', 80] }, { goto: { target: 'service-shop' } }]] } },
        { chain: { ...inTable, name: 'nat-prerouting', type: 'nat', hook: 'prerouting', prio: -100 } },
        { chain: { ...inTable, name: 'service-shop' } },
        {
          rule: {
            ...inTable,
            chain: 'nat-prerouting',
            expr: [
              {
                vmap: {
                  key: {
                    concat: [{ payload: { protocol: 'ip', field: 'daddr' } }, { meta: { key: 'l4proto' } }, { payload: { protocol: 'th', field: 'dport' } }],
                  },
                  data: '@service-ips',
                },
              },
            ],
          },
        },
        {
          rule: {
            ...inTable,
            chain: 'service-shop',
            expr: [{ match: { op: '==', left: { meta: { key: 'l4proto' } }, right: 'tcp' } }, { dnat: { family: 'ip', ...address } }],
          },
        },
      ],
    };
    const [h] = await of(nftJsonReader, JSON.stringify(json));
    expect(h).toMatchObject({ verdict: 'backends', backends: both, unread: [] });
  });
});
