/** IPVS and Cilium, by output that others published: neither runs on the cluster that this project is tested on. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { endpointSlice, service as serviceSchema } from '../../src/facts/objects.ts';
import { likelyChains } from '../../src/proxy/chain-names.ts';
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
      { verdict: 'backends', backends: [{ to: '192.168.0.1:6443', percent: 100 }], affinitySeconds: 10_800, byDefault: false },
      { verdict: 'backends', backends: [{ to: '172.17.0.2:53', percent: 100 }], affinitySeconds: null },
      { verdict: 'not-handled', byDefault: true },
    ]);
  });
  test('nothing, or a head alone, is no sign of kube-proxy', () => {
    for (const text of [[], lines('ipvsadm.txt').slice(0, 3)]) expect(readIpvs(text, [to('10.0.0.1', 443)])).toMatchObject({ present: false });
  });
  test.each([
    ['10.0.0.1:8080', to('10.0.0.1', 8080), '10.1.0.1:9090'],
    ['[fd00::1]:8080', to('fd00::1', 8080), '[fd00::2]:9090'],
    // Eight groups, of which not all have four digits, as /proc writes them.
    ['[fd00:1:2:3:4:5:6:7]:8080', to('fd00:1:2:3:4:5:6:7', 8080), '[fd00:1:2:3:4:5:6:8]:9090'],
    ['[fd00:1111:2222:3333:4444:5555:6666:7]:8080', to('fd00:1111:2222:3333:4444:5555:6666:7', 8080), '[fd00::2]:9090'],
  ])('ports of four digits are decimal: %s', (at, packet, real) => {
    const text = [`TCP  ${at} wrr`, `  -> ${real}     Masq    10      0          0`];
    expect(readIpvs(text, [packet]).handled).toMatchObject([{ backends: [{ to: real, percent: 100 }] }]);
  });
  test('real servers belong to the Service above them, and what is none is passed over', () => {
    const real = (address: string, weight: number) => `  -> ${address}:80   Masq    ${weight}      0          0`;
    const text = [
      real('10.1.0.9', 1),
      'TCP  10.0.0.1:80 wrr',
      real('10.1.0.1', 10),
      real('none', 1),
      real('10.1.0.2', 30),
      'UDP  10.0.0.1:80 rr',
      real('10.1.0.3', 1),
    ];
    expect(readIpvs(text, [to('10.0.0.1', 80)]).handled[0]?.backends).toEqual([
      { to: '10.1.0.1:80', percent: 25 },
      { to: '10.1.0.2:80', percent: 75 },
    ]);
  });
  test('without a real server, or with weights of 0 alone, it refuses', () => {
    const of = (...real: string[]) => {
      const [found] = readIpvs(['TCP  10.0.0.1:80 rr', ...real], [to('10.0.0.1', 80)]).handled;
      expect(found?.byDefault).toBe(false);
      return found?.verdict;
    };
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

test("the chains of a Service are known by kube-proxy's own names", () => {
  const service = (namespace: string, name: string, ports: object[]) =>
    v.parse(serviceSchema, { metadata: { namespace, name, uid: '' }, spec: { type: 'ClusterIP', clusterIPs: ['10.96.0.10'], ports } });
  const slice = v.parse(endpointSlice, {
    metadata: { namespace: 'kube-system', name: 'kube-dns-x', uid: '' },
    addressType: 'IPv4',
    ports: [{ name: 'dns-tcp', protocol: 'TCP', port: 53 }],
    endpoints: [{ addresses: ['10.244.3.145'], conditions: { ready: true } }],
  });
  const all = [...new Set(lines('iptables-save.txt').flatMap((line) => /^:(KUBE-(?:SVC|SEP)\S+)/.exec(line)?.[1] ?? []))];
  const dns = likelyChains(service('kube-system', 'kube-dns', [{ name: 'dns-tcp', protocol: 'TCP', port: 53 }]), [slice]);
  expect(all.filter((c) => dns(`nat/${c}`))).toEqual(['KUBE-SEP-3AE5N7VNRAIUA6MX', 'KUBE-SVC-ERIFXISQEP7F7OF4']);
  const web = likelyChains(service('lab', 'web', [{ name: '', protocol: 'TCP', port: 80 }]), []);
  expect(all.filter((c) => web(`nat/${c}`))).toEqual(['KUBE-SVC-JVHYC5ZONEZCMFDP']);
  const others = [
    'ip/kube-proxy/service-ABCD-lab/web2/tcp/',
    'nat/KUBE-NODEPORTS-OTHER',
    'nat/KUBE-POSTROUTING2',
    'ip/kube-proxy/reject-chain2',
    'ip/kube-proxy/mark-for-masquerade2',
    'nat/DOCKER',
  ];
  const mine = [
    ...['SVC', 'SVL', 'EXT', 'FW'].map((kind) => `nat/KUBE-${kind}-JVHYC5ZONEZCMFDP`),
    ...['KUBE-MARK-MASQ', 'KUBE-POSTROUTING', 'KUBE-NODEPORTS'].map((shared) => `nat/${shared}`),
    ...['mark-for-masquerade', 'reject-chain', 'service-ABCD-lab/web/tcp/'].map((chain) => `ip/kube-proxy/${chain}`),
  ];
  expect([...mine, ...others].filter(web)).toEqual(mine);
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
    expect(used('terminating', 'active')?.byDefault).toBe(false);
    expect(used('quarantined', 'maintenance')).toMatchObject({ verdict: 'rejected', byDefault: false });
    expect(readCilium(one({}, [{ weight: 0 }, { ip: '10.1.0.2' }]), [to('10.0.0.1', 80)])?.handled[0]?.backends.map((b) => b.to)).toEqual(['10.1.0.2:80']);
  });
  test('an entry of scope internal alone, or without an address, handles nothing', () => {
    for (const more of [{ scope: 'internal' }, { ip: 'none' }])
      expect(readCilium(one(more, [{}]), [to('10.0.0.1', 80)])).toMatchObject({ present: false, handled: [{ verdict: 'not-handled' }] });
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
