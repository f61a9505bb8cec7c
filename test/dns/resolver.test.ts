/** Which questions a resolver asks: resolv.conf(5); musl's src/network/lookup_name.c for where it differs. */
import { describe, expect, test } from 'vitest';
import { questionsFor, wasted, workingForms } from '../../src/dns/resolver.ts';

const pod = { search: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'], ndots: 5 };
const right = 'web.shop.svc.cluster.local';

describe('the search list', () => {
  test('fewer dots than ndots: the list first, the name itself last', () => {
    expect(questionsFor('web', pod, 'glibc')).toEqual([right, 'web.svc.cluster.local', 'web.cluster.local', 'web']);
  });
  test('as many dots as ndots: the name first; glibc goes on to the list, musl does not', () => {
    const conf = { ...pod, ndots: 1 };
    expect(questionsFor('web.shop', conf, 'glibc')).toEqual([
      'web.shop',
      'web.shop.shop.svc.cluster.local',
      'web.shop.svc.cluster.local',
      'web.shop.cluster.local',
    ]);
    expect(questionsFor('web.shop', conf, 'musl')).toEqual(['web.shop']);
  });
  test('a trailing dot leaves the list out', () => {
    expect(questionsFor(`${right}.`, pod, 'glibc')).toEqual([right]);
  });
  test('without a list the name is asked for as it is', () => {
    expect(questionsFor('web', { search: [], ndots: 1 }, 'musl')).toEqual(['web']);
  });
});

describe('what a lookup costs', () => {
  test('the full name costs three failing questions, the short one none', () => {
    expect(wasted(right, right, pod)).toBe(3);
    expect(wasted('web', right, pod)).toBe(0);
    expect(wasted('web.shop', right, pod)).toBe(1);
  });
  test('a name that never resolves to it', () => {
    expect(wasted('web', right, { search: ['other.svc.cluster.local'], ndots: 5 })).toBeNull();
  });
  test('which forms work depends on the namespace of who asks', () => {
    const service = { name: 'web', namespace: 'shop', domain: 'cluster.local' };
    expect(workingForms(service, pod)).toEqual(['web', 'web.shop', 'web.shop.svc', right]);
    expect(workingForms(service, { ...pod, search: ['pay.svc.cluster.local', 'svc.cluster.local', 'cluster.local'] })).toEqual([
      'web.shop',
      'web.shop.svc',
      right,
    ]);
    expect(workingForms(service, { search: [], ndots: 1 })).toEqual([right]);
  });
});
