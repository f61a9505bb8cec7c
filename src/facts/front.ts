/**
 * What is in front of a Service, as far as the checks read it: Ingress (networking.k8s.io/v1) and the Gateway API
 * (gateway.networking.k8s.io, v1 and its experimental kinds).
 */
import * as v from 'valibot';
import { condition, labelSelector, meta } from './objects.ts';

const text = v.string();
const optionalText = v.optional(text);
const list = <T extends v.GenericSchema>(item: T) => v.nullish(v.array(item), []);

const ingressBackend = v.object({
  service: v.nullish(v.object({ name: text, port: v.nullish(v.object({ name: optionalText, number: v.optional(v.number()) })) })),
  resource: v.nullish(v.object({ apiGroup: v.nullish(text), kind: text, name: text })),
});

export const ingress = v.object({
  metadata: meta,
  /** The annotation `kubernetes.io/ingress.class`, which the field ingressClassName has replaced. */
  classAnnotation: v.exactOptional(text),
  spec: v.object({
    ingressClassName: v.nullish(text),
    defaultBackend: v.nullish(ingressBackend),
    tls: list(v.object({ hosts: list(text), secretName: optionalText })),
    rules: list(
      v.object({
        host: v.optional(text, ''),
        http: v.nullish(v.object({ paths: list(v.object({ path: v.optional(text, '/'), pathType: v.nullish(text), backend: ingressBackend })) })),
      }),
    ),
  }),
  status: v.optional(v.object({ loadBalancer: v.optional(v.object({ ingress: list(v.object({ ip: optionalText, hostname: optionalText })) }), {}) }), {}),
});

export const ingressClass = v.object({ metadata: meta, isDefault: v.optional(v.boolean(), false), spec: v.object({ controller: v.optional(text, '') }) });

const conditions = list(condition);
export const gatewayClass = v.object({
  metadata: meta,
  spec: v.object({ controllerName: text }),
  status: v.optional(v.object({ conditions }), {}),
});

const objectReference = v.object({ group: v.nullish(text), kind: v.nullish(text), name: text, namespace: v.nullish(text) });

export const listener = v.object({
  name: text,
  hostname: v.nullish(text),
  port: v.number(),
  protocol: text,
  tls: v.nullish(v.object({ mode: v.nullish(text, 'Terminate'), certificateRefs: list(objectReference) })),
  allowedRoutes: v.nullish(
    v.object({
      namespaces: v.nullish(v.object({ from: v.nullish(text, 'Same'), selector: v.nullish(labelSelector) })),
      kinds: list(v.object({ group: v.nullish(text), kind: text })),
    }),
  ),
});

export const gateway = v.object({
  metadata: meta,
  spec: v.object({ gatewayClassName: text, listeners: list(listener) }),
  status: v.optional(
    v.object({
      addresses: list(v.object({ type: v.nullish(text), value: text })),
      conditions,
      listeners: list(v.object({ name: text, attachedRoutes: v.optional(v.number(), 0), conditions })),
    }),
    {},
  ),
});

export const parentRef = v.object({
  group: v.nullish(text),
  kind: v.nullish(text),
  namespace: v.nullish(text),
  name: text,
  sectionName: v.nullish(text),
  port: v.nullish(v.number()),
});

export const backendRef = v.object({
  group: v.nullish(text),
  kind: v.nullish(text),
  name: text,
  namespace: v.nullish(text),
  port: v.nullish(v.number()),
  weight: v.nullish(v.number(), 1),
});

/** A header or a parameter that a request must have. Its value may be a secret, and no check needs it. */
const named = v.object({ name: text });
const routeMatch = v.object({
  /** Of HTTPRoutes. */
  path: v.nullish(v.object({ type: v.nullish(text, 'PathPrefix'), value: v.nullish(text, '/') })),
  /** Of HTTPRoutes a word, of GRPCRoutes a service and its method. */
  method: v.nullish(v.union([text, v.object({ type: v.nullish(text), service: v.nullish(text), method: v.nullish(text) })])),
  headers: list(named),
  queryParams: list(named),
});

export const routeKinds = ['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute'] as const;
export type RouteKind = (typeof routeKinds)[number];

export const route = v.object({
  kind: v.picklist(routeKinds),
  metadata: meta,
  spec: v.object({
    parentRefs: list(parentRef),
    hostnames: list(text),
    rules: list(
      v.object({
        name: v.nullish(text),
        matches: list(routeMatch),
        // What a filter sets (an Authorization header, say) is left out.
        filters: list(v.object({ type: text })),
        backendRefs: list(backendRef),
      }),
    ),
  }),
  status: v.optional(v.object({ parents: list(v.object({ parentRef, controllerName: v.optional(text, ''), conditions })) }), {}),
});

export const referenceGrant = v.object({
  metadata: meta,
  spec: v.object({
    from: list(v.object({ group: v.optional(text, ''), kind: text, namespace: text })),
    to: list(v.object({ group: v.optional(text, ''), kind: text, name: v.nullish(text) })),
  }),
});

export type Ingress = v.InferOutput<typeof ingress>;
export type IngressClass = v.InferOutput<typeof ingressClass>;
export type GatewayClass = v.InferOutput<typeof gatewayClass>;
export type Gateway = v.InferOutput<typeof gateway>;
export type Listener = v.InferOutput<typeof listener>;
export type ParentRef = v.InferOutput<typeof parentRef>;
export type BackendRef = v.InferOutput<typeof backendRef>;
export type Route = v.InferOutput<typeof route>;
export type RouteMatch = v.InferOutput<typeof routeMatch>;
export type ReferenceGrant = v.InferOutput<typeof referenceGrant>;
