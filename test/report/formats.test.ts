/** What pipelines and pages read: every recorded incident in each format, and hostile text in it. */
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { describe, expect, test } from 'vitest';
import { pipeline } from '../../checks/pipeline.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { render } from '../../src/report/render.ts';
import { checksFor, recorded, recordingOf } from '../support/recordings.ts';

const plain = { colour: false, unicode: true, columns: 80 };
const of = (name: string): Diagnosis => diagnose(pipeline, recordingOf(name));
const hostile = (d: Diagnosis): Diagnosis => JSON.parse(JSON.stringify(d).replaceAll('shop', '<b onload=x>]]>&amp;`|*shop')) as Diagnosis;

interface Suite {
  '@_name': string;
  '@_tests': string;
  '@_failures': string;
  '@_errors': string;
  '@_skipped': string;
  testcase: object[];
}
const read = (xml: string): Suite[] =>
  (
    new XMLParser({ ignoreAttributes: false, isArray: (name) => name === 'testsuite' || name === 'testcase' }).parse(xml) as {
      testsuites: { testsuite: Suite[] };
    }
  ).testsuites.testsuite;

describe('junit', () => {
  test.each(recorded.map((r) => [r.name, r] as const))('%s: well-formed, a suite for each stage, counts that add up', async (_, { recording }) => {
    const d = diagnose(checksFor(recording), recording);
    const xml = await render(d, recording.requests, 'junit', plain);
    expect(XMLValidator.validate(xml)).toBe(true);
    const suites = read(xml);
    const ofService =
      d.service.name === ''
        ? []
        : ['service', 'endpoints', 'pods', 'network-policy', ...(d.checks.some((c) => c.stage === 'mesh') ? ['mesh'] : []), 'dns', 'kube-proxy', 'path'];
    expect(suites.map((s) => s['@_name'])).toEqual([
      'verdict',
      ...(d.front ? [d.front.kind === 'webhook' || d.front.kind === 'apiservice' ? 'api-server' : 'route'] : []),
      ...ofService,
    ]);
    expect(suites.slice(1).reduce((n, s) => n + Number(s['@_tests']), 0)).toBe(d.checks.length);
    for (const [key, status] of [
      ['@_failures', 'fail'],
      ['@_errors', 'unknown'],
      ['@_skipped', 'skip'],
    ] as const)
      expect(suites.slice(1).reduce((n, s) => n + Number(s[key]), 0)).toBe(d.checks.filter((c) => c.status === status).length);
    const bad = d.verdict.status === 'faulty' || d.verdict.status === 'degraded';
    expect(suites[0]).toMatchObject({ '@_failures': bad ? '1' : '0', '@_errors': d.verdict.status === 'undecided' ? '1' : '0' });
  });
  test('hostile names do not break it', async () => {
    const xml = await render(hostile(of('policy-wrong-label')), 1, 'junit', plain);
    expect(XMLValidator.validate(xml)).toBe(true);
    expect(xml).not.toContain('<b onload');
  });
});

describe('markdown', () => {
  test('the answer, the row of the table, why, and what to type', async () => {
    const text = await render(of('policy-wrong-label'), 1, 'markdown', plain);
    expect(text).toMatch(/^# shop cannot be reached from pod\/client/);
    expect(text).toContain('**Network policy blocking** · Connection timeout · Review NetworkPolicy objects (confirmed, `policy-denies-ingress`)');
    expect(text).toContain('```sh\nkubectl -n sc-policy-wrong-label patch networkpolicy allow-api');
  });
  test('hostile names stay text', async () => {
    const text = await render(hostile(of('policy-wrong-label')), 1, 'markdown', plain);
    const outside = text.replaceAll(/^(`{3,})sh\n[\s\S]*?\n\1$/gm, '');
    expect(outside).not.toMatch(/(?<!\\)<b/);
    for (const row of text.split('\n').filter((l) => l.startsWith('| '))) expect(row.match(/(?<!\\)\|/g)).toHaveLength(4);
  });
});

describe('sarif', () => {
  interface Sarif {
    version: string;
    runs: {
      tool: { driver: { rules: { id: string }[] } };
      properties: { status: string };
      results: {
        ruleId: string;
        ruleIndex: number;
        level: string;
        locations: { logicalLocations: { fullyQualifiedName: string }[] }[];
        properties: { cause: boolean };
      }[];
    }[];
  }
  test.each(recorded.map((r) => [r.name, r] as const))('%s: a result for each finding, its rule beside it, the causes marked', async (_, { recording }) => {
    const d = diagnose(checksFor(recording), recording);
    const [run] = (JSON.parse(await render(d, recording.requests, 'sarif', plain)) as Sarif).runs;
    const findings = d.checks.flatMap((c) => c.findings);
    expect(run?.results.map((r) => r.ruleId)).toEqual(findings.map((f) => f.code));
    for (const r of run?.results ?? []) expect(run?.tool.driver.rules[r.ruleIndex]?.id).toBe(r.ruleId);
    expect(run?.results.filter((r) => r.properties.cause)).toHaveLength(d.verdict.causes.length);
    expect(run?.properties.status).toBe(d.verdict.status);
  });
  test('an object is named by namespace, kind and name', async () => {
    const [run] = (JSON.parse(await render(of('policy-wrong-label'), 1, 'sarif', plain)) as Sarif).runs;
    expect(run?.results[0]).toMatchObject({
      level: 'error',
      locations: [
        {
          physicalLocation: { artifactLocation: { uri: 'sc-policy-wrong-label/NetworkPolicy/allow-api' } },
          logicalLocations: [{ fullyQualifiedName: 'sc-policy-wrong-label/NetworkPolicy/allow-api' }],
        },
      ],
    });
  });
});

describe('html', () => {
  test.each(recorded.map((r) => [r.name, r] as const))('%s: whole, with every check, every cause and every connection', async (_, { recording }) => {
    const d = diagnose(checksFor(recording), recording);
    const page = await render(d, recording.requests, 'html', plain);
    expect(XMLValidator.validate(page.replace('<!doctype html>', '').replace(/<meta [^>]*>/g, ''))).toBe(true);
    expect(page.match(/<details>/g)).toHaveLength(d.checks.length);
    expect(page.match(/<section class="cause/g) ?? []).toHaveLength(d.verdict.causes.length);
    // One script, the page's own, which its policy allows by its hash; nothing is loaded.
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).not.toMatch(/(?:src|href)=/);
  });
  test('hostile names stay text', async () => {
    const page = await render(hostile(of('policy-wrong-label')), 1, 'html', plain);
    expect(page).not.toContain('<b onload');
    expect(page).toContain('&#60;b onload');
  });
});
