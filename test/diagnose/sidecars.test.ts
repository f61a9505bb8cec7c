/** Recorded incidents in which the server is a sidecar (an init container that restarts) beside an idle container: the cause is the same. */
import { describe, expect, test } from 'vitest';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import type { Facts } from '../../src/facts/facts.ts';
import type { Pod, Workload } from '../../src/facts/objects.ts';
import { checksFor, recorded } from '../support/recordings.ts';

type Spec = Workload['spec']['template']['spec'];
const idle = { name: 'idle', image: 'idle', ports: [], portHints: [] } as unknown as Spec['containers'][number];
const running = { name: 'idle', image: 'idle', ready: true, restartCount: 0, state: { running: {} }, lastState: {} };

const asSidecars = <S extends Spec>(spec: S): S => ({
  ...spec,
  initContainers: [...spec.initContainers, ...spec.containers.map((c) => ({ ...c, restartPolicy: 'Always' }))],
  containers: [idle],
});
const asPod = (pod: Pod): Pod => ({
  ...pod,
  spec: asSidecars(pod.spec),
  status: {
    ...pod.status,
    initContainerStatuses: [...pod.status.initContainerStatuses, ...pod.status.containerStatuses],
    containerStatuses: pod.status.containerStatuses.length > 0 ? [running] : [],
  },
});
const asWorkload = (w: Workload): Workload => ({ ...w, spec: { ...w.spec, template: { ...w.spec.template, spec: asSidecars(w.spec.template.spec) } } });

function changed(facts: Facts): Facts {
  const { pods, deployments, statefulSets, daemonSets, replicaSets } = facts;
  const over = <T>(fact: { seen: true; value: T[] } | { seen: false }, change: (x: T) => T) => (fact.seen ? { ...fact, value: fact.value.map(change) } : fact);
  return {
    ...facts,
    pods: over(pods, (p) => (p.metadata.name === 'client' ? p : asPod(p))),
    deployments: over(deployments, asWorkload),
    statefulSets: over(statefulSets, asWorkload),
    daemonSets: over(daemonSets, asWorkload),
    replicaSets: over(replicaSets, asWorkload),
  } as Facts;
}

describe('the server is a sidecar', () => {
  test.each(recorded.map((r) => [r.name, r] as const))('%s', (_, { recording }) => {
    const causes = (facts: Facts) => diagnose(checksFor(recording), { ...recording, facts }).verdict.causes.map((c) => c.code);
    expect(causes(changed(recording.facts))).toEqual(causes(recording.facts));
  });
});
