import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import * as o from '../../src/facts/objects.ts';
import { iptablesReader } from '../../src/proxy/iptables.ts';
import { keyOf, type Packet, type ServiceAddress } from '../../src/proxy/model.ts';
import { likelyChains } from '../../src/proxy/chain-names.ts';
import { nftReader } from '../../src/proxy/nft-text.ts';
import { judgeRules } from '../../src/proxy/read.ts';
import type { RuleReader, Wanted } from '../../src/proxy/rule.ts';

const fixture = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8');
const packet = (a: ServiceAddress, origin: Packet['origin'] = 'pod'): Packet => ({
  ...a,
  origin,
  source: origin === 'pod' ? '10.244.1.200' : '10.77.0.12',
  toNode: false,
});
const dns = (['UDP', 'TCP'] as const).map((protocol) => packet({ address: '10.96.0.10', port: 53, protocol }));
const dnsPorts = [
  { name: 'dns', port: 53, protocol: 'UDP' },
  { name: 'dns-tcp', port: 53, protocol: 'TCP' },
];
const none = packet({ address: '10.96.0.10', port: 54, protocol: 'UDP' });

async function judged(reader: (w: Wanted) => RuleReader, text: string, packets: Packet[]) {
  const lines = text.split('\n');
  const found = await judgeRules<never>(
    reader,
    async (line) => {
      lines.forEach(line);
      return undefined;
    },
    { packets, likely: () => false },
  );
  if ('error' in found) throw new Error('no error can come of a text');
  return found;
}

const forms = [
  { form: 'iptables-save', reader: iptablesReader, text: fixture('iptables-save.txt'), empty: /-A KUBE-SERVICES -d (\S+)\/32 .*has no endpoints.* -j REJECT/ },
  {
    form: 'nft list ruleset',
    reader: nftReader,
    text: fixture('nft-ruleset.txt'),
    empty: /map no-endpoint-services \{[\s\S]*?(\d+\.\d+\.\d+\.\d+) \. (?:tcp|6) \. 80/,
  },
];
describe.each(forms)('$form of a node, recorded', ({ reader, text, empty }) => {
  test('forwards the DNS address to the DNS pods, half of the clients to each', async () => {
    const { handled, rules } = await judged(reader, text, dns);
    expect(rules.present).toBe(true);
    for (const h of handled) {
      expect(h).toMatchObject({ verdict: 'backends', masquerade: false, affinitySeconds: null, sourceRanges: [], unread: [] });
      expect(h.backends.map((b) => b.percent)).toEqual([50, 50]);
      expect(h.backends.every((b) => /^10\.244\.\d+\.\d+:53$/.test(b.to))).toBe(true);
    }
  });
  test('one reading is enough where the Service and its endpoints are known', async () => {
    const backends = (await judged(reader, text, dns)).handled[0]?.backends ?? [];
    const service = v.parse(o.service, {
      metadata: { namespace: 'kube-system', name: 'kube-dns' },
      spec: { ports: dnsPorts },
    });
    const slice = v.parse(o.endpointSlice, {
      metadata: { namespace: 'kube-system', name: 'kube-dns-x' },
      addressType: 'IPv4',
      endpoints: backends.map((b) => ({ addresses: [b.to.replace(/:53$/, '')], conditions: { ready: true } })),
      ports: dnsPorts,
    });
    let readings = 0;
    const found = await judgeRules<never>(
      reader,
      async (line) => {
        readings++;
        text.split('\n').forEach(line);
        return undefined;
      },
      { packets: dns, likely: likelyChains(service, [slice]) },
    );
    expect(readings).toBe(1);
    expect('handled' in found && found.handled.map((h) => [h.unread, h.backends.length])).toEqual([
      [[], 2],
      [[], 2],
    ]);
  });
  test('rejects a Service without endpoints', async () => {
    const address = empty.exec(text)?.[1] ?? 'none';
    const { handled } = await judged(reader, text, [packet({ address, port: 80, protocol: 'TCP' })]);
    expect(handled[0]).toMatchObject({ verdict: 'rejected', backends: [] });
  });
  test('hides a client of the node itself behind the node', async () => {
    const { handled } = await judged(
      reader,
      text,
      dns.map((d) => packet(d, 'node')),
    );
    expect(handled.map((h) => h.masquerade)).toEqual([true, true]);
  });
  test('half a listing is never taken for a whole one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 20), async (cut) => {
        const { handled } = await judged(reader, text.slice(0, cut), dns);
        // Either the end is missed, or what there is of it was cut between two tables.
        return handled.every((h) => h.verdict !== 'backends' || h.unread.length > 0 || h.backends.length === 2);
      }),
      { numRuns: 300 },
    );
  });
});

test('a port that no Service has is handled by iptables not at all, and rejected by nftables', async () => {
  const answers = await Promise.all(forms.map(async ({ reader, text }) => (await judged(reader, text, [none])).handled[0]?.verdict));
  expect(answers).toEqual(['not-handled', 'rejected']);
});

test('an IPv6 address is written in brackets', () => {
  expect(keyOf({ address: 'fd00::1', port: 80, protocol: 'TCP' })).toBe('[fd00::1]:80/TCP');
});
