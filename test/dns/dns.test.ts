import packet from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CorefileError, domainOf, forwarders, kubernetesZones, parseCorefile, serverFor } from '../../src/dns/corefile.ts';
import { ask, askAll, decode, DnsProblem, isEncodable } from '../../src/dns/query.ts';
import { clusterDomain, parseResolvConf } from '../../src/dns/resolv-conf.ts';
import { recordingOf } from '../support/recordings.ts';

describe('resolv.conf', () => {
  test('of a pod: servers, search list, ndots', () => {
    const conf = parseResolvConf('search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n');
    expect(conf).toEqual({ nameservers: ['10.96.0.10'], search: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'], ndots: 5 });
    expect(clusterDomain(conf)).toBe('cluster.local');
  });
  test('the last search or domain line wins, comments are none (resolv.conf(5))', () => {
    expect(parseResolvConf('domain a\nsearch b c # d\n; nameserver 1.1.1.1\n').search).toEqual(['b', 'c']);
    expect(parseResolvConf('search b\ndomain a').search).toEqual(['a']);
  });
  test('ndots is 1 unless set, and 15 at most', () => {
    expect(parseResolvConf('').ndots).toBe(1);
    expect(parseResolvConf('options timeout:1 ndots:40').ndots).toBe(15);
  });
  test('takes any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => parseResolvConf(text).nameservers.length >= 0),
      { numRuns: 5000 },
    );
  });
});

describe('a Corefile', () => {
  test('recorded from the cluster: zones and forwarders', () => {
    const fact = recordingOf('healthy-canary').facts.corefile;
    const text = fact.seen ? (fact.value ?? '') : '';
    expect(kubernetesZones(parseCorefile(text))).toEqual(['cluster.local', 'in-addr.arpa', 'ip6.arpa']);
    expect(domainOf(text)).toBe('cluster.local');
  });
  test('kubernetes without arguments serves the zones of its block', () => {
    expect(kubernetesZones(parseCorefile('corp.local:53, other.:53 {\n kubernetes\n}\n'))).toEqual(['corp.local', 'other']);
  });
  test.each([
    ['.:53 {\n errors\n', 'not closed'],
    ['.:53 {\n errors\n}\n}\n', 'without an opening'],
    ['.:53\nerrors\n', 'has no block'],
    ['.:53 {\n log "x\n}\n', 'quotation'],
  ])('%j is refused with a line', (text, why) => {
    expect(() => parseCorefile(text)).toThrow(CorefileError);
    expect(() => parseCorefile(text)).toThrow(why);
  });
  test('snippets are imported, also in one another', () => {
    const file = parseCorefile('(common) {\n  errors\n  import logging\n}\n(logging) {\n  log\n}\n.:53 {\n  import common\n  forward . 10.0.0.2 10.0.0.3\n}\n');
    expect(file.servers.map((s) => s.plugins.map((p) => p.name))).toEqual([['errors', 'log', 'forward']]);
    expect(forwarders(file)).toEqual([{ to: ['10.0.0.2', '10.0.0.3'], line: 10 }]);
  });
  test('files of coredns-custom: server blocks, and plugins inside one', () => {
    const text = '.:53 {\n  kubernetes cluster.local\n  import custom/*.override\n}\nimport custom/*.server\n';
    const file = parseCorefile(text, { 'corp.server': 'corp.example:53 {\n  forward . 10.0.0.9\n}\n', 'log.override': 'log\n', 'README.md': '}' });
    expect(file.servers.map((s) => [s.keys.join(), s.plugins.map((p) => p.name).join()])).toEqual([
      ['.:53', 'kubernetes,log'],
      ['corp.example:53', 'forward'],
    ]);
    expect(parseCorefile(text).unread).toEqual(['custom/*.override', 'custom/*.server']);
    expect(serverFor(file, 'db.corp.example')?.keys).toEqual(['corp.example:53']);
    expect(serverFor(file, 'web.shop.svc.cluster.local')?.keys).toEqual(['.:53']);
  });
  test('blocks of plugins, quotations and comments', () => {
    const file = parseCorefile('.:53 {\n  kubernetes cluster.local in-addr.arpa {\n    pods insecure # a comment\n  }\n  log "a { b"\n}\n');
    expect(file.servers[0]?.plugins).toMatchObject([
      { name: 'kubernetes', args: ['cluster.local', 'in-addr.arpa'], line: 2, block: [{ name: 'pods', args: ['insecure'], line: 3 }] },
      { name: 'log', args: ['a { b'], line: 5 },
    ]);
  });
  test('any text is parsed or refused', () => {
    const piece = fc.constantFrom('.:53', '{', '}', '\n', ' ', 'kubernetes', 'cluster.local', '"', '#', 'forward', 'import', ',');
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece).map((p) => p.join('')),
        ),
        (text) => {
          try {
            parseCorefile(text);
          } catch (error) {
            expect(error).toBeInstanceOf(CorefileError);
          }
          return typeof domainOf(text) === 'string';
        },
      ),
      { numRuns: 5000 },
    );
  });
});

const answer = (id: number, more: Partial<packet.Packet> = {}) =>
  packet.encode({ type: 'response', id, questions: [], answers: [{ type: 'A', name: 'x', data: '10.96.0.1' }], ...more });

describe('DNS over a stream', () => {
  /** A stream that answers each question by `reply`, cut into pieces of `size` bytes. */
  const streamOf = (reply: (id: number) => Buffer, size = 1000) => {
    let pending: Buffer[] = [];
    return {
      write(bytes: Buffer) {
        const body = reply(bytes.readUInt16BE(2));
        const framed = Buffer.concat([Buffer.of(body.length >> 8, body.length & 255), body]);
        pending = Array.from({ length: Math.ceil(framed.length / size) }, (_, i) => framed.subarray(i * size, (i + 1) * size));
      },
      read: () => Promise.resolve(pending.shift() ?? null),
    };
  };

  test('an answer in pieces is put together', async () => {
    expect(await ask(streamOf(answer, 3), 'web.shop.svc.cluster.local', 'A')).toMatchObject({ rcode: 'NOERROR', addresses: ['10.96.0.1'] });
  });
  test('an answer to another question is refused', async () => {
    await expect(
      ask(
        streamOf((id) => answer(id ^ 1)),
        'x',
        'A',
      ),
    ).rejects.toThrow(DnsProblem);
  });
  test('several questions over one stream, each with its own answer', async () => {
    const stream = streamOf(answer);
    const said: string[] = [];
    for await (const a of askAll(stream, [
      { name: 'web', type: 'A' },
      { name: '.', type: 'NS' },
    ]))
      said.push(a.rcode);
    expect(said).toEqual(['NOERROR', 'NOERROR']);
  });
  test('SRV records: target and port (RFC 2782)', () => {
    const bytes = answer(7, { answers: [{ type: 'SRV', name: '_http._tcp.web', data: { port: 8080, target: 'a.web', priority: 0, weight: 1 } }] });
    expect(decode(bytes, 7).srv).toEqual([{ target: 'a.web', port: 8080 }]);
  });
  test('an answer that says of itself that it was cut off is none', () => {
    expect(() => decode(answer(7, { flags: packet.TRUNCATED_RESPONSE }), 7)).toThrow('cut off');
  });
  test('a stream that ends is reported', async () => {
    await expect(ask({ write: () => {}, read: () => Promise.resolve(null) }, 'x', 'A')).rejects.toThrow('without an answer');
  });
  test('names that DNS cannot carry are not sent', async () => {
    expect(isEncodable(`${'a'.repeat(64)}.b`)).toBe(false);
    expect(isEncodable('a..b')).toBe(false);
    expect(isEncodable('web.shop.svc.cluster.local.')).toBe(true);
    await expect(ask(streamOf(answer), 'a..b', 'A')).rejects.toThrow('not a name that DNS can carry');
  });
  test('broken and hostile bytes are a DnsProblem, nothing else', () => {
    const good = answer(7);
    const mutated = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, by]) => Buffer.from(good.map((b, i) => (i === at ? by : b))));
    fc.assert(
      fc.property(
        fc.oneof(
          mutated,
          fc.uint8Array({ maxLength: 600 }).map((a) => Buffer.from(a)),
        ),
        (bytes) => {
          try {
            decode(bytes, 7);
          } catch (error) {
            expect(error).toBeInstanceOf(DnsProblem);
          }
        },
      ),
      { numRuns: 10_000 },
    );
  });
});
