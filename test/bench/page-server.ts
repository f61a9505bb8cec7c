/**
 * An API server of recorded pages, for clusters that are too large to fill: `node test/bench/page-server.ts SERVICES PODS` prints the port on which
 * it answers lists (limit, continue) with copies of the objects of CoreDNS that were recorded from a real API server. It speaks HTTP on the loopback.
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

interface Recorded {
  metadata: { name: string; namespace?: string };
}
const recorded = JSON.parse(gunzipSync(readFileSync(new URL('./recorded/objects.json.gz', import.meta.url))).toString()) as Record<string, Recorded[]>;
const [services = 0, pods = 0] = process.argv.slice(2).map(Number);
const perService = pods / services;
const perNamespace = 100;

/** The recorded object of CoreDNS as text, and what of it is the object's own. */
function template(plural: string): { text: string; own: string } {
  const found = recorded[plural]?.find((i) => /dns/.test(i.metadata.name));
  if (!found) throw new Error(`no ${plural} of CoreDNS is recorded`);
  const { managedFields, ...meta } = found.metadata as Recorded['metadata'] & { managedFields?: unknown };
  return { text: JSON.stringify({ ...found, metadata: { ...meta, managedFields } }), own: found.metadata.name };
}

const address = (n: number) => `10.${200 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
const namespaceOf = (service: number) => `bench-${Math.floor(service / perNamespace)}`;

/** Everything that differs between copies: names, label, namespace, addresses. */
function copy({ text, own }: { text: string; own: string }, name: string, service: number, ips: readonly string[]): string {
  let i = 0;
  return text
    .replaceAll('"k8s-app":"kube-dns"', `"k8s-app":"app-${service}"`)
    .replaceAll('"kubernetes.io/service-name":"kube-dns"', `"kubernetes.io/service-name":"service-${service}"`)
    .replaceAll('"kube-system"', `"${namespaceOf(service)}"`)
    .replaceAll(own, name)
    .replaceAll(/"10\.244\.\d+\.\d+"/g, () => `"${ips[i++ % ips.length]}"`);
}

const slice = template('endpointslices');
const endpoint = JSON.stringify((JSON.parse(slice.text) as { endpoints: object[] }).endpoints[0]);
const sliceText = {
  ...slice,
  text: slice.text.replace(/"endpoints":\[.*?\}\}\]/, `"endpoints":[${Array.from({ length: perService }, () => endpoint).join(',')}]`),
};

const makers: Record<string, [number, (i: number) => string]> = {
  services: [services, (i) => copy(templates.services, `service-${i}`, i, ['10.96.1.1'])],
  endpointslices: [
    services,
    (i) =>
      copy(
        sliceText,
        `service-${i}-abcde`,
        i,
        Array.from({ length: perService }, (_, p) => address(i * perService + p)),
      ),
  ],
  pods: [pods, (i) => copy(templates.pods, `app-${Math.floor(i / perService)}-${i}`, Math.floor(i / perService), [address(i)])],
  deployments: [services, (i) => copy(templates.deployments, `app-${i}`, i, [''])],
  replicasets: [services, (i) => copy(templates.replicasets, `app-${i}-7c56cc5f5b`, i, [''])],
  namespaces: [Math.ceil(services / perNamespace), (i) => JSON.stringify({ metadata: { name: `bench-${i}` }, status: { phase: 'Active' } })],
};
const templates = {
  services: template('services'),
  pods: template('pods'),
  deployments: template('deployments'),
  replicasets: template('replicasets'),
};

/** A page of a list, as text; the recorded objects come first. */
function page(plural: string, query: URLSearchParams, namespace: string | undefined): string {
  const first = (recorded[plural] ?? []).filter((i) => namespace === undefined || i.metadata.namespace === namespace).map((i) => JSON.stringify(i));
  const [count, make] = namespace === undefined ? (makers[plural] ?? [0, () => '']) : [0, () => ''];
  const all = first.length + count;
  const from = Number(query.get('continue') ?? 0);
  const to = Math.min(all, from + Number(query.get('limit') ?? all));
  const items = Array.from({ length: to - from }, (_, i) => first[from + i] ?? make(from + i - first.length));
  const metadata = { resourceVersion: '1', ...(to < all && { continue: String(to), remainingItemCount: all - to }) };
  return `{"kind":"List","metadata":${JSON.stringify(metadata)},"items":[${items.join(',')}]}`;
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const [, namespace, plural = '', name] = /(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
  response.setHeader('Content-Type', 'application/json');
  if (url.pathname === '/apis') return response.end('{"groups":[]}');
  if (namespace !== undefined && name !== undefined) {
    const found = recorded[plural]?.find((i) => i.metadata.name === name && i.metadata.namespace === namespace);
    if (!found) response.statusCode = 404;
    return response.end(JSON.stringify(found ?? { kind: 'Status', message: `${plural} "${name}" not found` }));
  }
  return response.end(page(plural, url.searchParams, namespace));
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
