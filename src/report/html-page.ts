/** What the HTML reports share: one file each, without other files, light and dark, for screens, phones and paper. */
import { createHash } from 'node:crypto';
import type { Hop } from '../diagnose/diagnosis.ts';

/** Text from the cluster must not become markup. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const h = escapeHtml;

const style = `
:root { color-scheme: light dark; --bg: #fff; --card: #f6f7f9; --fg: #1c2024; --soft: #5b6570; --line: #d8dce2; --pass: #1f7a48; --fail: #b3262c; --warn: #8a5a00; --unknown: #6b46b0; --skip: #5f6973 }
@media (prefers-color-scheme: dark) { :root { --bg: #14171a; --card: #1c2126; --fg: #e6e9ec; --soft: #9aa4af; --line: #333a42; --pass: #4bbd80; --fail: #f0777b; --warn: #e0a63a; --unknown: #b79af0; --skip: #8f99a4 } }
* { box-sizing: border-box } body { margin: 0; background: var(--bg); color: var(--fg); font: 15px/1.5 system-ui, sans-serif } main { margin: 0 auto; padding: 2rem 1rem; max-width: 62rem }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 .3rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem } h3 { font-size: 1rem; margin: 1.2rem 0 .3rem } .cause h2, .cause h3 { font-size: 1rem; margin: 0 0 .3rem } p { margin: .3rem 0 }
.soft { color: var(--soft) } .pass { color: var(--pass) } .fail, .failed { color: var(--fail) } .warn, .warning { color: var(--warn) } .unknown { color: var(--unknown) } .skip, .none { color: var(--skip) } .ok { color: var(--pass) }
.cause { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--fail); border-radius: 6px; padding: 1rem; margin: 1rem 0 } .cause.part { border-left-color: var(--warn) }
pre { background: var(--bg); border: 1px solid var(--line); border-radius: 4px; padding: .6rem; overflow-x: auto; margin: .4rem 0; font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere } th { font-weight: 600; white-space: nowrap } td { min-width: 3rem }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer } th button::after { content: " ↕"; color: var(--soft) } th[aria-sort=ascending] button::after { content: " ↑" } th[aria-sort=descending] button::after { content: " ↓" }
.way { padding: 0; margin: 1rem 0; list-style: none; display: none } .way li { border: 1px solid var(--line); border-radius: 6px; padding: .3rem .7rem; margin: .3rem 0 } .way li.failed { border-color: var(--fail); border-width: 2px } .way small { display: block; color: var(--soft); overflow-wrap: anywhere }
.picture { display: block; width: 100%; height: auto; margin: 1.2rem 0 } .picture text { font: 12px system-ui, sans-serif; fill: var(--soft) } .picture .hop { font-weight: 600; fill: var(--fg) } .picture .mark { font-size: 14px; fill: currentColor } .picture rect { fill: var(--card); stroke: var(--line) } .picture .failed rect { stroke: var(--fail); stroke-width: 2 } .picture path { stroke: currentColor; stroke-width: 2; fill: none }
.wide { overflow-x: auto } .wide table { min-width: 44rem } .wide .matrix { min-width: 0 } .matrix { width: auto } .matrix th, .matrix td { padding-right: 1.2rem; white-space: nowrap } .matrix small { color: var(--soft); font-weight: 400 } .matrix th small { display: block }
details { border-bottom: 1px solid var(--line); padding: .35rem 0 } summary { cursor: pointer } details p, details ul { margin: .3rem 0 .3rem 1.4rem } ul { padding-left: 1.2rem; margin: .4rem 0 }
@media (max-width: 44rem) { .picture { display: none } .way { display: block } main { padding: 1rem .8rem } }
@media print { main { max-width: none; padding: 0 } details::details-content { content-visibility: visible; display: block } .cause, tr, details { break-inside: avoid } th button::after { content: "" } }
`;

/** Sorts a table by the column whose head is pressed: numbers as numbers, and back where it is pressed again. Reloads where the reader wants it. */
const script = `
for (const button of document.querySelectorAll('th button')) button.addEventListener('click', () => {
  const head = button.parentElement, table = head.closest('table'), column = [...head.parentElement.children].indexOf(head);
  const down = head.getAttribute('aria-sort') === 'ascending';
  for (const other of head.parentElement.children) other.removeAttribute('aria-sort');
  head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
  const text = (row) => row.children[column].textContent.trim();
  const rows = [...table.tBodies[0].rows].sort((a, b) => text(a).localeCompare(text(b), undefined, { numeric: true }) * (down ? -1 : 1));
  table.tBodies[0].append(...rows);
});
const reload = document.getElementById('reload');
if (reload) {
  const later = () => setTimeout(() => { if (reload.checked) location.reload(); }, 5000);
  reload.checked = location.hash === '#reload';
  reload.addEventListener('change', () => { location.hash = reload.checked ? 'reload' : ''; later(); });
  later();
}
`;

/** What a report says that is written again and again. */
export interface Watched {
  goesOn: boolean;
  /** A line each, the newest first. */
  changes: readonly string[];
}

const watchedHtml = ({ goesOn, changes }: Watched): string => `<h2>Changes</h2>
${goesOn ? '<p><label><input type="checkbox" id="reload"> Load this page again every 5 seconds</label></p>' : '<p class="soft">The watch has ended.</p>'}
${changes.length === 0 ? '<p class="soft">None.</p>' : `<ul>${changes.map((c) => `<li>${h(c)}</li>`).join('')}</ul>`}`;

/** Only the style and the script of the page itself count (CSP Level 3): other markup that gets into it does nothing. */
const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`;

/** A whole page. `body` is markup; `watched` where the page follows a watch. */
export const page = (title: string, body: string, watched?: Watched): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${h(title)}</title>
<style>${style}</style>
<main>
${body}
${watched ? watchedHtml(watched) : ''}
</main>
<script>${script}</script>
</html>
`;

/** The head of a table that can be sorted. */
export const sortableHead = (columns: readonly string[]): string =>
  `<thead><tr>${columns.map((c) => `<th scope="col"><button type="button">${h(c)}</button></th>`).join('')}</tr></thead>`;

export const hopMarks: Record<Hop['state'], string> = { ok: '✓', failed: '✗', warning: '▲', unknown: '?', none: '·' };

const box = { width: 118, height: 92, gap: 26 };
const lettersInLine = 15;

/** Words in at most three lines; what does not fit is in the list for phones, and in the checks. */
function inLines(text: string): string[] {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last === '') lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= lettersInLine) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  const shown = lines.slice(0, 3).map((l) => (l.length > lettersInLine ? `${l.slice(0, lettersInLine - 1)}…` : l));
  const last = shown.at(-1) ?? '';
  return lines.length > 3 ? [...shown.slice(0, 2), `${last.slice(0, lettersInLine - 2)} …`] : shown;
}

/** The way of a packet as a picture, and as a list where there is no room for one. */
export function pathHtml(hops: readonly Hop[]): string {
  if (hops.length === 0) return '';
  const step = box.width + box.gap;
  const width = hops.length * step - box.gap;
  const boxes = hops.map(({ hop, state, detail }, i) => {
    const x = i * step;
    const middle = box.height / 2 + 1;
    const arrow = i === 0 ? '' : `<path d="M${x - box.gap + 2} ${middle}H${x - 4}m-6 -5 6 5 -6 5"${state === 'failed' ? ' stroke-dasharray="4 3"' : ''}/>`;
    const texts = inLines(detail).map((line, n) => `<text x="${x + 9}" y="${44 + n * 16}">${h(line)}</text>`);
    return `<g class="${state}">${arrow}<rect x="${x + 1}" y="1" width="${box.width - 2}" height="${box.height}" rx="6"/><text class="hop" x="${x + 26}" y="22">${h(hop)}</text><text class="mark" x="${x + 9}" y="22">${hopMarks[state]}</text>${texts.join('')}</g>`;
  });
  const list = hops.map((p) => `<li class="${p.state}"><span class="${p.state}">${hopMarks[p.state]}</span> ${h(p.hop)}<small>${h(p.detail)}</small></li>`);
  const said = hops.map((p) => `${p.hop}: ${p.state === 'none' ? 'does not apply' : p.state}`).join(', ');
  return `<svg class="picture" role="img" aria-label="${h(`The way of a packet. ${said}`)}" viewBox="0 0 ${width} ${box.height + 2}">${boxes.join('')}</svg>
<ol class="way" aria-label="The way of a packet">${list.join('')}</ol>`;
}
