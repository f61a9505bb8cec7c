import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
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
  ])('hides the secret of %j', (text, secret) => {
    expect(redact(text)).not.toContain(secret);
  });

  test.each(['missing DATABASE_URL', 'Readiness probe failed: HTTP probe failed with statuscode: 404', 'listening on 0.0.0.0:8080', 'http://10.0.0.1:80/x'])(
    'leaves %j as it is',
    (text) => {
      expect(redact(text)).toBe(text);
    },
  );

  test('takes no long time, whatever it is given', () => {
    fc.assert(fc.property(fc.string({ maxLength: 2000 }), (text) => redact(redact(text)) === redact(text) || redact(text).includes('‹redacted›')));
  });

  test('reaches into objects and lists', () => {
    expect(redactDeep({ a: ['token=abc'], n: 1, z: null })).toEqual({ a: ['token=‹redacted›'], n: 1, z: null });
  });
});
