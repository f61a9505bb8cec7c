/** Two faults at once, of which one may hide the other: one `fix --yes` repairs both, and undo brings both back. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { brokenBy } from '../support/faults.ts';
import { apply, createNamespace, deleteNamespace, doctor, must } from '../support/kubectl.ts';

const pairs: [string, string][] = [
  ['a selector that matches nothing', 'a default-deny'],
  ['a targetPort where nothing listens', 'a default-deny'],
  ['a selector that matches nothing', 'a targetPort where nothing listens'],
  ['no replicas', 'a default-deny'],
  ['a probe of a wrong port', 'egress for DNS only'],
  ['egress without DNS', 'a targetPort where nothing listens'],
  ['a label that takes it from kube-proxy', 'egress for DNS only'],
  ['a request that fits on no node', 'a selector that matches nothing'],
  ['a targetPort of a name that no container has', 'a default-deny'],
  ['internalTrafficPolicy Local, and no endpoint on the node', 'a default-deny'],
];

/** The most telling ones first: they run each time, the others with NIGHTLY. */
const chosen = process.env['NIGHTLY'] === undefined ? pairs.slice(0, 4) : pairs;

const specsOf = async (namespace: string): Promise<string> =>
  must(
    '-n',
    namespace,
    'get',
    'services,deployments,networkpolicies',
    '-o',
    'jsonpath={range .items[*]}{.kind}/{.metadata.name}/{.metadata.labels}/{.spec}{"\\n"}{end}',
  );

describe('two faults at once', () => {
  test.concurrent.each(chosen.map(([a, b], i) => [`${a}, and ${b}`, a, b, i] as const))(
    '%s',
    async (_, a, b, i) => {
      const namespace = `pair-${i}`;
      const cwd = mkdtempSync(join(tmpdir(), 'k8s-doctor-pair-'));
      await createNamespace(namespace);
      try {
        await apply(namespace, brokenBy(a, b));
        await must('-n', namespace, 'wait', 'pod/client', '--for=condition=Ready', '--timeout=60s');
        await new Promise((r) => setTimeout(r, 5000));
        const before = await specsOf(namespace);
        const fixed = await doctor(['fix', 'shop', '-n', namespace, '--from', 'pod/client', '--yes', '-q', '-o', 'json'], { cwd, timeoutMs: 200_000 });
        expect(fixed.code, fixed.stderr).toBe(0);
        const { verdict, probes } = JSON.parse(fixed.stdout) as Diagnosis;
        expect(verdict.status, fixed.stderr).toBe('healthy');
        expect(probes.some((p) => p.kind === 'tcp' && p.outcome === 'answered')).toBe(true);
        const [file = ''] = readdirSync(cwd);
        const back = await doctor(['fix', '--undo', file, '--yes'], { cwd });
        expect(back.code, back.stdout + back.stderr).toBe(0);
        expect(await specsOf(namespace)).toBe(before);
      } finally {
        await deleteNamespace(namespace);
        rmSync(cwd, { recursive: true });
      }
    },
    300_000,
  );
});
