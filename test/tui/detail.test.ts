/** The details of rows, from recorded incidents. */
import { describe, expect, test } from 'vitest';
import { pipeline } from '../../checks/pipeline.ts';
import { resultOf } from '../../src/cli/ui-session.ts';
import { started } from '../../src/diagnose/progress.ts';
import { detailOf, endpointTable, nodeTable, probeTable, rowsOf } from '../../src/tui/detail.ts';
import { failedHop, drawnHops } from '../../src/tui/path-hops.ts';
import { recorded, recordingOf } from '../support/recordings.ts';

const of = (name: string) => resultOf(recordingOf(name));

describe('what is behind a cause', () => {
  test('a selector that matches nothing: the pair of the selector is the marked line of the Service', () => {
    const result = of('selector-typo');
    const lines = detailOf(rowsOf(result.diagnosis, '')[0], result, 80);
    const isMentioned = lines.filter((l) => l.isMentioned).map((l) => l.text.trim());
    expect(isMentioned.length).toBeGreaterThan(0);
    expect(isMentioned.some((l) => l.startsWith('app: '))).toBe(true);
    expect(lines.map((l) => l.text)).toContain('Fix');
  });
  test('a wrong port: the lines with the port', () => {
    const result = of('target-port-wrong');
    const [row] = rowsOf(result.diagnosis, '');
    expect(
      detailOf(row, result, 80)
        .filter((l) => l.isMentioned)
        .map((l) => l.text.trim()),
    ).toEqual(expect.arrayContaining([expect.stringMatching(/targetPort: /)]));
  });
  test('of every recorded incident each row can be read, at any width, and no line is marked without a finding', () => {
    for (const { recording } of recorded) {
      const result = resultOf(recording);
      for (const row of rowsOf(result.diagnosis, ''))
        for (const width of [20, 120]) {
          const lines = detailOf(row, result, width);
          expect(lines.length).toBeGreaterThan(0);
          if (row.kind === 'check' && row.check.findings.length === 0) expect(lines.filter((l) => l.isMentioned)).toEqual([]);
        }
    }
  });
  test('escapes in what the cluster says are gone', () => {
    const { facts, ...rest } = recordingOf('selector-typo');
    const service = facts.service.seen ? facts.service.value : null;
    if (!service) throw new Error('no Service');
    const hostile = { ...service, spec: { ...service.spec, selector: { app: 'x\u001b[2Jy\u202e' } } };
    const result = resultOf({ ...rest, facts: { ...facts, service: { seen: true, value: hostile } } });
    // oxlint-disable-next-line no-control-regex
    expect(JSON.stringify(detailOf(rowsOf(result.diagnosis, '')[0], result, 80))).not.toMatch(/\\u001b|\u001b|\u202e/);
  });
});

describe('tables', () => {
  test('each endpoint, and what the client met there', () => {
    const { rows, head } = endpointTable(of('one-of-three-refuses'));
    expect(rows).toHaveLength(3);
    const met = Object.groupBy(rows, (r) => r.cells[head.indexOf('from the client')] ?? '');
    expect(met).toMatchObject({ answered: [{}, {}], refused: [{}] });
    expect(rows.filter((r) => r.tone === 'bad')).toHaveLength(1);
  });
  test('each node, and what was read there', () => {
    const { rows } = nodeTable(of('rules-flushed'));
    expect(rows).toHaveLength(3);
    expect(rows.filter((r) => r.tone === 'bad').map((r) => r.cells.join(' '))).toEqual([expect.stringContaining('wrong')]);
  });
  test('each connection', () => {
    const result = of('healthy');
    expect(probeTable(result).rows).toHaveLength(result.diagnosis.probes.length);
  });
  test('with a matrix, how many nodes reach an endpoint', () => {
    const { rows, head } = endpointTable(of('matrix-route-gone'));
    const reached = Object.groupBy(rows, (r) => r.cells[head.indexOf('from nodes')] ?? '');
    expect(reached).toMatchObject({ '3/3': [{}, {}], '2/3': [{}] });
  });
});

describe("the packet's way", () => {
  const blank = started(pipeline);
  test.each([
    ['policy-default-deny', 'policy'],
    ['selector-typo', 'endpoint'],
    ['target-port-wrong', 'container'],
    ['rules-flushed', 'proxy rules'],
    ['coredns-scaled-down', 'dns'],
  ])('%s breaks at %s', (name, hop) => {
    const result = of(name);
    expect(failedHop(result.diagnosis)).toBe(hop);
    const stops = drawnHops(blank, result);
    expect(stops.filter((s) => s.breaks)).toHaveLength(1);
    const at = stops.findIndex((s) => s.breaks);
    // Nothing before it is called broken, nothing behind it good.
    expect(stops.slice(0, at).some((s) => s.state === 'failed')).toBe(false);
    expect(stops.slice(at + 1).every((s) => s.state === null)).toBe(true);
  });
  test('healthy: no break', () => {
    expect(failedHop(of('healthy').diagnosis)).toBeNull();
  });
  test('while it runs, a hop is good only when all its checks are done', () => {
    const result = of('healthy');
    const but = (id: string) => {
      const reports = result.diagnosis.checks.filter((c) => c.id !== id);
      return drawnHops(
        blank.map((s) => ({ ...s, reports: reports.filter((r) => r.stage === s.stage) })),
        null,
      );
    };
    expect(but('path/name').find((s) => s.label === 'DNS')?.state).toBeNull();
    expect(but('path/endpoints').find((s) => s.label === 'DNS')?.state).toBe('ok');
  });
});
