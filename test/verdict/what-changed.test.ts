/** The line "Changed": what a field manager, a revision or an earlier capture shows, and nothing that cannot be the cause. */
import { describe, expect, test } from 'vitest';
import { pipeline } from '../../checks/pipeline.ts';
import type { Recording } from '../../src/facts/capture.ts';
import { seen } from '../../src/facts/fact.ts';
import type { FieldChange } from '../../src/facts/tracked.ts';
import { reasoned } from '../../src/verdict/judge.ts';
import { whatChanged } from '../../src/verdict/what-changed.ts';
import { recordingOf, valueOf } from '../support/recordings.ts';

const typo = recordingOf('selector-typo');
const at = (secondsBefore: number) => new Date(Date.parse(typo.startedAt) - secondsBefore * 1000).toISOString();

/** The incident with a history of its Service. */
function withHistory(history: FieldChange[], created = at(3600)): Recording {
  const service = valueOf(typo.facts.service);
  if (!service) throw new Error('no Service');
  return { ...typo, facts: { ...typo.facts, service: seen({ ...service, metadata: { ...service.metadata, history, creationTimestamp: created } }) } };
}

const changedIn = (recording: Recording, earlier?: Recording) =>
  whatChanged(recording.facts, recording.startedAt, reasoned(pipeline, recording.facts).verdict.causes, earlier);
const entry = (seconds: number, ...fields: string[]): FieldChange => ({ manager: 'kubectl-edit', operation: 'Update', time: at(seconds), fields });

describe('by field managers', () => {
  test('who changed the field, and when', () => {
    expect(changedIn(withHistory([entry(240, 'spec.selector.app')]))).toMatchObject({
      field: 'spec.selector.app',
      by: 'kubectl-edit',
      at: at(240),
      text: 'kubectl-edit changed spec.selector.app of Service "shop" 4 min before',
    });
  });
  test('a field that cannot be the cause is not named', () => {
    expect(changedIn(withHistory([entry(240, 'spec.sessionAffinity')]))).toBeUndefined();
  });
  test('what came with the object, or is more than a day old, is not named', () => {
    expect(changedIn(withHistory([entry(3600, 'spec.selector.app')]))).toBeUndefined();
    expect(changedIn(withHistory([entry(2 * 86_400, 'spec.selector.app')], at(9 * 86_400)))).toBeUndefined();
  });
  test('a manager that wrote all fields does not show which of them it changed', () => {
    const many = Array.from({ length: 20 }, (_, i) => `spec.field${i}`);
    expect(changedIn(withHistory([entry(60, 'spec.selector.app', ...many)]))?.text).toBe(
      'kubectl-edit changed Service "shop" 60 s before; spec.selector.app is among its fields',
    );
  });
});

describe('by an earlier capture', () => {
  test('the value then and now', () => {
    const service = valueOf(typo.facts.service);
    if (!service) throw new Error('no Service');
    const before = {
      ...typo,
      startedAt: at(7200),
      facts: { ...typo.facts, service: seen({ ...service, spec: { ...service.spec, selector: { app: 'shop' } } }) },
    };
    expect(changedIn(typo, before)?.text).toMatch(/^spec\.selector\.app of Service "shop": shop on 20\d\d-\d\d-\d\d \d\d:\d\d, now shpo$/);
  });
  test('the same capture shows no change', () => expect(changedIn(withHistory([]), withHistory([]))).toBeUndefined());
});

test('a policy that is new can be the cause', () => {
  const denied = recordingOf('policy-default-deny');
  const policies = valueOf(denied.facts.policies);
  const { namespace } = valueOf(denied.facts.target);
  const before = { ...denied, startedAt: '2026-01-01T00:00:00.000Z', facts: { ...denied.facts, policies: seen({ ...policies, [namespace]: seen([]) }) } };
  expect(changedIn(denied, before)?.text).toBe('NetworkPolicy "default-deny" was not there on 2026-01-01 00:00');
});

describe('by revisions of a Deployment', () => {
  const tag = recordingOf('rollout-crashes');
  /** The incident with another image in the revision before. */
  const rolled = (image: string): Recording => {
    const sets = valueOf(tag.facts.replicaSets).map((s) => {
      const containers = s.spec.template.spec.containers.map((c) => (s.metadata.revision === 1 ? { ...c, image } : c));
      return { ...s, spec: { ...s.spec, template: { ...s.spec.template, spec: { ...s.spec.template.spec, containers } } } };
    });
    return { ...tag, facts: { ...tag.facts, replicaSets: seen(sets) } };
  };
  test('what it changed, where that is visible', () => {
    expect(changedIn(rolled('shop/web:1'))?.text).toMatch(/^Deployment "shop" rolled out revision 2 \d+ s before: image shop\/web:1 → registry/);
  });
  test('else the field manager that made it', () => {
    expect(changedIn(tag)).toMatchObject({ by: 'kubectl-patch', field: 'spec.template.spec.containers.args' });
  });
});

test('a healthy Service has no such line', () => expect(changedIn(recordingOf('healthy'))).toBeUndefined());
