/** What the API server calls, on facts of a real cluster with one of them changed. */
import { describe, expect, test } from 'vitest';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { unseen } from '../../src/facts/fact.ts';
import type { Facts, FactTypes } from '../../src/facts/facts.ts';
import type { Webhook } from '../../src/facts/extension.ts';
import type { NetworkPolicy } from '../../src/facts/objects.ts';
import { edited } from '../support/edits.ts';
import { checksFor, recordingOf, reportOf, valueOf } from '../support/recordings.ts';

const extension = (change: (value: Facts['extension'] & { seen: true }) => object) => (facts: Facts) => {
  if (!facts.extension.seen) throw new Error('the recording has no such fact');
  return { extension: { seen: true, value: { ...facts.extension.value, ...change(facts.extension) } } } as Partial<Facts>;
};
const webhook = (change: (w: Webhook) => Webhook) =>
  extension(({ value }) => ({ webhooks: { seen: true, value: valueOf(value.webhooks).map((c) => ({ ...c, webhooks: c.webhooks.map(change) })) } }));
const called = (change: (w: Webhook['clientConfig']) => Partial<Webhook['clientConfig']>) =>
  webhook((w) => ({ ...w, clientConfig: { ...w.clientConfig, ...change(w.clientConfig) } }));

describe('what is registered', () => {
  test('a configuration that may not be read is unknown, and nothing is blamed', () => {
    const forbidden = extension(() => ({ webhooks: unseen('forbidden', 'webhooks', 'not allowed to get them') }));
    expect(reportOf('api-server/registered', forbidden, 'webhook-healthy')).toMatchObject({ status: 'unknown', reason: 'not allowed to get them' });
  });
  test('a webhook outside the cluster has no Service to judge', () => {
    const outside = called(() => ({ service: null, url: 'https://hooks.example.com/check' }));
    expect(reportOf('api-server/reference', outside, 'webhook-healthy')).toMatchObject({
      status: 'skip',
      reason: expect.stringContaining('hooks.example.com') as string,
    });
  });
  test('an APIService that the API server serves itself calls nobody', () => {
    const own = extension(({ value }) => {
      const api = valueOf(value.apiService);
      return { apiService: { seen: true, value: api && { ...api, spec: { ...api.spec, service: null } } } };
    });
    expect(reportOf('api-server/reference', own, 'apiservice-healthy').status).toBe('skip');
    expect(reportOf('api-server/certificate', own, 'apiservice-healthy').status).toBe('skip');
  });
});

describe('the certificate', () => {
  test('without caBundle, whose roots count is not known here: likely', () => {
    const report = reportOf(
      'api-server/certificate',
      called(() => ({ caBundle: null })),
      'webhook-other-ca',
    );
    expect(report.findings).toMatchObject([{ confidence: 'likely', message: expect.stringContaining('there is no caBundle') as string }]);
  });
  test.each([
    [
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'is for shop.sc-webhook-other-ca.svc, not for shop.sc-webhook-other-ca.svc',
      'Give the program a certificate with the alternative name shop.sc-webhook-other-ca.svc',
    ],
    ['CERT_HAS_EXPIRED', 'ran out on 2026-12-26, or a certificate in caBundle did', 'Renew the certificate, and caBundle if its own ran out'],
    ['CERT_NOT_YET_VALID', 'is valid from 2026-11-26 on only', 'Renew the certificate, and caBundle if its own ran out'],
    [
      'NO_SUBJECT_ALTERNATIVE_NAME',
      'has a common name (shop.sc-webhook-other-ca.svc) and no alternative names, which the API server needs',
      'Give the program a certificate with the alternative name shop.sc-webhook-other-ca.svc',
    ],
    [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'is by own, whom caBundle does not verify',
      'Put the certificate of the issuer into caBundle; cert-manager and others do so by an annotation',
    ],
  ])('%s', (refused, says, fix) => {
    const [found] = reportOf(
      'api-server/certificate',
      edited('servedCertificates', (list) => list.forEach((c) => void (c.refused = refused))),
      'webhook-other-ca',
    ).findings;
    expect(found).toMatchObject({ scope: 'all', message: `The certificate of Service sc-webhook-other-ca/shop ${says}`, fix: [{ text: fix }] });
  });
  test('of one pod of two: a part; one that is right; none', () => {
    const of = (change: (list: FactTypes['servedCertificates']) => void) =>
      reportOf('api-server/certificate', edited('servedCertificates', change), 'webhook-other-ca');
    expect(of((list) => list.slice(1).forEach((c) => void (c.refused = ''))).findings).toMatchObject([{ scope: 'part' }]);
    expect(of((list) => list.forEach((c) => void (c.refused = '')))).toMatchObject({ status: 'pass', summary: 'verified: for shop.sc-webhook-other-ca.svc' });
    expect(of((list) => list.splice(0))).toMatchObject({ status: 'skip', reason: 'no pod behind it is ready' });
    expect(of((list) => list.forEach((c) => void (c.certificate && (c.certificate.issuer = '')))).findings[0]?.message).toContain(
      'is by an unknown issuer, whom caBundle does not verify',
    );
  });
  test('one that is not verified at all is not judged', () => {
    const insecure = extension(({ value }) => {
      const api = valueOf(value.apiService);
      return { apiService: { seen: true, value: api && { ...api, spec: { ...api.spec, insecureSkipTLSVerify: true } } } };
    });
    expect(reportOf('api-server/certificate', insecure, 'apiservice-other-name').status).toBe('skip');
  });
  test('a handshake that failed says nothing about the certificate', () => {
    const failed = (facts: Facts) =>
      ({
        servedCertificates: {
          seen: true,
          value: valueOf(facts.servedCertificates).map((s) => ({ ...s, error: 'no handshake within 8 s', refused: '', certificate: null })),
        },
      }) as Partial<Facts>;
    expect(reportOf('api-server/certificate', failed, 'webhook-other-ca')).toMatchObject({ status: 'unknown', findings: [] });
    expect(reportOf('api-server/call', failed, 'webhook-other-ca').findings[0]?.evidence.map((e) => e.text)).toContainEqual(
      expect.stringContaining('the certificate was not seen: no handshake within 8 s'),
    );
  });
});

describe('policies', () => {
  const withRule = (cidr: string) => (facts: Facts) => {
    const policies = Object.fromEntries(
      Object.entries(valueOf(facts.policies)).map(([ns, fact]) => [
        ns,
        fact.seen
          ? {
              ...fact,
              value: fact.value.map((p): NetworkPolicy => ({ ...p, spec: { ...p.spec, ingress: [{ ports: [], from: [{ ipBlock: { cidr, except: [] } }] }] } })),
            }
          : fact,
      ]),
    );
    return { policies: { seen: true as const, value: policies } };
  };
  test('one that lets in the address of the API server passes', () => {
    expect(reportOf('api-server/policies', withRule('10.77.0.1/32'), 'webhook-policy')).toMatchObject({ status: 'pass' });
  });
  test('one that lets in another address does not', () => {
    expect(reportOf('api-server/policies', withRule('10.77.0.2/32'), 'webhook-policy').findings).toMatchObject([
      { code: 'policy-denies-ingress', confidence: 'confirmed' },
    ]);
  });
  test('without a call that failed, a plug-in may let the API server in: likely', () => {
    const noCall = () => ({ apiServerCalls: unseen('not-asked', 'a call by the API server', '--probe none') });
    expect(reportOf('api-server/policies', noCall, 'webhook-policy').findings).toMatchObject([{ confidence: 'likely' }]);
  });
});

describe('the call', () => {
  test('nobody is blamed where every call was answered, also where the connections made here fail', () => {
    const recording = recordingOf('webhook-policy');
    const answered = valueOf(recording.facts.apiServerCalls).map((c) => ({ ...c, succeeded: true, message: '' }));
    const d = diagnose(checksFor(recording), { ...recording, facts: { ...recording.facts, apiServerCalls: { seen: true, value: answered } } });
    expect(d.verdict).toMatchObject({ status: 'healthy', causes: [] });
    expect(d.verdict.summary).toContain('a dry run of creating one of configmaps');
  });
  test('an APIService whose condition is older than a call that succeeded', () => {
    const old = extension(({ value }) => {
      const api = valueOf(value.apiService);
      const condition = { type: 'Available', status: 'False', reason: 'FailedDiscoveryCheck', message: 'timeout' };
      return { apiService: { seen: true, value: api && { ...api, status: { conditions: [condition] } } } };
    });
    expect(reportOf('api-server/call', old, 'apiservice-healthy').status).toBe('pass');
    const noCall = (facts: Facts) => ({ ...old(facts), apiServerCalls: unseen('not-asked', 'a call by the API server', '--probe none') });
    expect(reportOf('api-server/call', noCall, 'apiservice-healthy').findings).toMatchObject([{ code: 'extension-call-failing' }]);
  });
  test('what nothing else explains is named as the call itself', () => {
    const recording = recordingOf('webhook-healthy');
    const failed = valueOf(recording.facts.apiServerCalls).map((c) => ({
      ...c,
      succeeded: false,
      message: 'failed calling webhook "x": context deadline exceeded',
    }));
    const d = diagnose(checksFor(recording), { ...recording, facts: { ...recording.facts, apiServerCalls: { seen: true, value: failed } } });
    expect(d.verdict).toMatchObject({ status: 'faulty', causes: [{ code: 'extension-call-failing' }] });
  });
});
