/** What the API server itself says of its calls, and what comes of them. */
import { type Fact, valueOf } from '../../src/facts/fact.ts';
import type { FactTypes } from '../../src/facts/facts.ts';
import { callersOf, type Extension } from '../../src/front/extension.ts';
import type { Evidence } from '../check.ts';

export type Calls = Fact<FactTypes['apiServerCalls']>;

export const failedCalls = (calls: Calls) => (valueOf(calls) ?? []).filter((c) => c.succeeded === false);

export function callEvidence(extension: Extension, calls: Calls): Evidence[] {
  const { webhook } = callersOf(extension)[0] ?? {};
  const consequence =
    webhook?.failurePolicy === 'Ignore'
      ? 'failurePolicy Ignore: requests go on without it'
      : `failurePolicy Fail: the requests that it is for are refused, after up to ${webhook?.timeoutSeconds} s`;
  return [
    ...failedCalls(calls).map((c) => ({ source: 'API server', text: `${c.asked}: ${c.message}` })),
    ...(webhook ? [{ source: 'webhook', text: consequence }] : []),
  ];
}

/** A handshake that failed says nothing about the certificate, so the reason is part of what is said. */
export const noCertificate = ({ error }: FactTypes['servedCertificates'][number]): string => `the certificate was not seen: ${error}`;
