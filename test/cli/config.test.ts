import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readConfig } from '../../src/cli/config.ts';
import { manifest } from '../../src/probes/debug-pod.ts';
import { withDefaults } from '../../src/probes/pod-defaults.ts';

const home = mkdtempSync(join(tmpdir(), 'k8s-doctor-config-'));
const file = join(home, 'team.yaml');

function written(content: string): string {
  writeFileSync(file, content);
  return file;
}

const whole = `
image: registry.example.com/mirror/busybox:1.37
nodeImage: registry.example.com/mirror/kube-proxy:v1.35.4
ignore: accepted.yaml
debugPods:
  labels: {team: platform}
  annotations: {owner: "on-call"}
  tolerations: [{key: dedicated, operator: Exists, effect: NoSchedule}]
  priorityClassName: low
`;

test('without a file nothing is set', () => {
  expect(readConfig(undefined, { HOME: home })).toEqual({ image: undefined, nodeImage: undefined, accepted: [], pods: undefined });
});

test('a file, whose list of accepted causes is beside it', () => {
  writeFileSync(join(home, 'accepted.yaml'), '- {code: no-replicas, namespace: batch, reason: scaled by KEDA}');
  expect(readConfig(written(whole), {})).toEqual({
    image: 'registry.example.com/mirror/busybox:1.37',
    nodeImage: 'registry.example.com/mirror/kube-proxy:v1.35.4',
    accepted: [{ code: 'no-replicas', namespace: 'batch', reason: 'scaled by KEDA' }],
    pods: {
      labels: { team: 'platform' },
      annotations: { owner: 'on-call' },
      tolerations: [{ key: 'dedicated', operator: 'Exists', effect: 'NoSchedule' }],
      priorityClassName: 'low',
    },
  });
});

test('the file of the user is found', () => {
  mkdirSync(join(home, '.config', 'k8s-doctor'), { recursive: true });
  writeFileSync(join(home, '.config', 'k8s-doctor', 'config.yaml'), 'image: mine');
  expect(readConfig(undefined, { HOME: home }).image).toBe('mine');
  writeFileSync(join(home, 'other.yaml'), 'image: other');
  expect(readConfig(undefined, { HOME: home, K8S_DOCTOR_CONFIG: join(home, 'other.yaml') }).image).toBe('other');
});

test('variables go before the file', () => {
  const env = {
    K8S_DOCTOR_IMAGE: 'other',
    K8S_DOCTOR_LABELS: 'team=web,cost=7',
    K8S_DOCTOR_TOLERATIONS: '[{operator: Exists}]',
    K8S_DOCTOR_PRIORITY_CLASS: 'high',
  };
  expect(readConfig(written('image: mine\ndebugPods: {labels: {team: platform, zone: a}}'), env)).toMatchObject({
    image: 'other',
    pods: { labels: { team: 'web', zone: 'a', cost: '7' }, tolerations: [{ operator: 'Exists' }], priorityClassName: 'high' },
  });
});

test.each([
  ['imagee: x', {}, `${file}: there is no field "imagee"; there are image, nodeImage`],
  ['image: 7', {}, `${file}: image wants a text.`],
  ['image: [', {}, `${file} is not YAML`],
  ['- a', {}, `${file} is a list; write the fields image, `],
  ['debugPods: {labels: {"a b": c}}', {}, `${file}: debugPods.labels.a b is no valid key.`],
  ['debugPods: {labels: {a: 1}}', {}, `${file}: debugPods.labels.a wants a text; put it in quotes.`],
  ['debugPods: {tolerations: [{effect: Never}]}', {}, `${file}: debugPods.tolerations.0.effect wants NoSchedule, PreferNoSchedule or NoExecute.`],
  ['ignore: away.yaml', {}, 'The list of accepted causes '],
  ['{}', { K8S_DOCTOR_LABELS: 'team' }, 'K8S_DOCTOR_LABELS: "team" has no value; write key=value,key=value.'],
  ['{}', { K8S_DOCTOR_TOLERATIONS: '{}' }, 'K8S_DOCTOR_TOLERATIONS: the whole wants a list.'],
])('%s is refused by a sentence that names the place', (content, env, message) => {
  expect(() => readConfig(written(content), env)).toThrow(message);
});

test('a file that is not there', () => {
  expect(() => readConfig(join(home, 'none.yaml'), {})).toThrow('none.yaml cannot be read (ENOENT).');
});

test("a debug pod has the team's labels, and keeps its own", () => {
  const pod = manifest('x', { namespace: 'shop', image: 'busybox', owner: 'me', labels: { app: 'client' }, script: 'true' });
  const defaults = {
    labels: { app: 'other', team: 'web' },
    annotations: { 'k8s-doctor/owner': 'you', a: 'b' },
    tolerations: [{ operator: 'Exists' }],
    priorityClassName: 'low',
  };
  expect(withDefaults(pod, defaults)).toMatchObject({
    metadata: { labels: { app: 'client', team: 'web', 'app.kubernetes.io/managed-by': 'k8s-doctor' }, annotations: { 'k8s-doctor/owner': 'me', a: 'b' } },
    spec: { tolerations: [{ operator: 'Exists' }], priorityClassName: 'low', restartPolicy: 'Never' },
  });
});
