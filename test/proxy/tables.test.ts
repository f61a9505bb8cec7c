/** IPVS and Cilium, by output that others published: neither runs on the cluster that this project is tested on. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCilium } from '../../src/proxy/cilium.ts';
import { readIpvs } from '../../src/proxy/ipvs.ts';
import type { Packet, Protocol } from '../../src/proxy/model.ts';
import { replacementOf } from '../../src/proxy/replacement.ts';

const lines = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8').split('\n');
const to = (address: string, port: number, protocol: Protocol = 'TCP'): Packet => ({
  address,
  port,
  protocol,
  origin: 'pod',
  source: '10.244.9.9',
  toNode: false,
});

describe('ipvsadm -Ln', () => {
  test('forwards to the real servers, and shows the session affinity', () => {
    const { present, handled } = readIpvs(lines('ipvsadm.txt'), [to('10.0.0.1', 443), to('10.0.0.10', 53, 'UDP'), to('10.0.0.10', 54)]);
    expect(present).toBe(true);
    expect(handled).toMatchObject([
      { verdict: 'backends', backends: [{ to: '192.168.0.1:6443', percent: 100 }], affinitySeconds: 10_800 },
      { verdict: 'backends', backends: [{ to: '172.17.0.2:53', percent: 100 }], affinitySeconds: null },
      { verdict: 'not-handled', byDefault: true },
    ]);
  });
  test('without a real server, or with weights of 0 alone, it refuses', () => {
    const of = (...real: string[]) => readIpvs(['TCP  10.0.0.1:80 rr', ...real], [to('10.0.0.1', 80)]).handled[0]?.verdict;
    expect(of()).toBe('rejected');
    expect(of('  -> 10.1.0.1:80              Masq    0      0          0')).toBe('rejected');
  });
  test('weights count where the scheduler weighs', () => {
    const real = [
      '  -> 10.1.0.1:80   Masq    3      0          0',
      '  -> 10.1.0.2:80   Masq    1      0          0',
      '  -> 10.1.0.3:80   Masq    0      0          0',
    ];
    const by = (scheduler: string) => readIpvs([`TCP  10.0.0.1:80 ${scheduler}`, ...real], [to('10.0.0.1', 80)]).handled[0]?.backends;
    expect(by('wrr')).toEqual([
      { to: '10.1.0.1:80', percent: 75 },
      { to: '10.1.0.2:80', percent: 25 },
    ]);
    expect(by('rr')?.map((b) => b.percent)).toEqual([50, 50]);
  });
});

describe('/proc/net/ip_vs', () => {
  // Form: Linux, net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_info_seq_show.
  const proc = [
    'IP Virtual Server version 1.2.1 (size=4096)',
    'Prot LocalAddress:Port Scheduler Flags',
    '  -> RemoteAddress:Port Forward Weight ActiveConn InActConn',
    'TCP  0A600001:01BB rr persistent 10800 FFFFFFFF',
    '  -> C0A80001:192B      Masq    1      4          0         ',
    'TCP  [fd00:0000:0000:0000:0000:0000:0000:0001]:0050 rr ',
    '  -> [fd00:0000:0000:0000:0000:0000:0000:0002]:1F90      Masq    1      0          0         ',
  ];
  test('is the same in hexadecimal', () => {
    expect(readIpvs(proc, [to('10.96.0.1', 443), to('fd00::1', 80)]).handled).toMatchObject([
      { backends: [{ to: '192.168.0.1:6443', percent: 100 }], affinitySeconds: 10_800 },
      { backends: [{ to: '[fd00::2]:8080', percent: 100 }], affinitySeconds: null },
    ]);
  });
});

describe('cilium-dbg service list', () => {
  test('forwards to the active backends, by protocol', () => {
    const { present, handled } = readCilium(lines('cilium-service-list.txt'), [to('10.96.0.10', 53, 'UDP'), to('10.96.0.1', 443), to('10.96.0.1', 443, 'UDP')]);
    expect(present).toBe(true);
    expect(handled).toMatchObject([
      {
        verdict: 'backends',
        backends: [
          { to: '10.244.1.109:53', percent: 50 },
          { to: '10.244.1.69:53', percent: 50 },
        ],
      },
      { verdict: 'backends', backends: [{ to: '172.19.0.2:6443', percent: 100 }] },
      { verdict: 'not-handled' },
    ]);
  });
  test('older versions name no protocol; IPv6 is in brackets', () => {
    const { handled } = readCilium(lines('cilium-service-list-old.txt'), [to('ffff:fff:fff:701::2:dceb', 80), to('10.7.14.194', 9000)]);
    expect(handled[0]?.backends.map((b) => b.to)).toEqual(['[ffff:fff:fff:700:0:2:7:2c53]:80', '[ffff:fff:fff:700:0:2:7:949c]:80']);
    expect(handled[1]?.backends.map((b) => b.to)).toEqual(['10.7.10.209:9000']);
  });
  test('a backend that terminates is used only where no other is left', () => {
    const list = (a: string, b: string) => [
      `1    10.0.0.1:80/TCP   ClusterIP   1 => 10.1.0.1:80/TCP (${a})`,
      `                                2 => 10.1.0.2:80/TCP (${b})`,
    ];
    const used = (a: string, b: string) => readCilium(list(a, b), [to('10.0.0.1', 80)]).handled[0];
    expect(used('terminating', 'active')?.backends.map((x) => x.to)).toEqual(['10.1.0.2:80']);
    expect(used('terminating', 'terminating')?.backends).toHaveLength(2);
    expect(used('quarantined', 'maintenance')?.verdict).toBe('rejected');
  });
});

test('whatever the lines are, they are read to the end', () => {
  const packets = [to('10.0.0.1', 80), to('fd00::1', 80)];
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom(...lines('ipvsadm.txt'), ...lines('cilium-service-list.txt')))), (any) => {
      expect(readIpvs(any, packets).handled).toHaveLength(2);
      expect(readCilium(any, packets).handled).toHaveLength(2);
    }),
    { numRuns: 1000 },
  );
});

describe('what replaces kube-proxy', () => {
  test.each([
    ['Cilium', true, ['cilium'], ['v1.35.0'], true],
    ['kube-router', false, ['kube-router'], ['v1.35.0'], false],
    ['OVN-Kubernetes', false, ['ovnkube-node'], ['v1.35.0'], false],
    ['kube-proxy inside k3s', false, [], ['v1.35.0+k3s1'], true],
  ] as const)('%s', (name, cilium, daemons, versions, judged) => {
    expect(replacementOf(cilium, daemons, versions)).toEqual({ name, judged });
  });
  test('without a sign nothing is named', () => {
    expect(replacementOf(false, ['node-exporter'], ['v1.35.0'])).toBeNull();
  });
});
