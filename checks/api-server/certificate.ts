import type { FactTypes } from '../../src/facts/facts.ts';
import { callersOf, serverNameOf } from '../../src/front/extension.ts';
import { check, type Draft, judged, skip, unknown } from '../check.ts';
import { some } from '../format.ts';
import { callEvidence, noCertificate } from './evidence.ts';

type Served = FactTypes['servedCertificates'][number];

/** What OpenSSL's codes mean for the certificate that was shown (`man openssl-verification-options`). */
function refusalText({ refused, certificate }: Served, name: string, hasBundle: boolean): string {
  const { names = [], from = '', to = '', issuer = '' } = certificate ?? {};
  if (refused === 'ERR_TLS_CERT_ALTNAME_INVALID') return `is for ${some(names)}, not for ${name}`;
  if (refused === 'CERT_HAS_EXPIRED') return `ran out on ${to.slice(0, 10)}, or a certificate in caBundle did`;
  if (refused === 'CERT_NOT_YET_VALID') return `is valid from ${from.slice(0, 10)} on only`;
  if (refused === 'NO_SUBJECT_ALTERNATIVE_NAME') return `has a common name (${some(names)}) and no alternative names, which the API server needs`;
  return hasBundle
    ? `is by ${issuer || 'an unknown issuer'}, whom caBundle does not verify`
    : `is by ${issuer || 'an unknown issuer'}, and there is no caBundle to verify it`;
}

export const certificate = check({
  id: 'api-server/certificate',
  title: 'The certificate is for the Service, and caBundle verifies it',
  needs: ['extension', 'servedCertificates'],
  uses: ['apiServerCalls'],
  codes: ['extension-certificate-invalid'],
  run({ extension, servedCertificates, apiServerCalls }) {
    const callers = callersOf(extension).filter((c) => c.service && c.isVerified);
    if (callers.length === 0) return skip('no certificate is verified');
    const shown = servedCertificates.filter((s) => s.error === '');
    const [first] = servedCertificates;
    if (!first) return skip('no pod behind it is ready');
    if (shown.length === 0) return unknown(`pod ${first.pod}: ${noCertificate(first)}`);
    const refused = shown.filter((s) => s.refused !== '');
    const drafts = refused.map((s): Draft<'extension-certificate-invalid'> => {
      const caller = callers.find((c) => c.name === s.of);
      const [namespace = '', name = ''] = s.service.split('/');
      const hasBundle = Boolean(caller?.caBundle);
      const { names = [], from = '', to = '', issuer = '' } = s.certificate ?? {};
      return {
        code: 'extension-certificate-invalid',
        severity: 'error',
        // Without a bundle, the roots of the API server's own machine count, which may be others than those here.
        confidence: hasBundle ? 'confirmed' : 'likely',
        scope: refused.length === shown.length ? 'all' : 'part',
        object: { kind: caller?.object.kind ?? '', namespace: '', name: caller?.object.name ?? '' },
        message: `The certificate of Service ${s.service} ${refusalText(s, serverNameOf({ namespace, name }), hasBundle)}`,
        evidence: [
          {
            source: 'tls',
            text: `pod ${s.pod}, port ${s.port}: for ${some(names, 4)}, from ${from.slice(0, 10)} to ${to.slice(0, 10)}, by ${issuer}: ${s.refused}`,
          },
          { source: 'clientConfig', text: hasBundle ? `caBundle of ${caller?.object.kind} "${caller?.object.name}"` : 'no caBundle' },
          ...callEvidence(extension, apiServerCalls),
        ],
        fix: [
          {
            text:
              s.refused === 'ERR_TLS_CERT_ALTNAME_INVALID' || s.refused === 'NO_SUBJECT_ALTERNATIVE_NAME'
                ? `Give the program a certificate with the alternative name ${serverNameOf({ namespace, name })}`
                : s.refused.startsWith('CERT_')
                  ? 'Renew the certificate, and caBundle if its own ran out'
                  : 'Put the certificate of the issuer into caBundle; cert-manager and others do so by an annotation',
          },
        ],
      };
    });
    return drafts.length > 0 ? judged(drafts.slice(0, 1)) : judged([], `verified: for ${some(shown[0]?.certificate?.names ?? [])}`);
  },
});
