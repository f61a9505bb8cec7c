import stringWidth from 'string-width';
import type { CauseGroup } from '../../scan/by-cause.ts';
import type { Scanned } from '../../scan/judge.ts';
import type { Changes, Scan } from '../../scan/scan.ts';
import { asciiMarks, unicodeMarks, verdictMark } from '../view.ts';
import { clusterLine, counts, endpointsText, groupTitle, isOfSeveral, placeOf, tested } from './words.ts';

/** Cuts text to a width, with a mark where it was cut. */
function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = '';
  for (const c of text) {
    if (stringWidth(kept + c) > width - 1) break;
    kept += c;
  }
  return `${kept}…`;
}

interface ScanTextOptions {
  unicode: boolean;
  columns: number;
  /** Whether names carry their namespace. */
  namespaces: boolean;
  /** What is different since an earlier scan, where one was given. */
  changes?: Changes | undefined;
}

const someNames = 3;

/** Causes that several Services share: what it is, then whom it stops. */
function groupLines(groups: readonly CauseGroup[], nameOf: (s: Scanned) => string, { unicode, columns }: ScanTextOptions): string[] {
  const marks = unicode ? unicodeMarks : asciiMarks;
  return groups.flatMap((g) => {
    const names = g.services.map(nameOf);
    const more = names.length > someNames ? ` and ${names.length - someNames} more` : '';
    return [
      cut(`${marks[verdictMark[g.status]]} ${groupTitle(g, false)}`, columns - 1),
      cut(`    ${names.slice(0, someNames).join(', ')}${more}`, columns - 1),
    ];
  });
}

/** Causes that several Services share, then one line for each other Service, worst first. */
export function scanText(scan: Scan, options: ScanTextOptions): string {
  const several = isOfSeveral(scan);
  const nameOf = (s: Scanned) => placeOf(s, several, options.namespaces);
  const groups = scan.causes.filter((g) => g.services.length > 1);
  const grouped = new Set(groups.flatMap((g) => g.services));
  const marks = options.unicode ? unicodeMarks : asciiMarks;
  const cells = scan.services
    .filter((s) => !grouped.has(s))
    .map((s) => [
      `${marks[verdictMark[s.status]]} ${nameOf(s)}`,
      s.type,
      cut(s.ports.join(','), 24),
      endpointsText(s),
      s.status === 'healthy' && s.ignored.length === 0 ? '' : s.summary,
    ]);
  const widths = [0, 1, 2, 3].map((i) => cells.reduce((most, c) => Math.max(most, stringWidth(c[i] ?? '')), 0));
  const lines = cells.map((c) => {
    const left = [0, 1, 2, 3].map((i) => (c[i] ?? '') + ' '.repeat((widths[i] ?? 0) - stringWidth(c[i] ?? ''))).join('  ');
    return `${left}  ${cut(c[4] ?? '', Math.max(20, options.columns - stringWidth(left) - 3))}`.trimEnd();
  });
  const { changes } = options;
  return [
    ...groupLines(groups, nameOf, options),
    ...(groups.length > 0 && lines.length > 0 ? [''] : []),
    ...lines,
    ...(groups.length + lines.length > 0 ? [''] : []),
    ...(changes
      ? [
          ...changes.appeared.map(({ service, codes }) => `new: ${nameOf(service)}: ${codes.join(', ')}`),
          ...changes.cleared.map(({ service, codes }) => `gone: ${nameOf(service)}: ${codes.join(', ')}`),
          ...(changes.appeared.length + changes.cleared.length === 0 ? ['nothing is different since the earlier scan'] : []),
          '',
        ]
      : []),
    ...scan.clusters.flatMap((c) => (several || c.error !== null ? [clusterLine(scan, c)] : [])),
    ...scan.missing.map((m) => `not seen: ${several ? `${m.context}: ` : ''}${m.what} (${m.why})`),
    `${counts(scan)}.${tested(scan) ? ` ${tested(scan)}` : ''}`,
    `${scan.clusters.reduce((sum, c) => sum + c.requests, 0)} requests`,
  ].join('\n');
}
