/** What the API server calls, on facts of a real cluster with one of them changed. */
import { describe, expect, test } from 'vitest';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { seen, unseen } from '../../src/facts/fact.ts';
import type { Facts, FactTypes } from '../../src/facts/facts.ts';
import type { Webhook } from '../../src/facts/extension.ts';
import type { NetworkPolicy } from '../../src/facts/objects.ts';
import { all, type Edit, edited } from '../support/edits.ts';
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

describe('what is said of it', () => {
  const failing = 'failurePolicy Fail: the requests that it is for are refused, after up to 3 s';
  const dryRun = (ns: string, port: number, why: string) =>
    `a dry run of creating one of configmaps in namespace ${ns}: Internal error occurred: failed calling webhook "shop.example.com": failed to call webhook: Post "https://shop.${ns}.svc:${port}/always-deny?timeout=3s": ${why}`;
  test('a name that nothing has', () => {
    const of = (...edits: Edit[]) => reportOf('api-server/registered', all(...edits), 'webhook-not-found').findings[0];
    expect(of()).toMatchObject({
      code: 'extension-not-found',
      severity: 'error',
      confidence: 'confirmed',
      scope: 'all',
      message: 'Webhook configuration "sc-webhook-not-founds" does not exist; did you mean "sc-webhook-not-found"?',
      evidence: [{ source: 'webhooks', text: 'there are: sc-webhook-not-found' }],
      fix: [{ text: 'List all of them', command: 'kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations' }],
    });
    expect(of(extension(() => ({ names: [] })))).toMatchObject({
      message: 'Webhook configuration "sc-webhook-not-founds" does not exist',
      evidence: [{ text: 'there are none' }],
    });
    const api = all(
      edited('target', (t) => void (t.front = { kind: 'apiservice', namespace: '', name: 'v1.nobody' } as never)),
      extension(() => ({ apiService: { seen: true, value: null } })),
    );
    expect(of(api)).toMatchObject({ evidence: [{ source: 'apiservices' }], fix: [{ command: 'kubectl get apiservices' }] });
    const empty = extension(() => ({ webhooks: { seen: true, value: [{ kind: 'ValidatingWebhookConfiguration', metadata: { name: 'x' }, webhooks: [] }] } }));
    expect(reportOf('api-server/registered', empty, 'webhook-healthy')).toMatchObject({ status: 'pass', summary: 'it calls nothing' });
    expect(
      reportOf(
        'api-server/registered',
        edited('target', (t) => delete t.front),
        'webhook-healthy',
      ),
    ).toMatchObject({
      status: 'skip',
      reason: 'the question begins at the Service',
    });
  });
  test('one that is there', () => {
    expect(reportOf('api-server/registered', () => ({}), 'webhook-healthy').summary).toBe('shop.example.com (CREATE of configmaps)');
    expect(reportOf('api-server/registered', () => ({}), 'apiservice-healthy').summary).toBe('served by Service sc-apiservice-healthy/shop');
    const own = extension(({ value }) => {
      const api = valueOf(value.apiService);
      return { apiService: { seen: true, value: api && { ...api, spec: { ...api.spec, service: null } } } };
    });
    expect(reportOf('api-server/registered', own, 'apiservice-healthy').summary).toBe('served by the API server itself');
    expect(reportOf('api-server/reference', () => ({}), 'webhook-healthy')).toMatchObject({ status: 'pass', summary: 'sc-webhook-healthy/shop:443' });
  });
  test('a port that the Service does not have', () => {
    const of = (...edits: Edit[]) => reportOf('api-server/reference', all(...edits), 'webhook-other-port').findings[0];
    expect(of()).toMatchObject({
      code: 'extension-backend-invalid',
      severity: 'error',
      confidence: 'confirmed',
      scope: 'all',
      object: { kind: 'ValidatingWebhookConfiguration', namespace: '', name: 'sc-webhook-other-port' },
      message: 'Webhook shop.example.com: Service sc-webhook-other-port/shop has no port 8443; it has: 443',
      evidence: [
        { source: 'clientConfig', text: 'Service sc-webhook-other-port/shop, port 8443' },
        { source: 'API server', text: dryRun('sc-webhook-other-port', 8443, 'no service port 8443 found for service "shop"') },
        { source: 'webhook', text: failing },
      ],
      fix: [
        {
          text: 'Name port 443 of the Service',
          command: `kubectl patch validatingwebhookconfiguration sc-webhook-other-port --type=json -p '[{"op":"add","path":"/webhooks/0/clientConfig/service/port","value":443}]'`,
        },
      ],
    });
    const services = (change: (ports: { port: number }[]) => unknown) =>
      edited('extension', (e) => Object.values(e.services).forEach((s) => void (s.seen && s.value && change(s.value.spec.ports))));
    expect(of(services((ports) => ports.push({ ...ports[0], port: 444 })))?.fix).toEqual([{ text: 'Name the port of the Service that serves it' }]);
    const gone = edited('extension', (e) => Object.values(e.services).forEach((s) => void (s.seen && (s.value = null))));
    expect(of(gone)?.fix).toEqual([
      { text: 'Create the Service, correct its name, or remove what names it', command: 'kubectl -n sc-webhook-other-port get services' },
    ]);
    expect(
      of(
        gone,
        called((c) => ({ service: c.service && { ...c.service, name: 'shpo' } })),
        edited('extension', (e) => void (e.services['sc-webhook-other-port/shpo'] = { seen: true, value: null })),
      )?.message,
    ).toMatch(/; did you mean "shop"\?$/);
    const elsewhere = all(
      gone,
      called((c) => ({ service: c.service && { ...c.service, namespace: 'other', name: 'shpo' } })),
      edited('extension', (e) => void (e.services['other/shpo'] = { seen: true, value: null })),
    );
    expect(of(elsewhere)?.message).toBe('Webhook shop.example.com: Service other/shpo does not exist');
  });
  test('a Service that could not be read', () => {
    const unread = edited('extension', (e) => Object.keys(e.services).forEach((k) => void (e.services[k] = unseen('forbidden', 'services', 'not allowed'))));
    expect(reportOf('api-server/reference', unread, 'webhook-healthy')).toMatchObject({ status: 'unknown', reason: 'not allowed' });
  });
  test('a policy', () => {
    const of = (...edits: Edit[]) => reportOf('api-server/policies', all(...edits), 'webhook-policy').findings[0];
    expect(of()).toMatchObject({
      severity: 'error',
      scope: 'all',
      object: { kind: 'Service', name: 'shop' },
      message: 'NetworkPolicy "default-deny" in namespace sc-webhook-policy blocks the API server (10.77.0.1) from 2 pods behind Service "shop" on port 8443',
      evidence: [
        { source: 'policy', text: 'default-deny (namespace sc-webhook-policy) selects the pod for ingress and has no ingress rule' },
        { source: 'API server', text: dryRun('sc-webhook-policy', 443, 'context deadline exceeded') },
        { source: 'webhook', text: failing },
      ],
      fix: [{ text: 'Allow port 8443 of these pods from 10.77.0.1/32 (ipBlock); a NetworkPolicy cannot name the API server by labels' }],
      pods: { length: 2 },
    });
    const unknownServers = extension(() => ({ apiServers: unseen('forbidden', 'x', 'y') }));
    expect(of(unknownServers)?.message).toMatch(/ blocks the API server from 2 pods /);
    expect(of(unknownServers)?.fix[0]?.text).toMatch(/^Allow port 8443 of these pods from the addresses of the API servers \(ipBlock\)/);
    expect(reportOf('api-server/policies', () => ({}), 'webhook-healthy')).toMatchObject({ status: 'pass', summary: 'no policy selects the pods' });
    expect(reportOf('api-server/policies', () => ({}), 'webhook-other-port')).toMatchObject({ status: 'skip', reason: 'no Service is called' });
    const one = edited('pods', (list) =>
      list
        .filter((p) => p.metadata.name.startsWith('shop'))
        .slice(1)
        .forEach((p) => void (p.metadata.labels = { other: 'x' })),
    );
    const chosen = edited('policies', (p) =>
      Object.values(p).forEach((f) => void (f.seen && f.value.forEach((x) => void (x.spec.podSelector = { matchLabels: { app: 'shop' } } as never)))),
    );
    expect(of(one, chosen)).toMatchObject({ scope: 'part', pods: [expect.stringMatching(/^shop-/) as string] });
  });
  test('the call', () => {
    expect(reportOf('api-server/call', () => ({}), 'webhook-policy').findings).toMatchObject([
      {
        code: 'extension-call-failing',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'all',
        message: `The API server's call fails: ${dryRun('sc-webhook-policy', 443, 'context deadline exceeded').split(': ').slice(1).join(': ')}`,
        evidence: [{ source: 'API server' }, { source: 'webhook', text: failing }],
        fix: [{ text: 'Read the log of the program that is called', command: 'kubectl -n sc-webhook-policy logs service/shop --tail=50' }],
      },
    ]);
    const nameless = edited('target', (t) => void (t.name = ''));
    expect(reportOf('api-server/call', nameless, 'webhook-policy').findings[0]?.fix).toEqual([{ text: 'Read the log of the program that is called' }]);
    expect(reportOf('api-server/call', () => ({}), 'webhook-healthy').summary).toBe(
      'a dry run of creating one of configmaps in namespace sc-webhook-healthy: answered',
    );
    expect(reportOf('api-server/call', () => ({}), 'webhook-ignored')).toMatchObject({
      status: 'unknown',
      reason: 'accepted; its failurePolicy is Ignore, so this proves nothing',
    });
    expect(reportOf('api-server/call', () => ({}), 'webhook-not-found')).toMatchObject({ status: 'unknown', reason: 'there was nothing to call' });
    const unread = (reason: 'not-asked' | 'forbidden') => () => ({ apiServerCalls: unseen(reason, 'a call', 'no') });
    expect(reportOf('api-server/call', unread('not-asked'), 'webhook-healthy')).toMatchObject({ status: 'skip', reason: 'no' });
    expect(reportOf('api-server/call', unread('forbidden'), 'webhook-healthy')).toMatchObject({ status: 'unknown', reason: 'no' });
    const available = (type: string, status: string) =>
      extension(({ value }) => {
        const api = valueOf(value.apiService);
        return { apiService: { seen: true, value: api && { ...api, status: { conditions: [{ type, status, reason: 'R', message: 'm' }] } } } };
      });
    const alone = (type: string, status: string) => reportOf('api-server/call', all(available(type, status), unread('not-asked')), 'apiservice-healthy');
    expect(alone('Available', 'False').findings).toMatchObject([
      { message: expect.stringMatching(/^The API server says that it cannot be called: .*R/) as string, evidence: [{ source: 'status' }] },
    ]);
    expect(alone('Available', 'True').status).toBe('skip');
    expect(alone('Other', 'False').status).toBe('skip');
  });
  test('who goes on without it', () => {
    const [found] = reportOf('api-server/certificate', () => ({}), 'webhook-ignored').findings;
    expect(found?.evidence.map((e) => `${e.source}: ${e.text}`)).toEqual([
      expect.stringMatching(
        /^tls: pod shop-\S+, port 8443: for shop\.sc-webhook-ignored\.svc, from 2026-11-26 to 2026-12-26, by own: UNABLE_TO_VERIFY_LEAF_SIGNATURE$/,
      ),
      'clientConfig: caBundle of ValidatingWebhookConfiguration "sc-webhook-ignored"',
      'webhook: failurePolicy Ignore: requests go on without it',
    ]);
    expect(found).toMatchObject({ severity: 'error', confidence: 'confirmed', object: { kind: 'ValidatingWebhookConfiguration', name: 'sc-webhook-ignored' } });
    expect(reportOf('api-server/certificate', () => ({}), 'apiservice-expired').findings[0]?.evidence.map((e) => e.source)).toEqual([
      'tls',
      'clientConfig',
      'API server',
    ]);
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
  test('that could not be read, or not be judged, let nobody in for certain', () => {
    const of = (edit: Edit) => reportOf('api-server/policies', edit, 'webhook-healthy');
    expect(of(edited('policies', (by) => void (by['sc-webhook-healthy'] = unseen('forbidden', 'policies', 'not allowed'))))).toMatchObject({
      status: 'unknown',
      reason: 'the NetworkPolicies of namespace sc-webhook-healthy could not be read',
    });
    expect(of(() => ({ pluginPolicies: unseen('forbidden', 'policies', 'not allowed') }))).toMatchObject({
      status: 'unknown',
      reason: 'whether there are policies of other kinds could not be read',
    });
    const odd = {
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumNetworkPolicy',
      metadata: { name: 'odd', namespace: 'sc-webhook-healthy' },
      spec: { endpointSelector: 7 },
    };
    expect(of(() => ({ pluginPolicies: seen({ x: seen([odd as never]) }) }))).toMatchObject({
      status: 'unknown',
      reason: expect.stringMatching(/^some policies could not be judged: .*odd/) as string,
    });
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
