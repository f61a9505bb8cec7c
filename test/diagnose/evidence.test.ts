/** Recordings of which facts are taken away: a verdict gets weaker, and never another one. */
import { describe, expect, test } from 'vitest';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { type FactName, factNames, type Facts } from '../../src/facts/facts.ts';
import { type Fact, seen, valueOf } from '../../src/facts/fact.ts';
import { followsFrom } from '../../src/verdict/chains.ts';
import { judge, partsOf } from '../../src/verdict/judge.ts';
import { checksFor, recorded } from '../support/recordings.ts';

/** Facts as they would be if the API server had refused one of them. */
function without(facts: Facts, name: FactName): Facts {
  return {
    ...facts,
    [name]: { seen: false, reason: 'forbidden', what: name, why: 'not allowed', grant: { apiGroups: [''], resources: [name], verbs: ['list'] } },
  };
}

describe('with one fact refused', () => {
  const optional = factNames.filter((n) => n !== 'target');
  test.each(recorded.filter((r) => r.scenario?.expect.status === 'healthy' && !r.scenario.needsConnection).map((r) => [r.name, r] as const))(
    '%s: healthy is never turned into a fault',
    (_, { recording }) => {
      for (const name of optional) {
        const { verdict, missing } = diagnose(checksFor(recording), { ...recording, facts: without(recording.facts, name) });
        expect(['healthy', 'undecided'], `${name} refused: ${verdict.summary}`).toContain(verdict.status);
        expect(missing.some((m) => m.what === name && m.grant !== null)).toBe(true);
      }
    },
  );

  test.each(recorded.filter((r) => !r.scenario?.needsConnection).map((r) => [r.name, r] as const))(
    '%s: never a cause that the whole recording does not have',
    (_, { recording }) => {
      const {
        verdict: { causes },
        checks,
      } = diagnose(checksFor(recording), recording);
      // What follows from a cause is named in its place where the cause is hidden; a connection that only failed is not.
      const following = checks.flatMap((c) => c.findings).filter((f) => f.severity === 'error' && causes.some((cause) => followsFrom(f.code, cause.code)));
      const whole = [...causes, ...following].map((c) => c.code);
      for (const name of optional) {
        const { verdict } = diagnose(checksFor(recording), { ...recording, facts: without(recording.facts, name) });
        const added = verdict.causes.map((c) => c.code).filter((c) => !whole.includes(c));
        expect(added, `${name} refused: ${verdict.summary}`).toEqual([]);
      }
    },
  );

  test.each(recorded.filter((r) => r.scenario && r.scenario.expect.status !== 'healthy').map((r) => [r.name, r] as const))(
    '%s: a fault is never called healthy without a connection that proves it',
    (_, { recording }) => {
      for (const name of optional) {
        const facts = without(recording.facts, name);
        const { verdict } = diagnose(checksFor(recording), { ...recording, facts });
        expect(verdict.status !== 'healthy' || facts.connections.seen, `${name} refused: ${verdict.summary}`).toBe(true);
      }
    },
  );
});

/** What only a connection shows, and what is said of the DNS Service beside the one that was asked for. */
const shownElsewhere = new Set([
  'dns/config connections',
  'dns/replicas connections',
  'pods/containers connections',
  'kube-proxy/rules dnsService',
  'kube-proxy/rules dnsSlices',
]);

/** The facts without one, and those without each of its parts: a node, a pod, a namespace. */
function lessOf(facts: Facts, name: FactName): Facts[] {
  const fact = facts[name];
  const refused = { seen: false, reason: 'forbidden', what: name, why: 'not allowed' } as const;
  const isPart = (value: unknown) => partsOf({ value }).length > 0;
  const parts = fact.seen ? Object.entries(fact.value ?? {}).flatMap(([part, value]) => (isPart(value) ? [part] : [])) : [];
  return [
    { ...facts, [name]: refused },
    ...parts.map((part) => ({ ...facts, [name]: seen({ ...(valueOf(fact as Fact<unknown>) as object), [part]: refused }) })),
  ];
}

test.each(recorded.map((r) => [r.name, r] as const))(
  '%s: a check that finds a fault does not pass where a part of what it reads was refused',
  (_, { recording }) => {
    const { facts } = recording;
    const passed = checksFor(recording)
      .filter((check) => judge(check, facts).findings.length > 0)
      .flatMap((check) =>
        [...check.needs, ...check.uses]
          .filter((name) => facts[name].seen && !shownElsewhere.has(`${check.id} ${name}`))
          .flatMap((name) => lessOf(facts, name).flatMap((less) => (judge(check, less).status === 'pass' ? [`${check.id} without ${name}`] : []))),
      );
    expect(passed).toEqual([]);
  },
);

const probes = ['connections', 'listeners', 'dnsAnswers', 'nodeRules', 'frontAnswers', 'servedCertificates', 'apiServerCalls'] as const satisfies FactName[];
const ofTheSystem = [
  'nodes',
  'dnsService',
  'dnsSlices',
  'dnsPods',
  'dnsWorkload',
  'corefile',
  'dnsLogs',
  'proxyPods',
  'proxyWorkload',
] as const satisfies FactName[];

/** The facts as `--probe none` leaves them, or as a user sees them who may only view the namespace. */
function limited(facts: Facts, names: readonly FactName[], reason: 'not-asked' | 'forbidden'): Facts {
  return { ...facts, ...Object.fromEntries(names.map((n) => [n, { seen: false, reason, what: n, why: reason }])) };
}

describe.each([
  ['without probes', (f: Facts) => limited(f, probes, 'not-asked')],
  ['for a user who may only view the namespace', (f: Facts) => limited(f, [...probes, ...ofTheSystem], 'forbidden')],
])('%s', (mode, see) => {
  test.each(recorded.flatMap((r) => (r.scenario && !r.scenario.needsConnection ? [[r.name, r.recording, r.scenario.expect] as const] : [])))(
    '%s: no wrong cause',
    (_, recording, expected) => {
      const { verdict } = diagnose(checksFor(recording), { ...recording, facts: see(recording.facts) });
      const right = (expected.causes ?? []).flat();
      expect(verdict.causes.map((c) => c.code).filter((c) => !right.includes(c))).toEqual([]);
      if (expected.status === 'healthy') expect(['healthy', 'undecided']).toContain(verdict.status);
      // Evidence that could not be read is never called healthy; what the user chose not to try is listed.
      if (verdict.status === 'healthy') expect(mode === 'without probes' ? verdict.summary : '').toContain('connections were not tested');
    },
  );
});
