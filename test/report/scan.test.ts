import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import { scanText } from '../../src/report/scan.ts';

const row = (name: string, status: 'healthy' | 'faulty', summary = '') => ({
  namespace: 'shop',
  name,
  type: 'ClusterIP',
  ports: ['80→8080'],
  endpoints: { ready: 2, total: 3 },
  status,
  summary,
});
const text = (columns: number, unicode = true) =>
  scanText([row('cart', 'faulty', 'No pod carries the labels that the selector asks for, neither here nor elsewhere'), row('名前', 'healthy')], [], {
    unicode,
    columns,
    namespaces: true,
    requests: 9,
  });

describe('a scan as text', () => {
  test.each([60, 80, 120])('no line is wider than %i columns', (columns) => {
    for (const line of text(columns).split('\n').slice(0, 2)) expect(stringWidth(line)).toBeLessThanOrEqual(columns);
  });
  test('columns are aligned, wide characters too', () => {
    const [first = '', second = ''] = text(120).split('\n');
    expect(stringWidth(first.slice(0, first.indexOf('ClusterIP')))).toBe(stringWidth(second.slice(0, second.indexOf('ClusterIP'))));
  });
  test('ASCII marks in a locale without the others', () => {
    expect(text(120, false)).toMatch(/^x shop\/cart /);
  });
  test('what was cut says so, and counts follow', () => {
    expect(text(60)).toContain('…');
    expect(text(60)).toContain('2 Services: 1 faulty, 1 without a problem in their objects.');
  });
  test('no Services', () => {
    expect(scanText([], [], { unicode: true, columns: 80, namespaces: false, requests: 1 })).toBe('There are no Services.');
  });
});
