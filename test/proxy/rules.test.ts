import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readIptables } from '../../src/proxy/iptables.ts';
import { readNftables } from '../../src/proxy/nftables.ts';
import { keyOf, type ServiceAddress } from '../../src/proxy/model.ts';

const fixture = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8');
const dns: ServiceAddress[] = [
  { address: '10.96.0.10', port: 53, protocol: 'UDP' },
  { address: '10.96.0.10', port: 53, protocol: 'TCP' },
  { address: '10.96.0.10', port: 54, protocol: 'UDP' },
];

describe('iptables-save of a node, recorded', () => {
  const text = fixture('iptables-save.txt');
  test('leads the DNS address to the DNS pods, by protocol', () => {
    const [udp, tcp, none] = readIptables(text, dns);
    expect(udp).toEqual({ verdict: 'backends', backends: expect.arrayContaining([expect.stringMatching(/^10\.244\.\d+\.\d+:53$/)]) as string[] });
    expect(udp?.backends).toHaveLength(2);
    expect(tcp).toEqual(udp);
    expect(none).toEqual({ verdict: 'not-handled', backends: [] });
  });
  test('rejects a Service without endpoints', () => {
    expect(readIptables(text, [{ address: emptyService(text), port: 80, protocol: 'TCP' }])).toEqual([{ verdict: 'rejected', backends: [] }]);
  });
  test('half a file is no reason to fail', () => {
    fc.assert(
      fc.property(fc.nat(text.length), (cut) => readIptables(text.slice(0, cut), dns).length === dns.length),
      { numRuns: 300 },
    );
  });
});

/** The address of a Service that the recording holds without endpoints. */
const emptyService = (text: string): string => /-A KUBE-SERVICES -d (\S+)\/32 .*has no endpoints.* -j REJECT/.exec(text)?.[1] ?? 'none';

describe('nft list ruleset of a node, recorded', () => {
  const text = fixture('nft-ruleset.txt');
  test('leads the DNS address to the DNS pods, by protocol', () => {
    const [udp, tcp, none] = readNftables(text, dns);
    expect(udp?.verdict).toBe('backends');
    expect(udp?.backends).toHaveLength(2);
    expect(udp?.backends.every((b) => /^10\.244\.\d+\.\d+:53$/.test(b))).toBe(true);
    expect(tcp?.backends).toEqual(udp?.backends);
    expect(none?.verdict).toBe('not-handled');
  });
  test('rejects a Service without endpoints', () => {
    const address = /map no-endpoint-services \{[\s\S]*?(\d+\.\d+\.\d+\.\d+) \. (?:tcp|6) \. 80/.exec(text)?.[1] ?? 'none';
    expect(readNftables(text, [{ address, port: 80, protocol: 'TCP' }])).toEqual([{ verdict: 'rejected', backends: [] }]);
  });
});

test('an IPv6 address is written in brackets', () => {
  expect(keyOf({ address: 'fd00::1', port: 80, protocol: 'TCP' })).toBe('[fd00::1]:80/TCP');
});
