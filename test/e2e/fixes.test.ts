/**
 * Breaks Services in the cluster that KUBECONFIG names, has `fix --yes` repair them, and takes the repair back.
 * ONLY: names of scenarios (comma-separated). SCENARIOS: further folders of them (colon-separated). NIGHTLY: all that can be repaired;
 * without it those of the further folders, which is what a change is judged by.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { readUndo } from '../../src/repair/undo.ts';
import type { Case } from '../support/expectation.ts';
import { debugPods, deleteNamespace, doctor, must } from '../support/kubectl.ts';
import { repairable } from '../support/repairable.ts';
import { broken, foldersOf, healed, isAlone, isFor, kindOfCluster } from '../support/scenarios.ts';

const only = process.env['ONLY']?.split(',');
const own = new URL('./scenarios', import.meta.url).pathname;
const others = process.env['SCENARIOS']?.split(':').filter(Boolean) ?? [];
const isAll = only !== undefined || process.env['NIGHTLY'] !== undefined || others.length === 0;
const kind = await kindOfCluster();
const folders = foldersOf([...(isAll ? [own] : []), ...others]).filter((f) => (only ?? repairable).includes(basename(f)) && isFor(f, kind));

/** A repaired program may take a while to start, and CoreDNS a while to read its configuration again. */
const fixMs = 200_000;

interface Listed {
  kind: string;
  metadata: { name: string; labels?: Record<string, string> };
  status?: unknown;
}

const kinds = `services,deployments,statefulsets,daemonsets,networkpolicies,resourcequotas,limitranges,serviceaccounts,configmaps${kind.has.istio ? ',authorizationpolicies.security.istio.io,destinationrules.networking.istio.io,sidecars.networking.istio.io' : ''}`;

/** Everything that a fix may change of the objects of a namespace and of kube-system, by kind and name. */
async function stateOf(namespace: string): Promise<Record<string, unknown>> {
  const lists = await Promise.all([
    must('-n', namespace, 'get', kinds, '-o', 'json'),
    must('-n', 'kube-system', 'get', 'services,deployments,daemonsets,configmaps,networkpolicies', '-o', 'json'),
    must('get', 'clusterrolebindings', '-o', 'json'),
    must('-n', namespace, 'get', 'endpointslices', '-l', '!endpointslice.kubernetes.io/managed-by', '-o', 'json'),
  ]);
  const objects = lists.flatMap((text, i) => (JSON.parse(text) as { items: Listed[] }).items.map((o) => [i, o] as const));
  return Object.fromEntries(
    objects.map(([i, { metadata, ...fields }]) => [`${i} ${fields.kind} ${metadata.name}`, { ...fields, status: undefined, labels: metadata.labels ?? {} }]),
  );
}

async function repaired(name: string, folder: string): Promise<void> {
  const scenario = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')) as Case;
  const namespace = scenario.namespace ?? `sc-${name}`;
  const cwd = mkdtempSync(join(tmpdir(), 'k8s-doctor-fix-'));
  const args = scenario.args.slice(1).map((a) => a.replaceAll('{ns}', namespace));
  try {
    await broken(folder, scenario, namespace);
    const before = await stateOf(namespace);
    const fixed = await doctor(['fix', ...args, '--yes', '-q', '-o', 'json'], { cwd, timeoutMs: fixMs });
    const said = `exit ${fixed.code}\n${fixed.stderr}`;
    expect(fixed.code, said).toBe(0);
    const diagnosis = JSON.parse(fixed.stdout) as Diagnosis;
    expect(diagnosis.verdict.status, said).toBe('healthy');
    expect(
      diagnosis.probes.some((p) => p.outcome === 'answered'),
      said,
    ).toBe(true);

    const [file = ''] = readdirSync(cwd);
    const { changes } = readUndo(join(cwd, file));
    expect(changes.length, said).toBeGreaterThan(0);
    // What others share is changed only where that was broken.
    if (!isAlone(folder)) expect(said).not.toMatch(/^\s+\w+ kube-system\//m);
    // Pods are not among the objects that are compared.
    if (changes.some((c) => c.kind !== 'pod')) expect(await stateOf(namespace), said).not.toEqual(before);
    const back = await doctor(['fix', '--undo', file, '--yes'], { cwd });
    expect(back.code, back.stdout + back.stderr).toBe(0);
    expect(await stateOf(namespace)).toEqual(before);
  } finally {
    await healed(folder, namespace);
    await deleteNamespace(namespace, scenario.namespace !== undefined);
    rmSync(cwd, { recursive: true });
  }
}

describe('what fix changes repairs the Service, and can be taken back', () => {
  const named = folders.map((folder) => [basename(folder), folder] as const);
  // oxlint-disable-next-line vitest/expect-expect
  test.concurrent.each(named.filter(([, folder]) => !isAlone(folder)))('%s', repaired, fixMs + 120_000);
  // oxlint-disable-next-line vitest/expect-expect
  test.each(named.filter(([, folder]) => isAlone(folder)))('%s', repaired, fixMs + 120_000);

  test('no debug pod is left behind', async () => {
    expect(await debugPods()).toBe('');
  });
});
