import type { Scan } from '../../scan/scan.ts';
import { causeHtml } from '../html.ts';
import { escapeHtml as h, page, sortableHead, type Watched } from '../html-page.ts';
import { unicodeMarks, verdictMark } from '../view.ts';
import { clusterLine, counts, endpointsText, groupTitle, isOfSeveral, placeOf, tested } from './words.ts';

/** A scan as one HTML file without other files: what stops most Services first, then all Services. */
export function scanHtml(scan: Scan, watched?: Watched): string {
  const several = isOfSeveral(scan);
  const worst = verdictMark[scan.services[0]?.status ?? 'healthy'];
  const notes = [
    ...scan.clusters.flatMap((c) => (several || c.error !== null ? [clusterLine(scan, c)] : [])),
    ...scan.missing.map((m) => `not seen: ${several ? `${m.context}: ` : ''}${m.what} (${m.why})`),
  ];
  const groups = scan.causes.map((g) => {
    const [cause] = g.services[0]?.causes ?? [];
    if (!cause) return '';
    const names = g.services.map((s) => h(placeOf(s, several))).join(', ');
    return `<details${scan.causes.length <= 10 ? ' open' : ''}><summary><span class="${verdictMark[g.status]}">${unicodeMarks[verdictMark[g.status]]}</span> ${h(groupTitle(g, several))}</summary>${g.services.length > 1 ? `<p class="soft">${names}</p>` : ''}${causeHtml(cause)}</details>`;
  });
  const rows = scan.services.map(
    (s) =>
      `<tr><td class="${verdictMark[s.status]}">${unicodeMarks[verdictMark[s.status]]} ${s.status}</td><th scope="row">${h(placeOf(s, several))}</th><td>${h(s.type)}</td><td>${h(s.ports.join(', '))}</td><td>${endpointsText(s)}</td><td>${s.status === 'healthy' && s.ignored.length === 0 ? '' : h(s.summary)}</td></tr>`,
  );
  return page(
    counts(scan),
    `<h1><span class="${worst}">${unicodeMarks[worst]}</span> ${h(counts(scan))}</h1>
<p class="soft">${h(scan.startedAt)} · ${(scan.durationMs / 1000).toFixed(1)} s · k8s-doctor ${h(scan.version)}</p>
<p>${h(tested(scan))}</p>
${notes.map((n) => `<p>${h(n)}</p>`).join('\n')}
${groups.length > 0 ? `<h2>Causes</h2>\n${groups.join('\n')}` : ''}
${rows.length > 0 ? `<h2>Services</h2>\n<div class="wide" tabindex="0" role="region" aria-label="Services"><table>${sortableHead(['status', 'Service', 'type', 'ports', 'endpoints', 'cause'])}<tbody>${rows.join('\n')}</tbody></table></div>` : ''}`,
    watched,
  );
}
