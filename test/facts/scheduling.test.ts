import { describe, expect, test } from 'vitest';
import { seen } from '../../src/facts/fact.ts';
import { keptOff, requested } from '../../src/facts/scheduling.ts';
import type { Node, Workload } from '../../src/facts/objects.ts';
import { recordingOf, reportOf, valueOf } from '../support/recordings.ts';

const { facts } = recordingOf('healthy-canary');
const [node] = valueOf(facts.nodes) as [Node];
const daemonSet = valueOf(facts.proxyWorkload) as Workload;
const spec = { ...daemonSet.spec.template.spec, tolerations: [] };
const labelled = (labels: Record<string, string>): Node => ({ ...node, metadata: { ...node.metadata, labels: { ...node.metadata.labels, ...labels } } });
const tainted = (key: string, effect = 'NoSchedule'): Node => ({ ...node, spec: { ...node.spec, taints: [{ key, value: '', effect }] } });
type Operator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';
const requiring = (operator: Operator, values: string[]) => ({
  ...spec,
  affinity: {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator, values }] }] } },
  },
});

describe('what keeps a DaemonSet off a node', () => {
  test('nothing', () => expect(keptOff(spec, node)).toBeUndefined());
  test('a nodeSelector', () => {
    expect(keptOff({ ...spec, nodeSelector: { proxy: 'yes' } }, node)).toMatchObject({ field: 'nodeSelector', key: 'proxy' });
    expect(keptOff({ ...spec, nodeSelector: { proxy: 'yes' } }, labelled({ proxy: 'no' }))?.why).toContain('wants proxy=yes');
    expect(keptOff({ ...spec, nodeSelector: { proxy: 'yes' } }, labelled({ proxy: 'yes' }))).toBeUndefined();
  });
  test.each<[Operator, string[], Record<string, string>, boolean]>([
    ['In', ['a'], { zone: 'b' }, true],
    ['In', ['a'], { zone: 'a' }, false],
    ['NotIn', ['a'], { zone: 'a' }, true],
    ['NotIn', ['a'], {}, false],
    ['Exists', [], {}, true],
    ['DoesNotExist', [], { zone: 'a' }, true],
    ['Gt', ['3'], { zone: '2' }, true],
    ['Lt', ['3'], { zone: '2' }, false],
  ])('nodeAffinity %s %j against %j', (operator, values, labels, off) => {
    expect(keptOff(requiring(operator, values), labelled(labels))?.field).toBe(off ? 'affinity' : undefined);
  });
  test('a taint, unless it is tolerated or one that DaemonSets always tolerate', () => {
    expect(keptOff(spec, tainted('gpu'))).toMatchObject({ field: 'tolerations', key: 'gpu' });
    expect(keptOff({ ...spec, tolerations: [{ operator: 'Exists' }] }, tainted('gpu'))).toBeUndefined();
    expect(keptOff({ ...spec, tolerations: [{ key: 'gpu', operator: 'Equal', value: '' }] }, tainted('gpu'))).toBeUndefined();
    expect(keptOff(spec, tainted('node.kubernetes.io/unschedulable'))).toBeUndefined();
    expect(keptOff(spec, tainted('gpu', 'PreferNoSchedule'))).toBeUndefined();
  });
  test('kube-proxy/running names it, with the patch that removes it', () => {
    const { findings } = reportOf('kube-proxy/running', (f) => ({
      nodes: seen(valueOf(f.nodes).map((n, i) => (i === 0 ? n : { ...n, metadata: { ...n.metadata, labels: { ...n.metadata.labels, proxy: 'yes' } } }))),
      proxyPods: seen(valueOf(f.proxyPods).filter((p) => p.spec.nodeName !== node.metadata.name)),
      proxyWorkload: seen({
        ...daemonSet,
        spec: { ...daemonSet.spec, template: { ...daemonSet.spec.template, spec: { ...spec, nodeSelector: { proxy: 'yes' } } } },
      }),
    }));
    expect(findings[0]?.message).toContain(`its nodeSelector wants proxy=yes, and ${node.metadata.name} has no label proxy`);
    expect(findings[0]?.nodes).toEqual([node.metadata.name]);
    expect(findings[0]?.fix[0]?.command).toContain('"nodeSelector":{"proxy":null}');
  });
});

describe('what a pod needs', () => {
  const asks = (cpu: string, restartPolicy?: string) => ({ restartPolicy, resources: { requests: { cpu }, limits: {} } });
  test.each([
    ['its containers together', [], [asks('1'), asks('500m')], 1.5],
    ['sidecars count with them', [asks('2', 'Always')], [asks('1')], 3],
    ['an init container that ends counts where it needs more', [asks('4')], [asks('1'), asks('2')], 4],
    ['and not where it needs less', [asks('2')], [asks('1'), asks('2')], 3],
    ['beside the sidecars that run by then', [asks('1', 'Always'), asks('4'), asks('2', 'Always')], [asks('1')], 5],
    ['a limit is a request where none is named', [], [{ resources: { requests: {}, limits: { cpu: '2' } } }], 2],
    ['nothing', [{}], [{}], 0],
  ])('%s', (_, initContainers, containers, cpus) => {
    expect(requested({ initContainers, containers }, 'cpu')).toBe(cpus);
  });
});
