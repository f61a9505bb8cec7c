/**
 * A scan of a cluster in which many broken Services run at once, against `svc --probe none` for each; and a scan that goes on while things change.
 * SCENARIOS: further folders of scenarios. NIGHTLY: all scenarios, not only those of the first folder.
 */
import { createServer } from 'node:http';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import type { Case } from '../support/expectation.ts';
import { apply, createNamespace, deleteNamespace, doctor, kubectl, must, run } from '../support/kubectl.ts';
import { relay } from '../support/relay.ts';
import { following } from '../support/following.ts';
import { foldersOf, isAlone, isFor, kindOfCluster } from '../support/scenarios.ts';

const own = new URL('./scenarios', import.meta.url).pathname;
const program = new URL('../../bin/k8s-doctor.js', import.meta.url).pathname;
const given = process.env['SCENARIOS']?.split(':').filter(Boolean) ?? [];
const kind = await kindOfCluster();
const caseOf = (folder: string) => JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')) as Case;
/** Those that break nothing but their own namespace, and leave the cluster room for all of them. */
const chosen = foldersOf(process.env['NIGHTLY'] || given.length === 0 ? [own, ...given] : given)
  .filter((folder) => !isAlone(folder) && isFor(folder, kind) && caseOf(folder).namespace === undefined)
  .slice(0, process.env['NIGHTLY'] ? 200 : 14);
/** Its policy lets in nobody but the node of its pod, from which that scenario's client connects. A scan names no client, and says so. */
const forItsNode = 'healthy-policy-own-node';
const namespaceOf = (folder: string) => `all-${basename(folder)}`;

interface Row {
  namespace: string;
  name: string;
  status: string;
  from: string;
  causes: string[];
}
const scanned = async (...args: string[]): Promise<{ code: number; services: Row[]; clusters: { context: string; error: string | null }[] }> => {
  const ran = await doctor(['scan', '-o', 'json', ...args]);
  return { code: ran.code, ...(JSON.parse(ran.stdout) as { services: Row[]; clusters: { context: string; error: string | null }[] }) };
};

describe('many broken Services at once', () => {
  beforeAll(async () => {
    for (const folder of chosen) {
      await createNamespace(namespaceOf(folder));
      await must('-n', namespaceOf(folder), 'apply', '-f', join(folder, 'objects.yaml'));
    }
    for (const folder of chosen) for (const wait of caseOf(folder).wait ?? []) await must('-n', namespaceOf(folder), 'wait', '--timeout=120s', ...wait);
    await new Promise((r) => setTimeout(r, 10_000));
  }, 600_000);

  afterAll(async () => {
    for (const folder of chosen) await deleteNamespace(namespaceOf(folder));
  });

  test('the scan says of each what svc --probe none says, and accuses nothing else', async () => {
    const { services } = await scanned('-A');
    const differences: string[] = [];
    for (const row of services) {
      const ran = await doctor(['svc', row.name, '-n', row.namespace, '--from', row.from, '--probe', 'none', '-o', 'json']);
      const { verdict } = JSON.parse(ran.stdout) as Diagnosis;
      const alone = `${verdict.status} ${verdict.causes.map((c) => c.code).join()}`;
      const together = `${row.status} ${row.causes.join()}`;
      if (alone !== together) differences.push(`${row.namespace}/${row.name}: alone ${alone}, in the scan ${together}`);
    }
    expect(differences).toEqual([]);
    const meantHealthy = new Set(chosen.filter((f) => caseOf(f).expect.status === 'healthy' && basename(f) !== forItsNode).map(namespaceOf));
    const isOther = (row: Row) => row.namespace === 'kube-system' || row.namespace === 'default';
    const accused = services.filter((row) => (meantHealthy.has(row.namespace) || isOther(row)) && row.causes.length > 0);
    expect(accused).toEqual([]);
    for (const row of services.filter((s) => s.namespace === namespaceOf(forItsNode))) expect(row.causes).toEqual(['policy-denies-ingress']);
    expect(services.length).toBeGreaterThan(chosen.length / 2);
  }, 600_000);

  test('parts that are joined are the whole', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-scan-'));
    const files = ['0', '1', '2'].map((i) => join(folder, `${i}.json`));
    for (const [i, file] of files.entries()) await doctor(['scan', '--shard', `${i}/3`, '-o', `json=${file}`]);
    const whole = await scanned('-A');
    const joined = await scanned('--merge', ...files);
    // A program that crashes again and again has another cause from one moment to the next.
    const shown = ({ services }: { services: Row[] }) => services.map((s) => [s.namespace, s.name, s.status]);
    expect(shown(joined)).toEqual(shown(whole));
    expect(joined.code).toBe(whole.code);
  });
});

describe('several clusters', () => {
  test('one that does not answer is a line, and not the end', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-scan-'));
    const file = join(folder, 'config');
    const config = JSON.parse(await must('config', 'view', '--raw', '-o', 'json')) as {
      contexts: { name: string; context: { cluster: string; user: string } }[];
      clusters: { name: string; cluster: object }[];
      'current-context': string;
    };
    const [first] = config.contexts;
    if (!first) throw new Error('the kubeconfig has no context');
    config.clusters.push({ name: 'away', cluster: { server: 'https://127.0.0.1:9' } });
    config.contexts.push({ name: 'away', context: { ...first.context, cluster: 'away' } });
    writeFileSync(file, JSON.stringify(config));
    const both = await scanned('-n', 'kube-system', '--kubeconfig', file, '--context', `${first.name},away`);
    expect(both.clusters.map((c) => [c.context, c.error === null])).toEqual([
      [first.name, true],
      ['away', false],
    ]);
    expect(both.clusters[1]?.error).toContain('refused');
    expect(both.services.map((s) => s.name)).toContain('kube-dns');
    // Of the one nothing is known.
    expect(both.code).toBe(2);
    const all = await scanned('-n', 'kube-system', '--kubeconfig', file, '--all-contexts');
    expect(all.clusters.map((c) => c.context)).toEqual(both.clusters.map((c) => c.context));
  });
});

test('a cluster that stops in the middle of its scan is named, and the other is scanned', async () => {
  let requests = 0;
  const between = await relay(() => (++requests > 6 ? 'reset' : 'none'));
  try {
    const first = (await must('config', 'current-context')).trim();
    const ran = await doctor(['scan', '-A', '-o', 'json', '--context', `${first},relay`], {
      env: { KUBECONFIG: `${process.env['KUBECONFIG'] ?? ''}:${between.kubeconfig}` },
    });
    const { services, clusters, missing } = JSON.parse(ran.stdout) as Awaited<ReturnType<typeof scanned>> & { missing: { context: string }[] };
    expect(services.some((s) => s.name === 'kube-dns')).toBe(true);
    const [away] = clusters.filter((c) => c.context === 'relay');
    // Either its Services came before it stopped, and what is missing is named, or it was not scanned at all.
    expect(away?.error !== null || missing.some((m) => m.context === 'relay')).toBe(true);
    expect([1, 2]).toContain(ran.code);
  } finally {
    between.close();
  }
});

describe('a scan that goes on', () => {
  const ns = 'scan-watch';
  const shopAt = (port: number) => ({ service: { name: 'shop', port: { number: port } } });
  beforeAll(async () => {
    await createNamespace(ns);
    await apply(
      ns,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: [
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            metadata: { name: 'shop' },
            spec: {
              replicas: 2,
              selector: { matchLabels: { app: 'shop' } },
              template: {
                metadata: { labels: { app: 'shop' } },
                spec: {
                  terminationGracePeriodSeconds: 1,
                  containers: [
                    {
                      name: 'web',
                      image: 'registry.k8s.io/e2e-test-images/agnhost:2.57',
                      args: ['netexec', '--http-port=8080'],
                      readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
                    },
                  ],
                },
              },
            },
          },
          { apiVersion: 'v1', kind: 'Service', metadata: { name: 'shop' }, spec: { selector: { app: 'shop' }, ports: [{ port: 80, targetPort: 8080 }] } },
        ],
      }),
    );
    await must('-n', ns, 'wait', 'deployment/shop', '--for=condition=Available', '--timeout=60s');
  });
  afterAll(async () => {
    await deleteNamespace(ns);
  });

  test('shows a new fault and its end within 5 s, serves metrics, writes Events, and ends with the worst status', async () => {
    const port = await freePort();
    const page = join(mkdtempSync(join(tmpdir(), 'k8s-doctor-watch-')), 'watch.html');
    const { lines, until, end } = following(['-n', ns, '--events', '--metrics', `127.0.0.1:${port}`, '-o', `html=${page}`]);
    const of = (from: number, code: string | undefined) =>
      lines.slice(from).some((l) => l.name === 'shop' && (code === undefined ? l.status === 'healthy' : l.causes.includes(code)));
    let exit: number | null = null;
    try {
      await until(() => lines.length > 0, 20_000);
      for (let i = 0; i < 2; i++) {
        const before = lines.length;
        await must('-n', ns, 'patch', 'service', 'shop', '--type=merge', '-p', '{"spec":{"selector":{"app":"shpo"}}}');
        await until(() => of(before, 'selector-mismatch'), 5000);
        const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
        expect(metrics).toContain(`k8s_doctor_service_state{namespace="${ns}",service="shop",code="selector-mismatch"} 2`);
        await expect.poll(() => readFileSync(page, 'utf8')).toContain('1 faulty');
        const middle = lines.length;
        await must('-n', ns, 'patch', 'service', 'shop', '--type=merge', '-p', '{"spec":{"selector":{"app":"shop"}}}');
        await until(() => of(middle, undefined), 5000);
      }
      const events = await must('-n', ns, 'get', 'events', '--field-selector=involvedObject.kind=Service', '-o', 'jsonpath={.items[*].reason}');
      expect(events.split(' ')).toEqual(expect.arrayContaining(['SelectorMismatch', 'Healthy']));
      expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
      expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404);
    } finally {
      exit = await end();
    }
    expect(exit).toBe(0);
    expect(readFileSync(page, 'utf8')).toMatch(/The watch has ended[\s\S]*shop: selector-mismatch is gone[\s\S]*shop: selector-mismatch: /);
  }, 90_000);

  test('shows a fault of an Ingress, and its end', async () => {
    const { lines, until, end } = following(['-n', ns]);
    const rule = { host: 'scan-watch.example.com', http: { paths: [{ path: '/', pathType: 'Prefix', backend: shopAt(80) }] } };
    const spec = { ingressClassName: 'absent', rules: [rule] };
    const ofIngress = () => lines.slice(1).filter((l) => l.kind === 'Ingress' && l.name === 'shop');
    try {
      await until(() => lines.length > 0, 20_000);
      await apply(ns, JSON.stringify({ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'shop' }, spec }));
      await until(() => ofIngress().some((l) => l.causes.includes('route-class-missing')), 5000);
      const once = JSON.parse((await doctor(['scan', '-n', ns, '-o', 'json'])).stdout) as { routes: object[]; services: object[] };
      expect(once.routes).toMatchObject([{ kind: 'Ingress', name: 'shop', hosts: ['scan-watch.example.com'], causes: ['route-class-missing'] }]);
      expect(once.services).toMatchObject([{ name: 'shop', status: 'healthy' }]);
      await must('-n', ns, 'delete', 'ingress', 'shop');
      await until(() => ofIngress().some((l) => l.status === 'gone'), 5000);
    } finally {
      await must('-n', ns, 'delete', 'ingress', 'shop', '--ignore-not-found');
      await end();
    }
  }, 60_000);

  test('misses nothing that changed while the API server was away', async () => {
    let isAway = false;
    const between = await relay(() => (isAway ? 'reset' : 'none'));
    const followed = following(['-n', ns], { KUBECONFIG: between.kubeconfig });
    try {
      await followed.until(() => followed.lines.length > 0, 20_000);
      const before = followed.lines.length;
      isAway = true;
      between.cut();
      await must('-n', ns, 'patch', 'service', 'shop', '--type=merge', '-p', '{"spec":{"selector":{"app":"shpo"}}}');
      await must('-n', ns, 'create', 'service', 'clusterip', 'made-meanwhile', '--tcp=80');
      await new Promise((r) => setTimeout(r, 6000));
      // What was known last is still so; nothing is called undecided.
      expect(followed.lines.slice(before)).toEqual([]);
      isAway = false;
      await followed.until(() => followed.lines.slice(before).some((l) => l.name === 'shop' && l.causes.includes('selector-mismatch')), 8000);
      await followed.until(() => followed.lines.slice(before).some((l) => l.name === 'made-meanwhile'), 8000);
      const middle = followed.lines.length;
      await must('-n', ns, 'patch', 'service', 'shop', '--type=merge', '-p', '{"spec":{"selector":{"app":"shop"}}}');
      await must('-n', ns, 'delete', 'service', 'made-meanwhile');
      await followed.until(() => followed.lines.slice(middle).some((l) => l.name === 'shop' && l.status === 'healthy'), 5000);
      await followed.until(() => followed.lines.slice(middle).some((l) => l.name === 'made-meanwhile' && l.status === 'gone'), 5000);
    } finally {
      await followed.end();
      between.close();
    }
  }, 90_000);

  test.each([
    [['--metrics', '9113'], '--events and --metrics go with --watch'],
    [['--watch', '--context', 'a,b'], '--watch follows one cluster'],
    [['--watch', '-o', 'yaml'], 'give yaml a file (-o yaml=FILE)'],
    [['--watch', '--probe'], '--watch reads objects only'],
    [['--watch', '--metrics', 'x'], '--metrics "x" is no port'],
    [['--only', 'selector-mismatched'], 'did you mean "selector-mismatch"?'],
    [['--shard', '4/3'], '--shard "4/3" is not a part'],
    [['--ignore', '/absent.yaml'], 'The file /absent.yaml cannot be read (ENOENT).'],
    [['--at-once', '0', '--probe'], '--at-once needs a number from 1 on.'],
  ])('%j: one sentence', async (args, words) => {
    const ran = await run(process.execPath, [program, 'scan', '-n', ns, ...args], { timeoutMs: 20_000 });
    expect([ran.code, ran.stderr.trim().split('\n').length]).toEqual([3, 1]);
    expect(ran.stderr).toContain(words);
  });
});

test('--probe tests what the objects do not settle, and leaves nothing behind', async () => {
  const ns = 'scan-probe';
  await createNamespace(ns);
  try {
    await apply(ns, readFileSync(join(own, 'nothing-listens/objects.yaml'), 'utf8').trim());
    await must('-n', ns, 'wait', 'deployment/shop', '--for=condition=Available', '--timeout=60s');
    const { services } = await scanned('-n', ns, '--probe', '--budget', '20s');
    expect(services).toMatchObject([{ name: 'shop', probed: true, status: 'faulty' }]);
    expect((await kubectl('-n', ns, 'get', 'pods', '-l', 'app.kubernetes.io/managed-by=k8s-doctor', '-o', 'name')).stdout).toBe('');
  } finally {
    await deleteNamespace(ns);
  }
});

/** A port that nothing listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
