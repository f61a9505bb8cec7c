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

// Form: cilium-dbg service list -o json of Cilium v1.17 and later, as clusters' owners publish it (spec and status.realized of each, with protocol,
// state and weight), with addresses of documentation ranges. Not run by this project.
describe('cilium-dbg service list -o json', () => {
  const published = readFileSync(new URL('./fixtures/cilium-service-list.json', import.meta.url), 'utf8');
  test('forwards to the active backends, by protocol, in both families', () => {
    const asked = [to('10.96.0.10', 53, 'UDP'), to('10.96.0.1', 443), to('10.96.0.1', 443, 'UDP'), to('fd00:96::15', 80), to('192.0.2.11', 30080)];
    const read = readCilium(published, asked);
    expect(read?.present).toBe(true);
    expect(read?.handled).toMatchObject([
      {
        verdict: 'backends',
        backends: [
          { to: '10.244.1.69:53', percent: 50 },
          { to: '10.244.2.109:53', percent: 50 },
        ],
      },
      { verdict: 'backends', backends: [{ to: '192.0.2.2:6443', percent: 100 }] },
      { verdict: 'not-handled' },
      { verdict: 'backends', backends: [{ to: '[fd00:244:1::7]:8080', percent: 100 }] },
      // The entry of scope internal is not the one that a client meets.
      { verdict: 'backends', backends: [{ to: '10.244.1.7:8080', percent: 100 }] },
    ]);
  });
  const one = (more: object, backends: object[]) =>
    JSON.stringify([
      { spec: { 'frontend-address': { ip: '10.0.0.1', port: 80, ...more }, 'backend-addresses': backends.map((b) => ({ ip: '10.1.0.1', port: 80, ...b })) } },
    ]);
  test('older versions name no protocol, or none that counts', () => {
    for (const more of [{}, { protocol: 'ANY' }, { protocol: 'NONE' }])
      expect(readCilium(one(more, [{}]), [to('10.0.0.1', 80, 'UDP')])?.handled[0]?.verdict).toBe('backends');
  });
  test('a backend that terminates is used only where no other is left', () => {
    const used = (a: string, b: string) => readCilium(one({}, [{ state: a }, { ip: '10.1.0.2', state: b }]), [to('10.0.0.1', 80)])?.handled[0];
    expect(used('terminating', 'active')?.backends.map((x) => x.to)).toEqual(['10.1.0.2:80']);
    expect(used('terminating', 'terminating')?.backends).toHaveLength(2);
    expect(used('quarantined', 'maintenance')?.verdict).toBe('rejected');
  });
  test('what is no such list is not taken for an empty one', () => {
    for (const text of ['', 'Error: connection refused', '{}', '[{"spec": 5}]', published.slice(0, -20)]) expect(readCilium(text, [])).toBeUndefined();
    expect(readCilium('[]', [to('10.0.0.1', 80)])).toMatchObject({ present: false });
  });
});

test('whatever the lines are, they are read to the end', () => {
  const packets = [to('10.0.0.1', 80), to('fd00::1', 80)];
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom(...lines('ipvsadm.txt'), ...lines('cilium-service-list.json')))), (any) => {
      expect(readIpvs(any, packets).handled).toHaveLength(2);
      expect([undefined, 2]).toContain(readCilium(any.join('\n'), packets)?.handled.length);
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
