/** What is left out of objects before they become facts. */
import { describe, expect, test } from 'vitest';
import { parseCorefile } from '../../src/dns/corefile.ts';
import { withoutCredentials, withoutTokens } from '../../src/gather/reduced.ts';

describe('a Corefile', () => {
  const secret = 'hunterZ9x7';
  test.each([
    `etcd { credentials root ${secret} }`,
    `route53 example.org.:Z1 {\n  aws_access_key AKID ${secret}\n }`,
    `azure rg:example.org {\n  tenant t\n  secret ${secret}\n }`,
    `tsig {\n  secret example.org. ${secret}==\n }`,
    `kubernetes cluster.local {\n  endpoint https://user:${secret}@10.0.0.1\n }`,
  ])('keeps its directives: %j', (plugin) => {
    const shared = withoutCredentials(`.:53 {\n ${plugin.replaceAll('{ ', '{\n  ').replaceAll(' }', '\n }')}\n cache 30\n}\n`);
    expect(shared).not.toContain(secret);
    expect(parseCorefile(shared).servers[0]?.plugins.map((p) => p.name)).toEqual([plugin.split(' ')[0], 'cache']);
  });
  test('without secrets stays as it is', () => {
    const corefile =
      '.:53 {\n errors\n kubernetes cluster.local in-addr.arpa ip6.arpa {\n  pods insecure\n }\n forward . tls://1.1.1.1 {\n  tls_servername one.one.one.one\n }\n}\n';
    expect(withoutCredentials(corefile)).toBe(corefile);
  });
});

test('a question is repeated without the tokens in its paths', () => {
  const from = { kind: 'pod', namespace: 'shop', name: 'client' } as const;
  const target = { namespace: 'shop', name: 'web', from, probe: 'auto' } as Parameters<typeof withoutTokens>[0];
  expect(withoutTokens(target)).toEqual(target);
  const front = { kind: 'url', namespace: '', name: '', host: 'shop.example.com', path: '/cart?token=abc' } as const;
  expect(withoutTokens({ ...target, http: '/health?api_key=abc&x=1', front })).toEqual({
    ...target,
    http: '/health?api_key=‹redacted›&x=1',
    front: { ...front, path: '/cart?token=‹redacted›' },
  });
});
