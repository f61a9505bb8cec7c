/**
 * An API server of recorded pages, for clusters that are too large to fill: `node test/bench/page-server.ts SERVICES PODS` prints the port on which
 * it answers lists (limit, continue) with copies of the objects of CoreDNS that were recorded from a real API server, as that does: pods, Services
 * and EndpointSlices in protobuf, the rest in JSON. It speaks HTTP on the loopback.
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { field as wanted, type Fields } from '../../src/cluster/index.ts';
import { changed, copier, field, itemsOf, mark, type Marks, repeated } from './copies.ts';

interface Recorded {
  metadata: { name: string; namespace?: string };
}
const read = (name: string) => gunzipSync(readFileSync(new URL(name, import.meta.url)));
const recorded = JSON.parse(read('./recorded/objects.json.gz').toString()) as Record<string, Recorded[]>;
const [services = 0, pods = 0] = process.argv.slice(2).map(Number);
const perService = pods / services;
const perNamespace = 100;

const padded = (n: number, digits: number) => String(n).padStart(digits, '0');
const app = (service: number) => `app-${padded(service, 5)}`;
const replicaSet = (service: number) => `${app(service)}-7c56cc5f5b`;
const namespaceOf = (service: number) => `bench-${padded(Math.floor(service / perNamespace), 4)}`;
const serviceOf = (pod: number) => Math.floor(pod / perService);
const podName = (pod: number) => `${app(serviceOf(pod))}-${padded(pod, 6)}`;
/** Each number has three digits. */
const address = (first: string, n: number) => [first, ...[156 * 156, 156, 1].map((unit) => 100 + (Math.floor(n / unit) % 156))].join('.');
const uid = (n: number) => `00000000-0000-4000-8000-${padded(n, 12)}`;

const ofPods: Marks = {
  ns: { width: 10, text: (i) => namespaceOf(serviceOf(i)) },
  pod: { width: 16, text: podName },
  uid: { width: 36, text: uid },
  app: { width: 9, text: (i) => app(serviceOf(i)) },
  rs: { width: 20, text: (i) => replicaSet(serviceOf(i)) },
  ip: { width: 14, text: (i) => address('10', i) },
};
const ofServices: Marks = {
  ns: { width: 10, text: namespaceOf },
  uid: { width: 36, text: uid },
  svc: { width: 13, text: (i) => `service-${padded(i, 5)}` },
  app: { width: 9, text: app },
  vip: { width: 14, text: (i) => address('11', i) },
  pod: { width: 16, text: (i, endpoint) => podName(i * perService + endpoint) },
  ip: { width: 14, text: (i, endpoint) => address('10', i * perService + endpoint) },
};

/** The recorded items of a list in protobuf. */
const inProtobuf = (plural: string) => itemsOf(read(`../cluster/recorded/${plural}.protobuf.gz`));
/** That of CoreDNS. */
function templateOf(plural: string, has: string): Uint8Array {
  const found = inProtobuf(plural).find((item) => Buffer.from(item).toString('latin1').includes(has));
  if (!found) throw new Error(`no ${plural} with ${has} is recorded`);
  return found;
}

const meta = (table: Fields): Fields => ({ 1: wanted('metadata', table) });
const named: Fields = { 1: wanted('name'), 3: wanted('namespace'), 5: wanted('uid') };

function podCopier() {
  const status: Fields = { 6: wanted('podIP'), 12: wanted.list('podIPs', { 1: wanted('ip') }) };
  const fields: Fields = {
    ...meta({ ...named, 11: wanted.map('labels'), 13: wanted.list('ownerReferences', { 3: wanted('name') }) }),
    3: wanted('status', status),
  };
  const by = (text: string) => {
    if (text === 'kube-system') return mark(ofPods, 'ns');
    if (text === 'kube-dns') return mark(ofPods, 'app');
    if (/^10\.\d+\.\d+\.\d+$/.test(text)) return mark(ofPods, 'ip');
    if (/^coredns-[^-]+$/.test(text)) return mark(ofPods, 'rs');
    if (text.startsWith('coredns-')) return mark(ofPods, 'pod');
    return /^[0-9a-f-]{36}$/.test(text) ? mark(ofPods, 'uid') : text;
  };
  return copier(changed(templateOf('pods', 'coredns-'), fields, by), ofPods);
}

/** What a Service and its slice have in common: both have the Service's name here. */
function ofService(template: Uint8Array): Buffer {
  const fields = meta({ ...named, 11: wanted.map('labels'), 13: wanted.list('ownerReferences', { 3: wanted('name') }) });
  return changed(template, fields, (text) => {
    if (text === 'kube-system') return mark(ofServices, 'ns');
    if (text.startsWith('kube-dns')) return mark(ofServices, 'svc');
    return /^[0-9a-f-]{36}$/.test(text) ? mark(ofServices, 'uid') : text;
  });
}

function serviceCopier() {
  const spec: Fields = { 2: wanted.map('selector'), 3: wanted('clusterIP'), 18: wanted.list('clusterIPs') };
  const template = changed(ofService(templateOf('services', 'kube-dns')), { 2: wanted('spec', spec) }, (text) => {
    if (text === 'kube-dns') return mark(ofServices, 'app');
    return text.startsWith('10.') ? mark(ofServices, 'vip') : text;
  });
  return copier(template, ofServices);
}

function sliceCopier() {
  const reference: Fields = { 2: wanted('namespace'), 3: wanted('name') };
  const endpoint: Fields = { 1: wanted.list('addresses'), 4: wanted('targetRef', reference) };
  const template = repeated(ofService(templateOf('endpointslices', 'kube-dns')), 2, perService, (part, i) =>
    changed(part, endpoint, (text) => {
      if (text === 'kube-system') return mark(ofServices, 'ns');
      return mark(ofServices, text.startsWith('coredns-') ? 'pod' : 'ip', i);
    }),
  );
  return copier(template, ofServices);
}

const quick: Record<string, { kind: string; count: number; first: Uint8Array[]; copy(i: number): Uint8Array }> = {
  services: { kind: 'ServiceList', count: services, first: inProtobuf('services'), copy: serviceCopier() },
  endpointslices: { kind: 'EndpointSliceList', count: services, first: inProtobuf('endpointslices'), copy: sliceCopier() },
  pods: { kind: 'PodList', count: pods, first: inProtobuf('pods'), copy: podCopier() },
};

/** The recorded object of CoreDNS with another name, in JSON. */
function copyInJson(plural: string): (name: string, service: number) => string {
  const found = recorded[plural]?.find((i) => /dns/.test(i.metadata.name));
  if (!found) throw new Error(`no ${plural} of CoreDNS is recorded`);
  const text = JSON.stringify(found);
  return (name, service) =>
    text
      .replaceAll('"k8s-app":"kube-dns"', `"k8s-app":"${app(service)}"`)
      .replaceAll('"kube-system"', `"${namespaceOf(service)}"`)
      .replaceAll(found.metadata.name, name);
}
const [deployment, replicaset] = [copyInJson('deployments'), copyInJson('replicasets')];
const slow: Record<string, { count: number; copy(i: number): string }> = {
  deployments: { count: services, copy: (i) => deployment(app(i), i) },
  replicasets: { count: services, copy: (i) => replicaset(replicaSet(i), i) },
  namespaces: {
    count: Math.ceil(services / perNamespace),
    copy: (i) => JSON.stringify({ metadata: { name: namespaceOf(i * perNamespace) }, status: { phase: 'Active' } }),
  },
};

/** Which of `all` objects a page holds. */
function rangeOf(all: number, query: URLSearchParams) {
  const from = Number(query.get('continue') ?? 0);
  const to = Math.min(all, from + Number(query.get('limit') ?? all));
  return { indexes: Array.from({ length: to - from }, (_, i) => from + i), next: to < all ? String(to) : '', left: all - to };
}

/** A page of a list in JSON; the recorded objects come first. */
function pageInJson(plural: string, query: URLSearchParams, namespace: string | undefined): string {
  const first = (recorded[plural] ?? []).filter((i) => namespace === undefined || i.metadata.namespace === namespace).map((i) => JSON.stringify(i));
  const { count = 0, copy = () => '' } = (namespace === undefined && slow[plural]) || {};
  const { indexes, next, left } = rangeOf(first.length + count, query);
  const metadata = { resourceVersion: '1', ...(next && { continue: next, remainingItemCount: left }) };
  return `{"kind":"List","metadata":${JSON.stringify(metadata)},"items":[${indexes.map((i) => first[i] ?? copy(i - first.length)).join(',')}]}`;
}

function pageInProtobuf({ kind, count, first, copy }: (typeof quick)[string], query: URLSearchParams): Buffer {
  const { indexes, next } = rangeOf(first.length + count, query);
  const listMeta = Buffer.concat([field(2, Buffer.from('1')), ...(next ? [field(3, Buffer.from(next))] : [])]);
  const list = Buffer.concat([field(1, listMeta), ...indexes.map((i) => field(2, first[i] ?? copy(i - first.length)))]);
  return Buffer.concat([Buffer.from('k8s\0'), field(1, field(2, Buffer.from(kind))), field(2, list)]);
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const [, namespace, plural = '', name] = /(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
  const protobuf = namespace === undefined && request.headers.accept?.includes('protobuf') ? quick[plural] : undefined;
  if (protobuf) {
    response.setHeader('Content-Type', 'application/vnd.kubernetes.protobuf');
    return response.end(pageInProtobuf(protobuf, url.searchParams));
  }
  response.setHeader('Content-Type', 'application/json');
  if (url.pathname === '/apis') return response.end('{"groups":[]}');
  if (namespace !== undefined && name !== undefined) {
    const found = recorded[plural]?.find((i) => i.metadata.name === name && i.metadata.namespace === namespace);
    if (!found) response.statusCode = 404;
    return response.end(JSON.stringify(found ?? { kind: 'Status', message: `${plural} "${name}" not found` }));
  }
  return response.end(pageInJson(plural, url.searchParams, namespace));
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
