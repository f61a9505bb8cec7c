import { describe, expect, test } from 'vitest';
import { byCause } from '../../src/scan/by-cause.ts';
import type { Scanned } from '../../src/scan/judge.ts';
import type { Finding } from '../../src/verdict/verdict.ts';

const service = (name: string, code: string, object: Finding['object'], status: Scanned['status'] = 'faulty'): Scanned => ({
  kind: 'Service',
  context: 'test',
  namespace: 'shop',
  name,
  type: 'ClusterIP',
  ports: [],
  endpoints: { ready: 0, total: 0 },
  status,
  summary: '',
  ignored: [],
  probed: false,
  from: 'namespace/shop',
  causes: [{ code, object, message: `${code} of ${name}` } as Finding],
});
const node = (name: string) => ({ kind: 'Node', namespace: '', name });
const own = (name: string) => ({ kind: 'Service', namespace: 'shop', name });

describe('Services by their cause', () => {
  test('nodes are one cause, whichever of them a Service meets', () => {
    const groups = byCause([
      service('a', 'node-not-ready', node('n1')),
      service('b', 'node-not-ready', node('n2')),
      service('c', 'node-not-ready', node('n1')),
    ]);
    expect(groups).toMatchObject([{ code: 'node-not-ready', about: '2 nodes' }]);
    expect(groups[0]?.services.map((s) => s.name)).toEqual(['a', 'b', 'c']);
  });
  test("a part of the cluster that all share is one; what is a Service's own stays with it", () => {
    const coredns = { kind: 'Deployment', namespace: 'kube-system', name: 'coredns' };
    const groups = byCause([
      service('a', 'selector-mismatch', own('a')),
      service('b', 'dns-pods-down', coredns),
      service('c', 'selector-mismatch', own('c')),
      service('d', 'dns-pods-down', coredns),
    ]);
    expect(groups.map((g) => [g.code, g.about, g.services.length])).toEqual([
      ['dns-pods-down', 'Deployment kube-system/coredns', 2],
      ['selector-mismatch', '', 1],
      ['selector-mismatch', '', 1],
    ]);
  });
  test('the worst come first, then those that stop most; healthy ones have no cause', () => {
    const healthy = { ...service('h', '', own('h'), 'healthy'), causes: [] };
    const groups = byCause([service('a', 'rollout-stalled', own('a'), 'degraded'), healthy, service('b', 'selector-mismatch', own('b'))]);
    expect(groups.map((g) => g.status)).toEqual(['faulty', 'degraded']);
  });
});
