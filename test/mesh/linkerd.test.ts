/**
 * Linkerd's policies and Istio's ambient mode on whole diagnoses: facts of a real run, in which the mesh's part is replaced by the objects of
 * Linkerd's reference ("Authorization Policy", linkerd.io/2/reference/authorization-policy) and of Istio's ambient documentation.
 */
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { pipeline } from '../../checks/pipeline.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { seen, valueOf } from '../../src/facts/fact.ts';
import type { FactTypes } from '../../src/facts/facts.ts';
import * as m from '../../src/facts/mesh.ts';
import { recordingOf } from '../support/recordings.ts';

type Mesh = NonNullable<FactTypes['mesh']>;

const recording = recordingOf('mesh-strict-outside');
const mesh = valueOf(recording.facts.mesh) as Mesh;
const pods = valueOf(mesh.pods) ?? [];
const namespace = pods[0]?.namespace ?? '';

/** The causes of a run without requests, in which the client and the pods are in a mesh, or not. */
function causes(change: Partial<Mesh>): string[] {
  const { facts } = recording;
  const list = (valueOf(facts.connections) as FactTypes['connections']).list.filter((c) => c.hop !== 'http');
  const target = { ...(valueOf(facts.target) as FactTypes['target']) };
  delete target.http;
  const connections = seen({ ...(valueOf(facts.connections) as FactTypes['connections']), standIn: true, list });
  const changed = { ...facts, target: seen(target), connections, mesh: seen({ ...mesh, peerAuthentications: seen([]), ...change }) };
  const { verdict } = diagnose(pipeline, { ...recording, facts: changed });
  return verdict.causes.map((c) => c.code);
}

const inMesh = (pod: m.MeshPod, container: string, proxySettings: Record<string, string> = {}): m.MeshPod => ({
  ...pod,
  containers: ['web', container],
  proxySettings,
});
const client = valueOf(mesh.client) as m.MeshPod;
const server = (spec: object) =>
  v.parse(m.linkerdServer, { metadata: { name: 'web', namespace }, spec: { podSelector: { matchLabels: { app: 'shop' } }, port: 8080, ...spec } });
const authorization = (kind: string, name: string, target = { kind: 'Server', name: 'web' }) =>
  v.parse(m.linkerdAuthorization, { metadata: { name: 'web', namespace }, spec: { targetRef: target, requiredAuthenticationRefs: [{ kind, name }] } });
const identities = (...names: string[]) => v.parse(m.meshTlsAuthentication, { metadata: { name: 'clients', namespace }, spec: { identities: names } });
const networks = (...cidrs: string[]) =>
  v.parse(m.networkAuthentication, { metadata: { name: 'networks', namespace }, spec: { networks: cidrs.map((cidr) => ({ cidr })) } });

describe('Linkerd', () => {
  const both = { pods: seen(pods.map((p) => inMesh(p, 'linkerd-proxy'))), client: seen(inMesh(client, 'linkerd-proxy')) };
  const outside = { ...both, client: seen(inMesh(client, 'sidecar-of-somebody')) };
  const withServer = { ...both, servers: seen([server({})]) };
  test.each<[string, Partial<Mesh>, string[]]>([
    ['without a policy everybody is let in', outside, []],
    ['a Server without an authorization lets nobody in', withServer, ['mesh-denies']],
    ['its accessPolicy may let all in', { ...both, servers: seen([server({ accessPolicy: 'all-unauthenticated' })]) }, []],
    ['or those with an identity', { ...outside, servers: seen([server({ accessPolicy: 'all-authenticated' })]) }, ['mesh-denies']],
    ['a Server of another port is not meant', { ...both, servers: seen([server({ port: 9090 })]) }, []],
    [
      'an authorization for every identity',
      { ...withServer, linkerdAuthorizations: seen([authorization('MeshTLSAuthentication', 'clients')]), meshTls: seen([identities('*')]) },
      [],
    ],
    [
      'an authorization for every identity, and a client without one',
      {
        ...outside,
        servers: seen([server({})]),
        linkerdAuthorizations: seen([authorization('MeshTLSAuthentication', 'clients')]),
        meshTls: seen([identities('*')]),
      },
      ['mesh-denies'],
    ],
    [
      'an authorization for another identity',
      {
        ...withServer,
        linkerdAuthorizations: seen([authorization('MeshTLSAuthentication', 'clients')]),
        meshTls: seen([identities(`web.${namespace}.serviceaccount.identity.linkerd.cluster.local`)]),
      },
      ['mesh-denies'],
    ],
    ['an authorization by service account', { ...withServer, linkerdAuthorizations: seen([authorization('ServiceAccount', client.serviceAccount)]) }, []],
    [
      'an authorization of the whole namespace',
      { ...withServer, linkerdAuthorizations: seen([authorization('ServiceAccount', client.serviceAccount, { kind: 'Namespace', name: namespace })]) },
      [],
    ],
    [
      'an authorization by network',
      {
        ...outside,
        servers: seen([server({})]),
        linkerdAuthorizations: seen([authorization('NetworkAuthentication', 'networks')]),
        networks: seen([networks('10.244.0.0/16')]),
      },
      [],
    ],
    [
      'an authorization of another network',
      { ...withServer, linkerdAuthorizations: seen([authorization('NetworkAuthentication', 'networks')]), networks: seen([networks('192.168.0.0/16')]) },
      ['mesh-denies'],
    ],
    [
      'default-inbound-policy deny',
      { ...both, pods: seen(pods.map((p) => inMesh(p, 'linkerd-proxy', { 'config.linkerd.io/default-inbound-policy': 'deny' }))) },
      ['mesh-denies'],
    ],
    [
      'default-inbound-policy deny, and the port bypasses the proxy',
      {
        ...both,
        pods: seen(
          pods.map((p) =>
            inMesh(p, 'linkerd-proxy', { 'config.linkerd.io/default-inbound-policy': 'deny', 'config.linkerd.io/skip-inbound-ports': '8000-8100' }),
          ),
        ),
      },
      [],
    ],
    [
      'the client sends the port past its proxy',
      {
        ...both,
        client: seen(inMesh(client, 'linkerd-proxy', { 'config.linkerd.io/skip-outbound-ports': '80' })),
        servers: seen([server({ accessPolicy: 'all-authenticated' })]),
      },
      ['mesh-denies'],
    ],
    [
      'the older ServerAuthorization',
      {
        ...withServer,
        serverAuthorizations: seen([
          v.parse(m.serverAuthorization, {
            metadata: { name: 'old', namespace },
            spec: { server: { name: 'web' }, client: { meshTLS: { identities: ['*'] } } },
          }),
        ]),
      },
      [],
    ],
  ])('%s', (_, change, codes) => {
    expect(causes(change)).toEqual(codes);
  });

  test('a list that could not be read leaves the check unknown, and blames nobody', () => {
    const { facts } = recording;
    const servers = { seen: false as const, reason: 'forbidden' as const, what: 'servers of policy.linkerd.io', why: 'not allowed' };
    const changed = { ...facts, mesh: seen({ ...mesh, ...both, peerAuthentications: seen([]), servers }) };
    const { checks } = diagnose(pipeline, { ...recording, facts: changed });
    expect(checks.find((c) => c.id === 'mesh/authorization')).toMatchObject({ status: 'unknown', reason: 'servers of policy.linkerd.io: not allowed' });
  });
});

describe("Istio's ambient mode", () => {
  const taken = { 'ambient.istio.io/redirection': 'enabled' };
  const ambient = seen(pods.map((p) => ({ ...p, containers: ['web'], proxySettings: taken })));
  const strict = seen([v.parse(m.peerAuthentication, { metadata: { name: 'default', namespace }, spec: { mtls: { mode: 'STRICT' } } })]);
  test.each<[string, Partial<Mesh>, string[]]>([
    ['STRICT keeps a client outside the mesh out', { pods: ambient, peerAuthentications: strict }, ['mesh-tls-required']],
    ['and lets one of the mesh in', { pods: ambient, client: seen({ ...client, proxySettings: taken }), peerAuthentications: strict }, []],
    ['as one with a sidecar', { pods: ambient, client: seen(inMesh(client, 'istio-proxy')), peerAuthentications: strict }, []],
    [
      'its proxy reads no HTTP: a rule with methods matches nothing',
      {
        pods: ambient,
        client: seen({ ...client, proxySettings: taken }),
        authorizations: seen([
          v.parse(m.istioAuthorization, { metadata: { name: 'get', namespace }, spec: { rules: [{ to: [{ operation: { methods: ['GET'] } }] }] } }),
        ]),
      },
      ['mesh-denies'],
    ],
  ])('%s', (_, change, codes) => {
    expect(causes(change)).toEqual(codes);
  });
});
