import { escapeHtml as escape } from './html-page.ts';
import { cellWords, groupName, type MatrixView, summary } from './matrix.ts';

const style = `
:root { color-scheme: light dark; --bg: #fff; --fg: #1c2024; --soft: #667; --line: #d8dce2; --yes: #2f8f5b; --no: #c6363c; --part: #c98a14; --open: #8a63c9; --none: #b9c0c9 }
@media (prefers-color-scheme: dark) { :root { --bg: #14171a; --fg: #e6e9ec; --soft: #9aa4af; --line: #333a42; --yes: #3fae72; --no: #e0565b; --part: #e0a63a; --open: #a785e0; --none: #4a525b } }
body { margin: 2rem; background: var(--bg); color: var(--fg); font: 14px/1.45 system-ui, sans-serif }
h1 { font-size: 1.3rem; margin: 0 0 .25rem } p { margin: .25rem 0; color: var(--soft) }
.legend span { margin-right: 1.2rem } .legend i { display: inline-block; width: .9em; height: .9em; border-radius: 2px; margin-right: .4em; vertical-align: -1px }
.scroll { overflow: auto; max-height: 80vh; margin-top: 1rem; border: 1px solid var(--line); width: max-content; max-width: 100% }
table { border-collapse: separate; border-spacing: 0 } td, th { font-weight: 400; padding: 0 }
thead th { position: sticky; top: 0; background: var(--bg); vertical-align: bottom; border-bottom: 1px solid var(--line); z-index: 1 }
thead th span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 18rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; padding: .3rem 0 }
tbody th, thead td { position: sticky; left: 0; background: var(--bg); text-align: left; white-space: nowrap; padding: 0 .8rem; border-right: 1px solid var(--line); z-index: 1 } thead td { top: 0; z-index: 2; border-bottom: 1px solid var(--line); vertical-align: bottom; color: var(--soft) }
td.c { width: 1.7rem; min-width: 1.7rem; height: 1.7rem; text-align: center; color: #fff; border: 1px solid var(--bg); border-radius: 4px; cursor: default }
.allowed { background: var(--yes) } .denied { background: var(--no) } .part { background: var(--part) } .unknown { background: var(--open) } .no-port { background: var(--none) }
tr:hover th, td.c:hover { filter: brightness(1.15) } tr.first th, tr.first td { border-top: 2px solid var(--line) }
`;

const marks = { allowed: '✓', denied: '✗', part: '▲', unknown: '?', 'no-port': '·' } as const;

/** The matrix as one HTML file without other files. Each cell says who, to whom, and why not. */
export function matrixHtml(view: MatrixView): string {
  const names = view.groups.map((g) => escape(groupName(g)));
  const used = [...new Set(view.cells.flat())];
  const head = names.map((n, j) => `<th scope="col" title="${view.groups[j]?.pods.map(escape).join('&#10;')}"><span>${n}</span></th>`).join('');
  const rows = view.groups.map((g, i) => {
    const cells = view.groups.map((_, j) => {
      const cell = view.cells[i]?.[j] ?? 'unknown';
      const why = view.reason(i, j);
      const title = `${names[i]} → ${names[j]}: ${cellWords[cell]}${why ? `&#10;${escape(why)}` : ''}`;
      return `<td class="c ${cell}" title="${title}">${marks[cell]}</td>`;
    });
    const first = i > 0 && view.groups[i - 1]?.namespace !== g.namespace;
    return `<tr${first ? ' class="first"' : ''}><th scope="row" title="${g.pods.map(escape).join('&#10;')}">${names[i]}</th>${cells.join('')}</tr>`;
  });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(view.title)}</title>
<style>${style}</style>
<main>
<h1>${escape(view.title)}</h1>
<p>On ${escape(view.ports)}. Rows connect to columns; point at a cell to read why.</p>
<p>${escape(summary(view))}</p>
${view.missing.map((m) => `<p>Not seen: ${escape(m)}</p>`).join('\n')}
<p class="legend">${used.map((c) => `<span><i class="${c}"></i>${marks[c]} ${escape(cellWords[c])}</span>`).join('')}</p>
<div class="scroll" tabindex="0" role="region" aria-label="Matrix"><table>
<thead><tr><td>from ↓ &nbsp; to →</td>${head}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table></div>
</main>
</html>
`;
}
