/**
 * How long it takes to read a node's rules of the size of a large cluster and to judge one Service by them, and how much
 * memory: `npm run bench:proxy`. The listings are made by a generator; each reading runs in a process of its own.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import * as v from 'valibot';
import * as o from '../../src/facts/objects.ts';
import { compare, type Handled } from '../../src/proxy/compare.ts';
import { iptablesReader } from '../../src/proxy/iptables.ts';
import { hostPort, keyOf, type Packet } from '../../src/proxy/model.ts';
import { likelyChains, shortHash } from '../../src/proxy/chain-names.ts';
import { nftReader } from '../../src/proxy/nft-text.ts';
import { judgeRules } from '../../src/proxy/read.ts';

const endpointsEach = 10;
const clusterIP = (i: number) => `10.${96 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
const podIP = (i: number, e: number) => {
  const n = i * endpointsEach + e;
  return `10.${128 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
};
const name = (i: number) => `ns-${i % 100}/service-${i}:http`;

/** As `iptables-save` writes what kube-proxy has in a large cluster (without comments for endpoints): chains by name. */
function* iptables(services: number): Generator<string> {
  const chain = (kind: string, i: number, e?: number) => `KUBE-${kind}-${shortHash(`${name(i)}tcp${e === undefined ? '' : `${podIP(i, e)}:8080`}`)}`;
  yield '*nat';
  for (const c of ['PREROUTING', 'OUTPUT', 'POSTROUTING']) yield `:${c} ACCEPT [0:0]`;
  for (const c of ['KUBE-MARK-MASQ', 'KUBE-POSTROUTING', 'KUBE-SERVICES']) yield `:${c} - [0:0]`;
  for (let i = 0; i < services; i++) {
    yield `:${chain('SVC', i)} - [0:0]`;
    for (let e = 0; e < endpointsEach; e++) yield `:${chain('SEP', i, e)} - [0:0]`;
  }
  yield '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES';
  yield '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES';
  yield '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING';
  yield '-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000';
  yield '-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN';
  yield '-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0';
  yield '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully';
  for (let i = 0; i < services; i++)
    for (let e = 0; e < endpointsEach; e++) {
      const sep = chain('SEP', i, e);
      yield `-A ${sep} -s ${podIP(i, e)}/32 -j KUBE-MARK-MASQ`;
      yield `-A ${sep} -p tcp -m tcp -j DNAT --to-destination ${podIP(i, e)}:8080`;
    }
  for (let i = 0; i < services; i++)
    yield `-A KUBE-SERVICES -d ${clusterIP(i)}/32 -p tcp -m comment --comment "${name(i)} cluster IP" -m tcp --dport 80 -j ${chain('SVC', i)}`;
  for (let i = 0; i < services; i++) {
    const svc = chain('SVC', i);
    yield `-A ${svc} ! -s 10.128.0.0/9 -d ${clusterIP(i)}/32 -p tcp -m comment --comment "${name(i)} cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ`;
    for (let e = 0; e < endpointsEach; e++) {
      const chance = e === endpointsEach - 1 ? '' : ` -m statistic --mode random --probability ${(1 / (endpointsEach - e)).toFixed(11)}`;
      yield `-A ${svc}${chance} -j ${chain('SEP', i, e)}`;
    }
  }
  yield 'COMMIT';
}

/** As `nft list table ip kube-proxy` writes it. */
function* nftables(services: number): Generator<string> {
  const base = (i: number) => `${shortHash(name(i)).slice(0, 8)}-ns-${i % 100}/service-${i}/tcp/http`;
  const endpoint = (i: number, e: number) => `endpoint-${base(i)}__${podIP(i, e)}/8080`;
  yield 'table ip kube-proxy {';
  yield '\tmap service-ips {';
  yield '\t\ttype ipv4_addr . inet_proto . inet_service : verdict';
  for (let i = 0; i < services; i++)
    yield `${i === 0 ? '\t\telements = { ' : '\t\t\t     '}${clusterIP(i)} . tcp . 80 : goto service-${base(i)}${i === services - 1 ? ' }' : ','}`;
  yield '\t}';
  yield* ['\tchain nat-prerouting {', '\t\ttype nat hook prerouting priority dstnat; policy accept;', '\t\tjump services', '\t}'];
  yield* ['\tchain nat-output {', '\t\ttype nat hook output priority -100; policy accept;', '\t\tjump services', '\t}'];
  yield* ['\tchain services {', '\t\tip daddr . meta l4proto . th dport vmap @service-ips', '\t}'];
  yield* ['\tchain mark-for-masquerade {', '\t\tmeta mark set meta mark | 0x00004000', '\t}'];
  for (let i = 0; i < services; i++) {
    for (let e = 0; e < endpointsEach; e++)
      yield* [`\tchain ${endpoint(i, e)} {`, `\t\tip saddr ${podIP(i, e)} jump mark-for-masquerade`, `\t\tmeta l4proto tcp dnat to ${podIP(i, e)}:8080`, '\t}'];
    const all = Array.from({ length: endpointsEach }, (_, e) => `${e} : goto ${endpoint(i, e)}`).join(', ');
    yield* [`\tchain service-${base(i)} {`, `\t\tip daddr ${clusterIP(i)} ip saddr != 10.128.0.0/9 jump mark-for-masquerade`];
    yield* [`\t\tnumgen random mod ${endpointsEach} vmap { ${all} }`, '\t}'];
  }
  yield '}';
}

const forms = { iptables: { list: iptables, reader: iptablesReader }, nftables: { list: nftables, reader: nftReader } };
type Form = keyof typeof forms;

/** One Service in the middle, as the API server has it. */
function oneOf(services: number) {
  const i = services >> 1;
  const service = v.parse(o.service, {
    metadata: { name: `service-${i}`, namespace: `ns-${i % 100}` },
    spec: { clusterIP: clusterIP(i), clusterIPs: [clusterIP(i)], ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  });
  const slice = v.parse(o.endpointSlice, {
    metadata: { name: 'one', namespace: `ns-${i % 100}` },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080 }],
    endpoints: Array.from({ length: endpointsEach }, (_, e) => ({ addresses: [podIP(i, e)], conditions: { ready: true } })),
  });
  return { service, slices: [slice] };
}

async function judge(form: Form, file: string, services: number): Promise<void> {
  const idle = process.memoryUsage.rss();
  const started = performance.now();
  const { service, slices } = oneOf(services);
  const address = service.spec.clusterIPs[0] ?? '';
  const packets = (['pod', 'node', 'outside'] as const).map(
    (origin): Packet => ({ address, port: 80, protocol: 'TCP', origin, source: '10.200.0.1', toNode: false }),
  );
  let lines = 0;
  const found = await judgeRules<never>(
    forms[form].reader,
    async (line) => {
      for await (const text of createInterface({ input: createReadStream(file) })) {
        lines++;
        line(text);
      }
      return undefined;
    },
    { packets, likely: likelyChains(service, slices) },
  );
  if ('error' in found) throw new Error('a file has no error');
  const handled: Handled = {
    [keyOf({ address, port: 80, protocol: 'TCP' })]: { pod: found.handled[0], node: found.handled[1], outside: found.handled[2] } as Handled[string],
  };
  const { differences } = compare(service, service.spec.ports, slices, { name: 'n', zone: '', addresses: [] }, form, handled);
  const ms = performance.now() - started;
  const peak = process.resourceUsage().maxRSS * 1024;
  console.log(
    `${form.padEnd(9)} ${services} Services, ${services * endpointsEach} endpoints, ${lines} lines, ${Math.round(statSync(file).size / 1_048_576)} MB: ` +
      `${(ms / 1000).toFixed(2)} s, peak ${Math.round(peak / 1_048_576)} MB (idle ${Math.round(idle / 1_048_576)} MB), ${hostPort(address, 80)} ${differences.length === 0 ? 'right' : 'WRONG'}`,
  );
}

const [form, file, count] = process.argv.slice(2);
if (form !== undefined && file !== undefined) await judge(form as Form, file, Number(count));
else {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-bench-'));
  for (const each of Object.keys(forms) as Form[])
    for (const services of [1000, 10_000, 20_000]) {
      const listing = join(folder, `${each}-${services}`);
      const out = createWriteStream(listing);
      for (const line of forms[each].list(services)) if (!out.write(`${line}\n`)) await once(out, 'drain');
      out.end();
      await once(out, 'finish');
      for (let run = 0; run < 3; run++) spawnSync(process.execPath, [import.meta.filename, each, listing, String(services)], { stdio: 'inherit' });
    }
  rmSync(folder, { recursive: true });
}
