/**
 * What the API server calls: admission webhooks (admissionregistration.k8s.io/v1) and the APIs that others serve for it (apiregistration.k8s.io/v1),
 * as far as the checks read them.
 */
import * as v from 'valibot';
import { condition, labelSelector, meta } from './objects.ts';

const text = v.string();
const list = <T extends v.GenericSchema>(item: T) => v.nullish(v.array(item), []);

/** The certificates of caBundle as PEM (the API has them in base64 once more); what else somebody put there is dropped. */
const caBundle = v.nullish(text, null);

const webhook = v.object({
  name: text,
  clientConfig: v.object({
    url: v.nullish(text),
    service: v.nullish(v.object({ namespace: text, name: text, path: v.nullish(text, ''), port: v.nullish(v.number(), 443) })),
    caBundle,
  }),
  failurePolicy: v.nullish(text, 'Fail'),
  timeoutSeconds: v.nullish(v.number(), 10),
  namespaceSelector: v.nullish(labelSelector),
  objectSelector: v.nullish(labelSelector),
  matchConditions: list(v.object({ name: text })),
  rules: list(v.object({ operations: list(text), apiGroups: list(text), apiVersions: list(text), resources: list(text), scope: v.nullish(text, '*') })),
});

export const webhookConfiguration = v.object({
  kind: v.picklist(['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration']),
  metadata: meta,
  webhooks: list(webhook),
});

export const apiService = v.object({
  metadata: meta,
  spec: v.object({
    group: v.optional(text, ''),
    version: v.optional(text, ''),
    /** Absent: the API server serves it itself. */
    service: v.nullish(v.object({ namespace: text, name: text, port: v.nullish(v.number(), 443) })),
    caBundle,
    insecureSkipTLSVerify: v.nullish(v.boolean(), false),
  }),
  status: v.optional(v.object({ conditions: list(condition) }), {}),
});

export type Webhook = v.InferOutput<typeof webhook>;
export type WebhookConfiguration = v.InferOutput<typeof webhookConfiguration>;
export type ApiService = v.InferOutput<typeof apiService>;
