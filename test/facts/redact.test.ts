import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as v from 'valibot';
import { route } from '../../src/facts/front.ts';
import { istioAuthorization, virtualService } from '../../src/facts/mesh.ts';
import * as o from '../../src/facts/objects.ts';
import { redact, redactDeep } from '../../src/facts/redact.ts';

describe('redaction', () => {
  test.each([
    ['connecting with password=hunter22 to db', 'hunter22'],
    ['DB_PASSWORD: "s3cr3t word"', 's3cr3t word'],
    ['Authorization: Bearer abcdefghijklmnop', 'abcdefghijklmnop'],
    ['postgres://user:pa55@db:5432/x', 'pa55'],
    ['token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_DEF', 'eyJhbGciOiJIUzI1NiJ9'],
    ['using AKIAABCDEFGHIJKLMNOP', 'AKIAABCDEFGHIJKLMNOP'],
    ["api_key='zzz-111'", 'zzz-111'],
    ['-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----', 'MIIE'],
    ['-----BEGIN PGP PRIVATE KEY BLOCK-----\nMIIE', 'MIIE'],
    [`${'MIIEpAIBAAKCAQEA0123'.repeat(3)}abcd\nnext line`, 'MIIEpAIBAAKCAQEA0123'],
  ])('hides the secret of %j', (text, secret) => {
    expect(redact(text)).not.toContain(secret);
  });

  const secret = 'hunterZ9x7';
  // After its name, in a URL, on a command line, and in prose.
  test.each([
    'PGPASSWORD: <>',
    'MYSQL_ROOT_PASSWORD=<>',
    'DB_PASS=<>',
    'SECRET_KEY_BASE=<>',
    'secretAccessKey: <>',
    'clientSecret=<>',
    '_authToken=<>',
    'passphrase: <>',
    'pwd=<>',
    '{"password":"<>"}',
    '{"client_secret": "<>", "a": 1}',
    '{"auth":"<>"}',
    '{\\"password\\":\\"<> and more\\"}',
    '"token":"a\\"<>"',
    'password="cut off <>',
    "password='<>",
    'PASSWORD	= <>',
    'password%3D<>',
    'Server=x;User Id=sa;Password=<>;',
    'AccountKey=<>==;EndpointSuffix=core',
    'SharedAccessKey=<>',
    'X-Amz-Signature=<>',
    'X-Api-Key: <>',
    'x-vault-token: <>',
    'Ocp-Apim-Subscription-Key: <>',
    'Set-Cookie: session=<>; Path=/',
    'Cookie: a=1; sid=<>',
    'Proxy-Authorization: Basic <>',
    'authorization: <>',
    'https://h/p?access_token=<>&x=1',
    'https://h/c?sv=2020&sig=<>',
    'redis://:<>@redis:6379',
    'mongodb+srv://u:<>@c',
    'http://<>@host/',
    'https://oauth2:a%2F<>@git/x',
    'https://hooks.slack.com/services/T0/B0/<>',
    '--password <>',
    '--password=<>',
    '--db-token <>',
    "--secret '<> <>'",
    'curl -u admin:<> http://x',
    'curl --user admin:<>',
    'mysql -u root -p<>',
    'docker login -p <> reg',
    'sshpass -p <> ssh h',
    'redis-cli -a <>',
    'password is <>',
    'failed: password "<>" rejected',
    'Token <>',
    'apikey <>',
    "the passphrase was '<>'",
    'got bearer <>',
  ])('hides it in %j', (text) => {
    const hidden = redact(text.replaceAll('<>', secret));
    expect(hidden).toContain('‹redacted›');
    expect(hidden).not.toContain(secret);
  });

  const letters = 'abcdef0123456789ABCDEF0123456789abcdef01';
  test.each([
    `ghp_${letters}`,
    `github_pat_${letters}`,
    `glpat-${letters}`,
    `xoxb-123456789012-${letters}`,
    `AIza${letters}`,
    `GOCSPX-${letters}`,
    `whsec_${letters}`,
    `pypi-${letters}`,
    `dop_v1_${letters.toLowerCase()}`,
    `dapi${letters.toLowerCase()}`,
    `glsa_${letters}`,
    `shpat_${letters}`,
    `ATATT3${letters}`,
    `eyJ${letters}.eyJ${letters}.${letters}`,
    `ya29.${letters}`,
    `sk_live_${letters}`,
    `sk-ant-${letters}`,
    `npm_${letters}`,
    `hvs.${letters}`,
    `dckr_pat_${letters}`,
    `hf_${letters}`,
    `SG.${letters}.${letters}`,
    `AGE-SECRET-KEY-1${letters}`,
    `https://api.telegram.org/bot123456:${letters}/x`,
  ])('hides %j by its form', (token) => {
    expect(redact(`cannot use ${token} here`).toLowerCase()).not.toContain(letters.slice(0, 20).toLowerCase());
  });

  test('a certificate is for everybody', () => {
    const certificate = `-----BEGIN CERTIFICATE-----\n${'MIIBcjCCARegAwIBAgIU'.repeat(3)}abcd\nlx7qAiEA==\n-----END CERTIFICATE-----`;
    expect(redact(certificate)).toBe(certificate);
  });

  test.each([
    'missing DATABASE_URL',
    'Readiness probe failed: HTTP probe failed with statuscode: 404',
    'listening on 0.0.0.0:8080',
    'http://10.0.0.1:80/x',
    'MountVolume.SetUp failed for volume "tls" : secret "shop-tls" not found',
    "couldn't find key password in Secret shop/db",
    'Error: secret "db" not found',
    'password authentication failed for user "shop"',
    'MountVolume.SetUp failed for volume "kube-api-access-x" : failed to fetch token: serviceaccounts "shop" not found',
    'failed to authorize: failed to fetch anonymous token: Get "https://auth.docker.io/token?service=registry.docker.io": dial tcp: i/o timeout',
    'failed to fetch oauth token: unexpected status: 401 Unauthorized',
    "SyntaxError: Unexpected token 'export'",
    'Unexpected token < in JSON at position 0',
    'invalid bearer token, the token has expired',
    'automountServiceAccountToken: false',
    '0/3 nodes are available: 3 node(s) had untolerated taint {dedicated-key: gpu}.',
    'docker-pullable://nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
    'docker run -u 1000:1000 web',
    'plugin/errors: 2 api.example.com. A: read udp 10.244.1.2:42->8.8.8.8:53: i/o timeout',
    'sha512 = cf83e1357eefb8bdf1542850d66d8007',
  ])('leaves %j as it is', (text) => {
    expect(redact(text)).toBe(text);
  });

  test('takes no long time, whatever it is given', () => {
    // Each is the beginning of a pattern, so that a search begins at every place and does not end.
    const beginnings = [
      'secret-',
      '://a:',
      '://a',
      'eyJ-',
      'password ',
      ' -u a',
      'mysql -',
      '-----BEGIN PRIVATE KEY-----',
      'token="',
      '--a-a-a-token',
      'secret_a_a_a',
    ];
    for (const text of beginnings) expect(redact(text.repeat(20_000))).toBeTypeOf('string');
    fc.assert(fc.property(fc.string({ maxLength: 2000 }), (text) => redact(redact(text)) === redact(text) || redact(text).includes('‹redacted›')));
  });

  test('reaches into objects and lists', () => {
    expect(redactDeep({ a: ['token=abc'], n: 1, z: null })).toEqual({ a: ['token=‹redacted›'], n: 1, z: null });
  });

  test('leaves nothing of what a policy asks of a header', () => {
    const http = { path: '/cart', headers: ['X-Tenant: red', 'X-Plain'], headerMatches: [{ name: 'X-Tenant', value: 'red', mismatch: 'LOG' }] };
    expect(redactDeep({ rules: { http: [http] } })).toEqual({
      rules: {
        http: [{ path: '/cart', headers: ['X-Tenant: ‹redacted›', 'X-Plain'], headerMatches: [{ name: 'X-Tenant', value: '‹redacted›', mismatch: 'LOG' }] }],
      },
    });
  });
});

describe('of objects that set or ask for secrets, the facts keep the names', () => {
  const secret = 'hunterZ9x7';
  const metadata = { name: 'shop', namespace: 'shop' };
  const headers = [{ type: 'Exact', name: 'X-Tenant', value: secret }];
  const setHeader = { set: [{ name: 'X-Tenant', value: secret }] };
  const request = { headers: { 'x-tenant': { exact: secret } }, queryParams: { id: { exact: secret } }, withoutHeaders: { 'x-other': { prefix: secret } } };
  test.each([
    [
      'HTTPRoute',
      route,
      {
        kind: 'HTTPRoute',
        metadata,
        spec: { rules: [{ matches: [{ headers, queryParams: headers }], filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier: setHeader }] }] },
      },
      ['X-Tenant', 'RequestHeaderModifier'],
    ],
    [
      'VirtualService',
      virtualService,
      { metadata, spec: { hosts: ['shop'], http: [{ match: [request], headers: { request: setHeader } }] } },
      ['x-tenant', 'x-other'],
    ],
    [
      'AuthorizationPolicy',
      istioAuthorization,
      {
        metadata,
        spec: {
          rules: [
            {
              when: [
                { key: 'request.headers[x-tenant]', values: [secret], notValues: [secret] },
                { key: 'source.ip', values: ['10.0.0.1'] },
              ],
            },
          ],
        },
      },
      ['request.headers[x-tenant]', '10.0.0.1'],
    ],
    [
      'Pod',
      o.pod,
      {
        metadata,
        status: { phase: 'Running' },
        spec: {
          containers: [
            {
              name: 'web',
              image: 'web',
              env: [{ name: 'A', value: secret }],
              command: ['web', secret],
              args: [`--x=${secret}`],
              readinessProbe: { httpGet: { path: `/ready?token=${secret}`, port: 80, httpHeaders: [{ name: 'X-Tenant', value: secret }] } },
              livenessProbe: { exec: { command: ['check', secret] } },
              startupProbe: { exec: { command: ['check', secret] } },
              lifecycle: { preStop: { exec: { command: ['stop', secret] } } },
            },
          ],
        },
      },
      ['/ready?token=‹redacted›'],
    ],
  ])('%s', (_, schema, object, kept) => {
    const text = JSON.stringify(v.parse(schema, object));
    expect(text).not.toContain(secret);
    for (const part of kept) expect(text).toContain(part);
  });
});
