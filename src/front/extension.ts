/** What makes the API server call a Service: webhooks and APIServices in one form. */
import { valueOf } from '../facts/fact.ts';
import type { FactTypes, Target } from '../facts/facts.ts';
import type { Webhook } from '../facts/extension.ts';

export type Extension = FactTypes['extension'];

export interface Caller {
  /** The object that it is written in. */
  object: { kind: string; name: string };
  /** Of a webhook its own name, of an APIService that of the object. */
  name: string;
  /** Where in the object it is written, as a JSON Pointer. */
  pointer: string;
  /** Null: it is no Service that is called. */
  service: { namespace: string; name: string; port: number } | null;
  url: string | null;
  /** PEM; null: verified by what the API server's own machine trusts. */
  caBundle: string | null;
  isVerified: boolean;
  /** Absent for an APIService. */
  webhook?: Webhook;
}

/** Everything of that name that makes the API server call something. */
export function callersOf(extension: Extension): Caller[] {
  const ofWebhooks = (valueOf(extension.webhooks) ?? []).flatMap(({ kind, metadata, webhooks }) =>
    webhooks.map((webhook, i): Caller => {
      const { service, url, caBundle } = webhook.clientConfig;
      const called = service ? { namespace: service.namespace, name: service.name, port: service.port } : null;
      return {
        object: { kind, name: metadata.name },
        name: webhook.name,
        pointer: `/webhooks/${i}/clientConfig`,
        service: called,
        url: url ?? null,
        caBundle,
        isVerified: true,
        webhook,
      };
    }),
  );
  const api = valueOf(extension.apiService);
  if (!api) return ofWebhooks;
  const { service, caBundle, insecureSkipTLSVerify } = api.spec;
  return [
    ...ofWebhooks,
    {
      object: { kind: 'APIService', name: api.metadata.name },
      name: api.metadata.name,
      pointer: '/spec',
      service: service ?? null,
      url: null,
      caBundle,
      isVerified: !insecureSkipTLSVerify,
    },
  ];
}

export type ExtensionKind = 'webhook' | 'apiservice';
export const isExtensionKind = (kind: string | undefined): kind is ExtensionKind => kind === 'webhook' || kind === 'apiservice';

export const isExtension = ({ front }: Target): boolean => isExtensionKind(front?.kind);

/** Why the Service of a caller cannot be called, from its object alone; empty: it can be. */
export function referenceProblem(extension: Extension, { service }: Caller): string {
  if (!service) return '';
  const found = extension.services[`${service.namespace}/${service.name}`];
  if (!found?.seen) return '';
  if (found.value === null) return `Service ${service.namespace}/${service.name} does not exist`;
  const { ports, type } = found.value.spec;
  // The API server's own resolver takes the port by its number (k8s.io/apiserver, ResolveCluster).
  if (type !== 'ExternalName' && !ports.some((p) => p.port === service.port))
    return `Service ${service.namespace}/${service.name} has no port ${service.port}; it has: ${ports.map((p) => p.port).join(', ')}`;
  return '';
}

/** The Service that is diagnosed further: that of the first caller whose reference is right, or of the first. */
export function calledService(extension: Extension): Caller['service'] {
  const called = callersOf(extension).filter((c) => c.service);
  return (called.find((c) => referenceProblem(extension, c) === '') ?? called[0])?.service ?? null;
}

/** The name that its certificate has to have (Kubernetes documentation, "Dynamic Admission Control"; APIService reference). */
export const serverNameOf = ({ namespace, name }: { namespace: string; name: string }): string => `${name}.${namespace}.svc`;

/** `CREATE, UPDATE of pods`. */
export const callsFor = ({ rules }: Pick<Webhook, 'rules'>): string =>
  rules.map((r) => `${r.operations.join(', ')} of ${r.resources.join(', ')}`).join('; ') || 'nothing: it has no rules';
