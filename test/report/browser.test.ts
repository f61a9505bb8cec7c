/** HTML reports in a real browser: no error on the console, and nothing that axe finds, on a desktop and a phone, in light and dark. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer, { type Browser } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { diagnosisOf } from '../../src/cli/svc.ts';
import { readCapture } from '../../src/facts/capture.ts';
import { cleanDeep } from '../../src/report/clean.ts';
import { renderHtml } from '../../src/report/html.ts';
import { matrixHtml } from '../../src/report/matrix-html.ts';
import { scanHtml } from '../../src/report/scan/html.ts';
import { scanOf } from '../../src/scan/scan.ts';

function chromium(): string {
  try {
    return execFileSync('sh', ['-c', 'command -v chromium || command -v google-chrome'], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}
const executablePath = chromium();

const root = new URL('../../', import.meta.url);
const diagnosisIn = (path: string) => cleanDeep(diagnosisOf(readCapture(readFileSync(new URL(path, root), 'utf8'))));
const incidents = readdirSync(new URL('demo/incidents/', root)).map((name) => `demo/incidents/${name}/capture.json`);
const recorded = ['dual-matrix-route-gone', 'canary-wrong-port'].map((name) => `test/recordings/${name}.json`);
const diagnoses = [...incidents.slice(0, 6), ...recorded].map((path) => [path, diagnosisIn(path)] as const);

const scanned = scanOf({
  version: '0.1.0',
  startedAt: '2026-01-01T00:00:00Z',
  durationMs: 900,
  clusters: [{ context: 'lab', requests: 20, error: null }],
  services: diagnoses.map(([, d]) => ({
    kind: 'Service',
    context: 'lab',
    namespace: d.service.namespace,
    name: d.service.name,
    type: d.service.type ?? 'ClusterIP',
    ports: d.service.ports.map((p) => `${p.port}/${p.protocol}`),
    endpoints: { ready: 1, total: 2 },
    status: d.verdict.status,
    summary: d.verdict.summary,
    causes: d.verdict.causes,
    ignored: [],
    probed: false,
    from: 'namespace/shop',
  })),
  missing: [],
});
const cells = ['allowed', 'denied', 'unknown', 'part', 'no-port'] as const;
const groups = cells.map((name) => ({ namespace: 'shop', name, pods: [`${name}-1`, `${name}-2`] }));
const matrix = {
  title: 'Who may talk to whom',
  ports: 'port 80/TCP',
  groups,
  cells: groups.map(() => [...cells]),
  pairs: { allowed: 10, denied: 10, unknown: 10, part: 10, 'no-port': 10 },
  missing: ['nodes (not allowed)'],
  reason: () => 'ingress: no rule of default-deny allows it',
};

const reports: [string, string][] = [
  ...diagnoses.map(([path, d]): [string, string] => [path, renderHtml(d)]),
  ['a watch', scanHtml(scanned, { goesOn: true, changes: ['12:00:05 ✗ shop/cart: selector-mismatch', '12:00:00 ✓ shop/cart'] })],
  ['a scan', scanHtml(scanned)],
  ['who may talk to whom', matrixHtml(matrix)],
];

// A start of the browser for each would take longer than all other tests of reports.
const shown = process.env['NIGHTLY'] || process.env['PICTURES'] ? reports : [...reports.slice(0, 1), ...reports.slice(-3)];

const axe = createRequire(import.meta.url).resolve('axe-core');
const sizes = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844, isMobile: true } };
const looks = Object.keys(sizes).flatMap((size) => ['light', 'dark'].map((scheme) => [size as keyof typeof sizes, scheme] as const));

describe.skipIf(executablePath === '')('in Chromium', () => {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-html-'));
  let browser: Browser;
  beforeAll(async () => {
    browser = await puppeteer.launch({ executablePath, args: ['--no-sandbox'] });
  });
  afterAll(() => browser.close());

  async function opened(name: string, html: string, size: keyof typeof sizes, scheme: string) {
    const file = join(folder, `${name.replaceAll(/\W+/g, '-')}.html`);
    writeFileSync(file, html);
    const page = await browser.newPage();
    const said: string[] = [];
    page.on('console', (message) => void said.push(message.text()));
    page.on('pageerror', (error) => void said.push(String(error)));
    await page.setViewport(sizes[size]);
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await page.goto(`file://${file}`);
    return { page, said };
  }

  test.each(shown)('%s', async (name, html) => {
    for (const [size, scheme] of looks) {
      const { page, said } = await opened(name, html, size, scheme);
      // Past the page's own policy, which lets no other script in.
      await page.evaluate(readFileSync(axe, 'utf8'));
      const found = await page.evaluate(async () => {
        const { violations } = await (
          globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } }
        ).axe.run();
        return violations.map((v) => `${v.id}: ${v.nodes[0]?.html ?? ''}`);
      });
      const isWider = await page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');
      expect({ size, scheme, found, said, isWider }).toEqual({ size, scheme, found: [], said: [], isWider: false });
      if (process.env['PICTURES'])
        await page.screenshot({ path: join(process.env['PICTURES'], `${name.replaceAll(/\W+/g, '-')}-${size}-${scheme}.png`), fullPage: true });
      await page.close();
    }
  });

  test('the page of a watch loads again where the reader wants it', async () => {
    const { page } = await opened('watch', scanHtml(scanned, { goesOn: true, changes: [] }), 'desktop', 'light');
    const file = new URL(page.url()).pathname;
    await page.click('#reload');
    expect(page.url()).toContain('#reload');
    writeFileSync(file, scanHtml(scanned, { goesOn: true, changes: ['12:00:05 ✗ shop/cart: selector-mismatch'] }));
    await page.waitForFunction("document.body.textContent.includes('12:00:05')", { timeout: 10_000 });
    expect(await page.$eval('#reload', (box) => (box as unknown as { checked: boolean }).checked)).toBe(true);
    writeFileSync(file, scanHtml(scanned, { goesOn: false, changes: [] }));
    await page.waitForFunction("document.body.textContent.includes('The watch has ended')", { timeout: 10_000 });
    expect(await page.$('#reload')).toBeNull();
    await page.close();
  });

  test('a table is sorted by the column that is pressed, numbers as numbers', async () => {
    const { page } = await opened('sorted', scanHtml(scanned), 'desktop', 'light');
    const column = () => page.$$eval('.wide tbody tr', (rows) => rows.map((r) => r.children[1]?.textContent ?? ''));
    await page.click('.wide th:nth-child(2) button');
    const up = await column();
    await page.click('.wide th:nth-child(2) button');
    expect(up).toEqual(up.toSorted((a, b) => a.localeCompare(b, undefined, { numeric: true })));
    expect(await column()).toEqual(up.toReversed());
    await page.close();
  });
});
