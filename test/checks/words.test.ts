/** How checks write lists, clients, connections and commands. */
import { describe, expect, test } from 'vitest';
import { fixBy, kubectl, patch, patchOf, quote, restartOf } from '../../checks/fix.ts';
import { clientText, outcomeText, overFamily, overFamilyOf, plural, probeEvidence, resultText, some } from '../../checks/format.ts';
import { onNode } from '../../checks/on-node.ts';
import { inFront, pipeline, pipelineFor } from '../../checks/pipeline.ts';
import { seen, unseen } from '../../src/facts/fact.ts';
import type { Client, Connection, Target } from '../../src/facts/facts.ts';
import { recordingOf, valueOf } from '../support/recordings.ts';

test('counts and lists', () => {
  expect([plural(1, 'pod'), plural(2, 'pod'), plural(0, 'policy', 'policies')]).toEqual(['1 pod', '2 pods', '0 policies']);
  expect(some(['a', 'b', 'c'])).toBe('a, b, c');
  expect(some(['a', 'b', 'c', 'd', 'e'])).toBe('a, b, c and 2 more');
  expect(some(['a', 'b'], 1)).toBe('a and 1 more');
  expect(some([])).toBe('');
});

test('a family is named where only some of two are meant', () => {
  const both = ['10.0.0.1', 'fd00::1'];
  expect(overFamily(['fd00::1'], both)).toBe(' over IPv6');
  expect(overFamily(['10.0.0.1', '10.0.0.2'], both)).toBe(' over IPv4');
  expect(overFamily(both, both)).toBe('');
  expect(overFamily([], both)).toBe('');
  expect(overFamily(['10.0.0.1'], ['10.0.0.1', '10.0.0.2'])).toBe('');
});

describe('who connects', () => {
  const target = (from: Partial<Target['from']>) => ({ from: { kind: 'pod', name: '', namespace: '', ...from } }) as unknown as Target;
  const client = (kind: Client['kind']) => ({ kind, name: 'x', namespace: 'shop' }) as Client;
  test.each([
    [target({ kind: 'external' }), null, 'outside the cluster'],
    [target({ name: 'till' }), null, 'pod/till'],
    [target({ kind: 'namespace', namespace: 'web' }), undefined, 'namespace/web'],
    [target({}), client('pod'), 'pod/x'],
    [target({}), client('node'), 'node/x'],
    [target({}), client('external'), 'outside the cluster'],
    [target({}), client('debug-pod'), 'a pod in namespace shop'],
  ] as const)('%#: %j', (asked, who, text) => expect(clientText(asked, who)).toBe(text));
});

describe('a connection', () => {
  const made: Connection = {
    kind: 'tcp',
    hop: 'endpoint',
    target: '10.244.1.5:8080',
    servicePort: 80,
    pod: null,
    node: null,
    outcome: 'answered',
    latencyMs: 3,
    detail: '',
    answers: [],
  };
  const line = (edits: Partial<Connection>) => probeEvidence('pod/till', { ...made, ...edits });
  test('as a line of evidence', () => {
    expect(line({})).toEqual({ source: 'probe', text: 'pod/till → 10.244.1.5:8080  answered' });
    expect(line({ from: 'node/node2', pod: 'web-1' }).text).toBe('node/node2 → 10.244.1.5:8080 (pod web-1)  answered');
    expect(line({ outcome: 'timed-out', latencyMs: 2040 }).text).toBe('pod/till → 10.244.1.5:8080  timed out after 2.0 s');
    expect(line({ outcome: 'timed-out', latencyMs: null }).text).toBe('pod/till → 10.244.1.5:8080  timed out');
    expect(line({ outcome: 'refused', latencyMs: 2040 }).text).toBe('pod/till → 10.244.1.5:8080  connection refused');
    expect(line({ kind: 'dns', target: 'web', answers: ['10.96.0.1', '10.96.0.2'] }).text).toBe('pod/till → web  answered: 10.96.0.1, 10.96.0.2');
    expect(line({ kind: 'dns', target: 'web', outcome: 'dns-failed', answers: ['10.96.0.1'] }).text).toBe('pod/till → web  the DNS server reported a failure');
  });
  test('without an answer over UDP proves nothing', () => {
    expect(resultText({ ...made, outcome: 'no-answer' })).toBe('no answer (over UDP this proves nothing)');
    expect(resultText({ ...made, outcome: 'reset' })).toBe('connection reset');
    expect(outcomeText('no-answer')).toBe('no answer');
  });
  test('of one family among those of two', () => {
    const six = { ...made, target: '[fd00::1]:80' };
    expect(overFamilyOf([six], [six, made])).toBe(' over IPv6');
    expect(overFamilyOf([made], [six, made])).toBe(' over IPv4');
    expect(overFamilyOf([made], [made])).toBe('');
  });
});

describe('commands', () => {
  test('words are quoted for a shell where they need it', () => {
    expect(quote('10.96.0.1/32')).toBe('10.96.0.1/32');
    expect(quote("it's {a}")).toBe(`'it'\\''s {a}'`);
    expect(quote('')).toBe("''");
    expect(kubectl('', 'get', 'nodes')).toBe('kubectl get nodes');
    expect(kubectl('shop', 'get', 'pod', 'a b')).toBe("kubectl -n shop get pod 'a b'");
  });
  test('of each way to change something', () => {
    const web = { namespace: 'shop', kind: 'deployment', name: 'web' };
    const body = { spec: { replicas: 1 } };
    expect(patchOf('shop', 'deployment/web', body)).toEqual({ how: 'patch', ...web, type: 'merge', body });
    expect(patch('Scale', 'shop', 'deployment/web', body)).toEqual({
      text: 'Scale',
      command: `kubectl -n shop patch deployment web --type=merge -p '{"spec":{"replicas":1}}'`,
      changes: [{ how: 'patch', ...web, type: 'merge', body }],
    });
    expect(patch('Scale', 'shop', 'deployment/web', [], 'json').command).toBe("kubectl -n shop patch deployment web --type=json -p '[]'");
    expect(fixBy('Begin again', restartOf('shop', 'web-1'), { how: 'roll-back', ...web, replicaSet: 'web-1' }).command).toBe(
      'kubectl -n shop delete pod web-1 && kubectl -n shop rollout undo deployment/web',
    );
    expect(fixBy('Allow', { how: 'create', ...web, manifest: { kind: 'NetworkPolicy' } }).command).toBe(
      `printf %s '{"kind":"NetworkPolicy"}' | kubectl create -f -`,
    );
  });
  test('on a node, in its kube-proxy pod where one is ready there', () => {
    const pods = valueOf(recordingOf('healthy').facts.proxyPods);
    const [first] = pods;
    const node = first?.spec.nodeName ?? '';
    expect(pods.length).toBeGreaterThan(1);
    for (const pod of pods)
      expect(onNode(pod.spec.nodeName ?? '', seen(pods), 'ip', 'rule')).toBe(`kubectl -n kube-system exec ${pod.metadata.name} -- ip rule`);
    const notReady = pods.map((p) => ({ ...p, status: { ...p.status, conditions: [] } }));
    expect(onNode(node, seen(notReady), 'ip', 'rule')).toBe(`ip rule   # on ${node}`);
    expect(onNode('node9', seen(pods), 'ip', 'rule')).toBe('ip rule   # on node9');
    expect(onNode(node, unseen('forbidden', 'pods', 'not allowed'), 'ip', 'rule')).toBe(`ip rule   # on ${node}`);
  });
});

test('what is in front is judged before the Service, and alone where there is none', () => {
  expect(pipelineFor({ name: 'web' })).toBe(pipeline);
  expect(pipelineFor({ front: { kind: 'ingress' }, name: 'web' })).toEqual([...inFront, ...pipeline]);
  expect(pipelineFor({ front: { kind: 'ingress' }, name: '' })).toBe(inFront);
  expect(pipelineFor({ front: { kind: 'webhook' }, name: '' }).map((c) => c.id)).toContain('api-server/registered');
  expect(pipelineFor({ front: { kind: 'webhook' }, name: 'web' }).at(-1)).toBe(pipeline.at(-1));
});
