/**
 * Hundreds of thousands of inputs for what reads strangers' bytes: DNS answers, resolv.conf, Corefiles. Nothing but the room's own errors may
 * come out, and no input may take long. The seed is kept: a failure is made again by it.
 */
import packet from 'dns-packet';
import { describe, expect, test } from 'vitest';
import { CorefileError, domainOf, forwarders, parseCorefile, serverFor } from '../../src/dns/corefile.ts';
import { decode, DnsProblem } from '../../src/dns/query.ts';
import { parseResolvConf } from '../../src/dns/resolv-conf.ts';
import { questionsFor } from '../../src/dns/resolver.ts';
import { generator } from '../support/random.ts';

const seed = 20_261_121;

interface Tally {
  /** Inputs that were read, and that were refused with the room's own error. */
  read: number;
  refused: number;
  /** Errors of any other kind, with the input. */
  escaped: string[];
  /** Milliseconds of the slowest input. */
  slowest: number;
}

function tally(count: number, make: (random: () => number) => string | Buffer, use: (input: never) => void, own: new (...args: never[]) => Error): Tally {
  const random = generator(seed);
  const found: Tally = { read: 0, refused: 0, escaped: [], slowest: 0 };
  for (let i = 0; i < count && found.escaped.length < 3; i++) {
    const input = make(random);
    const started = performance.now();
    try {
      use(input as never);
      found.read++;
    } catch (error) {
      if (error instanceof own) found.refused++;
      else found.escaped.push(`input ${i}: ${String(error)} for ${JSON.stringify(typeof input === 'string' ? input : input.toString('hex'))}`);
    }
    found.slowest = Math.max(found.slowest, performance.now() - started);
  }
  return found;
}

const pick = <T>(random: () => number, items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;

const answers = [
  packet.encode({
    type: 'response',
    id: 7,
    questions: [{ type: 'A', name: 'web.shop.svc.cluster.local' }],
    answers: [{ type: 'A', name: 'web.shop.svc.cluster.local', ttl: 5, data: '10.96.0.1' }],
  }),
  packet.encode({
    type: 'response',
    id: 7,
    answers: [{ type: 'SRV', name: '_http._tcp.web', data: { port: 80, target: 'web.shop', priority: 0, weight: 1 } }],
  }),
  packet.encode({
    type: 'response',
    id: 7,
    answers: [
      { type: 'CNAME', name: 'a', data: 'b.example' },
      { type: 'AAAA', name: 'b.example', data: 'fd00::1' },
    ],
    additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, options: [] } as never],
  }),
];

/** An answer with a few bytes changed, cut short, or made longer; a pointer to itself now and then. */
function brokenAnswer(random: () => number): Buffer {
  if (random() < 0.1) return Buffer.from(Array.from({ length: Math.floor(random() * 80) }, () => Math.floor(random() * 256)));
  const bytes = Buffer.from(pick(random, answers));
  for (let n = 1 + Math.floor(random() * 4); n > 0; n--)
    bytes[Math.floor(random() * bytes.length)] = pick(random, [0, 1, 0x3f, 0xc0, 0xff, 12, Math.floor(random() * 256)]);
  if (random() < 0.7) bytes.writeUInt16BE(7, 0);
  if (random() < 0.3) return bytes.subarray(0, Math.floor(random() * bytes.length));
  return random() < 0.1 ? Buffer.concat([bytes, bytes]) : bytes;
}

const words = [
  '.:53',
  'cluster.local',
  '{',
  '}',
  '\n',
  '\n',
  ' ',
  '"',
  '\\"',
  '#',
  ',',
  '(s)',
  'import',
  's',
  '*.server',
  'kubernetes',
  'forward',
  '.',
  '/etc/resolv.conf',
  'rewrite',
  'name',
  '{$X}',
  '\t',
  '\r',
  '\u0000',
  'é',
  'import s',
];
const joined = (random: () => number, from: readonly string[], most: number) =>
  Array.from({ length: Math.floor(random() * most) }, () => pick(random, from)).join(random() < 0.5 ? ' ' : '');

const resolvWords = [
  'nameserver',
  'search',
  'domain',
  'options',
  'ndots:',
  '5',
  '99999999999',
  '-1',
  '10.96.0.10',
  'fd00::1%eth0',
  'svc.cluster.local',
  '\n',
  ' ',
  '\t',
  '#',
  ';',
  '.',
  'sortlist',
  '\u0000',
];

describe('hundreds of thousands of inputs', () => {
  test('DNS answers: 60,000', () => {
    const found = tally(60_000, brokenAnswer, (b: Buffer) => decode(b, 7), DnsProblem);
    expect(found.escaped).toEqual([]);
    expect(found.read).toBeGreaterThan(10_000);
    expect(found.refused).toBeGreaterThan(10_000);
  });
  test('Corefiles: 200,000, with imports of themselves', () => {
    const use = (text: string) => {
      const file = parseCorefile(text, { 'a.server': text, 'b.override': 'log\nimport *.override' });
      forwarders(file);
      serverFor(file, 'web.shop.svc.cluster.local');
      domainOf(text);
    };
    const found = tally(200_000, (r) => joined(r, words, 24), use, CorefileError);
    expect(found.escaped).toEqual([]);
    expect(found.read).toBeGreaterThan(10_000);
    expect(found.refused).toBeGreaterThan(10_000);
  });
  test('resolv.conf: 300,000, and the questions that follow from it', () => {
    const use = (text: string) => {
      const conf = parseResolvConf(text);
      if (questionsFor('web.shop', conf, 'glibc').length < questionsFor('web.shop', conf, 'musl').length) throw new Error('musl asks more than glibc');
    };
    const found = tally(300_000, (r) => joined(r, resolvWords, 30), use, DnsProblem);
    expect(found).toMatchObject({ escaped: [], read: 300_000 });
  });
  test('imports that multiply come to an end', () => {
    const doubling = ['(s0) {\n log\n}', ...Array.from({ length: 18 }, (_, i) => `(s${i + 1}) {\n import s${i}\n import s${i}\n}`), '. {\n import s18\n}'].join(
      '\n',
    );
    expect(() => parseCorefile(doubling)).toThrow('imports make it too long');
    expect(() => parseCorefile('(s) {\n import s\n}\n. {\n import s\n}\n')).toThrow(CorefileError);
    expect(() => parseCorefile('import a.server', { 'a.server': 'import a.server' })).toThrow('nested too deep');
  });
});
