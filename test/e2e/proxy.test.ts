/**
 * Rules against packets: Services of every kind are made in the real cluster, each node's rules are read, and what they
 * say is compared with real connections. FAMILY=IPv6 does so over IPv6. With RECORD_ZOO=FOLDER all of it is kept for the unit tests.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as v from 'valibot';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Family, familyOf, splitTarget } from '../../src/facts/selectors.ts';
import { endsOf } from '../../src/proxy/expected.ts';
import { hostPort } from '../../src/proxy/model.ts';
import { apply, createNamespace, kubectl, must, run } from '../support/kubectl.ts';
import { kindOfCluster } from '../support/scenarios.ts';
import { clientPod, corefile, nodeOf, serverPod, servers, unreadyPod, zoo, zooServices } from '../support/zoo.ts';
import { contradiction, differences, formsOf, predict, proxyNode } from '../support/zoo-judge.ts';
import { type Seen, type ZooWorld, zooWorld } from '../support/zoo-world.ts';

const zones = ['a', 'b', 'b'];
const zoneLabel = 'topology.kubernetes.io/zone';
const family: Family = process.env['FAMILY'] === 'IPv6' ? 'IPv6' : 'IPv4';
let nodes: string[] = [];
let world: ZooWorld;

const list = (items: object[]) => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
const json = async <T>(...args: string[]): Promise<T> => JSON.parse(await must(...args, '-o', 'json')) as T;

interface Named {
  metadata: { name: string };
  status: { podIPs: { ip: string }[]; addresses: { type: string; address: string }[] };
}

/** Rejects are sent by ICMP, once a second to one client (icmp(7)): too seldom for thousands of connections. */
const limits = { icmp_ratelimit: [0, 1000], icmp_msgs_per_sec: [1_000_000, 1000], icmp_msgs_burst: [1_000_000, 50] };
const limitRejects = (i: number, back: boolean) =>
  kubectl(
    '-n',
    zoo,
    'exec',
    `node-${i}`,
    '--',
    'sysctl',
    '-w',
    ...Object.entries(limits).map(([name, [off, usual]]) => `net.ipv4.${name}=${back ? usual : off}`),
  );

/** The first alone, so that a client whom a node remembers is known to it before the others come. */
const rounds = [
  { TCP: 1, UDP: 1 },
  { TCP: 4, UDP: 2 },
];

/** Connects from one client to all addresses, several times, many at once. */
async function connect(client: string, ends: Seen['to'][], attempts: { TCP: number; UDP: number }): Promise<{ outcomes: string[]; seenAs: string | null }[]> {
  const url = (e: Seen['to'], path: string) => `http://${hostPort(e.address, e.port)}/${path}`;
  const tcp = ends.flatMap((e, i) =>
    e.protocol !== 'TCP' ? [] : [...Array.from({ length: attempts.TCP }, () => ({ i, url: url(e, 'hostname') })), { i, url: url(e, 'clientip') }],
  );
  const config = tcp.map((t, n) => `url = "${t.url}"\noutput = "/tmp/zoo/${n}"`).join('\n');
  const udp = ends.flatMap((e, i) => (e.protocol !== 'UDP' ? [] : Array.from({ length: attempts.UDP }, () => `${i} ${e.address} ${e.port}`)));
  const script = `rm -rf /tmp/zoo; mkdir /tmp/zoo; cd /tmp/zoo
cat >config <<'END'
${config}
END
cat >questions <<'END'
${udp.join('\n')}
END
curl -s -Z --parallel-max 60 --http1.0 -H 'Connection: close' --connect-timeout 1 --max-time 5 -w 'T %{filename_effective} %{exitcode}\\n' -K config
grep -H '' /tmp/zoo/[0-9]* | sed 's/^/B /'
xargs -P 60 -n 3 sh -c 'echo "U $0 $(dig +short +tries=1 +time=1 @$1 -p $2 x.example A 2>&1 | tr '\\n' ' ')"' <questions
`;
  const ran = await run('kubectl', ['-n', zoo, 'exec', '-i', client, '--', 'sh'], { input: script, timeoutMs: 200_000 });
  const exits = new Map<number, number>();
  const bodies = new Map<number, string>();
  const found = ends.map((): { outcomes: string[]; seenAs: string | null } => ({ outcomes: [], seenAs: null }));
  for (const line of ran.stdout.split('\n')) {
    const [kind, first = '', rest = ''] = /^([TBU]) (\S+?)(?: (.*))?$/.exec(line)?.slice(1) ?? [];
    if (kind === 'T') exits.set(Number(first.split('/').at(-1)), Number(rest));
    else if (kind === 'B') {
      const [, n, body = ''] = /^\/tmp\/zoo\/(\d+):(.*)$/.exec(`${first}${rest}`) ?? [];
      bodies.set(Number(n), body);
    } else if (kind === 'U') {
      const outcome = /^[\d.]+$/.test(rest.trim()) ? rest.trim() : rest.includes('refused') ? 'refused' : 'timed-out';
      found[Number(first)]?.outcomes.push(outcome);
    }
  }
  tcp.forEach((t, n) => {
    const body = bodies.get(n);
    const exit = exits.get(n);
    if (t.url.endsWith('clientip')) {
      if (body !== undefined) (found[t.i] as { seenAs: string | null }).seenAs = splitTarget(body).address;
    } else found[t.i]?.outcomes.push(body !== undefined ? `pod ${body}` : exit === 7 ? 'refused' : exit === 28 ? 'timed-out' : `curl ${exit}`);
  });
  return found;
}

/** Taking hundreds of Services out of the rules keeps kube-proxy from writing new ones meanwhile. */
async function proxiesSettled(): Promise<void> {
  const proxies = (await must('-n', 'kube-system', 'get', 'pods', '-l', 'k8s-app=kube-proxy', '-o', 'name')).trim().split('\n');
  for (const proxy of proxies)
    for (let tries = 0; tries < 60; tries++) {
      const rules = await kubectl('-n', 'kube-system', 'exec', proxy, '--', 'sh', '-c', 'iptables-save; ip6tables-save; nft list ruleset');
      if (rules.stdout !== '' && !rules.stdout.includes(`${zoo}/`)) break;
      await new Promise((r) => setTimeout(r, 1000));
    }
}

beforeAll(async () => {
  await kubectl('delete', 'namespace', zoo, '--ignore-not-found');
  await createNamespace(zoo);
  const items = (await json<{ items: Named[] }>('get', 'nodes')).items;
  const proxies = (
    await json<{ items: { spec: { nodeName: string }; metadata: { name: string } }[] }>('-n', 'kube-system', 'get', 'pods', '-l', 'k8s-app=kube-proxy')
  ).items;
  nodes = items.map((n) => n.metadata.name).slice(0, 3);
  if (nodes.length < 3) throw new Error(`three nodes are needed, there are ${nodes.length}`);
  const address = (node: string) =>
    items.find((n) => n.metadata.name === node)?.status.addresses.find((a) => a.type === 'InternalIP' && familyOf(a.address) === family)?.address ?? '';
  for (const [i, node] of nodes.entries()) await must('label', 'node', node, `${zoneLabel}=${zones[i]}`, '--overwrite');
  await must('-n', zoo, 'create', 'configmap', 'corefile', `--from-literal=Corefile=${corefile}`);
  const clients = nodes.flatMap((node, i) => [
    { name: `pod-${i}`, node, hostNetwork: false },
    { name: `node-${i}`, node, hostNetwork: true },
  ]);
  await apply(zoo, list([...servers.map((s) => serverPod(s, nodes)), unreadyPod(nodes), ...clients.map((c) => clientPod(c.name, c.node, c.hostNetwork))]));
  await must('-n', zoo, 'wait', 'pod', ...servers, ...clients.map((c) => c.name), '--for=condition=Ready', '--timeout=90s');
  for (const i of nodes.keys()) {
    const limited = await limitRejects(i, false);
    if (limited.code !== 0) throw new Error(`sysctl: ${limited.stderr}`);
  }
  const pods = (await json<{ items: Named[] }>('-n', zoo, 'get', 'pods')).items;
  const addressOf = Object.fromEntries(pods.map((p) => [p.metadata.name, p.status.podIPs.find((i) => familyOf(i.ip) === family)?.ip ?? '']));
  // The servers answer with their first address over DNS, whatever family they were asked in.
  const byFirst = new Map(pods.map((p) => [p.status.podIPs[0]?.ip ?? '', addressOf[p.metadata.name] ?? '']));

  const { release } = await kindOfCluster();
  const made = zooServices(addressOf, nodes, nodes.map(address), family, Number(release.split('.')[1]));
  await apply(zoo, list(made.map((m) => ({ apiVersion: 'v1', kind: 'Service', ...m.object }))));
  await apply(zoo, list(made.flatMap((m) => m.slice ?? [])));
  await Promise.all(
    made
      .flatMap((m) => (m.ingress ? [[m.object.metadata.name, m.ingress] as const] : []))
      .map(([name, ip]) =>
        must('-n', zoo, 'patch', 'service', name, '--subresource=status', '-p', JSON.stringify({ status: { loadBalancer: { ingress: [{ ip }] } } })),
      ),
  );
  // The proxies write their rules at most once a second.
  await new Promise((r) => setTimeout(r, 6000));

  const parsed = v.parse(v.pick(zooWorld, ['services', 'slices']), {
    services: (await json<{ items: object[] }>('-n', zoo, 'get', 'services')).items,
    slices: (await json<{ items: object[] }>('-n', zoo, 'get', 'endpointslices')).items,
  });
  const rules: ZooWorld['rules'] = {};
  let mode = 'iptables';
  for (const node of nodes) {
    const proxy = proxies.find((p) => p.spec.nodeName === node)?.metadata.name ?? '';
    const listed = async (...command: string[]) => (await kubectl('-n', 'kube-system', 'exec', proxy, '--', ...command)).stdout;
    const [iptables, nft] = [await listed(family === 'IPv6' ? 'ip6tables-save' : 'iptables-save'), await listed('nft', 'list', 'ruleset')];
    if (/^table ip kube-proxy/m.test(nft)) mode = 'nftables';
    rules[node] =
      mode === 'nftables'
        ? {
            'nft list ruleset': nft,
            'nft -j list table ip kube-proxy': await listed('nft', '-j', 'list', 'table', family === 'IPv6' ? 'ip6' : 'ip', 'kube-proxy'),
          }
        : { 'iptables-save': iptables };
  }
  world = { mode, nodes: nodes.map((name, i) => ({ name, zone: zones[i] ?? '', address: address(name) })), ...parsed, rules, seen: [] };

  for (const client of clients) {
    const ends = parsed.services.flatMap((s) =>
      nodes.flatMap((n) => endsOf({ ...s, metadata: { ...s.metadata, labels: {} } }, s.spec.ports, proxyNode(world, n))),
    );
    // Each address once; a node port on each node.
    const unique = [...new Map(ends.map((e) => [`${e.address} ${e.port} ${e.protocol}`, e])).values()].filter((e) => e.protocol !== 'SCTP');
    const to = unique.map(({ address: a, port, protocol }) => ({ address: a, port, protocol: protocol as 'TCP' | 'UDP' }));
    const met = [await connect(client.name, to, rounds[0] as (typeof rounds)[0]), await connect(client.name, to, rounds[1] as (typeof rounds)[0])];
    to.forEach((t, i) => {
      const outcomes = met.flatMap((m) => m[i]?.outcomes ?? []);
      const seenAs = met[1]?.[i]?.seenAs ?? null;
      world.seen.push({
        from: { node: client.node, hostNetwork: client.hostNetwork, address: addressOf[client.name] ?? '' },
        to: t,
        outcomes: outcomes.map((x) => (x.startsWith('pod ') ? (addressOf[x.slice(4)] ?? x) : (byFirst.get(x) ?? x))),
        seenAs,
      });
    });
  }
  const folder = process.env['RECORD_ZOO'];
  if (folder) writeFileSync(join(folder, `zoo-${release}-${mode}-${family}.json.gz`), gzipSync(JSON.stringify(world), { level: 9 }));
}, 600_000);

afterAll(async () => {
  for (const i of nodes.keys()) await limitRejects(i, true);
  await kubectl('delete', 'namespace', zoo, '--ignore-not-found');
  for (const node of nodes) await kubectl('label', 'node', node, `${zoneLabel}-`);
  await proxiesSettled();
});

test('there are at least 200 Services, and servers on three nodes', () => {
  expect(world.services.length).toBeGreaterThanOrEqual(200);
  expect(new Set(servers.map(nodeOf)).size).toBe(3);
});

test('what the rules of each node say is what connections meet', async () => {
  for (const form of formsOf(world)) {
    const wrong = (await predict(world, form)).map((p) => contradiction(world, p)).filter((c) => c !== undefined);
    expect(wrong, form).toEqual([]);
  }
});

test('the nodes do what the objects ask for', async () => {
  for (const form of formsOf(world)) expect(await differences(world, form), form).toEqual([]);
});
