/** Both families of a node's rules, from listings of a real node in iptables mode. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { failed, noRule, ok } from '../../src/cluster/index.ts';
import { valueOf } from '../../src/facts/fact.ts';
import type { Shell } from '../../src/gather/batched-shell.ts';
import { rulesOf } from '../../src/gather/node-listing.ts';
import type { Packet } from '../../src/proxy/model.ts';

interface Zoo {
  services: { metadata: { name: string }; spec: { clusterIPs: string[] } }[];
  rules: Record<string, Record<string, string>>;
}
const zoo = (family: string) =>
  JSON.parse(gunzipSync(readFileSync(new URL(`../proxy/fixtures/zoo-v1.36.3-iptables-${family}.json.gz`, import.meta.url))).toString()) as Zoo;
const [v4, v6] = [zoo('IPv4'), zoo('IPv6')];
const listingOf = ({ rules }: Zoo): string[] => rules['node1']?.['iptables-save']?.split('\n') ?? [];
const addressOf = ({ services }: Zoo): string => services.find((s) => s.metadata.name === 'ag-all')?.spec.clusterIPs[0] ?? '';

const packet = (address: string, source: string): Packet => ({ address, port: 80, protocol: 'TCP', origin: 'pod', source, toNode: false });
const packets = [packet(addressOf(v4), '10.244.1.9'), packet(addressOf(v6), 'fd00:244:1::9')];

/** A container without a shell, whose tools list these lines. */
const tools =
  (listings: Record<string, readonly string[]>): Shell =>
  ([command = ''], onLine) => {
    const lines = listings[command];
    if (command === 'nft') return Promise.resolve(ok({ exitCode: 1, stderr: 'Error: No such file or directory' }));
    if (!lines) return Promise.resolve(failed({ reason: 'not-possible', what: command, why: `the image has no "${command}"`, rule: noRule }));
    for (const line of lines) onLine(line);
    return Promise.resolve(ok({ exitCode: 0, stderr: '' }));
  };

async function verdicts(listings: Record<string, readonly string[]>): Promise<Record<string, (string | undefined)[]>> {
  const rules = await rulesOf(tools(listings), 'pod kube-proxy', packets, () => true, 'iptables', ['IPv4', 'IPv6']);
  const modes = valueOf(rules)?.modes ?? {};
  return Object.fromEntries(Object.entries(modes).map(([mode, handled]) => [mode, Object.values(handled).map((h) => h.pod?.verdict)]));
}

test('both families are read', async () => {
  expect(await verdicts({ 'iptables-save': listingOf(v4), 'ip6tables-save': listingOf(v6) })).toEqual({ iptables: ['backends', 'backends'] });
});

test('a family whose rules were flushed has lost them', async () => {
  // As `ip6tables -t nat -F KUBE-SERVICES` leaves it.
  const flushed = listingOf(v6).filter((line) => !/^-A KUBE-SERVICES .*-j KUBE-(SVC|SVL|EXT|NODEPORTS|MARK)/.test(line) || line.includes('REJECT'));
  expect(await verdicts({ 'iptables-save': listingOf(v4), 'ip6tables-save': flushed })).toEqual({ iptables: ['backends', 'not-handled'] });
});

test('where kube-proxy has no rule at all, there is no mode', async () => {
  expect(await verdicts({ 'iptables-save': [], 'ip6tables-save': [] })).toEqual({});
});
