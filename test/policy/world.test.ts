/** A world of API objects, as manifests and the API server give them: who is there, and who may reach whom. */
import { describe, expect, test } from 'vitest';
import { byAddress, byName, namespaceLabelsOf, reach, worldOf } from '../../src/policy/world.ts';

const container = (ports: object[] = [], more: object = {}) => ({ name: 'c', image: 'i', ports, ...more });
const http = { name: 'http', containerPort: 8080 };
const pod = (name: string, more: { meta?: object; spec?: object; status?: object } = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels: { app: name }, ...more.meta },
  spec: { containers: [container([http])], ...more.spec },
  ...(more.status && { status: more.status }),
});
const namespace = (name: string, labels: object = {}) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
const node = (name: string, ...addresses: object[]) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'kubernetes.io/hostname': name } },
  status: { addresses },
});
const only = (...objects: object[]) => {
  const [party, ...more] = worldOf(objects).pods;
  expect(more).toEqual([]);
  return party;
};

describe('pods', () => {
  test('with labels, ports, node and addresses', () => {
    const given = pod('web', { spec: { nodeName: 'node1' }, status: { podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] } });
    expect(only(namespace('shop', { team: 'a' }), given)).toEqual({
      index: 0,
      node: null,
      addresses: ['10.0.0.1', 'fd00::1'],
      pod: {
        namespace: 'shop',
        name: 'web',
        labels: { app: 'web' },
        namespaceLabels: { 'kubernetes.io/metadata.name': 'shop', team: 'a' },
        hostNetwork: false,
        node: 'node1',
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      },
    });
  });
  test('one address alone, or none yet', () => {
    expect(only(pod('web', { status: { podIP: '10.0.0.1' } }))?.addresses).toEqual(['10.0.0.1']);
    expect(only(pod('web'))).toMatchObject({ addresses: [], pod: { node: null } });
  });
  test('ports of containers, and of those that are started before them and stay (KEP-753)', () => {
    const init = [container([{ containerPort: 1 }]), container([{ containerPort: 2, protocol: 'UDP' }], { restartPolicy: 'Always' })];
    expect(only(pod('web', { spec: { containers: [container([http]), container([{ containerPort: 9 }])], initContainers: init } }))?.pod?.ports).toEqual([
      { name: 'http', port: 8080, protocol: 'TCP' },
      { name: '', port: 9, protocol: 'TCP' },
      { name: '', port: 2, protocol: 'UDP' },
    ]);
  });
  test('without a namespace they are in the one called default', () => {
    expect(only(pod('web', { meta: { namespace: undefined } }))?.pod).toMatchObject({
      namespace: 'default',
      namespaceLabels: { 'kubernetes.io/metadata.name': 'default' },
    });
  });
  test('that finished do not count', () => {
    for (const phase of ['Succeeded', 'Failed']) expect(worldOf([pod('job', { status: { phase } })]).pods, phase).toEqual([]);
    expect(worldOf([pod('job', { status: { phase: 'Running' } })]).pods).toHaveLength(1);
  });
  test('of one namespace share its labels', () => {
    const { pods } = worldOf([pod('a'), pod('b')]);
    expect(pods[0]?.pod?.namespaceLabels).toBe(pods[1]?.pod?.namespaceLabels);
  });
});

test.each(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job'])('a %s is one pod of its template, without an address', (kind) => {
  const workload = {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'web', namespace: 'shop' },
    spec: { template: { metadata: { labels: { app: 'web' } }, spec: { hostNetwork: true, containers: [container([http])] } } },
  };
  expect(only(workload)).toMatchObject({ index: 0, addresses: [], pod: { namespace: 'shop', name: 'web', labels: { app: 'web' }, hostNetwork: true } });
  expect(worldOf([{ ...workload, kind: 'Rollout' }]).pods).toEqual([]);
  expect(worldOf([pod('a'), workload]).pods.map((p) => p.index)).toEqual([0, 1]);
});

test('nodes have their addresses, and not their names', () => {
  const { nodes } = worldOf([
    node('node1', { type: 'InternalIP', address: '192.0.2.1' }, { type: 'ExternalIP', address: '203.0.113.1' }, { type: 'Hostname', address: 'node1' }),
  ]);
  expect(nodes).toEqual([{ pod: null, node: { name: 'node1', labels: { 'kubernetes.io/hostname': 'node1' } }, addresses: ['192.0.2.1', '203.0.113.1'] }]);
  expect(worldOf([node('node2')]).nodes[0]?.addresses).toEqual([]);
});

test('namespaces that are there as objects, with their labels', () => {
  expect([...worldOf([namespace('shop', { team: 'a' }), pod('x', { meta: { namespace: 'other' } })]).namespaces]).toEqual([['shop', { team: 'a' }]]);
  expect(namespaceLabelsOf('shop', undefined)).toEqual({ 'kubernetes.io/metadata.name': 'shop' });
});

describe('policies', () => {
  const deny = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'deny' }, spec: { podSelector: {} } };
  const calico = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'NetworkPolicy',
    metadata: { name: 'c', namespace: 'shop' },
    spec: { ingress: [{ action: 'Deny' }] },
  };
  test('of Kubernetes and of others, by the version of their API', () => {
    const world = worldOf([deny, calico]);
    expect(world.policies.all.map((p) => [p.kind, p.namespace])).toEqual([
      ['NetworkPolicy', 'default'],
      ['Calico NetworkPolicy', 'shop'],
    ]);
    expect(world.networkPolicies.map((p) => p.metadata)).toMatchObject([{ name: 'deny', namespace: 'default' }]);
    expect(world.unread).toEqual([]);
  });
  test('that can not be read are listed', () => {
    const broken = { ...calico, spec: { selector: 'a ==', ingress: [] } };
    expect(worldOf([broken]).unread).toMatchObject([{ object: 'NetworkPolicy "c"' }]);
    expect(() => worldOf([{ ...deny, spec: { podSelector: 5 } }])).toThrow('Expected Object but received 5');
  });
  test('both sides of a connection', () => {
    const closed = { ...deny, metadata: { name: 'deny', namespace: 'shop' } };
    const world = worldOf([pod('web'), pod('api'), pod('far', { meta: { namespace: 'other' } }), closed]);
    const [web, far] = [byName(world, 'shop', 'web'), byName(world, 'other', 'far')];
    if (!web || !far) throw new Error('both are there');
    expect(reach(world.policies, far, web, { port: 80, protocol: 'TCP' })).toMatchObject({
      verdict: 'denied',
      egress: { verdict: 'allowed' },
      ingress: { verdict: 'denied' },
    });
    expect(reach(world.policies, web, far, { port: 80, protocol: 'TCP' }).verdict).toBe('allowed');
    expect(byName(world, 'other', 'web')).toBeUndefined();
  });
});

describe('whose an address is', () => {
  const world = worldOf([
    pod('web', { status: { podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] } }),
    pod('one', { status: { podIP: '10.0.0.2' } }),
    pod('agent', { spec: { hostNetwork: true, nodeName: 'node1' }, status: { podIP: '192.0.2.1' } }),
    pod('other-agent', { spec: { hostNetwork: true, nodeName: 'node9' }, status: { podIP: '192.0.2.9' } }),
    pod('lost-agent', { spec: { hostNetwork: true }, status: { podIP: '192.0.2.8' } }),
    node('node1', { type: 'InternalIP', address: '192.0.2.1' }),
  ]);
  test("a pod's, with that address alone", () => {
    expect(byAddress(world, 'fd00::1')).toMatchObject({ addresses: ['fd00::1'], pod: { name: 'web' } });
    expect(byAddress(world, '10.0.0.2')).toBe(world.pods[1]);
  });
  test("a node's, which pods on its network share", () => {
    expect(byAddress(world, '192.0.2.1')).toMatchObject({ pod: null, node: { name: 'node1', labels: { 'kubernetes.io/hostname': 'node1' } } });
    // The node itself may not be known.
    expect(byAddress(world, '192.0.2.9')).toEqual({ pod: null, node: { name: 'node9', labels: {} }, addresses: ['192.0.2.9'] });
    expect(byAddress(world, '192.0.2.8').node?.name).toBe('');
  });
  test("nobody's in the cluster", () => expect(byAddress(world, '203.0.113.9')).toEqual({ pod: null, node: null, addresses: ['203.0.113.9'] }));
});
