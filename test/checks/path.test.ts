/** Connections and what is said of them, on those of a real cluster with one of them changed. */
import { describe, expect, test } from 'vitest';
import { seen, unseen } from '../../src/facts/fact.ts';
import type { Connection, FactTypes, Forwarding, Route } from '../../src/facts/facts.ts';
import { all, type Edit, edited } from '../support/edits.ts';
import { reportOf } from '../support/recordings.ts';

const nothing: Edit = () => ({});
/** Each connection with a change of it. */
const each = (change: (c: Connection, i: number) => Partial<Connection> | undefined): Edit =>
  edited('connections', (made) => made.list.forEach((c, i) => Object.assign(c, change(c, i))));
const without = (...hops: string[]): Edit => edited('connections', (made) => void (made.list = made.list.filter((c) => !hops.includes(c.hop))));
const on = (hop: string, change: Partial<Connection>): Edit => each((c) => (c.hop === hop ? change : undefined));
const service = (change: object): Edit => edited('service', (s) => void (s && Object.assign(s.spec, change)));
const outside: Edit = edited('target', (t) => void (t.from = { kind: 'external', namespace: '', name: '' }));
const headless = service({ clusterIP: 'None', clusterIPs: ['None'] });
const externalName = service({ type: 'ExternalName', clusterIPs: [] });

describe('the name', () => {
  const of = (...edits: Edit[]) => reportOf('path/name', all(...edits), 'rules-for-dns-missing');
  const server = (is: (c: Connection) => boolean, outcome: Connection['outcome']) => each((c) => (c.hop === 'dns-server' && is(c) ? { outcome } : undefined));
  const full = 'shop.sc-rules-for-dns-missing.svc.cluster.local';
  const head = `The name ${full} does not resolve for the client: no DNS server answered`;
  test('does not resolve, by the rules of the node', () => {
    expect(of().findings).toMatchObject([
      { scope: 'all', message: `${head}; each DNS pod answers directly: the rules for DNS's virtual IP on the client's node are wrong` },
    ]);
  });
  test('by one replica, by UDP alone, or by all', () => {
    const one = server((c) => c.pod === 'coredns-788cb4dd6b-tmpmz', 'dns-timed-out');
    expect(of(one).findings[0]?.message).toBe(`${head}; asked one by one, coredns-788cb4dd6b-tmpmz fails and the others answer`);
    expect(of(server((c) => c.pod !== null, 'dns-timed-out')).findings[0]?.message).toBe(head);
    const tcp = all(
      server((c) => c.target.endsWith('/UDP'), 'dns-timed-out'),
      server((c) => c.target.endsWith('/TCP'), 'answered'),
    );
    expect(of(tcp).findings[0]?.message).toBe(`${head}; over TCP it does: UDP packets are lost`);
    expect(of(without('dns-server')).findings[0]?.message).toBe(head);
    expect(of(server((c) => c.pod === null, 'answered')).findings[0]?.message).toBe(head);
  });
  test('resolves to another address, or to its own', () => {
    const to = (...answers: string[]) => on('name', { outcome: 'answered', answers });
    expect(of(to('10.0.0.9')).findings[0]?.message).toBe(`The name ${full} resolves to 10.0.0.9, not to 10.96.254.179`);
    expect(of(to('10.96.254.179'))).toMatchObject({ status: 'pass', summary: `${full} → 10.96.254.179` });
    expect(of(to('10.0.0.9'), headless)).toMatchObject({ status: 'pass' });
    expect(of(to('10.0.0.9'), externalName)).toMatchObject({ status: 'pass' });
  });
  test('in one family of two is a part', () => {
    const two = edited('connections', (made) =>
      made.list.push({ ...(made.list[0] as Connection), target: `${full} (AAAA)`, outcome: 'answered', answers: ['10.96.254.179'] }),
    );
    expect(of(two).findings).toMatchObject([{ scope: 'part' }]);
    // Of several addresses one has to be the Service's.
    const families = service({ clusterIPs: ['10.96.254.179', 'fd00:96::9'] });
    const answered = (...answers: string[]) => on('name', { outcome: 'answered', answers });
    expect(of(families, answered('fd00:96::9'))).toMatchObject({ status: 'pass' });
    expect(of(families, answered('10.0.0.9', 'fd00:96::9'))).toMatchObject({ status: 'pass' });
    expect(of(families, answered('10.0.0.9', '10.0.0.8')).findings[0]?.message).toBe(
      `The name ${full} resolves to 10.0.0.9, 10.0.0.8, not to 10.96.254.179, fd00:96::9`,
    );
  });
  test('that nobody could look up', () => {
    expect(of(without('name'))).toMatchObject({ status: 'unknown', reason: 'no tool at hand could look the name up' });
    expect(of(outside)).toMatchObject({ status: 'skip', reason: 'the client is outside the cluster' });
    expect(of(() => ({ service: seen(null) }))).toMatchObject({ status: 'skip', reason: 'the Service does not exist' });
  });
  test('with what the lookup itself says, and the resolv.conf', () => {
    const detailed = all(
      on('name', { detail: ';; timed out' }),
      edited('connections', (made) => void (made.resolvConf = 'search x\n  nameserver 10.96.0.10\n')),
    );
    expect(of(detailed).findings[0]?.evidence.slice(-2)).toEqual([
      { source: 'probe', text: ';; timed out' },
      { source: 'resolv.conf', text: 'search x; nameserver 10.96.0.10' },
    ]);
  });
});

describe('the virtual IP', () => {
  const of = (...edits: Edit[]) => reportOf('path/virtual-ip', all(...edits), 'one-of-three-hangs');
  const fails = on('virtual-ip', { outcome: 'timed-out' });
  const head = 'Service "shop": connections to its virtual IP 10.96.176.227:80 fail (timed out)';
  test('fails, and what answers beside it', () => {
    expect(of(fails).findings).toMatchObject([
      {
        scope: 'all',
        message: `${head}, while each endpoint answers directly: the rules on the client's node are wrong`,
        fix: [{ text: "Check kube-proxy, or the program that replaces it, on the client's node", command: 'kubectl -n kube-system get pods -o wide' }],
      },
    ]);
    const one = each((c) => (c.hop === 'endpoint' && c.node === 'node1' ? { outcome: 'timed-out' } : undefined));
    expect(of(fails, one).findings[0]?.message).toBe(`${head}, while 2 of 3 endpoints answered directly`);
    expect(of(fails, on('endpoint', { outcome: 'timed-out' })).findings[0]?.message).toBe(head);
    const others = on('endpoint', { servicePort: 81 });
    expect(of(fails, others).findings[0]?.message).toBe(head);
    // The other port of the Service, and the other family of its addresses, are questions of their own.
    const more = (change: Partial<Connection>) =>
      edited('connections', (made) => made.list.push({ ...(made.list.find((c) => c.hop === 'virtual-ip') as Connection), outcome: 'timed-out', ...change }));
    expect(of(more({ servicePort: 81, target: '10.96.176.227:81' })).findings).toMatchObject([
      { scope: 'part', message: 'Service "shop": connections to its virtual IP 10.96.176.227:81 fail (timed out)' },
    ]);
    expect(of(more({ target: '[fd00:96::9]:80' })).findings).toMatchObject([
      { scope: 'part', message: 'Service "shop": connections to its virtual IP [fd00:96::9]:80 fail over IPv6 (timed out)' },
    ]);
    expect(of(fails, more({ servicePort: 81, target: '10.96.176.227:81' })).findings[0]?.message).toMatch(/, while each endpoint answers directly/);
  });
  test('answers', () => {
    expect(of()).toMatchObject({ status: 'pass', summary: '10.96.176.227:80 answered' });
    expect(of(on('virtual-ip', { outcome: 'no-answer' }))).toMatchObject({ status: 'pass', summary: '10.96.176.227:80 did not refuse (UDP)' });
    const both = edited('connections', (made) =>
      made.list.push({ ...(made.list.find((c) => c.hop === 'virtual-ip') as Connection), target: '10.96.176.227:53', outcome: 'no-answer' }),
    );
    expect(of(both)).toMatchObject({ status: 'pass', summary: '10.96.176.227:80, 10.96.176.227:53 answered' });
  });
  test('that there is not, or that was not tried', () => {
    expect(of(without('virtual-ip'))).toMatchObject({ status: 'unknown', reason: 'no tool at hand could connect to the virtual IP' });
    expect(of(outside)).toMatchObject({ status: 'skip', reason: 'the client is outside the cluster' });
    for (const none of [headless, externalName]) expect(of(none)).toMatchObject({ status: 'skip', reason: 'the Service has no virtual IP' });
  });
});

describe('nodes that let packets through', () => {
  const of = (incident: string, ...edits: Edit[]) => reportOf('path/forwarding', all(...edits), incident);
  const read = (change: (f: Forwarding) => void) => edited('forwarding', (f) => Object.values(f).forEach((x) => void (x.seen && change(x.value))));
  test('one that does not: the switch', () => {
    const [found] = of('forwarding-off').findings;
    const [node = ''] = found?.nodes ?? [];
    expect(node).toMatch(/^node\d$/);
    expect(found).toMatchObject({
      code: 'node-drops-packets',
      severity: 'error',
      confidence: 'confirmed',
      scope: 'part',
      object: { kind: 'Node', name: node },
      nodes: [node],
      message: `Node ${node} passes no IPv4 packets on between its pods and the others: net.ipv4.ip_forward is 0`,
      fix: [{ text: `Let ${node} pass packets on, and set it in its sysctl.conf, too`, command: `sysctl -w net.ipv4.ip_forward=1   # on ${node}` }],
    });
    expect(found?.evidence[0]).toEqual({ source: 'sysctl', text: `${node}: net.ipv4.ip_forward = 0` });
    expect(of('forwarding-off-client-node').findings).toMatchObject([{ scope: 'all' }]);
  });
  test('one whose firewall does not: its policy, or a rule', () => {
    const [found] = of('firewall-drops-forwarded').findings;
    expect(found).toMatchObject({
      message: expect.stringMatching(
        /^Node node\d drops packets between its pods and the others: no rule of its firewall lets them through \(policy DROP of chain FORWARD\)$/,
      ) as string,
      fix: [
        {
          text: expect.stringMatching(/^Let the firewall of node\d pass packets on; Docker sets this policy when it starts$/) as string,
          command: expect.stringMatching(/^kubectl -n kube-system exec kube-proxy-\S+ -- iptables -P FORWARD ACCEPT$/) as string,
        },
      ],
    });
    const rule = read((f) =>
      f.stopped.forEach((s) => Object.assign(s, { how: 'drop', rule: '-t mangle -A FORWARD -s 10.244.0.0/16 -m comment --comment "a b" -j DROP' })),
    );
    expect(of('firewall-drops-forwarded', rule).findings).toMatchObject([
      {
        message: expect.stringMatching(
          /^Node node\d drops packets between its pods and the others: its firewall has the rule "-t mangle -A FORWARD -s 10\.244\.0\.0\/16 -m comment --comment "a b" -j DROP"$/,
        ) as string,
        evidence: expect.arrayContaining([
          { source: 'firewall', text: expect.stringMatching(/: drop by -t mangle -A FORWARD -s 10\.244\.0\.0\/16 .* -j DROP$/) as string },
        ]) as unknown,
        fix: [
          {
            text: expect.stringMatching(/^Delete the rule from the firewall of node\d, and have the program that writes its rules leave it out$/) as string,
            command: expect.stringMatching(/ -- iptables -t mangle -D FORWARD -s 10\.244\.0\.0\/16 -m comment --comment 'a b' -j DROP$/) as string,
          },
        ],
      },
    ]);
    const table = read((f) => f.stopped.forEach((s) => void (s.rule = 'policy DROP of chain mangle PREROUTING')));
    expect(of('firewall-drops-forwarded', table).findings[0]?.fix).toEqual([
      {
        text: expect.stringMatching(/^Let the firewall of node\d pass packets on$/) as string,
        command: expect.stringMatching(/ -- iptables -t mangle -P PREROUTING ACCEPT$/) as string,
      },
    ]);
    const six = read((f) => {
      f.isOn.IPv6 = true;
      f.stopped.forEach((s) => void (s.to = 'fd00::2'));
    });
    expect(of('firewall-drops-forwarded', six).findings[0]?.fix[0]?.command).toMatch(/ -- ip6tables -P FORWARD ACCEPT$/);
    // Where nothing is passed on at all, the firewall is not the first to correct.
    expect(
      of(
        'firewall-drops-forwarded',
        read((f) => void (f.isOn.IPv4 = false)),
      ).findings.map((f) => f.evidence[0]?.source),
    ).toEqual(['sysctl', 'sysctl']);
  });
  test('one that is closed for a pod on the network of the node', () => {
    const [found] = of('firewall-closed-port').findings;
    expect(found?.message).toMatch(
      /^Node node\d drops packets to its own port 18080\/TCP: its firewall has the rule "-A INPUT ! -i lo -p tcp -m tcp --dport 18080 -j DROP"$/,
    );
    const policy = read((f) => f.stopped.forEach((s) => void (s.rule = 'policy DROP of chain INPUT')));
    expect(of('firewall-closed-port', policy).findings[0]?.fix).toEqual([
      {
        text: expect.stringMatching(/^Let the firewall of node\d accept port 18080\/TCP, and have the program that writes its rules do so$/) as string,
        command: expect.stringMatching(/ -- iptables -I INPUT -p tcp --dport 18080 -j ACCEPT$/) as string,
      },
    ]);
    // What the kernel passes on is another matter.
    const off = all(
      policy,
      read((f) => void (f.isOn.IPv4 = false)),
    );
    expect(of('firewall-closed-port', off).findings.map((f) => f.evidence[0]?.source)).toContain('firewall');
  });
  test('each of them', () => {
    const right = read((f) => Object.assign(f, { isOn: { IPv4: true, IPv6: null }, stopped: [] }));
    expect(of('forwarding-off', right)).toMatchObject({ status: 'pass', summary: 'each node lets packets through' });
  });
});

describe('endpoints', () => {
  const of = (...edits: Edit[]) => reportOf('path/endpoints', all(...edits), 'one-of-three-hangs');
  const tookMs = (...ms: number[]) => {
    let i = 0;
    return each((c) => (c.hop === 'endpoint' ? { latencyMs: ms[i++] ?? null } : undefined));
  };
  test('that answer, and how soon', () => {
    expect(of()).toMatchObject({ status: 'pass', summary: '3 of 3 endpoints answered, each in less than 10 ms' });
    expect(of(tookMs(9, 20, 35.6)).summary).toBe('3 of 3 endpoints answered, median 20 ms, slowest 36 ms');
    expect(of(tookMs(9, 20)).summary).toBe('3 of 3 endpoints answered, slowest 20 ms');
    expect(of(tookMs()).summary).toBe('3 of 3 endpoints answered');
    expect(of(on('endpoint', { outcome: 'no-answer' })).summary).toBe('3 of 3 endpoints did not refuse (UDP)');
    expect(of(edited('connections', (made) => void (made.endpointsTotal = 40))).summary).toMatch(/^3 of 40 endpoints answered/);
  });
  test('that fail, by outcome', () => {
    const refused = each((c) => (c.hop === 'endpoint' && c.node === 'node1' ? { outcome: 'refused' } : undefined));
    const [found] = of(refused).findings;
    expect(found).toMatchObject({
      code: 'endpoint-failing',
      scope: 'part',
      message: 'Service "shop": direct connections to 1 of 3 endpoints fail (connection refused)',
      pods: ['shop-675b56d6f5-zfh4g'],
      fix: [
        {
          text: 'Check whether the program in the pod listens on that port and takes connections, then the firewalls of both nodes',
          command: 'kubectl -n sc-one-of-three-hangs logs shop-675b56d6f5-zfh4g --tail=20',
        },
      ],
    });
    expect(of(on('endpoint', { outcome: 'reset' })).findings).toMatchObject([
      { scope: 'all', message: 'Service "shop": direct connections to 3 of 3 endpoints fail (connection reset)' },
    ]);
    const two = each((c) => (c.hop === 'endpoint' && c.node !== 'node2' ? { outcome: c.node === 'node1' ? 'refused' : 'reset' } : undefined));
    expect(of(two).findings).toHaveLength(2);
    // What gets no answer is followed from node to node.
    expect(of(on('endpoint', { outcome: 'timed-out' })).findings).toMatchObject([
      { fix: [{ text: 'Check the routes and firewalls of both nodes, then the program in the pod' }] },
    ]);
  });
  test('that the API server reaches: the way to them is what fails', () => {
    const refused = each((c) => (c.hop === 'endpoint' && c.node === 'node1' ? { outcome: 'reset' } : undefined));
    const via =
      (...requests: Partial<Connection>[]): Edit =>
      (facts) => ({
        viaApiServer: seen(
          requests.map((r) => ({
            ...(facts.connections.seen ? (facts.connections.value.list[0] as Connection) : ({} as Connection)),
            hop: 'http' as const,
            target: 'x',
            outcome: 'answered' as const,
            from: 'API server',
            ...r,
          })),
        ),
      });
    const failing = { pod: 'shop-675b56d6f5-zfh4g' };
    const others = [{ pod: 'shop-675b56d6f5-b5n56' }, { pod: null }, { ...failing, outcome: 'timed-out' as const }];
    const byApiServer = (...requests: Partial<Connection>[]) =>
      of(refused, via(...requests)).findings[0]?.evidence.filter((e) => e.text.startsWith('API server'));
    expect(byApiServer(failing)).toMatchObject([{ text: expect.stringMatching(/^API server → x \(pod shop-675b56d6f5-zfh4g\) {2}answered/) as string }]);
    expect(byApiServer(...others)).toEqual([]);
    expect(byApiServer(...others, ...['x', 'y', 'z'].map((target) => ({ ...failing, target })))).toHaveLength(2);
  });
  test('of which none was tried', () => {
    expect(of(without('endpoint'))).toMatchObject({ status: 'unknown', reason: 'no tool at hand could connect to an endpoint' });
    expect(of(outside)).toMatchObject({ status: 'skip' });
    expect(of(externalName)).toMatchObject({ status: 'skip', reason: 'the Service has no endpoints of its own' });
  });

  describe('on nodes that cannot be reached', () => {
    const between = (...edits: Edit[]) => reportOf('path/endpoints', all(...edits), 'cross-node-route');
    const routes = (change: (r: Route) => void) => edited('routes', (list) => Object.values(list).forEach((r) => r.seen && change(r.value)));
    const noRoutes: Edit = () => ({ routes: seen({}) });
    const dead = (route: string, rule?: Route['rule']) => routes((r) => !r.leads && Object.assign(r, { route, rule }));
    test('by a route that drops the packets: it is removed where it is', () => {
      const [found] = between().findings;
      expect(found).toMatchObject({ code: 'cross-node-unreachable', confidence: 'confirmed', object: { kind: 'Node', name: 'node1' } });
      expect(found).not.toHaveProperty('failed');
      expect(found?.fix[0]?.command).toMatch(/^kubectl -n kube-system exec kube-proxy-\w+ -- ip route del blackhole 10\.244\.3\.159$/);
      expect(found?.fix[1]).toEqual({
        text: 'Then find out what changed it: check the CNI pods on node1',
        command: 'kubectl get pods -A -o wide --field-selector=spec.nodeName=node1',
      });
      for (const kind of ['unreachable', 'prohibit', 'throw'])
        expect(between(dead(`${kind} 10.244.3.159`)).findings[0]?.fix[0]?.command).toContain(`ip route del ${kind} 10.244.3.159`);
      const noPods = edited('proxyPods', (list) => list.splice(0));
      expect(between(noPods).findings[0]?.fix[0]?.command).toBe('ip route del blackhole 10.244.3.159   # on node1');
    });
    test('by a rule before the routes: it is removed', () => {
      const [found] = between(dead('blackhole', { priority: 100, text: '100: from all to 10.244.3.0/24 blackhole', table: null })).findings;
      expect(found?.evidence.map((e) => e.text)).toContain('node1 to 10.244.3.159: rule 100: from all to 10.244.3.0/24 blackhole');
      expect(found?.message).toContain('node1 drops packets to 10.244.3.159 by its routing rule 100: from all to 10.244.3.0/24 blackhole');
      expect(found?.fix[0]?.text).toMatch(/^Remove the routing rule 100: from all to 10\.244\.3\.0\/24 blackhole on node1\. The connection answers at once/);
      expect(found?.fix[0]?.command).toMatch(/ -- ip rule del pref 100$/);
      expect(found?.fix[1]?.command).toBe('kubectl get pods -A -o wide --field-selector=spec.nodeName=node1');
    });
    test('by a route in another table: it is removed there', () => {
      const [found] = between(dead('blackhole 10.244.3.0/24', { priority: 100, text: '100: from all lookup 42', table: '42' })).findings;
      expect(found?.evidence.map((e) => e.text)).toContain('node1 to 10.244.3.159: rule 100: from all lookup 42, in which blackhole 10.244.3.0/24');
      expect(found?.message).toContain('node1 drops packets to 10.244.3.159 (route: blackhole 10.244.3.0/24 in table 42)');
      expect(found?.fix[0]?.text).toMatch(/^Remove the route "blackhole 10\.244\.3\.0\/24" in table 42 on node1\./);
      expect(found?.fix[0]?.command).toMatch(/ -- ip route del blackhole 10\.244\.3\.0\/24 table 42$/);
    });
    test('by a route that is missing: it is added, by the address of the other node', () => {
      const [found] = between(dead('none')).findings;
      expect(found?.message).toContain('node1 has no route to 10.244.3.159');
      expect(found?.fix[0]?.text).toMatch(
        /^Add the route to 10\.244\.3\.0\/24 by node3 on node1, where the nodes share a network\. The connection answers at once then/,
      );
      expect(found?.fix[0]?.command).toMatch(/ -- ip route add 10\.244\.3\.0\/24 via 10\.77\.0\.13$/);
      for (const unknown of [
        edited('nodes', (list) => list.forEach((n) => void (n.spec.podCIDRs = []))),
        edited('nodes', (list) => list.forEach((n) => void (n.status.addresses = []))),
        dead('10.244.3.0/24 via 10.77.0.99 dev eth0'),
        // A host name is no address to send packets to, and a node needs no route to its own pods by itself.
        edited('nodes', (list) => list.forEach((n) => void (n.status.addresses = n.status.addresses.filter((a) => a.type === 'Hostname')))),
        edited('nodes', (list) => list.forEach((n) => void (n.spec.podCIDRs = n.metadata.name === 'node1' ? ['10.244.0.0/16'] : []))),
        dead('10.244.3.0/24 via unreachable dev eth0'),
      ])
        expect(between(dead('none'), unknown).findings[0]?.fix).toEqual([
          {
            text: 'Restore the route to 10.244.3.159 on node1. Check the CNI pods on that node',
            command: 'kubectl get pods -A -o wide --field-selector=spec.nodeName=node1',
          },
        ]);
    });
    test('without routes: likely, where others answer', () => {
      const [found] = between(noRoutes).findings;
      expect(found).toMatchObject({
        code: 'cross-node-unreachable',
        confidence: 'likely',
        object: { name: 'node3' },
        message: 'Pods on node node3 cannot be reached from node node1, while other pods answer: likely below Kubernetes, in the routes or the CNI plug-in',
        fix: [{ text: 'Compare the routes of node1 and node3, and check the CNI pods there' }],
        failed: [expect.anything()],
      });
      expect(between(noRoutes, on('endpoint', { outcome: 'timed-out' })).findings).toMatchObject([{ code: 'endpoint-failing', scope: 'all' }]);
      expect(
        between(
          noRoutes,
          edited('connections', (made) => void (made.node = null)),
        ).findings,
      ).toMatchObject([{ code: 'endpoint-failing' }]);
      const refused = each((c) => (c.outcome === 'timed-out' ? { outcome: 'refused' } : undefined));
      expect(between(noRoutes, refused).findings).toMatchObject([{ code: 'endpoint-failing' }]);
    });

    const lostOn = (...nodes: string[]) =>
      each((c) => (c.hop === 'endpoint' && c.node !== null && nodes.includes(c.node) ? { outcome: 'timed-out' } : undefined));
    /** One more endpoint, like the one on a node but for what is given. */
    const another = (node: string, change: Partial<Connection>) =>
      edited('connections', (made) => {
        const like = made.list.find((c) => c.hop === 'endpoint' && c.node === node);
        if (like) made.list.push({ ...like, target: '10.244.3.9:8080', pod: 'shop-x', ...change });
      });
    const routesOf =
      (...list: Route[]): Edit =>
      () => ({ routes: seen(Object.fromEntries(list.map((r) => [`${r.node} → ${r.to}`, seen(r)]))) });
    const summed = (...edits: Edit[]) => between(...edits).findings.map((f) => `${f.code}: ${f.pods?.join()}`);
    const [onOne, onTwo, onThree] = ['shop-zpht9', 'shop-fc2hc', 'shop-5788t'];

    test('of whose pods one answers: a pod is lost, and not the way', () => {
      expect(summed(noRoutes, another('node3', { outcome: 'answered' }))).toEqual([`endpoint-failing: ${onThree}`]);
      expect(summed(noRoutes, another('node3', {}))).toEqual([`cross-node-unreachable: ${onThree},shop-x`]);
      // Another failure shows that packets arrive there.
      expect(summed(noRoutes, another('node3', { outcome: 'refused' }))).toEqual([`endpoint-failing: ${onThree}`, 'endpoint-failing: shop-x']);
    });
    test("a pod on the client's own node is lost for another reason", () => {
      expect(summed(noRoutes, lostOn('node1'))).toEqual([`cross-node-unreachable: ${onThree}`, `endpoint-failing: ${onOne}`]);
      expect(
        summed(
          noRoutes,
          lostOn('node1'),
          another('node1', { node: null, outcome: 'answered' }),
          each((c) => (c.node === 'node3' ? { outcome: 'answered' } : undefined)),
        ),
      ).toEqual([`endpoint-failing: ${onOne}`]);
    });
    test('two of them, of which routes show one', () => {
      const blackhole = (node: string, to: string): Route => ({ node, to, route: `blackhole ${to}`, leads: false });
      const good = (node: string, to: string): Route => ({ node, to, route: `${to} via 10.77.0.12 dev eth0`, leads: true });
      expect(summed(noRoutes, lostOn('node2'))).toEqual([`cross-node-unreachable: ${onThree},${onTwo}`]);
      const there = [blackhole('node1', '10.244.3.159'), good('node1', '10.244.2.153'), good('node2', '10.244.1.231'), good('node3', '10.244.1.231')];
      expect(summed(lostOn('node2'), routesOf(...there))).toEqual([`cross-node-unreachable: ${onThree}`, `endpoint-failing: ${onTwo}`]);
      const back = [good('node1', '10.244.3.159'), good('node1', '10.244.2.153'), blackhole('node2', '10.244.1.231'), good('node3', '10.244.1.231')];
      const [found, other] = between(lostOn('node2'), routesOf(...back)).findings;
      expect(found).toMatchObject({
        pods: [onTwo],
        object: { name: 'node2' },
        confidence: 'confirmed',
        message: expect.stringMatching(/^Pods on node node2 /) as string,
      });
      // What is known of the routes to the others is said beside them.
      expect(other?.evidence.filter((e) => e.source === 'routes').map((e) => e.text)).toEqual([
        'node1 to 10.244.3.159: 10.244.3.159 via 10.77.0.12 dev eth0',
        'node1 to 10.244.2.153: 10.244.2.153 via 10.77.0.12 dev eth0',
        'node3 to 10.244.1.231: 10.244.1.231 via 10.77.0.12 dev eth0',
      ]);
      // Routes of nodes that nothing was lost between say nothing of what was lost.
      expect(summed(routesOf(blackhole('node2', '10.244.1.231')))).toEqual([`cross-node-unreachable: ${onThree}`]);
      expect(between(routesOf(blackhole('node2', '10.244.1.231'))).findings).toMatchObject([{ confidence: 'likely', object: { name: 'node3' } }]);
    });
    test('all others: a dead route shows it, even where nothing answers', () => {
      const route: Route = { node: 'node1', to: '10.244.3.159', route: 'blackhole 10.244.3.159', leads: false };
      expect(between(lostOn('node1', 'node2'), routesOf(route)).findings).toMatchObject([
        { code: 'cross-node-unreachable', scope: 'all', pods: [onThree] },
        { code: 'endpoint-failing', scope: 'all' },
      ]);
    });
    test('in one family of addresses: its route is removed, and the other family answers', () => {
      const six = (...edits: Edit[]) => reportOf('path/endpoints', all(...edits), 'dual-route-gone').findings;
      expect(six()).toMatchObject([
        {
          code: 'cross-node-unreachable',
          object: { name: 'node3' },
          fix: [{ command: expect.stringMatching(/ -- ip -6 route del blackhole fd00:244:2::21 dev lo/) as string }, {}],
        },
      ]);
      // The other family says nothing of a way of this one.
      expect(six(noRoutes)).toMatchObject([{ code: 'endpoint-failing' }]);
      expect(six(dead('none'))[0]?.fix[0]).toMatchObject({
        text: expect.stringMatching(/^Add the route to fd00:244:2::\/64 by node2 on node3, /) as string,
        command: expect.stringMatching(/ -- ip -6 route add fd00:244:2::\/64 via fd00:77::12$/) as string,
      });
      expect(six(noRoutes, another('node2', { target: '[fd00:244:1::5]:8080', node: 'node1', outcome: 'answered' }))).toMatchObject([
        { code: 'cross-node-unreachable', confidence: 'likely' },
      ]);
      const fromBoth = reportOf('path/endpoints', lostOn('node2'), 'dual-route-gone').findings;
      expect(fromBoth.map((f) => [f.code, f.evidence.filter((e) => e.source === 'probe').length])).toEqual([
        ['cross-node-unreachable', 1],
        ['endpoint-failing', 1],
      ]);
    });
  });

  describe('that somebody created', () => {
    const manual = (...edits: Edit[]) => reportOf('path/endpoints', all(...edits), 'slice-left-behind');
    test('beside those of the controller: they are taken out', () => {
      const [found] = manual().findings;
      const operations = JSON.parse(/-p '(.*)'$/.exec(found?.fix[0]?.command ?? '')?.[1] ?? '') as unknown;
      expect(operations).toEqual([
        { op: 'test', path: '/endpoints/0/addresses', value: ['10.244.1.251'] },
        { op: 'remove', path: '/endpoints/0' },
      ]);
    });
    test('alone: they are corrected', () => {
      const alone = edited('slices', (list) => void list.splice(0, list.length, ...list.filter((s) => s.metadata.name === 'shop-migrated')));
      expect(manual(alone).findings[0]?.fix).toMatchObject([
        { text: 'Correct the address and port in the EndpointSlice, or start the program at that address' },
      ]);
      const [two] = reportOf('path/endpoints', on('endpoint', { outcome: 'timed-out', pod: null }), 'one-of-three-hangs').findings;
      expect(two?.message).toMatch(/^Service "shop": 3 manually created endpoints do not answer: .* timed out$/);
    });
  });
});

describe('the same question to all endpoints', () => {
  const of = (...edits: Edit[]) => reportOf('path/replies', all(...edits), 'one-of-three-hangs');
  const hangs = (change: Partial<Connection>) => each((c) => (c.hop === 'payload' && c.outcome === 'no-answer' ? change : undefined));
  test('one stays silent', () => {
    expect(of().findings).toMatchObject([{ code: 'endpoint-hangs', pods: ['shop-675b56d6f5-b5n56'] }]);
    const two = each((c) => (c.hop === 'payload' && c.node === 'node1' ? { outcome: 'no-answer', latencyMs: 2000 } : undefined));
    expect(of(two).findings[0]?.message).toMatch(
      /^shop-675b56d6f5-b5n56, shop-675b56d6f5-zfh4g accept connections and give no answer within two seconds, while 1 other endpoint answers the same question$/,
    );
  });
  test('a pod that hangs is replaced where something makes another, else it is taken out of the Service', () => {
    expect(of().findings[0]?.fix[0]).toMatchObject({
      text: 'Delete shop-675b56d6f5-b5n56; its controller makes another pod',
      assumes: 'a new pod does not hang',
      changes: [{ how: 'restart' }],
    });
    const alone = edited('pods', (list) => list.forEach((p) => void (p.metadata.ownerReferences = [])));
    expect(of(alone).findings[0]?.fix[0]).toMatchObject({
      text: 'Take shop-675b56d6f5-b5n56 out of Service "shop" until it is corrected: remove its label app',
      changes: [{ how: 'patch', kind: 'pod', body: { metadata: { labels: { app: null } } } }],
    });
    expect(of(alone, service({ selector: {} })).findings[0]?.fix[0]?.text).toMatch(/^Read the logs/);
    expect(of(() => ({ pods: unseen('forbidden', 'pods', 'not allowed') })).findings[0]?.fix[0]?.text).toMatch(
      /^Read the logs of pod "shop-675b56d6f5-b5n56" before$/,
    );
  });
  test('silence that ended soon, or a packet that was lost, is another matter', () => {
    expect(of(hangs({ latencyMs: 1899 })).findings).toEqual([]);
    expect(of(hangs({ latencyMs: 1900 })).findings).toHaveLength(1);
    expect(of(hangs({ outcome: 'timed-out' })).findings).toEqual([]);
  });
  test('where all are silent, or the others slow, nothing is normal', () => {
    expect(of(on('payload', { outcome: 'no-answer', latencyMs: 2090 })).findings).toEqual([]);
    const slow = each((c) => (c.hop === 'payload' && c.outcome === 'answered' ? { latencyMs: 951 } : undefined));
    expect(of(slow)).toMatchObject({ status: 'pass', summary: 'answers take too long here to distinguish silence from slowness' });
    expect(of(each((c) => (c.hop === 'payload' && c.outcome === 'answered' ? { latencyMs: 950 } : undefined))).findings).toHaveLength(1);
  });
  test('one alone, or one that does not open, is compared with nothing', () => {
    expect(of(each((c) => (c.hop === 'endpoint' && c.node !== 'node3' ? { outcome: 'refused' } : undefined)))).toMatchObject({
      status: 'skip',
      reason: 'there are not two endpoints to compare',
    });
    expect(of(hangs({ servicePort: 81 })).findings).toEqual([]);
  });
  test('that other ports answer is said of them alone', () => {
    const another = edited('connections', (made) =>
      made.list.push(
        ...made.list
          .filter((c) => c.hop === 'endpoint' || c.hop === 'payload')
          .map((c) => ({ ...c, servicePort: 81, ...(c.hop === 'payload' && { outcome: 'answered' as const }) })),
      ),
    );
    const [found] = of(another).findings;
    expect(found?.message).toMatch(/, while 2 other endpoints answer the same question$/);
    expect(found?.evidence).toHaveLength(3);
    const silent = of(
      another,
      each((c) => (c.hop === 'payload' && c.servicePort === 80 ? { outcome: 'no-answer', latencyMs: 2000 } : undefined)),
    );
    expect(silent).toMatchObject({ status: 'pass', findings: [] });
  });
});

describe('full-size packets', () => {
  const of = (...edits: Edit[]) => reportOf('path/payload', all(...edits), 'packets-of-full-size-lost');
  test('are lost', () => {
    expect(of().findings).toMatchObject([
      {
        code: 'mtu-blackhole',
        scope: 'all',
        message: 'Connections from node1 to node3 open, but full-size packets are lost: a link between has a smaller MTU, and its ICMP message does not arrive',
        fix: [{ command: 'ip -o link   # on node1 and node3' }, {}],
      },
    ]);
    const unknown = all(
      edited('connections', (made) => void (made.node = null)),
      each(() => ({ node: null })),
    );
    expect(of(unknown).findings[0]?.message).toMatch(/^Connections to 10\.244\.3\.192:8080 open, but/);
  });
  test('arrive', () => {
    expect(of(on('payload', { outcome: 'no-answer' }))).toMatchObject({ status: 'pass', summary: 'packets of full size arrive' });
  });
  test('were not tried', () => {
    expect(of(without('payload'))).toMatchObject({ status: 'skip', reason: 'no tool at hand could send more than a packet holds' });
    expect(of(on('endpoint', { outcome: 'timed-out' }))).toMatchObject({ status: 'skip', reason: 'no endpoint answers' });
    for (const none of [without('endpoint'), on('endpoint', { kind: 'udp' })])
      expect(of(none)).toMatchObject({ status: 'skip', reason: 'there is no endpoint to connect to over TCP' });
  });
});

describe('HTTP requests', () => {
  const of = (...edits: Edit[]) => reportOf('path/http', all(...edits), 'http-error');
  const path = '/echo?msg=broken&code=503';
  const answers = (status: number) => on('http', { status, detail: `HTTP ${status}` });
  test('that fail', () => {
    expect(of().findings).toMatchObject([{ scope: 'all', fix: [{ text: 'Read the logs of pod "shop-7f6d454c97-fm9lx"' }] }]);
    const one = each((c) => (c.hop === 'http' && c.node === 'node1' ? { status: 200, detail: 'HTTP 200' } : undefined));
    expect(of(one).findings).toMatchObject([
      { scope: 'part', message: `Service "shop": GET ${path} fails on 10.96.114.222:80, shop-7f6d454c97-fm9lx: HTTP 503 after 165 ms` },
    ]);
    expect(of(on('http', { outcome: 'reset', status: undefined as never })).findings[0]?.message).toBe(
      `Service "shop": GET ${path} fails on every endpoint: connection reset`,
    );
    // Where no endpoint was asked, the addresses that were are all there is.
    const virtual = all(
      without('endpoint'),
      edited('connections', (made) => void (made.list = made.list.filter((c) => c.hop !== 'http' || c.pod === null))),
    );
    expect(of(virtual).findings).toMatchObject([{ scope: 'all', fix: [], message: expect.stringContaining('fails on every endpoint') as string }]);
    // The virtual IP alone answers: each endpoint fails, and that is what is said.
    const lucky = each((c) => (c.hop === 'http' && c.pod === null ? { status: 200, detail: 'HTTP 200' } : undefined));
    expect(of(lucky).findings).toMatchObject([{ scope: 'all', evidence: [{}, {}, { text: expect.stringMatching(/: HTTP 200 after \d+ ms$/) as string }] }]);
  });
  test('that are answered', () => {
    expect(of(answers(499))).toMatchObject({ status: 'pass', summary: `GET ${path}: HTTP 499 from 3 addresses, the slowest after 221 ms` });
    expect(of(answers(500)).findings).toHaveLength(1);
  });
  test('over connections that do not open are another matter', () => {
    expect(of(on('endpoint', { outcome: 'refused' }), on('virtual-ip', { outcome: 'refused' }))).toMatchObject({ status: 'pass', findings: [] });
  });
  test('that nobody could make', () => {
    expect(of(without('http'))).toMatchObject({ status: 'unknown', reason: 'no tool at hand could make an HTTP request, or the Service has no TCP port' });
    expect(of(() => ({ connections: unseen('forbidden', 'connections', 'not allowed') }))).toMatchObject({
      status: 'unknown',
      reason: 'connections: not allowed',
    });
    expect(of(edited('target', (t) => delete t.http))).toMatchObject({ status: 'skip', reason: 'not requested (--http PATH)' });
  });
  test('that the API server made in their place', () => {
    const via =
      (status: number): Edit =>
      () => ({
        viaApiServer: seen([
          {
            kind: 'tcp',
            hop: 'http',
            target: 'shop-1:8080',
            servicePort: 80,
            pod: 'shop-1',
            node: null,
            outcome: 'answered',
            status,
            detail: `HTTP ${status}`,
            latencyMs: 4.4,
            answers: [],
            from: 'the API server',
          },
        ]),
      });
    expect(of(without('http'), via(200)).reason).toMatch(/; asked by the API server, shop-1 answered with HTTP 200 after 4 ms$/);
    expect(of(without('http'), via(503)).findings).toMatchObject([
      { evidence: [{ text: `the API server → shop-1:8080 (pod shop-1)  GET ${path}: HTTP 503 after 4 ms` }] },
    ]);
  });
});

describe('a port that is named for TLS', () => {
  const of = (...edits: Edit[]) => reportOf('path/tls', all(...edits), 'tls-port-plain-http');
  const port = (change: object) => edited('service', (s) => void Object.assign(s?.spec.ports[0] ?? {}, change));
  /** A second port that is asked like the first one. */
  const second = (change: Partial<Connection>) =>
    all(
      edited('service', (s) => void s?.spec.ports.push({ ...s.spec.ports[0], name: 'http', port: 80 } as never)),
      edited('connections', (made) => made.list.push(...made.list.filter((c) => c.hop === 'http').map((c) => ({ ...c, servicePort: 80, ...change })))),
    );
  const name = (value: string) => JSON.stringify([{ op: 'replace', path: '/spec/ports/0/name', value }]);
  test('and answers in plain text', () => {
    expect(of().findings).toMatchObject([
      {
        code: 'tls-port-plain-http',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'all',
        message: 'Service "shop", port "https" (443): 2 of 2 endpoints answer TLS with plain text',
        pods: ['shop-665fdf65f8-kl2q6', 'shop-665fdf65f8-f794g'],
        evidence: [
          { source: 'probe', text: expect.stringMatching(/^pod\/client → 10\.244\.1\.205:8080 \(pod \S+\) {2}TLS handshake: wrong version number$/) as string },
          {},
        ],
        fix: [
          { text: 'Name port 443 of Service "shop" http, because its endpoints do not use TLS', command: expect.stringContaining(name('http')) as string },
          { text: expect.stringMatching(/^Or configure TLS in shop-\S+, shop-\S+, or change targetPort/) as string },
        ],
      },
    ]);
  });
  test('by its number alone: there is no name to change', () => {
    for (const named of ['', 'web', 'no-tls'])
      expect(of(port({ name: named })).findings[0]?.fix).toEqual([{ text: expect.stringMatching(/^Configure TLS in shop-/) as string }]);
    expect(of(port({ name: '' })).findings[0]?.message).toBe('Service "shop", port 443: 2 of 2 endpoints answer TLS with plain text');
  });
  test('beside one that answers: a part, and its name is taken', () => {
    expect(of(second({ outcome: 'answered', detail: 'HTTP 200' })).findings).toMatchObject([
      {
        scope: 'part',
        message: expect.stringMatching(/port "https" \(443\): 2 of 2 endpoints/) as string,
        fix: [{ command: expect.stringContaining(name('http-443')) as string }, {}],
      },
    ]);
    expect(of(second({})).findings).toMatchObject([{ scope: 'all' }, { scope: 'all', message: expect.stringContaining('port "http" (80)') as string }]);
  });
  test('of which one endpoint answers over TLS', () => {
    const one = each((c) => (c.hop === 'http' && c.node === 'node1' ? { outcome: 'answered', detail: 'HTTP 200' } : undefined));
    expect(of(one).findings).toMatchObject([
      { scope: 'part', message: expect.stringContaining('1 of 2 endpoints') as string, pods: ['shop-665fdf65f8-f794g'] },
    ]);
    // Any answer was understood, whatever it says.
    expect(of(on('http', { outcome: 'answered', detail: 'HTTP 400 The plain HTTP request was sent to HTTPS port' }))).toMatchObject({ findings: [] });
    expect(of(on('http', { outcome: 'reset', detail: 'connection reset' }))).toMatchObject({ status: 'pass', findings: [] });
    expect(of(edited('target', (t) => delete t.http))).toMatchObject({ status: 'skip' });
  });
});

describe('from outside', () => {
  const ofPorts = (...edits: Edit[]) => reportOf('path/node-ports', all(...edits), 'node-port-closed');
  test('node ports that fail, and those that drop packets by design', () => {
    const cluster = service({ externalTrafficPolicy: 'Cluster' });
    expect(ofPorts(cluster).findings).toMatchObject([{ scope: 'all', message: 'Service "shop": the node port fails on node3, node1, node2 (timed out)' }]);
    expect(ofPorts().findings[0]?.fix[0]).toMatchObject({
      text: expect.stringContaining('list the firewall rules of node3 for port 30135') as string,
      command: expect.stringMatching(/iptables-save$/) as string,
    });
    const good = each((c) => (c.node === 'node3' ? { outcome: 'answered' } : undefined));
    expect(ofPorts(good)).toMatchObject({
      status: 'pass',
      summary: '1 of 1 node port answered; node1, node2 have no endpoint and drop packets (externalTrafficPolicy Local)',
    });
    const one = all(
      good,
      edited('connections', (made) => void made.list.splice(2)),
    );
    expect(ofPorts(one).summary).toBe('1 of 1 node port answered; node1 has no endpoint and drops packets (externalTrafficPolicy Local)');
    expect(ofPorts(cluster, good).findings).toMatchObject([{ scope: 'part' }]);
    // A second port of the Service has the same endpoints; one that has none is closed everywhere.
    const ports = edited('service', (s) => void s?.spec.ports.unshift({ ...s.spec.ports[0], name: 'none', port: 81, nodePort: 30136 } as never));
    expect(ofPorts(ports, good)).toMatchObject({ status: 'pass' });
    expect(ofPorts(ports, on('node-port', { servicePort: 81 }))).toMatchObject({ status: 'pass' });
    expect(ofPorts(cluster, on('node-port', { outcome: 'answered' }))).toMatchObject({ status: 'pass', summary: '3 of 3 node ports answered' });
    expect(ofPorts(without('node-port'))).toMatchObject({ status: 'skip', reason: 'no node port was tried' });
    expect(ofPorts(edited('target', (t) => void (t.from = { kind: 'pod', namespace: 'x', name: 'y' })))).toMatchObject({
      status: 'skip',
      reason: 'the client is inside the cluster',
    });
  });
  test('a port of IPv6 is looked for in its own listing', () => {
    const six = each((c) => ({ target: c.target.replace(/^[\d.]+/, '[fd00:77::13]') }));
    expect(ofPorts(six).findings[0]?.fix[0]?.command).toMatch(/ip6tables-save$/);
  });

  const ofCheck = (...edits: Edit[]) => reportOf('path/health-check', all(...edits), 'health-check-closed');
  test('health checks of load balancers', () => {
    const node = (name: string, change: object) => each((c) => (c.hop === 'health-check' && c.node === name ? change : undefined));
    const right = node('node2', { outcome: 'answered', status: 200 });
    expect(ofCheck(right)).toMatchObject({
      status: 'pass',
      summary: 'health check for load balancers: node2 answers 200, node1 answers 503, node3 answers 503',
    });
    expect(ofCheck().findings).toMatchObject([
      {
        scope: 'all',
        message: expect.stringMatching(/is wrong on 1 node: node2 has an endpoint and gives no answer, so load balancers leave it out$/) as string,
      },
    ]);
    expect(ofCheck(node('node2', { outcome: 'refused' })).findings[0]?.message).toContain(
      'node2 has an endpoint and gives no answer (connection refused), so load balancers leave it out',
    );
    const both = all(right, node('node1', { status: 200 }), node('node3', { status: 200 }));
    expect(ofCheck(both).findings).toMatchObject([
      {
        scope: 'part',
        message:
          'Service "shop": the health check for load balancers is wrong on 2 nodes: node1, node3 have no endpoint and answer 200, so load balancers send requests there that are dropped',
      },
    ]);
    const every = edited('slices', (list) =>
      list.forEach((s) =>
        s.endpoints.push(
          ...['node1', 'node3'].map((nodeName) => ({ ...structuredClone(s.endpoints[0]), nodeName, addresses: [`10.9.9.${nodeName.at(-1)}`] }) as never),
        ),
      ),
    );
    expect(ofCheck(every).findings[0]?.message).toContain('node2, node1, node3 have an endpoint and do not answer 200, so load balancers leave them out');
    const unready = edited('slices', (list) => list.forEach((s) => s.endpoints.forEach((e) => Object.assign(e.conditions, { ready: false, serving: false }))));
    expect(ofCheck(unready)).toMatchObject({ status: 'pass' });
    // Where no node has an endpoint, none can be left out.
    expect(ofCheck(unready, node('node1', { status: 200 })).findings).toMatchObject([
      { scope: 'part', message: expect.stringMatching(/is wrong on 1 node: node1 has no endpoint and answers 200, so load balancers send/) as string },
    ]);
    expect(ofCheck(node('node1', { status: 200 })).findings[0]?.message).toMatch(
      /is wrong on 2 nodes: node2 has an endpoint and gives no answer, so load balancers leave it out; node1 has no endpoint and answers 200, so/,
    );
    expect(ofCheck(service({ healthCheckNodePort: undefined }))).toMatchObject({ status: 'skip', reason: 'the Service has no healthCheckNodePort' });
    expect(ofCheck(without('health-check'))).toMatchObject({ status: 'skip', reason: 'no node was asked' });
  });

  const ofBalancer = (...edits: Edit[]) => reportOf('path/load-balancer', all(...edits), 'load-balancer-refuses');
  test('the load balancer itself', () => {
    expect(ofBalancer(on('load-balancer', { outcome: 'answered' }))).toMatchObject({ status: 'pass', summary: '127.0.0.9:18080 answered this machine' });
    expect(ofBalancer().findings).toMatchObject([{ confidence: 'confirmed', scope: 'all' }]);
    expect(ofBalancer(on('node-port', { outcome: 'refused' })).findings[0]?.message).toBe(
      'Service "shop": its load balancer does not answer this machine: 127.0.0.9:18080 connection refused',
    );
    expect(ofBalancer(service({ loadBalancerSourceRanges: ['192.0.2.0/24'] })).findings).toMatchObject([
      {
        confidence: 'possible',
        message:
          'Service "shop": its load balancer does not answer this machine: 127.0.0.9:18080 connection refused, while node ports behind it answer (it accepts 192.0.2.0/24 only)',
      },
    ]);
    expect(ofBalancer(without('load-balancer'))).toMatchObject({ status: 'skip', reason: 'the Service has no load balancer address' });
  });
});

describe('from every node to every endpoint', () => {
  const of = (...edits: Edit[]) => reportOf('path/matrix', all(...edits), 'matrix-route-gone');
  const rows = (change: (rows: FactTypes['matrix']['rows']) => void) => edited('matrix', (m) => change(m.rows));
  const cell = (from: string, to: string, outcome: Connection['outcome']) =>
    rows((list) => list.forEach((r) => r.node === from && r.list.forEach((c) => void (c.node === to && (c.outcome = outcome)))));
  const noRoutes: Edit = () => ({ routes: seen({}) });
  test('one way that is lost, by a route', () => {
    const found = of();
    expect(found.summary).toBe('8 of 9 connections answered, from 3 of 3 nodes to 3 of 3 endpoints');
    expect(found.findings).toMatchObject([
      {
        code: 'cross-node-unreachable',
        scope: 'part',
        object: { name: 'node2' },
        message: expect.stringMatching(
          /^Connections between some nodes are lost \(node2 → node1\), while the same pods answer other nodes: node2 drops packets to 10\.244\.1\.3/,
        ) as string,
      },
    ]);
    expect(found.findings[0]).not.toHaveProperty('failed');
  });
  test('without routes the node at most of the ends is named', () => {
    const two = all(noRoutes, cell('node2', 'node3', 'timed-out'));
    expect(of(two).findings).toMatchObject([
      {
        object: { name: 'node2' },
        message:
          'Connections between some nodes are lost (node2 → node1, node2 → node3), while the same pods answer other nodes: likely below Kubernetes, in the routes or the CNI plug-in',
        fix: [{ text: 'Compare the routes of node2 with those of the other nodes, and check the CNI pods there' }],
        failed: [expect.anything(), expect.anything()],
      },
    ]);
  });
  test('an endpoint that no node reaches is a fault of its own', () => {
    const never = all(noRoutes, ...['node1', 'node2', 'node3'].map((n) => cell(n, 'node1', 'refused')));
    expect(of(never).findings).toMatchObject([
      {
        code: 'endpoint-failing',
        message: '10.244.1.3:8080 cannot be reached from any node (connection refused)',
        evidence: [
          { source: 'matrix', text: expect.stringMatching(/^node1 → 10\.244\.1\.3:8080 \(pod shop-\S+ on node1\) {2}connection refused$/) as string },
          {},
          {},
        ],
      },
    ]);
    const some = all(noRoutes, cell('node2', 'node1', 'answered'), cell('node3', 'node1', 'refused'));
    expect(of(some).findings[0]?.message).toBe('10.244.1.3:8080 cannot be reached from 1 of 3 nodes (connection refused)');
  });
  test('on the same node it is not the network', () => {
    expect(of(noRoutes, cell('node2', 'node1', 'answered'), cell('node1', 'node1', 'timed-out')).findings).toMatchObject([{ code: 'endpoint-failing' }]);
  });
  test('of a sample, and of nodes that could not connect', () => {
    expect(of(edited('matrix', (m) => Object.assign(m, { nodesTotal: 400, endpointsTotal: 90 }))).summary).toBe(
      '8 of 9 connections answered, from 3 of 400 nodes (a sample) to 3 of 90 endpoints (a sample)',
    );
    expect(of(rows((list) => list.forEach((r) => Object.assign(r, { list: [], problem: 'no pod could be started' }))))).toMatchObject({
      status: 'unknown',
      reason: 'no node could connect: no pod could be started',
    });
    expect(of(rows((list) => list.splice(0)))).toMatchObject({ status: 'skip', reason: 'no node is ready' });
    expect(of(noRoutes, ...['node1', 'node2', 'node3'].flatMap((a) => ['node1', 'node2', 'node3'].map((b) => cell(a, b, 'reset')))).findings).toMatchObject([
      { scope: 'all' },
    ]);
  });
});

describe("the client's node", () => {
  const of = (edit: Edit) => reportOf('path/client-node', edit, 'client-node-not-ready');
  const condition = (change: object) =>
    edited('nodes', (list) => list.forEach((n) => n.status.conditions.forEach((c) => c.type === 'Ready' && Object.assign(c, change))));
  test('is not ready, with what is known of it', () => {
    expect(of(nothing).findings).toMatchObject([
      { object: { kind: 'Node', name: 'node2' }, pods: ['client'], nodes: ['node2'], evidence: [{ text: 'node2: Ready is Unknown (NodeStatusUnknown)' }] },
    ]);
    expect(of(condition({ status: 'False', reason: 'KubeletNotReady', message: undefined })).findings[0]).toMatchObject({
      message: 'Node node2, on which pod/client runs, is not ready: KubeletNotReady',
      evidence: [{ text: 'node2: Ready is False (KubeletNotReady)' }],
    });
    expect(of(condition({ status: 'False', reason: undefined, message: undefined })).findings[0]).toMatchObject({
      message: 'Node node2, on which pod/client runs, is not ready: it does not report its status',
      evidence: [{ text: 'node2: Ready is False' }],
    });
  });
  test('is ready, or not known', () => {
    expect(of(condition({ status: 'True' }))).toMatchObject({ status: 'pass', findings: [] });
    expect(of(edited('client', (c) => void (c && (c.node = null))))).toMatchObject({ status: 'skip', reason: "the client's node is not known" });
    expect(of(edited('nodes', (list) => list.splice(0)))).toMatchObject({ status: 'skip' });
  });
});
