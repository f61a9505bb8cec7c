import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { everyCheck } from '../../checks/pipeline.ts';
import { type Check, stages } from '../../checks/check.ts';
import { codes } from '../../src/catalog/codes.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { judge } from '../../src/verdict/judge.ts';
import type { Facts } from '../../src/facts/facts.ts';
import { collectors } from '../../src/gather/gather.ts';
import { checksFor, recorded } from '../support/recordings.ts';

const root = new URL('../../', import.meta.url).pathname;
/** Files under checks/ that hold no check: what checks of a stage share. */
const shared = new Set([
  'api-server/evidence.ts',
  'pods/service-pods.ts',
  'network-policy/denial.ts',
  'network-policy/pod-traffic.ts',
  'dns/evidence.ts',
  'kube-proxy/nodes.ts',
]);
/** Codes of the contract that no check raises yet. */
const waiting = new Set<string>();

const files = stages.flatMap((stage) => readdirSync(join(root, 'checks', stage)).map((f) => `${stage}/${f}`)).filter((f) => !shared.has(f));

describe('the pipeline', () => {
  test('ids are unique', () => {
    expect(new Set(everyCheck.map((c) => c.id)).size).toBe(everyCheck.length);
  });

  test('every check lies where its id says', () => {
    const misplaced = everyCheck.map((c) => c.id).filter((id) => !existsSync(join(root, 'checks', `${id}.ts`)));
    expect(misplaced).toEqual([]);
  });

  test('every file of a check is in it', async () => {
    const exported = await Promise.all(files.map(async (f) => Object.values((await import(join(root, 'checks', f))) as Record<string, unknown>)));
    const found = exported.flat().filter((x): x is Check => typeof x === 'object' && x !== null && 'run' in x);
    expect(found.map((c) => c.id).toSorted()).toEqual(everyCheck.map((c) => c.id).toSorted());
  });

  test('stages come in their order', () => {
    const order = everyCheck.map((c) => stages.indexOf(c.id.split('/')[0] as (typeof stages)[number]));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  test('every fact that a check reads has a collector', () => {
    const gathered = new Set<string>(['target', ...collectors.map((c) => c.fact)]);
    expect(everyCheck.flatMap((c) => [...c.needs, ...c.uses]).filter((f) => !gathered.has(f))).toEqual([]);
  });
});

describe('codes', () => {
  test('every code is raised by a check, or is known to wait for one', () => {
    const raised = new Set<string>(everyCheck.flatMap((c) => [...c.codes]));
    expect(Object.keys(codes).filter((c) => !raised.has(c))).toEqual([...waiting].filter((c) => !raised.has(c)));
  });

  test.each(Object.keys(codes))('%s has a page with the fixed headings', async (code) => {
    const { readFileSync } = await import('node:fs');
    const page = readFileSync(join(root, 'docs/codes', `${code}.md`), 'utf8');
    expect(page.match(/^#+ .*$/gm)).toEqual([`# ${code}`, '## Symptom', '## Cause', '## Similar problems', '## Fix']);
    expect(page).toMatch(/\n\nKubernetes documentation: \[[^\]]+\]\(https:\/\/kubernetes\.io\/docs\/[\w/-]+\)\n$/);
  });

  test('every page belongs to a code', () => {
    expect(
      readdirSync(join(root, 'docs/codes'))
        .map((f) => f.replace(/\.md$/, ''))
        .filter((c) => !(c in codes)),
    ).toEqual([]);
  });
});

/** Notes which facts are read. */
function watched(facts: Facts, read: Set<string>): Facts {
  return new Proxy(facts, {
    get(target, name) {
      read.add(String(name));
      return target[name as keyof Facts];
    },
  });
}

function deepFreeze<T>(value: T): T {
  if (value && typeof value === 'object' && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

describe('checks over all recordings', () => {
  test('there are recordings', () => {
    expect(recorded.length).toBeGreaterThan(40);
  });

  test.each(everyCheck.map((c) => [c.id, c] as const))('%s reads only what it declares, and all of it', (_, check) => {
    const seen = new Set<string>();
    for (const { recording } of recorded) {
      const given = Object.fromEntries([...check.needs, ...check.uses].map((n) => [n, n])) as unknown as Facts;
      const handed = new Set<string>();
      judge({ ...check, run: (facts: never) => check.run(watched(facts, handed) as never) }, recording.facts);
      for (const name of handed) expect(given).toHaveProperty(name);
      for (const name of handed) seen.add(name);
    }
    // Destructuring reads all that is named; a fact that is declared and never named would be gathered for nothing.
    expect([...check.needs, ...check.uses].filter((n) => !seen.has(n))).toEqual([]);
  });

  test.each(recorded.map((r) => [r.name, r] as const))('%s: pure, in whatever order the facts arrive', (_, { recording }) => {
    deepFreeze(recording);
    const first = diagnose(checksFor(recording), recording);
    const again = diagnose(checksFor(recording), recording);
    const shuffled = { ...recording, facts: Object.fromEntries(Object.entries(recording.facts).toReversed()) as unknown as Facts };
    expect(again).toEqual(first);
    expect(diagnose(checksFor(recording), shuffled)).toEqual(first);
  });

  test.each(recorded.map((r) => [r.name, r] as const))('%s: raises only declared codes', (_, { recording }) => {
    for (const check of everyCheck) {
      for (const finding of judge(check, recording.facts).findings) expect(check.codes).toContain(finding.code);
    }
  });
});
