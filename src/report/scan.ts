import stringWidth from 'string-width';
import type { CauseGroup } from '../scan/by-cause.ts';
import { asciiMarks, unicodeMarks, verdictMark } from './view.ts';

interface Row {
  namespace: string;
  name: string;
  type: string;
  ports: string[];
  endpoints: { ready: number; total: number };
  status: 'healthy' | 'degraded' | 'faulty' | 'undecided';
  summary: string;
}

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
  namespaces: boolean;
  requests: number;
}

const someNames = 3;

/** Causes that several Services share: what it is, then whom it stops. */
function groupLines(groups: readonly CauseGroup[], { unicode, columns, namespaces }: ScanTextOptions): string[] {
  const marks = unicode ? unicodeMarks : asciiMarks;
  return groups.flatMap((g) => {
    const names = g.services.map((s) => `${namespaces ? `${s.namespace}/` : ''}${s.name}`);
    const more = names.length > someNames ? ` and ${names.length - someNames} more` : '';
    return [
      cut(`${marks[verdictMark[g.status]]} ${g.services.length} Services: ${g.about}, ${g.code}: ${g.message}`, columns - 1),
      cut(`    ${names.slice(0, someNames).join(', ')}${more}`, columns - 1),
    ];
  });
}

/** Causes that several Services share, then one line for each other Service, worst first. */
export function scanText(all: readonly Row[], causes: readonly CauseGroup[], options: ScanTextOptions): string {
  if (all.length === 0) return 'There are no Services.';
  const groups = causes.filter((g) => g.services.length > 1);
  const grouped = new Set<Row>(groups.flatMap((g) => g.services));
  const rows = all.filter((r) => !grouped.has(r));
  const marks = options.unicode ? unicodeMarks : asciiMarks;
  const cells = rows.map((r) => [
    `${marks[verdictMark[r.status]]} ${options.namespaces ? `${r.namespace}/` : ''}${r.name}`,
    r.type,
    cut(r.ports.join(','), 24),
    r.type === 'ExternalName' ? '' : `${r.endpoints.ready}/${r.endpoints.total}`,
    r.status === 'healthy' ? '' : r.summary,
  ]);
  const widths = [0, 1, 2, 3].map((i) => Math.max(0, ...cells.map((c) => stringWidth(c[i] ?? ''))));
  const lines = cells.map((c) => {
    const left = [0, 1, 2, 3].map((i) => (c[i] ?? '') + ' '.repeat((widths[i] ?? 0) - stringWidth(c[i] ?? ''))).join('  ');
    return `${left}  ${cut(c[4] ?? '', Math.max(20, options.columns - stringWidth(left) - 3))}`.trimEnd();
  });
  const count = (status: Row['status']) => all.filter((r) => r.status === status).length;
  const counts = (['faulty', 'degraded', 'undecided', 'healthy'] as const).flatMap((s) =>
    count(s) > 0 ? [`${count(s)} ${s === 'healthy' ? 'without a problem in their objects' : s}`] : [],
  );
  return [
    ...groupLines(groups, options),
    ...(groups.length > 0 && lines.length > 0 ? [''] : []),
    ...lines,
    '',
    `${all.length} Service${all.length === 1 ? '' : 's'}: ${counts.join(', ')}. Connections were not tested; to test one: k8s-doctor svc NAME`,
    `${options.requests} requests`,
  ].join('\n');
}
