/** Cells of the matrix, and the table of docs/clusters.md that shows what became of them. */
import { rowsOf, withRows } from '../support/page-table.ts';

export interface Cell {
  release: string;
  mode: 'iptables' | 'nftables';
  families: 'ipv4' | 'dual';
  /** What enforces policies: the test cluster's own engine, or kube-router. */
  policies: 'own' | 'kube-router';
}

export interface Outcome {
  cell: Cell;
  /** Which scenarios ran. */
  set: string;
  passed: number;
  /** Names of scenarios. */
  failed: readonly string[];
}

/** Reads `v1.37.2,nftables,dual`, `v1.35.4,kube-router`. Throws where a part of it is not known. */
export function parseCell(text: string): Cell {
  const [release = '', ...parts] = text.split(',');
  if (!/^v1\.\d+\.\d+$/.test(release)) throw new Error(`"${release}" is no release; write it like v1.37.2.`);
  const cell: Cell = { release, mode: 'iptables', families: 'ipv4', policies: 'own' };
  for (const part of parts) {
    if (part === 'iptables' || part === 'nftables') cell.mode = part;
    else if (part === 'ipv4' || part === 'dual') cell.families = part;
    else if (part === 'kube-router') cell.policies = part;
    else throw new Error(`"${part}" is neither a mode (iptables, nftables) nor families (ipv4, dual), nor kube-router.`);
  }
  return cell;
}

const families = { ipv4: 'IPv4', dual: 'IPv4 and IPv6' } as const;

export const rowOf = ({ cell, set, passed, failed }: Outcome): string =>
  `| ${cell.release} | ${cell.mode} | ${families[cell.families]} | ${cell.policies === 'own' ? '' : `policies by ${cell.policies}: `}${set} | ${passed} | ${failed.length === 0 ? '0' : `${failed.length}: ${failed.join(', ')}`} |`;

const head = ['Kubernetes', 'kube-proxy', 'families', 'scenarios', 'passed', 'failed'];

/** The page with the rows of these cells, in the place of their earlier ones. Throws where the page has no table. */
export function withTable(page: string, outcomes: readonly Outcome[]): string {
  const keyOf = (row: string) => `${row.split('|').slice(1, 4).join('|')} ${row.includes('policies by')}`;
  const rows = new Map([...rowsOf(page, 'test:matrix'), ...outcomes.map(rowOf)].map((row) => [keyOf(row), row]));
  const sorted = [...rows.values()].toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  return withRows(page, 'test:matrix', head, sorted);
}
