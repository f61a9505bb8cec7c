/**
 * What reads the text of other programs, each by its name: it answers, or throws the error that it documents. Anything else that is
 * thrown is a fault. `run.ts` feeds them by coverage; `corpus.test.ts` what was worth keeping.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import packet from 'dns-packet';
import * as v from 'valibot';
import { pipelineFor } from '../../checks/pipeline.ts';
import { CannotRun } from '../../src/catalog/cannot-run.ts';
import { readConfig } from '../../src/cli/config.ts';
import { fromManifests } from '../../src/cli/reach-objects.ts';
import { parseParty, receivers } from '../../src/cli/reach-parties.ts';
import { loadKubeConfig } from '../../src/cluster/kubeconfig.ts';
import { listReader, statusFrom } from '../../src/cluster/protobuf.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { clusterDomain, parseResolvConf } from '../../src/dns/resolv-conf.ts';
import { CorefileError, forwarders, kubernetesZones, parseCorefile, serverFor } from '../../src/dns/corefile.ts';
import { decode, DnsProblem } from '../../src/dns/query.ts';
import { CaptureError, readCapture, type Recording } from '../../src/facts/capture.ts';
import { pluginPolicy } from '../../src/facts/objects.ts';
import { parseProcNet } from '../../src/gather/proc-net.ts';
import { parseSelector, SelectorError } from '../../src/policy/calico-selector.ts';
import { decide, policySet } from '../../src/policy/decide.ts';
import { readPolicies } from '../../src/policy/kinds.ts';
import { read as readProbe } from '../../src/probes/outcome.ts';
import { buildScript, readRecords } from '../../src/probes/script.ts';
import { readCilium } from '../../src/proxy/cilium.ts';
import { firewallOf } from '../../src/proxy/firewall.ts';
import { iptablesReader } from '../../src/proxy/iptables.ts';
import { readIpvs } from '../../src/proxy/ipvs.ts';
import type { Packet } from '../../src/proxy/model.ts';
import { nftJsonReader } from '../../src/proxy/nft-json.ts';
import { nftReader } from '../../src/proxy/nft-text.ts';
import type { RuleReader, Wanted } from '../../src/proxy/rule.ts';
import { targetOf } from '../../src/verdict/judge.ts';
import { handle } from '../../src/proxy/walk.ts';
import { ownKinds } from '../../src/scan/kinds.ts';
import { api, web } from '../policy/people.ts';

const lists = ownKinds([undefined]);

export interface FuzzTarget {
  /** Input to begin with. */
  seeds(): (string | Uint8Array)[];
  /** Throws where the parser has a fault. */
  run(bytes: Buffer): void;
  /** Bytes of the longest input. */
  longest: number;
}

/** The tests' own folder; the bundle that is fuzzed is elsewhere, so it comes from the environment there. */
const tests = process.env['FUZZ_TESTS'] ?? new URL('../', import.meta.url).pathname;
const fixture = (name: string) => readFileSync(join(tests, name), 'utf8');

/** Runs a parser that may refuse its input by one kind of error. */
function accepting(documented: abstract new (...given: never[]) => Error, parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof documented)) throw error;
  }
}

const packets: readonly Packet[] = ['10.96.0.10', 'fd00:10:96::a'].flatMap((address) =>
  (['TCP', 'UDP'] as const).map((protocol) => ({
    address,
    port: 53,
    protocol,
    origin: 'pod' as const,
    source: address.includes(':') ? 'fd00::1' : '10.244.1.200',
    toNode: false,
  })),
);

/** Reads rules for packets of each family, and follows the packets through them. */
const rules = (reader: (wanted: Wanted) => RuleReader) => (bytes: Buffer) => {
  for (const family of [packets.slice(0, 2), packets.slice(2)]) {
    const one = reader({ packets: family, likely: () => true });
    for (const line of bytes.toString('utf8').split('\n')) one.line(line);
    const { rules: read } = one.end();
    for (const packet of family) handle(read, packet);
  }
};

/** kube-proxy's chains, and what the firewall passes on: both read the same listing. */
const iptables = (bytes: Buffer) => {
  rules(iptablesReader)(bytes);
  const end = firewallOf(bytes.toString('utf8').split('\n'));
  for (const packet of packets) for (const chain of ['FORWARD', 'INPUT'] as const) end({ ...packet, chain });
};

/** The parts of a fixture that are short enough to be changed quickly: so many lines each, over its whole length. */
const pieces = (text: string, lines: number): string[] => {
  const all = text.split('\n');
  return Array.from({ length: Math.ceil(all.length / lines) }, (_, i) => all.slice(i * lines, (i + 1) * lines).join('\n'));
};

const file = join(mkdtempSync(join(tmpdir(), 'k8s-doctor-fuzz-')), 'input.yaml');
const asFile = (bytes: Buffer) => {
  writeFileSync(file, bytes);
  return file;
};

/** Objects as the policies' rooms read them, and one connection that they decide. */
function policies(bytes: Buffer): void {
  let given: unknown;
  try {
    given = JSON.parse(bytes.toString('utf8'));
  } catch {
    return;
  }
  const objects = (Array.isArray(given) ? given : [given]).flatMap((object) => {
    const read = v.safeParse(pluginPolicy, object);
    return read.success ? [read.output] : [];
  });
  const { policies: found, tiers } = readPolicies(objects);
  const set = policySet(found, tiers);
  for (const direction of ['ingress', 'egress'] as const) decide(direction, web, api, { port: 8080, protocol: 'TCP' }, set);
}

/** The key of this run, which is in front of each record. */
const runKey = /KEY=(\w+)/.exec(buildScript([], { tries: 1, settleS: 0 }))?.[1] ?? '';

const kubeconfig = (user: object) =>
  JSON.stringify({
    'current-context': 'x',
    clusters: [{ name: 'x', cluster: { server: 'https://127.0.0.1:6443', 'proxy-url': 'socks5://127.0.0.1:1' } }],
    users: [{ name: 'x', user }],
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x', namespace: 'shop' } }],
  });

/** The rules of one node as `nft -j` listed them, a few at a time. */
function nftJson(zoo: string): string[] {
  const { rules: byNode } = JSON.parse(gunzipSync(readFileSync(join(tests, `proxy/fixtures/${zoo}.json.gz`))).toString('utf8')) as {
    rules: Record<string, Record<string, string>>;
  };
  const [listed = '{"nftables": []}'] = Object.entries(byNode['node1'] ?? {}).flatMap(([command, output]) => (command.includes('-j') ? [output] : []));
  const { nftables } = JSON.parse(listed) as { nftables: unknown[] };
  return Array.from({ length: Math.ceil(nftables.length / 25) }, (_, i) => JSON.stringify({ nftables: nftables.slice(i * 25, (i + 1) * 25) })).filter(
    (piece) => piece.length <= 8192,
  );
}

const diagnosed = (recording: Recording) => diagnose(pipelineFor(targetOf(recording.facts)), recording);
const text = (bytes: Buffer) => bytes.toString('utf8');
const tasks = [
  { kind: 'tcp', host: '10.0.0.1', port: 80 },
  { kind: 'udp', host: '10.0.0.1', port: 53 },
  { kind: 'payload', host: '10.0.0.1', port: 80 },
  { kind: 'http', host: '10.0.0.1', port: 80, tls: true, name: 'web', path: '/' },
  { kind: 'name', name: 'web.shop', type: 'A' },
] as const;

export const fuzzTargets: Record<string, FuzzTarget> = {
  iptables: { seeds: () => pieces(fixture('proxy/fixtures/iptables-save.txt'), 40), run: iptables, longest: 8192 },
  'nft-text': { seeds: () => pieces(fixture('proxy/fixtures/nft-ruleset.txt'), 40), run: rules(nftReader), longest: 8192 },
  'nft-json': {
    seeds: () => ['zoo-v1.35.4-nftables-IPv4', 'zoo-v1.37.2-nftables-IPv6'].flatMap(nftJson),
    run: rules(nftJsonReader),
    longest: 8192,
  },
  ipvsadm: { seeds: () => [fixture('proxy/fixtures/ipvsadm.txt')], run: (bytes) => readIpvs(text(bytes).split('\n'), packets), longest: 4096 },
  'cilium-services': {
    seeds: () => [fixture('proxy/fixtures/cilium-service-list.json').slice(0, 4096), '[]'],
    run: (bytes) => readCilium(text(bytes), packets),
    longest: 8192,
  },
  corefile: {
    seeds: () => [
      '.:53 {\n  errors\n  health {\n    lameduck 5s\n  }\n  kubernetes cluster.local in-addr.arpa ip6.arpa {\n    pods insecure # all\n    ttl 30\n  }\n  forward . /etc/resolv.conf\n  cache 30\n}\n',
      '(common) {\n  errors\n  import logging\n}\n(logging) {\n  log "a { b"\n}\ncorp.local:53, dns://other. {\n  import common\n  import custom/*.override\n}\n',
    ],
    run: (bytes) =>
      accepting(CorefileError, () => {
        const [main = '', more = ''] = text(bytes).split('\0');
        const file = parseCorefile(main, { 'a.override': more, 'a.server': more });
        return [kubernetesZones(file), forwarders(file), serverFor(file, 'web.shop.svc.cluster.local.')];
      }),
    longest: 4096,
  },
  'resolv-conf': {
    seeds: () => ['nameserver 10.96.0.10\nsearch shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5 edns0 # x\ndomain a\n'],
    run: (bytes) => void clusterDomain(parseResolvConf(text(bytes))),
    longest: 4096,
  },
  'dns-answer': {
    seeds: () =>
      [
        packet.encode({ type: 'response', id: 7, questions: [{ type: 'A', name: 'web.shop' }], answers: [{ type: 'A', name: 'web.shop', data: '10.0.0.1' }] }),
        packet.encode({
          type: 'response',
          id: 7,
          answers: [
            { type: 'SRV', name: 'a.b', data: { target: 'c.d', port: 80 } },
            { type: 'CNAME', name: 'a.b', data: 'c.d' },
            { type: 'AAAA', name: 'a.b', data: 'fd00::1' },
            { type: 'TXT', name: 'a.b', data: 'x' },
          ],
        }),
      ].map((bytes) => new Uint8Array(bytes)),
    run: (bytes) => accepting(DnsProblem, () => decode(bytes, 7)),
    longest: 1024,
  },
  'probe-records': {
    seeds: () => [
      '\u00010\u0002nc\u00020\u000210\u0002open\u0003\u00012\u0002curl\u000228\u00022000\u0002HTTP/1.1 503 after 0.2 s\nsubject: CN=web\u0003',
      '\u00014\u0002getent\u00022\u00020\u000210.96.0.1 web.shop\u0003\u00011\u0002nc\u0002124\u00021\u0002Connection refused\u0003',
    ],
    // Each run has another key, so it is not in the input.
    run(bytes) {
      for (const record of readRecords(text(bytes).replaceAll('\u0001', `\u0001${runKey}\u0002`).replaceAll('\u0003', `\u0003${runKey}`)))
        for (const task of tasks) readProbe(task, record);
    },
    longest: 4096,
  },
  'proc-net': {
    seeds: () => [
      '== tcp\n  sl  local_address rem_address   st\n   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n== tcp6\n   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0\n== udp\n   1: 00000000:0035 00000000:0000 07 0\n',
    ],
    run: (bytes) => void parseProcNet(text(bytes)),
    longest: 4096,
  },
  'plug-in-policies': {
    seeds: () =>
      [
        {
          apiVersion: 'cilium.io/v2',
          kind: 'CiliumNetworkPolicy',
          metadata: { name: 'a', namespace: 'shop' },
          spec: {
            endpointSelector: { matchLabels: { app: 'web' } },
            ingress: [{ fromEndpoints: [{ matchLabels: { role: 'api' } }], toPorts: [{ ports: [{ port: '8080', protocol: 'TCP' }] }] }],
            egressDeny: [{ toCIDRSet: [{ cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] }], toEntities: ['world'] }],
          },
        },
        {
          apiVersion: 'projectcalico.org/v3',
          kind: 'NetworkPolicy',
          metadata: { name: 'a', namespace: 'shop' },
          spec: {
            tier: 'default',
            order: 10,
            selector: "app == 'web' && !has(x)",
            types: ['Ingress'],
            ingress: [
              { action: 'Deny', protocol: 'TCP', source: { notSelector: "role in {'api'}", nets: ['10.0.0.0/8'] }, destination: { ports: ['80:8080', 443] } },
            ],
          },
        },
        { apiVersion: 'projectcalico.org/v3', kind: 'Tier', metadata: { name: 'a' }, spec: { order: 5, defaultAction: 'Pass' } },
        {
          apiVersion: 'policy.networking.k8s.io/v1alpha1',
          kind: 'AdminNetworkPolicy',
          metadata: { name: 'a' },
          spec: {
            priority: 10,
            subject: { namespaces: {} },
            ingress: [
              { action: 'Deny', from: [{ pods: { namespaceSelector: {}, podSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] } } }] },
            ],
          },
        },
      ].map((object) => JSON.stringify(object)),
    run: policies,
    longest: 4096,
  },
  'calico-selector': {
    seeds: () => [`(app == "web" || tier != 'x') && !has(y) && z in {"a", "b"} && w not in {} && v starts with "q" && all() && global()`],
    run: (bytes) => accepting(SelectorError, () => parseSelector(text(bytes)).matches({ app: 'web' })),
    longest: 2048,
  },
  kubeconfig: {
    seeds: () => [
      kubeconfig({ token: 'x' }),
      kubeconfig({ exec: { apiVersion: 'client.authentication.k8s.io/v1', command: './get-token', args: ['a'], env: [{ name: 'A', value: 'b' }] } }),
      kubeconfig({ 'client-certificate-data': 'eA==', 'client-key-data': 'eA==', username: 'a', password: 'b', as: 'c' }),
      kubeconfig({ 'auth-provider': { name: 'oidc', config: { 'id-token': 'a.b.c' } } }),
      'a: &a [1]\nusers: *a\ncontexts:\n- name: x\n  context: {cluster: x, user: x}\ncurrent-context: x\nclusters: [{name: x, cluster: {server: "https://[::1]:1"}}]\n',
    ],
    run: (bytes) => accepting(CannotRun, () => loadKubeConfig({ kubeconfig: asFile(bytes), context: undefined }, {})),
    longest: 4096,
  },
  configuration: {
    seeds: () => [
      'image: mirror/busybox\nnodeImage: x\ndebugPods:\n  labels: {team: a}\n  annotations: {b: c}\n  tolerations: [{operator: Exists}]\n  priorityClassName: high\n',
    ],
    run: (bytes) => accepting(CannotRun, () => readConfig(asFile(bytes), {})),
    longest: 4096,
  },
  manifests: {
    seeds: () => [
      'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, namespace: shop}\nspec:\n  podSelector: {}\n  policyTypes: [Ingress]\n  ingress:\n  - from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]\n    ports: [{port: 80, endPort: 90}]\n---\nkind: List\nitems: [{kind: Pod}]\n',
      'apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {clusterIP: 10.96.0.10, selector: {app: web}, ports: [{port: 80, targetPort: http}]}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, ports: [{name: http, containerPort: 80}]}]}}}\n',
    ],
    run: (bytes) =>
      accepting(CannotRun, () => {
        const { world, objects } = fromManifests(asFile(bytes));
        for (const name of ['web', '10.96.0.10'])
          accepting(CannotRun, () => receivers(world, objects, parseParty('to', name.includes('.') ? name : `svc/${name}`, 'shop'), undefined, 'TCP'));
      }),
    longest: 4096,
  },
  protobuf: {
    seeds: () =>
      ['pods', 'services', 'endpointslices', 'events'].map(
        (name) => new Uint8Array(gunzipSync(readFileSync(join(tests, `cluster/recorded/${name}.protobuf.gz`))).subarray(0, 8192)),
      ),
    run(bytes) {
      const middle = Math.floor(bytes.length / 2);
      for (const kind of [lists.pods, lists.services, lists.slices, lists.events]) {
        const reader = listReader(kind.protobuf);
        const items: unknown[] = [];
        // What is no list is refused by an Error of the reader itself; its words are of this room.
        accepting(Error, () => {
          items.push(...reader.take(bytes.subarray(0, middle)));
          items.push(...reader.take(bytes.subarray(middle)));
          items.push(...reader.end());
        });
        for (const item of items) kind.read(item);
      }
      accepting(Error, () => statusFrom(bytes));
    },
    longest: 8192,
  },
  capture: {
    seeds: () => [fixture('recordings/webhook-not-found.json')],
    run: (bytes) => accepting(CaptureError, () => diagnosed(readCapture(text(bytes)))),
    longest: 32_768,
  },
};
