import type { Scan } from '../../scan/scan.ts';
import { causeMarkdown, plain } from '../markdown.ts';
import { unicodeMarks, verdictMark } from '../view.ts';
import { clusterLine, counts, endpointsText, groupTitle, isOfSeveral, placeOf, tested } from './words.ts';

/** A scan for an incident's page: its causes, worst first, then a table of the Services that are not healthy. */
export function scanMarkdown(scan: Scan): string {
  const several = isOfSeveral(scan);
  const listed = scan.services.filter((s) => s.status !== 'healthy' || s.ignored.length > 0);
  const causes = scan.causes.flatMap((g) => {
    const [first] = g.services;
    const [cause] = first?.causes ?? [];
    if (!cause) return [];
    const names = g.services.map((s) => plain(placeOf(s, several))).join(', ');
    return [...causeMarkdown(cause), ...(g.services.length > 1 ? [`${plain(groupTitle(g, several))}: ${names}`, ''] : [])];
  });
  return `${[
    `# ${plain(counts(scan))}`,
    '',
    plain(tested(scan)),
    '',
    ...scan.clusters.flatMap((c) => (several || c.error !== null ? [`- ${plain(clusterLine(scan, c))}`] : [])),
    ...scan.missing.map((m) => `- not seen: ${plain(`${several ? `${m.context}: ` : ''}${m.what} (${m.why})`)}`),
    '',
    ...(listed.length > 0 ? ['| Service | endpoints | | |', '| --- | --- | --- | --- |'] : []),
    ...listed.map((s) => `| ${plain(placeOf(s, several))} | ${endpointsText(s)} | ${unicodeMarks[verdictMark[s.status]]} | ${plain(s.summary)} |`),
    '',
    ...causes,
    `${scan.startedAt} · ${(scan.durationMs / 1000).toFixed(1)} s · k8s-doctor ${scan.version}`,
  ].join('\n')}\n`;
}
