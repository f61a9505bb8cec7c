import { describe, expect, test } from 'vitest';
import { parseProcNet } from '../../src/gather/proc-net.ts';
import { plan } from '../../src/gather/gather.ts';
import { mostSpecific, rulesFor } from '../../src/gather/routes.ts';
import { chooseImage, defaultImage, manifest } from '../../src/probes/debug-pod.ts';

describe('/proc/net of a pod', () => {
  test('listening sockets of every table, IPv4 and IPv6', () => {
    const text = [
      '== tcp',
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1',
      '   1: 0201F40A:D2EC 1E34600A:0050 06 00000000:00000000 03:000014A2 00000000     0        0 0 3',
      '== tcp6',
      '   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1',
      '== udp',
      '   0: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2',
    ].join('\n');
    expect(parseProcNet(text)).toEqual([
      { protocol: 'tcp', address: '127.0.0.1', port: 8080 },
      { protocol: 'tcp', address: '::', port: 80 },
      { protocol: 'udp', address: '0.0.0.0', port: 53 },
    ]);
  });
  test('other text holds none', () => {
    expect(parseProcNet("sh: can't open /proc/net/tcp\n== tcp\nxx")).toEqual([]);
  });
});

describe('the rules before the routes', () => {
  const listing = (...rules: string[]) =>
    ['0:\tfrom all lookup local', ...rules, '32766:\tfrom all lookup main', '32767:\tfrom all lookup default', ''].join('\n');
  const texts = (rules: string, to: string, from?: string) => rulesFor(rules, { from, to }).map((r) => r.text);
  test.each([
    ['100:\tfrom all to 10.244.2.0/24 blackhole', '100: from all to 10.244.2.0/24 blackhole'],
    ['100:\tfrom all to 10.244.2.17 unreachable', '100: from all to 10.244.2.17 unreachable'],
    ['100:\tfrom all prohibit', '100: from all prohibit'],
    ['100:\tfrom all to 10.244.2.0/24 lookup 100 ', '100: from all to 10.244.2.0/24 lookup 100'],
    ['100:\tfrom all to 10.244.3.0/24 blackhole', null],
    ['100:\tfrom all to fd00::/8 blackhole', null],
    // Other packets may be meant.
    ['100:\tfrom 10.244.1.0/24 to 10.244.2.0/24 blackhole', null],
    ['100:\tfrom all fwmark 0x1 blackhole', null],
    ['100:\tnot from all to 10.244.2.0/24 blackhole', null],
    ['100:\tfrom all lookup 100 suppress_prefixlength 0', null],
    ['100:\tfrom all lookup [l3mdev-table]', null],
    ['100:\tfrom all to all blackhole', '100: from all to all blackhole'],
  ])('%s', (rule, found) =>
    expect(texts(listing(rule), '10.244.2.17')).toEqual([...(found === null ? [] : [found]), '32766: from all lookup main', '32767: from all lookup default']),
  );
  test('a rule for a source means packets from it', () => {
    const ofPods = listing('100:\tfrom 10.244.1.0/24 to 10.244.2.0/24 blackhole', '110:\tfrom 10.244.1.7 lookup 42');
    expect(texts(ofPods, '10.244.2.17', '10.244.1.7').slice(0, 2)).toEqual([
      '100: from 10.244.1.0/24 to 10.244.2.0/24 blackhole',
      '110: from 10.244.1.7 lookup 42',
    ]);
    expect(texts(ofPods, '10.244.3.17', '10.244.1.7')[0]).toBe('110: from 10.244.1.7 lookup 42');
    expect(texts(ofPods, '10.244.2.17', '10.244.3.7')[0]).toBe('32766: from all lookup main');
  });
  test('each that means the address, in their order, with the table that it names', () => {
    const three = listing('90:\tfrom all to 10.1.0.0/16 blackhole', '100:\tfrom all to 10.244.2.17 lookup 42', '110:\tfrom all unreachable');
    expect(rulesFor(three, { from: undefined, to: '10.244.2.17' }).slice(0, 2)).toEqual([
      { priority: 100, text: '100: from all to 10.244.2.17 lookup 42', table: '42', action: 'lookup 42' },
      { priority: 110, text: '110: from all unreachable', table: null, action: 'unreachable' },
    ]);
    expect(texts(listing('100:\tfrom all to fd00::/8 blackhole'), 'fd00::1')[0]).toBe('100: from all to fd00::/8 blackhole');
    expect(texts('', '10.244.2.17')).toEqual([]);
  });
});

describe('the routes that match an address', () => {
  test('the longest prefix counts, whatever the order', () => {
    const listing = 'default via 10.77.0.1 dev eth0 \n10.244.2.0/24 via 10.77.0.12 dev eth0 \nblackhole 10.244.2.17 \n';
    expect(mostSpecific(listing)).toBe('blackhole 10.244.2.17');
    expect(mostSpecific(listing.split('\n').toReversed().join('\n'))).toBe('blackhole 10.244.2.17');
    expect(mostSpecific('default via fd00::1 dev eth0\nfd00:10:244::/64 dev cni0 proto kernel\n')).toBe('fd00:10:244::/64 dev cni0 proto kernel');
  });
  test('an address behind "via" or "src" is not the prefix', () => {
    expect(mostSpecific('10.244.0.0/16 dev cni0 scope link src 10.244.3.1\ndefault via 10.77.0.1 dev eth0')).toBe(
      '10.244.0.0/16 dev cni0 scope link src 10.244.3.1',
    );
    expect(mostSpecific('default via 10.77.0.1 dev eth0\n10.0.0.0/8 via 10.77.0.3 dev eth0')).toBe('10.0.0.0/8 via 10.77.0.3 dev eth0');
  });
  test('none', () => {
    expect(mostSpecific('\n')).toBeNull();
  });
});

test('the plan is what the wanted facts need, and no more', () => {
  expect(
    plan(['strayPods', 'podLogs'])
      .map((c) => c.fact)
      .toSorted(),
  ).toEqual(['podLogs', 'pods', 'service', 'strayPods']);
  expect(plan(['target'])).toEqual([]);
});

describe('a debug pod', () => {
  const pod = manifest('k8s-doctor-x', {
    namespace: 'shop',
    image: 'busybox',
    owner: 'me@here',
    labels: { 'app.kubernetes.io/managed-by': 'helm', role: 'api' },
    script: 'true',
  }) as {
    metadata: { labels: Record<string, string>; annotations: Record<string, string> };
    spec: {
      activeDeadlineSeconds: number;
      automountServiceAccountToken: boolean;
      hostNetwork?: boolean;
      securityContext: object;
      containers: { securityContext: object; resources: object }[];
    };
  };
  test('is marked as its own, whatever labels it borrows', () => {
    expect(pod.metadata.labels['app.kubernetes.io/managed-by']).toBe('k8s-doctor');
    expect(pod.metadata.annotations['k8s-doctor/owner']).toBe('me@here');
  });
  test('ends by itself, has no token, and fits Pod Security restricted', () => {
    expect(pod.spec.activeDeadlineSeconds).toBeLessThanOrEqual(60);
    expect(pod.spec.automountServiceAccountToken).toBe(false);
    expect(pod.spec.hostNetwork).toBeUndefined();
    expect(pod.spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(pod.spec.containers[0]?.securityContext).toMatchObject({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } });
    expect(pod.spec.containers[0]?.resources).toHaveProperty('limits');
  });
  test('takes an image that the nodes have', () => {
    expect(chooseImage([['nginx:1'], ['docker.io/library/busybox:1.36', 'docker.io/library/busybox@sha256:00']])).toBe('docker.io/library/busybox:1.36');
    expect(chooseImage([['docker.io/library/busybox:1.36'], ['docker.io/nicolaka/netshoot:v0.13']])).toBe('docker.io/nicolaka/netshoot:v0.13');
    expect(chooseImage([['nginx:1']])).toBe(defaultImage);
  });
});
