/**
 * What a service mesh has to say about a connection, as far as the checks read it. Fields by Istio's reference (security.istio.io/v1,
 * networking.istio.io/v1) and Linkerd's policy reference (policy.linkerd.io).
 */
import * as v from 'valibot';
import { labelSelector } from './objects.ts';
import { hidden } from './redact.ts';

const text = v.string();
const list = <T extends v.GenericSchema>(item: T) => v.nullish(v.array(item), []);
const texts = list(text);
const labels = v.nullish(v.record(text, text), {});

const metadata = v.object({ name: text, namespace: v.optional(text, ''), creationTimestamp: v.nullish(text) });
/** Istio's WorkloadSelector; without labels it selects every pod. */
const workload = v.nullish(v.object({ matchLabels: labels }));
const tlsMode = v.nullish(text, 'UNSET');

export const peerAuthentication = v.object({
  metadata,
  spec: v.optional(
    v.object({
      selector: workload,
      mtls: v.nullish(v.object({ mode: tlsMode })),
      /** By port of the pod. */
      portLevelMtls: v.nullish(v.record(text, v.object({ mode: tlsMode }))),
    }),
    {},
  ),
});

const source = v.object({
  principals: texts,
  notPrincipals: texts,
  requestPrincipals: texts,
  notRequestPrincipals: texts,
  namespaces: texts,
  notNamespaces: texts,
  serviceAccounts: texts,
  notServiceAccounts: texts,
  ipBlocks: texts,
  notIpBlocks: texts,
  remoteIpBlocks: texts,
  notRemoteIpBlocks: texts,
});
const operation = v.object({
  hosts: texts,
  notHosts: texts,
  ports: texts,
  notPorts: texts,
  methods: texts,
  notMethods: texts,
  paths: texts,
  notPaths: texts,
});
/** A condition; what it asks of a header or a token's claims may be a secret, and no check needs it. */
const condition = v.pipe(
  v.object({ key: text, values: texts, notValues: texts }),
  v.transform(({ key, values, notValues }) => {
    const kept = (list: typeof values) => (key.startsWith('request.') ? (list ?? []).map(() => hidden) : list);
    return { key, values: kept(values), notValues: kept(notValues) };
  }),
);
const authorizationRule = v.object({
  from: list(v.object({ source: v.optional(source, {}) })),
  to: list(v.object({ operation: v.optional(operation, {}) })),
  when: list(condition),
});
export const istioAuthorization = v.object({
  metadata,
  spec: v.optional(
    v.object({
      selector: workload,
      targetRef: v.nullish(v.object({ kind: text, name: text })),
      targetRefs: list(v.object({ kind: text, name: text })),
      action: v.nullish(text, 'ALLOW'),
      rules: list(authorizationRule),
    }),
    {},
  ),
});

const tls = v.nullish(v.object({ mode: v.nullish(text, 'DISABLE') }));
const trafficPolicy = v.nullish(v.object({ tls, portLevelSettings: list(v.object({ port: v.nullish(v.object({ number: v.number() })), tls })) }));
export const destinationRule = v.object({
  metadata,
  spec: v.object({
    host: text,
    trafficPolicy,
    subsets: list(v.object({ name: text, labels, trafficPolicy })),
    exportTo: texts,
    workloadSelector: workload,
  }),
});

const stringMatch = v.nullish(v.object({ exact: v.optional(text), prefix: v.optional(text), regex: v.optional(text) }));
const destination = v.object({ host: text, subset: v.nullish(text), port: v.nullish(v.object({ number: v.nullish(v.number()) })) });
const weighted = list(v.object({ destination, weight: v.nullish(v.number()) }));
/** By name; what a header or a parameter must hold may be a secret, and no check needs it. */
const namesOnly = v.nullish(
  v.record(
    text,
    v.pipe(
      v.unknown(),
      v.transform(() => ({})),
    ),
  ),
);
const httpMatch = v.object({
  uri: stringMatch,
  method: stringMatch,
  authority: stringMatch,
  headers: namesOnly,
  queryParams: namesOnly,
  withoutHeaders: namesOnly,
  port: v.nullish(v.number()),
  sourceLabels: labels,
  sourceNamespace: v.nullish(text),
  gateways: texts,
});
const abort = v.object({ httpStatus: v.nullish(v.number()), percentage: v.nullish(v.object({ value: v.nullish(v.number(), 100) })) });
const httpRoute = v.object({
  match: list(httpMatch),
  route: weighted,
  fault: v.nullish(v.object({ abort: v.nullish(abort) })),
});
export const virtualService = v.object({
  metadata,
  spec: v.object({
    hosts: texts,
    gateways: texts,
    exportTo: texts,
    http: list(httpRoute),
    tcp: list(v.object({ match: list(v.object({ port: v.nullish(v.number()) })), route: weighted })),
  }),
});

export const sidecar = v.object({
  metadata,
  spec: v.optional(
    v.object({
      workloadSelector: v.nullish(v.object({ labels })),
      egress: v.nullish(v.array(v.object({ port: v.nullish(v.object({ number: v.nullish(v.number()) })), hosts: texts }))),
      outboundTrafficPolicy: v.nullish(v.object({ mode: v.nullish(text) })),
    }),
    {},
  ),
});

export const linkerdServer = v.object({
  metadata,
  spec: v.object({
    podSelector: v.nullish(labelSelector),
    port: v.union([v.number(), text]),
    proxyProtocol: v.nullish(text, 'unknown'),
    accessPolicy: v.nullish(text, 'deny'),
  }),
});
const reference = v.object({ group: v.nullish(text, ''), kind: text, name: v.nullish(text, ''), namespace: v.nullish(text) });
export const linkerdAuthorization = v.object({
  metadata,
  spec: v.object({ targetRef: reference, requiredAuthenticationRefs: list(reference) }),
});
export const meshTlsAuthentication = v.object({ metadata, spec: v.object({ identities: texts, identityRefs: list(reference) }) });
const network = v.object({ cidr: text, except: texts });
export const networkAuthentication = v.object({ metadata, spec: v.object({ networks: list(network) }) });
export const serverAuthorization = v.object({
  metadata,
  spec: v.object({
    server: v.object({ name: v.nullish(text), selector: v.nullish(labelSelector) }),
    client: v.object({
      networks: list(network),
      unauthenticated: v.nullish(v.boolean(), false),
      meshTLS: v.nullish(
        v.object({
          unauthenticatedTLS: v.nullish(v.boolean(), false),
          identities: texts,
          serviceAccounts: list(v.object({ name: text, namespace: v.nullish(text) })),
        }),
      ),
    }),
  }),
});

/** Annotations of a pod by which traffic bypasses its proxy, or that say who captured it (Istio and Linkerd, "Resource annotations", "Proxy configuration"). */
export const meshAnnotations = [
  'ambient.istio.io/redirection',
  'config.linkerd.io/default-inbound-policy',
  'config.linkerd.io/skip-inbound-ports',
  'config.linkerd.io/skip-outbound-ports',
  'linkerd.io/inject',
  'sidecar.istio.io/inject',
  'traffic.sidecar.istio.io/excludeInboundPorts',
  'traffic.sidecar.istio.io/excludeOutboundIPRanges',
  'traffic.sidecar.istio.io/excludeOutboundPorts',
  'traffic.sidecar.istio.io/includeInboundPorts',
  'traffic.sidecar.istio.io/includeOutboundIPRanges',
  'traffic.sidecar.istio.io/includeOutboundPorts',
] as const;

/** A pod as a mesh sees it. */
export const meshPod = v.object({
  namespace: text,
  name: text,
  labels: v.record(text, text),
  /** Of `meshAnnotations`, those that it has. */
  proxySettings: v.record(text, text),
  serviceAccount: text,
  /** Names of all its containers, init containers included. */
  containers: v.array(text),
  addresses: v.array(text),
  hostNetwork: v.boolean(),
  /** Names of the ports, by which a policy may mean them. */
  ports: v.array(v.object({ name: text, port: v.number() })),
});

/** The webhook that adds sidecars to pods of a revision. */
export const injector = v.object({
  name: text,
  revision: text,
  webhooks: v.array(v.object({ namespaceSelector: v.nullish(labelSelector), objectSelector: v.nullish(labelSelector) })),
});

export type PeerAuthentication = v.InferOutput<typeof peerAuthentication>;
export type IstioAuthorization = v.InferOutput<typeof istioAuthorization>;
export type AuthorizationRule = v.InferOutput<typeof authorizationRule>;
export type AuthorizationSource = v.InferOutput<typeof source>;
export type AuthorizationOperation = v.InferOutput<typeof operation>;
export type HttpRoute = v.InferOutput<typeof httpRoute>;
export type HttpMatch = v.InferOutput<typeof httpMatch>;
export type DestinationRule = v.InferOutput<typeof destinationRule>;
export type VirtualService = v.InferOutput<typeof virtualService>;
export type Sidecar = v.InferOutput<typeof sidecar>;
export type LinkerdServer = v.InferOutput<typeof linkerdServer>;
export type LinkerdAuthorization = v.InferOutput<typeof linkerdAuthorization>;
export type MeshTlsAuthentication = v.InferOutput<typeof meshTlsAuthentication>;
export type NetworkAuthentication = v.InferOutput<typeof networkAuthentication>;
export type ServerAuthorization = v.InferOutput<typeof serverAuthorization>;
export type MeshPod = v.InferOutput<typeof meshPod>;
export type Injector = v.InferOutput<typeof injector>;
