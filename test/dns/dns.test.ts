import packet from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CorefileError, domainOf, kubernetesZones, parseCorefile } from '../../src/dns/corefile.ts';
import { ask, decode, DnsProblem, isEncodable } from '../../src/dns/query.ts';
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
  test('a stream that ends is told', async () => {
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
