/** Findings and checks' results as a test wants them, for what reasons from them. */
import type { Code } from '../../src/catalog/codes.ts';
import { seen } from '../../src/facts/fact.ts';
import type { Connection, Facts } from '../../src/facts/facts.ts';
import { asFinding, type CheckResult, type Finding, type Subject } from '../../src/verdict/verdict.ts';
import { valueOf } from './recordings.ts';

export const shop: Subject = { service: 'shop', client: 'pod/client', cannot: 'cannot be reached from' };

/** A confirmed fault of every connection, unless `more` says otherwise. */
export const finding = (code: Code, more: Partial<Finding> = {}): Finding => ({
  ...asFinding({
    code,
    severity: 'error',
    confidence: 'confirmed',
    scope: 'all',
    object: { kind: 'Service', namespace: 'shop', name: 'shop' },
    message: code,
    evidence: [],
    fix: [],
  }),
  ...more,
});

export const check = (id: string, findings: Finding[] = [], more: Partial<CheckResult> = {}): CheckResult => ({
  id,
  status: findings.some((f) => f.severity === 'error') ? 'fail' : 'pass',
  codes: findings.map((f) => f.code),
  blind: false,
  findings,
  ...more,
});

/** The facts with other connections. */
export function withConnections(facts: Facts, change: (list: readonly Connection[]) => readonly Connection[]): Facts {
  const connections = valueOf(facts.connections);
  return { ...facts, connections: seen({ ...connections, list: [...change(connections.list)] }) };
}
