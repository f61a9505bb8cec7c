/** Pods that keep a template which their workload had before, on facts of a real cluster. */
import { describe, expect, test } from 'vitest';
import { seen, unseen } from '../../src/facts/fact.ts';
import type { Facts } from '../../src/facts/facts.ts';
import type { Pod, Workload } from '../../src/facts/objects.ts';
import { pipelineFor } from '../../checks/pipeline.ts';
import { reasoned, targetOf } from '../../src/verdict/judge.ts';
import { whatIf } from '../../src/what-if/what-if.ts';
import { all, type Edit, edited } from '../support/edits.ts';
import { reportOf, recordingOf, valueOf } from '../support/recordings.ts';

describe('pods of an old template that are not ready', () => {
  const judged = (incident: string, ...edits: Edit[]) => reportOf('pods/updated', all(...edits), incident);
  const set = (change: (w: Workload) => void): Edit => edited('statefulSets', (list) => list.forEach(change));
  const deployment = (change: (w: Workload) => void): Edit => edited('deployments', (list) => list.forEach(change));
  const messages = (incident: string, ...edits: Edit[]) => judged(incident, ...edits).findings.map((f) => f.message);
  const byRevision = set((w) => void (w.spec.updateStrategy = { type: 'RollingUpdate' }));
  test('a Deployment that is paused: none of its pods is of the template', () => {
    expect(messages('deployment-paused')).toEqual([expect.stringMatching(/ are not ready and keep an old template: Deployment "shop" is paused$/)]);
    expect(
      messages(
        'deployment-paused',
        deployment((w) => void (w.spec.paused = false)),
      ),
    ).toEqual([]);
    expect(
      messages(
        'deployment-paused',
        deployment((w) => void (w.status.updatedReplicas = 1)),
      ),
    ).toEqual([]);
  });
  test('a StatefulSet that waits for a broken pod, but not one that replaces all at once', () => {
    expect(judged('stateful-set-waits')).toMatchObject({
      status: 'fail',
      findings: [
        {
          message: 'pod shop-0 is not ready and keeps an old template: StatefulSet "shop" waits until such a pod is ready before it replaces it',
          fix: [{ text: 'Delete pod shop-0, so that the current template is used', changes: [{ how: 'restart', name: 'shop-0' }] }],
        },
      ],
    });
    expect(
      messages(
        'stateful-set-waits',
        set((w) => void (w.spec.podManagementPolicy = 'Parallel')),
      ),
    ).toEqual([]);
    expect(
      messages(
        'stateful-set-waits',
        set((w) => void (w.status.updateRevision = null)),
      ),
    ).toEqual([]);
    const isNew = edited('pods', (list) => list.forEach((p) => void (p.metadata.labels['controller-revision-hash'] = 'new')));
    expect(
      messages(
        'stateful-set-waits',
        isNew,
        set((w) => void (w.status.updateRevision = 'new')),
      ),
    ).toEqual([]);
  });
  test('a partition keeps the pods below it', () => {
    const partition = (n: number) => set((w) => void (w.spec.updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: n } }));
    const found = judged('stateful-set-on-delete', partition(1)).findings;
    expect(found.map((f) => f.pods)).toEqual([['shop-0']]);
    expect(found).toMatchObject([
      {
        message: '1 of 2 pods (shop-0) is not ready and keeps an old template: StatefulSet "shop" has partition 1',
        fix: [{ changes: [{ body: { spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } } }] }],
      },
    ]);
    expect(judged('stateful-set-on-delete', partition(2)).findings[0]?.pods).toEqual(['shop-0', 'shop-1']);
    // One that goes on pod by pod would wait for the broken one.
    expect(judged('stateful-set-partition').findings).toMatchObject([
      {
        fix: [{ text: 'Set the partition of StatefulSet "shop" to 0, and delete the pods that it waits for', changes: [{ how: 'patch' }, { how: 'restart' }] }],
      },
    ]);
    expect(messages('stateful-set-on-delete', byRevision)).toEqual([]);
  });
  test('a workload that replaces pods when somebody deletes them', () => {
    expect(messages('stateful-set-on-delete')).toEqual([
      '2 of 2 pods (shop-0, shop-1) are not ready and keep an old template: StatefulSet "shop" has updateStrategy OnDelete',
    ]);
    const daemon =
      (status: Workload['status']): Edit =>
      (facts) => {
        const [was] = valueOf(facts.statefulSets);
        const own = was && { ...was, metadata: { ...was.metadata, ownerReferences: [] }, status };
        return {
          ...edited('pods', (l) => l.forEach((p) => p.metadata.ownerReferences.forEach((o) => void (o.kind = 'DaemonSet'))))(facts),
          daemonSets: seen(own ? [own] : []),
        };
      };
    expect(messages('stateful-set-on-delete', daemon({ conditions: [] }))[0]).toMatch(/DaemonSet "shop" has updateStrategy OnDelete$/);
    expect(messages('stateful-set-on-delete', daemon({ conditions: [], updatedNumberScheduled: 1 }))).toEqual([]);
  });
  test('pods that are ready, are going away or have ended are no matter', () => {
    const pods = (change: (p: Pod) => void) => edited('pods', (l) => l.forEach(change));
    expect(messages('healthy-paused')).toEqual([]);
    expect(
      messages(
        'stateful-set-on-delete',
        pods((p) => void (p.metadata.deletionTimestamp = '2026-01-01T00:00:00Z')),
      ),
    ).toEqual([]);
    expect(
      messages(
        'stateful-set-on-delete',
        pods((p) => void (p.status.phase = 'Failed')),
      ),
    ).toEqual([]);
  });
  test('nor those whose owner is not known', () => {
    expect(messages('stateful-set-waits', () => ({ statefulSets: unseen('forbidden', 'statefulsets', 'x') }))).toEqual([]);
    expect(judged('manual-endpoint-unreachable')).toMatchObject({ status: 'skip', reason: 'the Service selects no pods' });
  });
});

describe('a fix that makes a workload use its template', () => {
  const causesOf = (facts: Facts) => reasoned(pipelineFor(targetOf(facts)), facts).verdict.causes;
  test('a Deployment that was created paused', () => {
    expect(reportOf('pods/created', () => ({}), 'deployment-created-paused').findings).toMatchObject([
      {
        code: 'template-not-applied',
        message: 'Deployment "shop" is paused, so its pods are not created',
        fix: [{ changes: [{ body: { spec: { paused: null } } }] }],
      },
    ]);
  });
  test.each([
    ['deployment-paused', 'Deployment'],
    ['deployment-created-paused', 'Deployment'],
    ['stateful-set-waits', 'StatefulSet'],
    ['stateful-set-on-delete', 'StatefulSet'],
    ['stateful-set-partition', 'StatefulSet'],
  ])('%s: healthy, if its pods start', (incident, kind) => {
    const { facts } = recordingOf(incident);
    const [cause] = causesOf(facts);
    const { facts: after, assumes } = whatIf(facts, cause?.fix[0]?.changes ?? []);
    expect(assumes).toEqual([`the pods of ${kind} "shop" start and become ready`]);
    expect(causesOf(after)).toEqual([]);
  });
  test('a partition that is lowered, where all pods are replaced at once', () => {
    const partition = (n: number) =>
      edited('statefulSets', (l) => l.forEach((w) => void (w.spec.updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: n } })));
    const { facts } = recordingOf('stateful-set-on-delete');
    const kept: Facts = { ...facts, ...partition(2)(facts) };
    const lowered = (to: number) =>
      whatIf(kept, [
        {
          how: 'patch',
          kind: 'statefulset',
          namespace: valueOf(facts.target).namespace,
          name: 'shop',
          type: 'merge',
          body: { spec: { updateStrategy: { rollingUpdate: { partition: to } } } },
        },
      ]).assumes;
    expect(lowered(0)).toEqual(['the pods of StatefulSet "shop" start and become ready']);
    expect(lowered(2)).toEqual([]);
  });
  test('a Deployment whose new pods exist already is not healthier for being resumed', () => {
    const { facts } = recordingOf('deployment-paused');
    const tried: Facts = { ...facts, ...edited('deployments', (l) => l.forEach((w) => void (w.status.updatedReplicas = 2)))(facts) };
    const [cause] = causesOf(facts);
    expect(whatIf(tried, cause?.fix[0]?.changes ?? []).assumes).toEqual([]);
  });
  test('the deletion of a pod that is of the template changes nothing', () => {
    const { facts } = recordingOf('stateful-set-waits');
    const [pod] = valueOf(facts.pods).filter((p) => p.metadata.name === 'shop-0');
    const revision = pod?.metadata.labels['controller-revision-hash'] ?? '';
    const same = { ...facts, ...edited('statefulSets', (l) => l.forEach((w) => void (w.status.updateRevision = revision)))(facts) };
    const { facts: after, assumes } = whatIf(same, [{ how: 'restart', kind: 'pod', namespace: pod?.metadata.namespace ?? '', name: 'shop-0' }]);
    expect(assumes).toEqual([]);
    const codes = (f: Facts) => causesOf(f).map((c) => c.code);
    expect(codes(same)).toHaveLength(1);
    expect(codes(after)).toEqual(codes(same));
  });
});
