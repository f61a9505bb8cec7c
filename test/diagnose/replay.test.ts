import { describe, expect, test } from 'vitest';
import { pipeline } from '../../checks/pipeline.ts';
import { exitStatus } from '../../src/cli/output.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { shortfalls } from '../support/expectation.ts';
import { checksFor, recorded } from '../support/recordings.ts';

describe('a recording from the real cluster', () => {
  test.each(recorded.filter((r) => r.scenario).map((r) => [r.name, r] as const))('%s: is diagnosed as its scenario expects', (_, { recording, scenario }) => {
    const diagnosis = diagnose(checksFor(recording), recording);
    expect(scenario && shortfalls(scenario.expect, exitStatus[diagnosis.verdict.status], diagnosis)).toEqual([]);
  });
});

describe('seen from outside the cluster', () => {
  const inside = (r: (typeof recorded)[number]) => r.recording.facts.service.seen && r.recording.facts.service.value?.spec.type !== 'ExternalName';
  const broken = recorded.filter((r) => r.scenario?.expect.issue === 'DNS failing' && inside(r)).map((r) => [r.name, r] as const);
  test('there are incidents of DNS', () => expect(broken.length).toBeGreaterThan(5));
  test.each(broken)("%s: the cluster's DNS is no cause", (_, { recording }) => {
    const { facts } = recording;
    const target = facts.target.seen ? { ...facts.target.value, from: { kind: 'external' as const, namespace: '', name: '' } } : undefined;
    const diagnosis = diagnose(pipeline, {
      ...recording,
      facts: {
        ...facts,
        target: target ? { seen: true, value: target } : facts.target,
        client: { seen: true, value: { kind: 'external', namespace: '', name: '', node: null, labels: {}, addresses: [], hostNetwork: false, pod: null } },
        connections: { seen: false, reason: 'not-possible', what: 'connections from outside', why: 'the Service has no node port' },
      },
    });
    expect(diagnosis.verdict.causes.filter((c) => c.issue === 'DNS failing')).toEqual([]);
    expect(diagnosis.checks.filter((c) => c.stage === 'dns').map((c) => c.status)).not.toContain('fail');
  });
});
