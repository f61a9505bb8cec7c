/** kube-router rejects what a policy denies (seen with v2 on a real cluster): the refusal is the plug-in's, not the program's. */
import { expect, test } from 'vitest';
import { pipeline } from '../../checks/pipeline.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import type { Connection, Listeners } from '../../src/facts/facts.ts';
import { recordingOf, valueOf } from '../support/recordings.ts';

const kubeRouter = { namespace: 'kube-system', name: 'kube-router', images: ['docker.io/cloudnativelabs/kube-router:v2.5.0'] };

/** The recorded denial as kube-router answers it; what listens is seen through a port-forward, as in an image without a shell. */
function refusedOn(daemons: (typeof kubeRouter)[], probed = true) {
  const recording = recordingOf('policy-wrong-label');
  const made = valueOf(recording.facts.connections);
  const refused = (c: Connection): Connection => (c.outcome === 'timed-out' && c.kind === 'tcp' ? { ...c, outcome: 'refused' } : c);
  const answering: Listeners = { sockets: null, forwarded: { '8080': 'answered' } };
  const pods = valueOf(recording.facts.pods).map((p) => ({
    ...p,
    spec: { ...p.spec, containers: p.spec.containers.map((c) => (probed ? c : { ...c, readinessProbe: undefined })) },
  }));
  return diagnose(pipeline, {
    ...recording,
    facts: {
      ...recording.facts,
      pods: { seen: true, value: pods },
      networkDaemons: { seen: true, value: daemons },
      connections: { seen: true, value: { ...made, list: made.list.map(refused) } },
      listeners: {
        seen: true,
        value: Object.fromEntries(valueOf(recording.facts.pods).map((p) => [p.metadata.name, { seen: true as const, value: answering }])),
      },
    },
  });
}

test('the policy is the only cause', () => {
  const d = refusedOn([kubeRouter]);
  expect(d.verdict.causes.map((c) => c.code)).toEqual(['policy-denies-ingress']);
  expect(d.verdict.causes[0]?.issue).toBe('Network policy blocking');
});

test("without such a plug-in a refusal is the pod's own", () => {
  expect(refusedOn([], false).verdict.causes.map((c) => c.code)).toContain('listens-on-loopback');
});

test('unless its readiness probe succeeds on the port: the kubelet connects to the same address', () => {
  expect(refusedOn([]).verdict.causes.map((c) => c.code)).toEqual(['policy-denies-ingress', 'endpoint-failing']);
});
