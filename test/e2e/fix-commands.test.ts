/** Faults that no patch repairs: the command that the fix shows, run as it is written, repairs them. ONLY: names of scenarios. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import type { Case } from '../support/expectation.ts';
import { deleteNamespace, doctor, run } from '../support/kubectl.ts';
import { broken, foldersOf, healed } from '../support/scenarios.ts';

const byCommand = [
  'client-dns-default',
  'client-dns-none',
  'cross-node-route',
  'firewall-closed-port',
  'firewall-drops-forwarded',
  'firewall-drops-in-mangle',
  'firewall-rejects-forwarded',
  'matrix-route-gone',
  'route-back-gone',
  'routing-rule-drops',
  'routing-table-drops',
  'rule-by-hand',
  'two-modes-at-once',
];
const only = process.env['ONLY']?.split(',');
const folders = foldersOf([new URL('./scenarios', import.meta.url).pathname]).filter((f) => (only ?? byCommand).includes(basename(f)));

/** How long the cluster may take to follow, in milliseconds. */
const settleMs = 60_000;

// They break routes and rules of nodes, which takes long: every night, and where they are asked for.
describe.runIf(only ?? process.env['NIGHTLY'])('the command of a fix, run as it is written', () => {
  test.each(folders.map((f) => [basename(f), f]))('%s', async (name, folder) => {
    const scenario = JSON.parse(readFileSync(`${folder}/case.json`, 'utf8')) as Case;
    const namespace = `sc-${name}`;
    const diagnosed = async (): Promise<Diagnosis> =>
      JSON.parse((await doctor([...scenario.args.map((a) => a.replaceAll('{ns}', namespace)), '-q', '-o', 'json'])).stdout) as Diagnosis;
    try {
      await broken(folder, scenario, namespace);
      const { verdict } = await diagnosed();
      const [command] = verdict.causes.flatMap((c) => c.fix.flatMap((f) => f.command ?? []));
      expect(command, JSON.stringify(verdict.causes)).toBeDefined();
      const ran = await run('sh', ['-c', command ?? '']);
      expect(ran.code, `${command}\n${ran.stderr}`).toBe(0);
      let after = await diagnosed();
      for (const end = Date.now() + settleMs; after.verdict.status !== 'healthy' && Date.now() < end; ) after = await diagnosed();
      expect(after.verdict.status, `${command}\n${ran.stdout}\n${after.verdict.summary}`).toBe('healthy');
    } finally {
      await healed(folder, namespace);
      await deleteNamespace(namespace);
    }
  });
});
