/**
 * Makes the pictures of the README from real runs: `npm run pictures`. It takes tmux, chromium, and a cluster that KUBECONFIG
 * names, in which a namespace `shop` is made for a moment.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AnsiUp } from 'ansi_up';
import { apply, createNamespace, deleteNamespace, must } from '../../test/support/kubectl.ts';
import { type Terminal, terminal } from '../../test/support/terminal.ts';

const here = new URL('.', import.meta.url).pathname;
const work = mkdtempSync(join(tmpdir(), 'k8s-doctor-pictures-'));
const columns = 104;
const lineHeight = 19;

/** What is drawn inverse gets a background: the library knows no other way. */
// oxlint-disable-next-line no-control-regex
const inverse = /(\u001b\[(?:\d+;)*)7m/g;

const page = (body: string) => `<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: #16191d; color: #d7dce2 }
.ansi-red-fg { color: #f2777a } .ansi-green-fg { color: #7ec98a } .ansi-yellow-fg { color: #e3b341 } .ansi-cyan-fg { color: #66c6d0 } .ansi-bright-black-bg { background: #3d4550 }
pre { margin: 0; padding: 14px 16px; font: 14px/${lineHeight}px "DejaVu Sans Mono", monospace }
</style><pre>${body}</pre>`;

/** Draws what a terminal shows now. */
function picture(name: string, shown: Terminal, rows: number): void {
  const ansi = new AnsiUp();
  ansi.use_classes = true;
  const html = join(work, `${name}.html`);
  writeFileSync(html, page(ansi.ansi_to_html(shown.styled().replaceAll(inverse, '$1100m'))));
  const size = `--window-size=${Math.round(columns * 8.43 + 32)},${rows * lineHeight + 28}`;
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--hide-scrollbars',
    '--no-first-run',
    '--disable-background-networking',
    `--user-data-dir=${join(work, 'chromium')}`,
  ];
  const ran = spawnSync('chromium', [...flags, size, `--screenshot=${join(here, `${name}.png`)}`, `file://${html}`], { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(`chromium: ${ran.stderr || ran.error?.message}`);
}

const ns = 'shop';
const incident = new URL('../../demo/incidents/policy-default-deny/', import.meta.url).pathname;
await createNamespace(ns);
const open: Terminal[] = [];
try {
  await apply(ns, readFileSync(join(incident, 'objects.yaml'), 'utf8'));
  await apply(ns, readFileSync(new URL('more.yaml', import.meta.url), 'utf8'));
  await must('-n', ns, 'wait', 'pod', '--all', '--for=condition=Ready', '--timeout=60s');

  const live = terminal(columns, 17, ['svc', 'frontend-web', '-n', ns, '--from', 'pod/checkout']);
  open.push(live);
  await live.shows('✗ network-policy', 20_000);
  picture('live', live, 15);

  const around = terminal(columns, 32, ['svc', 'frontend-web', '-n', ns, '--from', 'pod/checkout', '-i']);
  open.push(around);
  await around.shows('1 checks', 30_000);
  picture('around', around, 32);

  const explorer = terminal(columns, 12, ['-n', ns]);
  open.push(explorer);
  await explorer.shows(/✗ [\s\S]*✓ /, 20_000);
  // All of them are known.
  await explorer.shows(/^(?!.*checked)/, 20_000);
  picture('explorer', explorer, 12);
} finally {
  for (const t of open) t.close();
  await deleteNamespace(ns);
}
