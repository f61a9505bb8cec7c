import { describe, expect, test } from 'vitest';
import { parseCell, withTable } from './table.ts';

describe('cells', () => {
  test('a release alone is iptables and IPv4', () => {
    expect(parseCell('v1.33.13')).toEqual({ release: 'v1.33.13', mode: 'iptables', families: 'ipv4', policies: 'own' });
    expect(parseCell('v1.37.2,dual,nftables')).toEqual({ release: 'v1.37.2', mode: 'nftables', families: 'dual', policies: 'own' });
    expect(parseCell('v1.35.4,kube-router').policies).toBe('kube-router');
  });
  test.each(['1.33', 'v1.37.2,ipvs', '../x'])('%s is refused', (text) => {
    expect(() => parseCell(text)).toThrow(/is no release|is neither a mode/);
  });
});

test('rows take the place of their earlier ones, and the others stay', () => {
  const page = '# Clusters\n\n<!-- table: written by npm run test:matrix -->\n<!-- end of the table -->\n\nMore.\n';
  const outcome = (text: string, failed: string[] = []) => ({ cell: parseCell(text), set: 'all', passed: 3, failed });
  const once = withTable(page, [outcome('v1.37.2,nftables,dual', ['x']), outcome('v1.33.13')]);
  const twice = withTable(once, [outcome('v1.37.2,nftables,dual')]);
  expect(twice).toContain('| v1.37.2 | nftables | IPv4 and IPv6 | all | 3 | 0 |');
  expect(twice.match(/^\| v/gm)).toHaveLength(2);
  expect(twice.indexOf('v1.33.13')).toBeLessThan(twice.indexOf('v1.37.2'));
  expect(twice).toMatch(/^# Clusters[\s\S]*More\.\n$/);
  expect(() => withTable('nothing', [])).toThrow('no table');
});
