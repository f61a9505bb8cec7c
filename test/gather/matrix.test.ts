/** Which nodes are chosen of many, and what is created for them; what this machine reaches itself. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { node, service } from '../../src/facts/objects.ts';
import type { Endpoint } from '../../src/facts/selectors.ts';
import { toLoadBalancer } from '../../src/gather/load-balancer-connections.ts';
import { maxNodes, sample } from '../../src/gather/matrix.ts';
import { deadlineS } from '../../src/probes/debug-pod.ts';
import { jobManifest } from '../../src/probes/node-job.ts';
import { buildSpread, readRecords } from '../../src/probes/script.ts';
import { run } from '../support/kubectl.ts';

const nodes = (count: number) => Array.from({ length: count }, (_, i) => v.parse(node, { metadata: { name: `node-${String(i).padStart(3, '0')}` } }));
const on = (name: string): Endpoint => ({ node: name }) as Endpoint;

describe('a sample of the nodes', () => {
  test('a few nodes are all of them', () => {
    expect(sample(nodes(5), 'node-003', []).map((n) => n.metadata.name)).toEqual(nodes(5).map((n) => n.metadata.name));
  });
  test('of hundreds so many: the client, those of endpoints, and others from all over', () => {
    const endpoints = Array.from({ length: 100 }, (_, i) => on(`node-${String(i).padStart(3, '0')}`));
    const chosen = sample(nodes(400), 'node-399', endpoints).map((n) => n.metadata.name);
    expect(chosen).toHaveLength(maxNodes);
    expect(new Set(chosen).size).toBe(maxNodes);
    expect(chosen).toContain('node-399');
    expect(chosen.filter((n) => n < 'node-100').length).toBeGreaterThanOrEqual(maxNodes / 2);
    expect(chosen.some((n) => n > 'node-200' && n < 'node-300')).toBe(true);
  });
});

test('the Job ends and goes by itself, keeps one pod to a node, and asks for no rights', () => {
  const job = jobManifest('x', {
    namespace: 'shop',
    image: 'i',
    owner: 'o',
    labels: { role: 'api' },
    nodes: new Map([
      ['a', 'host-a'],
      ['b', 'host-b'],
    ]),
    script: 'true',
  }) as {
    spec: Record<string, unknown> & { template: { metadata: { labels: Record<string, string> }; spec: Record<string, unknown> & { containers: unknown[] } } };
  };
  expect(job.spec).toMatchObject({ completions: 2, parallelism: 2, backoffLimit: 0, activeDeadlineSeconds: deadlineS, ttlSecondsAfterFinished: 30 });
  const { metadata, spec } = job.spec.template;
  expect(metadata.labels).toMatchObject({ role: 'api', 'app.kubernetes.io/managed-by': 'k8s-doctor', 'k8s-doctor/job': 'x' });
  expect(spec).toMatchObject({ restartPolicy: 'Never', automountServiceAccountToken: false, readinessGates: [{ conditionType: 'k8s-doctor/never' }] });
  expect(JSON.stringify(spec['affinity'])).toContain('"values":["host-a","host-b"]');
  expect(spec.containers).toMatchObject([{ securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }]);
});

test.each([0, 1, 5])('pod %i of the Job tries each endpoint once, whatever it begins with', async (index) => {
  const server = createServer((socket) => socket.on('error', () => {}).on('end', () => socket.end()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const script = buildSpread(
    Array.from({ length: 7 }, () => ({ kind: 'tcp' as const, host: '127.0.0.1', port })),
    3,
  );
  const ran = await run('sh', ['-c', script], { env: { JOB_COMPLETION_INDEX: String(index) } });
  server.close();
  const ids = readRecords(ran.stdout).flatMap((r) => (/^\d+$/.test(r.id) ? [Number(r.id)] : []));
  expect(ids.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test('this machine connects to each address of a load balancer, on each TCP port', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const { port: refused } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  const svc = v.parse(service, {
    metadata: { name: 's', namespace: 'n', uid: 'u' },
    spec: { type: 'LoadBalancer', ports: [{ port }, { port: refused }, { port: 53, protocol: 'UDP' }] },
    status: { loadBalancer: { ingress: [{ ip: '127.0.0.1' }] } },
  });
  const made = await toLoadBalancer(svc, svc.spec.ports);
  server.close();
  expect(made.map((c) => [c.target, c.outcome, c.from])).toEqual([
    [`127.0.0.1:${port}`, 'answered', 'this machine'],
    [`127.0.0.1:${refused}`, 'refused', 'this machine'],
  ]);
});
