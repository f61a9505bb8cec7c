/** Which fixes are proposed for recorded incidents, and what the model predicts of them. */
import { describe, expect, test } from 'vitest';
import { pipeline } from '../../checks/pipeline.ts';
import type { Fix } from '../../src/catalog/finding.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { reasoned } from '../../src/verdict/judge.ts';
import { partyOf, policiesKnown, clientParty } from '../../src/model/parties.ts';
import { reach } from '../../src/policy/world.ts';
import { planOf } from '../../src/repair/plan.ts';
import { whatIf } from '../../src/what-if/what-if.ts';
import { checksFor, recorded, recordingOf } from '../support/recordings.ts';
import { repairable } from '../support/repairable.ts';
import type { Facts } from '../../src/facts/facts.ts';

const planFor = (name: string) => {
  const recording = recordingOf(name);
  return planOf(pipeline, recording.facts, reasoned(pipeline, recording.facts).verdict);
};

describe('healthy', () => {
  const healthy = recorded.filter((r) => reasoned(pipeline, r.recording.facts).verdict.status === 'healthy');
  test('there are such recordings', () => expect(healthy.length).toBeGreaterThan(30));
  test.each(healthy.map((r) => [r.name, r] as const))('%s: nothing is proposed', (name, { recording }) => {
    expect(planFor(name)).toEqual([]);
    expect(diagnose(pipeline, recording).checks.flatMap((c) => c.findings.flatMap((f) => f.fix))).toEqual([]);
  });
});

describe('a cause comes with what to do', () => {
  const broken = recorded.filter((r) => r.scenario && r.scenario.expect.status !== 'healthy');
  test.each(broken.map((r) => [r.name, r] as const))('%s', (_, { recording }) => {
    const { causes } = diagnose(checksFor(recording), recording).verdict;
    expect(causes.filter((c) => c.fix.length === 0).map((c) => c.message)).toEqual([]);
  });
});

describe('what a patch can repair', () => {
  const kept = recorded.filter((r) => repairable.includes(r.name));
  test.each(kept.map((r) => [r.name]))('%s: the plan makes it healthy on the model', (name) => {
    expect(planFor(name).at(-1)?.fix.predicted?.status).toBe('healthy');
  });
  test('what is shown is what was tried, with what follows', () => {
    for (const { name, recording } of kept) {
      const [first] = planFor(name);
      const shown = diagnose(pipeline, recording).verdict.causes.flatMap((c) => c.fix);
      expect(
        shown.some((f) => f.command === first?.fix.command && f.predicted !== undefined),
        name,
      ).toBe(true);
    }
  });
});

describe('several causes', () => {
  test('each fix is computed on the world after the one before: the policy is opened for the new port', () => {
    const plan = planFor('two-faults');
    expect(plan.map((s) => s.cause.code)).toEqual(['target-port-not-listening', 'policy-denies-ingress']);
    expect(plan[0]?.fix.predicted?.text).toContain('then this remains: NetworkPolicy "default-deny"');
    expect(JSON.stringify(plan[1]?.fix.changes)).toContain('"port":8080');
    expect(JSON.stringify(plan)).not.toContain('"port":8081');
  });
});

test('a fix that would break the endpoints that answer is not proposed', () => {
  expect(JSON.stringify(planFor('one-of-three-refuses'))).not.toContain('targetPort');
});

test('a default-deny is left as it is: a policy of its own allows no more than the connection', () => {
  const [step] = planFor('policy-default-deny');
  expect(step?.fix.changes).toMatchObject([
    {
      how: 'create',
      kind: 'networkpolicy',
      manifest: { spec: { podSelector: { matchLabels: { app: 'shop' } }, ingress: [{ ports: [{ port: 8080, protocol: 'TCP' }] }] } },
    },
  ]);
});

/** Connections between all pods that are known, on the ports of their containers and a few others, that policies allow. */
function allowedIn(facts: Facts): Set<string> {
  const pods = facts.pods.seen ? facts.pods.value : [];
  const client = facts.client.seen && facts.client.value ? [clientParty(facts.client.value, facts.namespaces)] : [];
  const dns = facts.dnsPods.seen ? facts.dnsPods.value : [];
  const parties = [...client, ...[...pods, ...dns].map((p) => partyOf(p, facts.namespaces))];
  const { set } = policiesKnown(facts.policies.seen ? facts.policies.value : {}, facts.pluginPolicies);
  const name = (p: (typeof parties)[number]) => p.pod?.name ?? p.node?.name ?? 'outside';
  const found = new Set<string>();
  for (const from of parties)
    for (const to of parties)
      for (const port of [53, 80, 8080, 8081, 9090])
        for (const protocol of ['TCP', 'UDP'] as const)
          if (to.pod && reach(set, from, to, { port, protocol }).verdict === 'allowed') found.add(`${name(from)} → ${name(to)}`);
  return found;
}

describe('no policy is opened further than the connection needs', () => {
  const denials = recorded.filter((r) => /^policy-|two-faults|held-back/.test(r.name) && planFor(r.name).length > 0);
  test('there are such recordings', () => expect(denials.length).toBeGreaterThan(15));
  test.each(denials.map((r) => [r.name, r] as const))('%s: of all pairs only the asked one changes, or the text names the others', (name, { recording }) => {
    const plan = planFor(name);
    const changes = plan.flatMap((s) => s.fix.changes.filter((c) => c.kind === 'networkpolicy'));
    const [before, after] = [allowedIn(recording.facts), allowedIn(whatIf(recording.facts, changes).facts)];
    const client = recording.facts.client.seen ? recording.facts.client.value : null;
    const own = new Set(recording.facts.slices.seen ? recording.facts.slices.value.flatMap((s) => s.endpoints.flatMap((e) => e.targetRef?.name ?? [])) : []);
    const dns = new Set(recording.facts.dnsPods.seen ? recording.facts.dnsPods.value.map((p) => p.metadata.name) : []);
    const isAsked = (pair: string) => {
      const [from, to = ''] = pair.split(' → ');
      return from === client?.name && (own.has(to) || dns.has(to));
    };
    const said = JSON.stringify(plan.map((s): Pick<Fix, 'affects'> => ({ ...(s.fix.affects && { affects: s.fix.affects }) })));
    const others = [...after].filter((pair) => !before.has(pair) && !isAsked(pair));
    expect(others.filter((pair) => !said.includes(pair))).toEqual([]);
  });
});
