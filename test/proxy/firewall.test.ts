/** The firewall of a node, in the words of iptables-save. */
import { describe, expect, test } from 'vitest';
import { chainsBetween, type Filtered, firewallOf } from '../../src/proxy/firewall.ts';

const packet: Filtered = { chain: 'FORWARD', source: '10.244.1.5', address: '10.244.2.7', port: 8080, protocol: 'TCP' };
const save = (policy: string, ...rules: string[]) => ['*filter', ':INPUT DROP [0:0]', `:FORWARD ${policy} [12:720]`, ...rules, 'COMMIT'];
const of = (policy: string, ...rules: string[]) => firewallOf(save(policy, ...rules))(packet);

describe('a packet that a node passes on', () => {
  test('by the policy of the chain', () => {
    expect(of('ACCEPT')).toEqual({ end: 'accept', by: 'policy ACCEPT of chain FORWARD' });
    expect(of('DROP')).toEqual({ end: 'drop', by: 'policy DROP of chain FORWARD' });
    expect(firewallOf([])(packet).end).toBe('accept');
  });
  test.each([
    ['-A FORWARD -j ACCEPT', 'accept'],
    ['[3:180] -A FORWARD -j ACCEPT', 'accept'],
    ['-A FORWARD -s 10.244.0.0/16 -j ACCEPT', 'accept'],
    ['-A FORWARD -s 10.245.0.0/16 -j ACCEPT', 'drop'],
    ['-A FORWARD ! -s 10.245.0.0/16 -j ACCEPT', 'accept'],
    ['-A FORWARD -d 10.244.2.7/32 -p tcp -m tcp --dport 8080 -j ACCEPT', 'accept'],
    ['-A FORWARD -d 10.244.2.7/32 -p udp -m udp --dport 8080 -j ACCEPT', 'drop'],
    ['-A FORWARD -p tcp -m tcp --dport 1:8079 -j ACCEPT', 'drop'],
    ['-A FORWARD -p all -j ACCEPT', 'accept'],
    ['-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT', 'drop'],
    ['-A FORWARD -m conntrack --ctstate NEW -j ACCEPT', 'accept'],
    ['-A FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT', 'drop'],
    ['-A FORWARD -m addrtype --dst-type LOCAL -j ACCEPT', 'drop'],
    ['-A FORWARD -i lo -j ACCEPT', 'drop'],
    ['-A FORWARD -m recent --rcheck --seconds 10 --name x -j ACCEPT', 'drop'],
    ['-A FORWARD -j LOG --log-prefix x', 'drop'],
    ['-A FORWARD -j REJECT --reject-with icmp-port-unreachable', 'reject'],
    // What hangs on an interface or a set is not known.
    ['-A FORWARD -i cni0 -j ACCEPT', 'unknown'],
    ['-A FORWARD -m set --match-set pods src -j ACCEPT', 'unknown'],
    ['-A FORWARD -m statistic --mode random --probability 0.5 -j ACCEPT', 'unknown'],
    ['-A FORWARD -j NFQUEUE --queue-num 1', 'unknown'],
    // A rule that cannot mean the packet is not in doubt.
    ['-A FORWARD -i cni0 -d 10.1.0.0/16 -j ACCEPT', 'drop'],
  ])('%s: %s', (rule, end) => expect(of('DROP', rule).end).toBe(end));
  test('through chains, back from them, and past them', () => {
    const jump = ['-A FORWARD -j DOCKER-USER', '-A FORWARD -j KUBE-FORWARD'];
    expect(of('DROP', ...jump, '-A DOCKER-USER -j RETURN', '-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT').end).toBe('drop');
    expect(of('DROP', ...jump, '-A DOCKER-USER -j RETURN', '-A KUBE-FORWARD -j ACCEPT')).toEqual({ end: 'accept', by: '-A KUBE-FORWARD -j ACCEPT' });
    expect(of('ACCEPT', ...jump, '-A DOCKER-USER -d 10.244.0.0/16 -j DROP')).toEqual({ end: 'drop', by: '-A DOCKER-USER -d 10.244.0.0/16 -j DROP' });
    expect(of('DROP', '-A FORWARD -g AWAY', '-A FORWARD -j ACCEPT', '-A AWAY -j LOG').end).toBe('drop');
    expect(of('DROP', '-A FORWARD -j GONE').end).toBe('drop');
    expect(of('DROP', '-A FORWARD -j LOOP', '-A LOOP -j LOOP').end).toBe('unknown');
    // A return that may have been taken leaves open what comes after it.
    expect(of('DROP', '-A FORWARD -j A', '-A A -i x -j RETURN', '-A A -j ACCEPT').end).toBe('unknown');
    expect(of('DROP', '-A FORWARD -j A', '-A FORWARD -j ACCEPT', '-A A -i x -j DROP').end).toBe('unknown');
  });
  test.each(['cali-FORWARD', 'CILIUM_FORWARD', 'ANTREA-FORWARD', 'WEAVE-NPC', 'KUBE-ROUTER-FORWARD', 'KUBE-POD-FW-X4', 'KUBE-NWPLCY-X4'])(
    'what policies deny in %s is judged elsewhere',
    (chain) => {
      expect(of('ACCEPT', `-A FORWARD -j ${chain}`, `-A ${chain} -j DROP`).end).toBe('unknown');
      expect(of('ACCEPT', `-A FORWARD -d 10.1.0.0/16 -j ${chain}`, `-A ${chain} -j DROP`).end).toBe('accept');
      expect(of('ACCEPT', '-A FORWARD -j DROP', `-A FORWARD -j ${chain}`).end).toBe('drop');
    },
  );
  test('for the node itself, by its own chain', () => {
    const own = { ...packet, chain: 'INPUT' as const };
    expect(firewallOf(save('ACCEPT'))(own)).toEqual({ end: 'drop', by: 'policy DROP of chain INPUT' });
    expect(firewallOf(save('DROP', '-A INPUT -p tcp --dport 8080 -j ACCEPT'))(own).end).toBe('accept');
    expect(firewallOf(save('DROP', '-A INPUT -m addrtype --dst-type LOCAL -j ACCEPT'))(own).end).toBe('accept');
    expect(firewallOf(save('DROP', '-A INPUT -m addrtype --src-type LOCAL -j ACCEPT'))(own).end).toBe('drop');
    expect(firewallOf(save('ACCEPT', '-A INPUT -j ACCEPT'))(packet).end).toBe('accept');
  });
  test('tables of translations and other families say nothing', () => {
    const nat = ['*nat', ':FORWARD DROP [0:0]', '-A FORWARD -j DROP', 'COMMIT'];
    expect(firewallOf([...nat, ...save('ACCEPT')])(packet).end).toBe('accept');
    const six = { ...packet, source: 'fd00::1', address: 'fd00::2' };
    expect(firewallOf(save('DROP', '-A FORWARD -s fd00::/8 -j ACCEPT'))(six).end).toBe('accept');
  });
  const beside = (table: string, ...lines: string[]) => firewallOf([`*${table}`, ...lines, 'COMMIT', ...save('ACCEPT', '-A FORWARD -j ACCEPT')]);
  test.each([
    ['raw', '-A PREROUTING -d 10.244.2.7/32 -j DROP', 'drop'],
    ['mangle', '-A PREROUTING -p tcp -j DROP', 'drop'],
    ['mangle', '-A FORWARD -j DROP', 'drop'],
    ['mangle', '-A POSTROUTING -s 10.244.1.5/32 -j DROP', 'drop'],
    ['mangle', '-A INPUT -j DROP', 'accept'],
    ['mangle', '-A OUTPUT -j DROP', 'accept'],
    ['raw', '-A PREROUTING -m rpfilter --invert -j DROP', 'unknown'],
    ['raw', '-A PREROUTING -j ACCEPT', 'accept'],
  ])('table %s, %s: %s', (table, rule, end) => {
    const passing = beside(table, rule)(packet);
    expect(passing.end).toBe(end);
    if (end === 'drop') expect(passing.by).toBe(`-t ${table} ${rule}`);
  });
  test('the policy of a chain of another table, by its name', () => {
    expect(beside('mangle', ':FORWARD DROP [0:0]')(packet)).toEqual({ end: 'drop', by: 'policy DROP of chain mangle FORWARD' });
    expect(beside('mangle', ':FORWARD DROP [0:0]')({ ...packet, chain: 'INPUT' }).by).toBe('policy DROP of chain INPUT');
  });
  test('a chain is that of its own table', () => {
    expect(beside('mangle', '-A FORWARD -j X', '-A X -j ACCEPT')(packet).end).toBe('accept');
    expect(firewallOf(['*raw', '-A X -j DROP', ...save('ACCEPT', '-A FORWARD -j X')])(packet).end).toBe('accept');
  });
  test('what another table leaves open is certain where a later one drops', () => {
    const drops = ['*mangle', '-A FORWARD -i cni0 -j ACCEPT', ...save('DROP')];
    expect(firewallOf(drops)(packet)).toEqual({ end: 'drop', by: 'policy DROP of chain FORWARD' });
    expect(firewallOf(['*mangle', '-A FORWARD -i cni0 -j DROP', ...save('ACCEPT')])(packet).end).toBe('unknown');
  });
  test('what asks for the mark of a packet that was marked is not known', () => {
    const marks = (rule: string) => firewallOf(['*mangle', rule, ...save('DROP', '-A FORWARD -m mark --mark 0x1/0x1 -j ACCEPT')])(packet).end;
    expect(marks('-A PREROUTING -d 10.244.2.7/32 -j MARK --set-xmark 0x1/0x1')).toBe('unknown');
    expect(marks('-A PREROUTING -d 10.1.0.0/16 -j MARK --set-xmark 0x1/0x1')).toBe('drop');
    expect(
      of('DROP', '-A FORWARD -j A', '-A FORWARD -j B', '-A B -j MARK --set-xmark 0x1/0x1', '-A FORWARD -j A', '-A A -m mark --mark 0x1 -j ACCEPT').end,
    ).toBe('unknown');
  });
  test('a chain that marks a packet on its way to itself comes to an end', () => {
    const mark = '-j MARK --set-xmark 0x1/0x1';
    expect(of('DROP', '-A FORWARD -j LOOP', `-A LOOP ${mark}`, '-A LOOP -j LOOP').end).toBe('unknown');
    expect(of('DROP', '-A FORWARD -j A', '-A FORWARD -j A', '-A A -m mark --mark 0x1 -j ACCEPT', `-A A ${mark}`).end).toBe('unknown');
    const rules = Array.from({ length: 100 }, (_, i) => [`-A C${i} ${mark}`, ...Array.from({ length: 4 }, () => `-A C${i} -j C${i + 1}`)]).flat();
    expect(of('DROP', '-A FORWARD -j C0', ...rules).end).toBe('drop');
  });
  test('chains that jump to each other from everywhere take no longer than their rules', () => {
    const rules = Array.from({ length: 200 }, (_, i) => Array.from({ length: 5 }, () => `-A C${i} -j C${i + 1}`)).flat();
    expect(of('DROP', '-A FORWARD -j C0', ...rules).end).toBe('drop');
  });
});

describe('the chains between two places', () => {
  const pod = (node: string | null) => ({ node, hostNetwork: false });
  const host = (node: string | null) => ({ node, hostNetwork: true });
  test.each([
    ['a pod and a pod of another node', pod('a'), pod('b'), { a: 'FORWARD', b: 'FORWARD' }],
    ['two pods of one node', pod('a'), pod('a'), { a: 'FORWARD' }],
    ['a pod and another node', pod('a'), host('b'), { a: 'FORWARD', b: 'INPUT' }],
    ['a pod and its own node', pod('a'), host('a'), { a: 'INPUT' }],
    ['a node and a pod of another', host('a'), pod('b'), { b: 'FORWARD' }],
    ['a node and a pod of its own', host('a'), pod('a'), {}],
    ['two programs on one node', host('a'), host('a'), {}],
    ['two nodes', host('a'), host('b'), { b: 'INPUT' }],
    ['one that is none of the cluster, and a pod', pod(null), pod('b'), { b: 'FORWARD' }],
    ['a pod, and one that has no node yet', pod('a'), pod(null), { a: 'FORWARD' }],
  ])('%s', (_, from, to, chains) => {
    expect(Object.fromEntries(chainsBetween(from, to))).toEqual(chains);
  });
});
