import { describe, expect, test } from 'vitest';
import { pipeline } from '../../checks/pipeline.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import type { Facts } from '../../src/facts/facts.ts';
import { recordingOf } from '../support/recordings.ts';

/** A recording whose pods' containers are said to be still in creation, as the kubelet does until it gets round to their status. */
function creating(name: string): string[] {
  const recording = recordingOf(name);
  const { pods } = recording.facts;
  if (!pods.seen) throw new Error(`${name} holds no pods`);
  const value = pods.value.map((pod) =>
    pod.metadata.name === 'client'
      ? pod
      : {
          ...pod,
          status: {
            ...pod.status,
            containerStatuses: pod.status.containerStatuses.map((s) => ({ ...s, state: { waiting: { reason: 'ContainerCreating' } } })),
          },
        },
  );
  const facts: Facts = { ...recording.facts, pods: { seen: true, value } };
  return diagnose(pipeline, { ...recording, facts }).verdict.causes.map((c) => c.code);
}

describe('a container that is said to be in creation', () => {
  test('whose image could not be pulled, by its events: the pull is the cause', () => {
    expect(creating('image-missing')).toEqual(['image-pull-failing']);
  });
  test('without an event: it is starting', () => {
    expect(creating('healthy-canary').filter((c) => c !== 'pod-starting')).toEqual([]);
  });
});
