import { XMLParser } from 'fast-xml-parser';
import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { renderScan, type ScanFormat } from '../../src/report/scan/render.ts';
import { keyOf } from '../../src/scan/judge.ts';
import { changesSince, fromJson, merged, only, type Scan, type ScanJson } from '../../src/scan/scan.ts';
import { scanned, scanOfAll, scanWith } from '../support/scans.ts';

const shown = { unicode: true, columns: 120, namespaces: true, changes: undefined };
const as = (format: ScanFormat, scan: Scan = scanOfAll, more: Partial<typeof shown> = {}) => renderScan(scan, format, { ...shown, ...more });
const faulty = scanned.filter((s) => s.status === 'faulty' || s.status === 'degraded');
const [cart] = faulty.filter((s) => s.kind === 'Service' && s.causes[0]?.code === 'selector-mismatch');
if (!cart) throw new Error('a selector that matches nothing is among the recordings');
const healthy = scanned.filter((s) => s.kind === 'Service' && s.status === 'healthy');

describe('a scan as text', () => {
  test.each([60, 80, 120])('no line about a Service is wider than %i columns', async (columns) => {
    const lines = (await as('text', scanOfAll, { columns })).split('\n').filter((l) => /^[✗▲✓?]/.test(l));
    expect(lines.length).toBeGreaterThan(50);
    // Behind the longest name come the type, the ports, the endpoints and a few words at least.
    const most = Math.max(columns, ...lines.map((line) => line.indexOf('ClusterIP') + 70));
    for (const line of lines) expect(stringWidth(line), line).toBeLessThanOrEqual(most);
  });
  test('columns are aligned, wide characters too', async () => {
    const [first = '', second = ''] = (await as('text', scanWith([cart, { ...cart, name: '名前', status: 'healthy', causes: [] }]))).split('\n');
    expect(stringWidth(first.slice(0, first.indexOf('ClusterIP')))).toBe(stringWidth(second.slice(0, second.indexOf('ClusterIP'))));
  });
  test('ASCII marks in a locale without the others', async () => {
    expect(await as('text', scanWith([cart]), { unicode: false })).toMatch(/^x /);
  });
  test('the worst come first, and counts follow', async () => {
    const text = await as('text', scanWith([...healthy.slice(0, 1), cart]));
    expect(text).toMatch(/^✗ /);
    expect(text).toContain('2 Services: 1 faulty, 1 without a problem in their objects. Connections were not tested');
  });
  test('what several Services share is one line', async () => {
    const coredns = { ...cart, causes: cart.causes.map((c) => ({ ...c, object: { kind: 'Deployment', namespace: 'kube-system', name: 'coredns' } })) };
    const text = await as('text', scanWith(['a', 'b', 'c', 'd'].map((name) => ({ ...coredns, name }))));
    expect(text).toMatch(/^✗ 4 Services: Deployment kube-system\/coredns, selector-mismatch: .*\n {4}ns-.\/a, ns-.\/b, ns-.\/c and 1 more\n/);
  });
  test('no Services', async () => {
    expect(await as('text', scanWith([]))).toBe('There are no Services.\n9 requests');
  });
  test('a cluster that was not scanned, and lists that could not be read, are named', async () => {
    const clusters = [...scanOfAll.clusters, { context: 'west', requests: 1, error: 'The API server does not answer.' }];
    const text = await as('text', scanWith([cart], { clusters, missing: [{ context: 'recorded', what: 'nodes', why: 'not allowed to list nodes' }] }));
    expect(text).toContain('recorded: 1 faulty\nwest: not scanned: The API server does not answer.\n');
    expect(text).toContain('not seen: recorded: nodes (not allowed to list nodes)');
  });
  test('what is different since an earlier scan', async () => {
    const before = scanWith([{ ...cart, name: 'old' }]);
    const now = scanWith([cart]);
    const text = await as('text', now, { changes: changesSince(before, now) as never });
    expect(text).toContain(`new: ${cart.namespace}/${cart.name}: selector-mismatch\ngone: ${cart.namespace}/old: selector-mismatch\n`);
  });
});

describe('other formats of a scan', () => {
  test('JSON and YAML are the same, and can be read back', async () => {
    const json = await as('json');
    expect(parse(await as('yaml'))).toEqual(JSON.parse(json));
    expect(JSON.parse(await as('json', fromJson(json, 'scan.json')))).toEqual(JSON.parse(json));
  });
  test('JUnit: a case for each Service, a failure for each that is faulty or degraded', async () => {
    const xml = new XMLParser({ ignoreAttributes: false }).parse(await as('junit')) as { testsuites: { testsuite: Record<string, string>[] } };
    const sum = (of: string) => xml.testsuites.testsuite.reduce((total, s) => total + Number(s[of]), 0);
    expect([sum('@_tests'), sum('@_failures')]).toEqual([scanned.length, faulty.length]);
  });
  test('SARIF: a result for each cause of each Service, under a rule that is listed', async () => {
    const { runs } = JSON.parse(await as('sarif')) as {
      runs: { tool: { driver: { rules: { id: string }[] } }; results: { ruleId: string; ruleIndex: number; properties: { service: string } }[] }[];
    };
    const [run] = runs;
    expect(run?.results).toHaveLength(scanned.reduce((sum, s) => sum + s.causes.length, 0));
    for (const { ruleId, ruleIndex } of run?.results ?? []) expect(run?.tool.driver.rules[ruleIndex]?.id).toBe(ruleId);
  });
  test.each(['markdown', 'html'] as const)('%s names every Service that is not healthy', async (format) => {
    const text = (await as(format)).replaceAll('\\', '');
    for (const s of scanned.filter((x) => x.status !== 'healthy')) expect(text).toContain(`${s.namespace}/${s.name}`);
  });
  test.each(['text', 'json', 'yaml', 'markdown', 'junit', 'sarif', 'html'] as const)(
    '%s: no escape sequence or markup of a name gets through',
    async (format) => {
      const hostile = '\u001b[2J<img src=x onerror=alert(1)>\u202e';
      const text = await as(format, scanWith([{ ...cart, name: hostile, summary: hostile }]));
      expect(text).not.toContain('\u001b');
      expect(text).not.toContain('\u202e');
      if (format === 'html' || format === 'junit') expect(text).not.toContain('<img');
      if (format === 'markdown') expect(text).not.toMatch(/(?<!\\)<img/);
    },
  );
});

test('only some codes: the Services that have them, with these causes alone', () => {
  const some = only(scanOfAll, ['selector-mismatch']);
  expect(some.services.length).toBeGreaterThan(0);
  expect(some.services.every((s) => s.causes.every((c) => c.code === 'selector-mismatch'))).toBe(true);
});

describe('what is in front of Services', () => {
  const fronts = scanned.filter((s) => s.kind !== 'Service');
  test('has a list of its own in JSON, and is named by its kind', async () => {
    const json = JSON.parse(await as('json')) as ScanJson;
    expect(json.services).toHaveLength(scanned.length - fronts.length);
    expect(json.routes.map((r) => `${r.kind} ${r.namespace}/${r.name}`).toSorted()).toEqual(fronts.map(keyOf).toSorted());
    const [one] = fronts.filter((f) => f.kind === 'Ingress' && f.status === 'faulty');
    if (!one) throw new Error('an Ingress that fails is among the recordings');
    const text = await as('text', scanWith([cart, one]));
    expect(text).toContain(`Ingress ${one.namespace}/${one.name}`);
    expect(text).toContain('1 Service and 1 Ingress: 2 faulty');
  });
  test('an Ingress and a Service of one name are two', () => {
    const both = scanWith([cart, { ...cart, kind: 'Ingress' }]);
    expect(merged([both, both]).services).toHaveLength(2);
    expect(changesSince(scanWith([cart]), both).appeared.map((a) => a.service.kind)).toEqual(['Ingress']);
  });
});
