import { describe, expect, test } from 'vitest';
import { historyOf, ownersOf } from '../../src/facts/tracked.ts';

describe('who owns an object', () => {
  test.each([
    ['Helm', { annotations: { 'meta.helm.sh/release-name': 'web' } }, 'Helm release "web"', false],
    ['Argo CD by its annotation', { annotations: { 'argocd.argoproj.io/tracking-id': 'shop:apps/Deployment:shop/web' } }, 'Argo CD application "shop"', true],
    ['Argo CD by its label', { labels: { 'argocd.argoproj.io/instance': 'shop' } }, 'Argo CD application "shop"', true],
    ['Flux', { labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps' } }, 'Flux Kustomization "apps"', true],
    ['an operator', { ownerReferences: [{ kind: 'Postgres', name: 'db', controller: true }] }, 'Postgres "db"', true],
    ['a field manager', { managedFields: [{ manager: 'Terraform' }] }, 'Terraform', false],
    ['the addon manager', { labels: { 'addonmanager.kubernetes.io/mode': 'Reconcile' } }, "the cluster's addon manager (Reconcile)", true],
  ])('%s', (_, meta, name, reverts) => {
    expect(ownersOf(meta)).toEqual([{ name, reverts }]);
  });
  test('what Kubernetes itself owns, and what nobody owns', () => {
    expect(ownersOf({ ownerReferences: [{ kind: 'ReplicaSet', name: 'web-1', controller: true }] })).toEqual([]);
    expect(ownersOf({ labels: { app: 'web', constructor: 'x' }, managedFields: [{ manager: 'kubectl-edit' }] })).toEqual([]);
  });
  test('one tool that left several signs is named once', () => {
    const meta = { labels: { 'argocd.argoproj.io/instance': 'shop' }, managedFields: [{ manager: 'argocd-controller' }] };
    expect(ownersOf(meta)).toEqual([{ name: 'Argo CD application "shop"', reverts: true }]);
  });
});

describe('who set which fields', () => {
  const entry = (manager: string, time: string, fieldsV1: object, subresource?: string) => ({
    manager,
    operation: 'Update',
    time,
    fieldsV1,
    ...(subresource && { subresource }),
  });
  test('paths without values, the newest first; status and annotations are left out', () => {
    const history = historyOf([
      entry('kubectl-create', '2026-01-01T00:00:00Z', {
        'f:spec': { 'f:ports': { '.': {}, 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:targetPort': {} } }, 'f:selector': {} },
      }),
      entry('kubectl-edit', '2026-01-02T00:00:00Z', { 'f:metadata': { 'f:annotations': { 'f:note': {} } }, 'f:spec': { 'f:selector': { 'f:app': {} } } }),
      entry('kube-controller-manager', '2026-01-03T00:00:00Z', { 'f:status': { 'f:replicas': {} } }, 'status'),
    ]);
    expect(history).toEqual([
      { manager: 'kubectl-edit', operation: 'Update', time: '2026-01-02T00:00:00Z', fields: ['spec.selector.app'] },
      { manager: 'kubectl-create', operation: 'Update', time: '2026-01-01T00:00:00Z', fields: ['spec.ports.targetPort', 'spec.selector'] },
    ]);
  });
  test('names of variables are not kept', () => {
    const fieldsV1 = {
      'f:spec': {
        'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"web"}': { 'f:env': { 'k:{"name":"DB_PASSWORD"}': { 'f:value': {} } }, 'f:image': {} } } } },
      },
    };
    expect(JSON.stringify(historyOf([entry('x', '2026-01-01T00:00:00Z', fieldsV1)]))).not.toMatch(/PASSWORD|env/);
  });
});
