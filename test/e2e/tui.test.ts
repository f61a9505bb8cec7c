/** The built program in a real terminal: a recorded incident, and the cluster that KUBECONFIG names. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { apply, createNamespace, debugPods, deleteNamespace, doctor, must } from '../support/kubectl.ts';
import { type Terminal, terminal } from '../support/terminal.ts';

const incident = new URL('../../demo/incidents/policy-default-deny/capture.json', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-tui-'));
const open: Terminal[] = [];
const opened = (...args: Parameters<typeof terminal>): Terminal => {
  const t = terminal(...args);
  open.push(t);
  return t;
};
afterEach(() => {
  for (const t of open.splice(0)) t.close();
});

const sizes = [
  [80, 24],
  [40, 15],
  [200, 60],
] as const;

describe.each(sizes)('a recorded incident at %d × %d', (columns, rows) => {
  const around = () => opened(columns, rows, ['svc', '--replay', incident, '-i']);
  const wide = columns >= 90;

  test('shows the verdict, the way with its break, and each row with what is behind it', async () => {
    const t = around();
    const first = await t.shows('policy-denies-ingress');
    expect(first).toContain('✗');
    if (rows >= 20) expect(first).toMatch(/✗[─ ]*policy/);
    if (rows >= 20 && columns >= 80) expect(first).toContain('breaks here');
    // No line is longer than the screen, and the last one shows the keys.
    expect(first.trimEnd().split('\n').at(-1)).toContain('q quit');
    await t.keys('Enter');
    expect(await t.shows('esc back')).toContain('more lines');
    await t.keys('G');
    await t.shows('startedAt');
    expect(t.screen()).not.toContain('more lines');
    await t.keys('g', 'PageDown', 'PageUp');
    await t.shows('more lines');
    await t.keys('Escape');
    // On a busy machine a key that comes too soon after Esc is read together with it.
    await t.shows(/^(?![\s\S]*esc back)/);
    await t.keys('j', 'j');
    await t.shows(wide || rows > 20 ? /▸ {3}✓ .?exists/ : /exists/);
    await t.keys('Down', 'Up', 'k', 'k', 'Enter');
    await t.shows('esc back');
    await t.keys('q');
    await t.shows('exit=1');
    expect(t.isOdd()).toBe(false);
    expect(t.screen()).not.toContain('-icanon');
    expect(t.scrollback()).toMatch(/frontend-web cannot be reached from\s+pod\/checkout/);
  });

  test('tables of endpoints, nodes and probes, by Tab and by number', async () => {
    const t = around();
    await t.shows('policy-denies-ingress');
    await t.keys('Tab');
    expect(await t.shows(/address[\s\S]*ready|ready[\s\S]*address/)).toContain('ready');
    await t.keys('3');
    expect(await t.shows(/kube-proxy[\s\S]*node2/)).toContain('node2');
    await t.keys('4');
    expect(await t.shows(/probe[\s\S]*dns/)).toContain('dns');
    await t.keys('BTab', 'Escape');
    await t.shows('policy-denies-ingress');
  });

  test('filter, help, capture; what a recording has no cluster for is said to be so', async () => {
    const t = around();
    await t.shows('policy-denies-ingress');
    await t.keys('/', 'config', 'Enter');
    // The row is on the screen before the filter is, too: the others have gone then.
    await t.shows(/^(?![\s\S]*selector {2})[\s\S]*✓ .?config/);
    await t.keys('Escape');
    await t.shows('policy-denies-ingress');
    await t.keys('?');
    await t.shows('Keys');
    await t.keys('Escape', 'r');
    await t.shows('a recording');
    const file = join(folder, `${columns}.json`);
    await t.keys('c', 'C-u');
    for (let i = 0; i < 30; i++) await t.keys('BSpace');
    await t.keys(file, 'Enter');
    await t.shows('written to');
    const said = async (capture: string) => (await doctor(['svc', '--replay', capture, '-o', 'json'])).stdout;
    expect(await said(file)).toBe(await said(incident));
  });

  test('a fix is copied through the terminal, and shown as what it would change', async () => {
    const t = around();
    await t.shows('policy-denies-ingress');
    await t.keys('y');
    await t.shows('copied');
    await t.keys('d');
    expect(await t.shows('a recording')).toMatch(/podSelector|path/);
    await t.keys('Escape', 'q');
    await t.shows('exit=1');
  });
});

test('resized while it is drawn, the screen is whole again', async () => {
  const t = opened(120, 40, ['svc', '--replay', incident, '-i']);
  await t.shows('breaks here');
  for (const [w, h] of [
    [60, 20],
    [140, 50],
    [41, 15],
    [100, 30],
    [30, 10],
    [80, 24],
  ] as const) {
    t.resize(w, h);
    await t.keys('j', 'k');
  }
  const screen = await t.shows('breaks here');
  expect(screen.match(/policy-denies-ingress/g)).toHaveLength(1);
  expect(screen.split('\n').filter((l) => l.includes('k8s-doctor ·'))).toHaveLength(1);
  await t.keys('q');
  await t.shows('exit=1');
});

describe('marks of a terminal without the others', () => {
  test('a locale without Unicode gets plain ones', async () => {
    const t = opened(80, 24, ['svc', '--replay', incident, '-i'], { LANG: 'C', LC_ALL: 'C' });
    const screen = await t.shows('policy-denies-ingress');
    expect(screen).toContain('x policy-denies-ingress');
    expect(screen).not.toMatch(/[✓✗▲⠋─▸]/);
  });
  test('NO_COLOR: no colours; the failing hop is still marked', async () => {
    const t = opened(100, 30, ['svc', '--replay', incident, '-i'], { NO_COLOR: '1' });
    await t.shows('breaks here');
    expect(t.screen()).toContain('──✗──');
    // oxlint-disable-next-line no-control-regex
    expect(t.styled()).not.toMatch(/\u001b\[(?:\d+;)*3[0-7]m/);
  });
  test('a dumb terminal gets text, and refuses -i', async () => {
    const t = opened(80, 24, ['svc', '--replay', incident, '-i'], { TERM: 'dumb' });
    expect(await t.shows('exit=3')).toContain('needs a terminal that can draw');
  });
});

describe('against a cluster', () => {
  const ns = 'k8s-doctor-tui';
  beforeAll(async () => {
    await createNamespace(ns);
    await apply(ns, readFileSync(new URL('./scenarios/client-without-shell/objects.yaml', import.meta.url), 'utf8'));
    // Its policy is not under test here.
    await must('-n', ns, 'delete', 'networkpolicies', '--all');
    await apply(ns, 'apiVersion: v1\nkind: Service\nmetadata: {name: typo}\nspec: {selector: {app: shpo}, ports: [{port: 80}]}\n');
    await must('-n', ns, 'wait', 'pod/client', '--for=condition=Ready', '--timeout=60s');
    await must('-n', ns, 'rollout', 'status', 'deployment/shop', '--timeout=60s');
  });
  afterAll(() => deleteNamespace(ns));

  test.each(sizes)('svc NAME at %d × %d: a live view that gives way to the verdict', async (columns, rows) => {
    const t = opened(columns, rows, ['svc', 'shop', '-n', ns]);
    expect(await t.shows('q quit')).toContain('kube-proxy');
    await t.shows('exit=0', 30_000);
    const all = t.scrollback();
    expect(all).toContain('shop answers from a pod in namespace');
    expect(all).not.toContain('q quit');
    expect(t.isOdd()).toBe(false);
  });

  test('a fault: exit status 1', async () => {
    const t = opened(80, 24, ['svc', 'typo', '-n', ns]);
    await t.shows('exit=1', 30_000);
    expect(t.scrollback()).toContain('Selector mismatch');
  });

  test('i stays; q prints the verdict', async () => {
    const t = opened(100, 30, ['svc', 'shop', '-n', ns]);
    await t.shows('i inspect');
    await t.keys('i');
    await t.shows('1 checks', 30_000);
    expect(t.isOdd()).toBe(true);
    await t.keys('q');
    await t.shows('exit=0');
    expect(t.scrollback()).toContain('shop answers from');
    expect(t.isOdd()).toBe(false);
  });

  test('Ctrl-C while it runs leaves nothing behind', async () => {
    const t = opened(80, 24, ['svc', 'shop', '-n', ns]);
    await t.shows('debug pod');
    await t.keys('C-c');
    expect(await t.shows('exit=130', 20_000)).toContain('nothing is left behind');
    expect(await debugPods(ns)).toBe('');
    expect(t.isOdd()).toBe(false);
    expect(t.screen()).not.toContain('-icanon');
  });

  test.each(['SIGTERM', 'SIGHUP'] as const)('%s while it runs: the terminal is as it was', async (signal) => {
    const t = opened(80, 24, ['svc', 'shop', '-n', ns, '-i']);
    await t.shows('debug pod');
    t.signal(signal);
    await t.shows(/exit=1(43|29)/, 20_000);
    expect(t.isOdd()).toBe(false);
    expect(await debugPods(ns)).toBe('');
  });

  test('before an ephemeral container a person is asked; while it waits, little is written', async () => {
    const t = opened(80, 24, ['svc', 'shop', '-n', ns, '--from', 'pod/client']);
    await t.shows('(y/n)', 20_000);
    const before = t.written().length;
    await new Promise((r) => setTimeout(r, 3000));
    const idle = t.written().slice(before);
    expect(idle.length / 3).toBeLessThan(20_000);
    // Only the lines that change are written: the others, and the whole screen, never.
    // oxlint-disable-next-line no-control-regex
    expect(idle).not.toMatch(/endpoints|\u001b\[2?J|\u001b\[H/);
    await t.keys('n');
    await t.shows(/exit=\d/, 30_000);
    expect(await must('-n', ns, 'get', 'pod', 'client', '-o', 'jsonpath={.spec.ephemeralContainers}')).toBe('');
  });

  test('the explorer: contexts, namespaces, Services; filter; open one; look around; run again, from elsewhere; watch', async () => {
    const t = opened(100, 30, []);
    await t.shows('Services (');
    await t.keys('Escape');
    await t.shows('namespaces (');
    await t.keys('Escape');
    await t.shows('contexts (');
    await t.keys('Enter');
    await t.shows('namespaces (');
    await t.keys('/', ns, 'Enter');
    await t.shows(/namespaces \(1\)/);
    await t.keys('Enter');
    await t.shows('Services (2)');
    // The worst comes first, once it is known.
    const listed = await t.shows(/typo.*\n.*shop/, 20_000);
    expect(listed).toContain('✗ typo');
    await t.keys('Down', 'Enter');
    await t.shows(`${ns}/shop`);
    await t.shows('1 checks', 30_000);
    await t.keys('r');
    await t.shows('running');
    await t.shows(/shop$/m, 30_000);
    await t.keys('f', 'node/node1', 'Enter');
    await t.shows('from node/node1');
    await t.shows('1 checks', 30_000);
    await t.keys('w');
    await t.shows('watching');
    await must('-n', ns, 'scale', 'deployment/shop', '--replicas=0');
    await t.shows('*changed', 40_000);
    await must('-n', ns, 'scale', 'deployment/shop', '--replicas=2');
    await t.keys('w');
    await t.shows('no longer watching');
    await t.keys('Escape');
    await t.shows('Services (2)');
    await t.keys('a');
    await t.shows('all namespaces');
    await t.keys('q');
    await t.shows(/exit=\d/);
    expect(t.isOdd()).toBe(false);
    expect(await debugPods(ns)).toBe('');
  });

  test('d shows a fix as a diff that the API server accepts', async () => {
    const t = opened(100, 30, ['svc', 'typo', '-n', ns, '-i']);
    await t.shows('1 checks', 30_000);
    await t.keys('d');
    const diff = await t.shows('the API server accepts it');
    expect(diff).toMatch(/^ - +app: shpo$/m);
    expect(diff).toMatch(/^ \+ +app: shop$/m);
    expect(await must('-n', ns, 'get', 'service', 'typo', '-o', 'jsonpath={.spec.selector.app}')).toBe('shpo');
  });

  test('a there applies it after a question, and u takes it back', async () => {
    const selector = () => must('-n', ns, 'get', 'service', 'typo', '-o', 'jsonpath={.spec.selector.app}');
    const t = opened(100, 30, ['svc', 'typo', '-n', ns, '-i']);
    await t.shows('1 checks', 30_000);
    await t.keys('d');
    await t.shows('a apply');
    await t.keys('a');
    await t.shows('Make this change in the cluster? (y/n)');
    await t.keys('n');
    expect(await selector()).toBe('shpo');
    await t.keys('a');
    await t.shows('(y/n)');
    await t.keys('y');
    // The selector was hiding a wrong port.
    await t.shows('Nothing listens on port 80', 40_000);
    expect(t.screen()).toContain('changed; u takes it back');
    expect(await selector()).toBe('shop');
    await t.keys('u');
    await t.shows('Take the last fix back? (y/n)');
    await t.keys('y');
    await t.shows('selects no pod', 30_000);
    expect(await selector()).toBe('shpo');
  });

  test('--watch without a terminal UI prints a line when the verdict changes', async () => {
    const page = join(folder, 'watch.html');
    const t = opened(100, 30, ['svc', 'typo', '-n', ns, '--watch', '--ui', 'never', '--probe', 'none', '-o', `html=${page}`]);
    expect(await t.shows('faulty')).toContain('typo cannot be reached');
    await expect.poll(() => existsSync(page) && readFileSync(page, 'utf8')).toContain('Load this page again');
    await t.keys('C-c');
    await t.shows('exit=1');
    expect(readFileSync(page, 'utf8')).toContain('The watch has ended');
  });
});

describe('an API server that goes away', () => {
  const config = (url: string): string => {
    const file = join(folder, `gone-${url.replaceAll(/\W/g, '')}.kubeconfig`);
    const clusters = [{ name: 'c', cluster: { server: url, 'insecure-skip-tls-verify': true } }];
    const contexts = [{ name: 'gone', context: { cluster: 'c', user: 'u' } }];
    writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'Config', 'current-context': 'gone', clusters, users: [{ name: 'u', user: {} }], contexts }));
    return file;
  };

  test('before anything was read: one sentence, and the terminal is intact', async () => {
    const server = createServer((request) => void request.socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const env = { KUBECONFIG: config(`http://127.0.0.1:${(server.address() as AddressInfo).port}`) };
    try {
      const inline = opened(80, 24, ['svc', 'shop'], env);
      expect(await inline.shows('exit=3')).toContain('cannot be reached');
      expect(inline.isOdd()).toBe(false);
      const full = opened(80, 24, ['svc', 'shop', '-i'], env);
      await full.shows('cannot be reached');
      await full.keys('q');
      await full.shows('exit=3');
      expect(full.isOdd()).toBe(false);
    } finally {
      server.close();
    }
  });

  test('while it is watched: what was read stays, with why nothing follows', async () => {
    const proxy = spawn('kubectl', ['proxy', '--port=0']);
    try {
      const said = await new Promise<string>((resolve) => proxy.stdout.once('data', (d) => resolve(String(d))));
      const address = /127\.0\.0\.1:\d+/.exec(said)?.[0] ?? '';
      const t = opened(90, 24, ['svc', 'kubernetes', '-n', 'default', '--watch', '--probe', 'none'], { KUBECONFIG: config(`http://${address}`) });
      await t.shows('watching', 20_000);
      await t.shows('1 checks', 20_000);
      proxy.kill();
      expect(await t.shows('cannot be reached', 30_000)).toContain('1 checks');
      await t.keys('q');
      await t.shows('exit=0');
      expect(t.isOdd()).toBe(false);
      expect(t.scrollback()).toContain('kubernetes: no problem found');
    } finally {
      proxy.kill();
    }
  });
});
