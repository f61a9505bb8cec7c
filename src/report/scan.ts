import stringWidth from 'string-width';
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

/** One line each, worst first. */
export function scanText(rows: readonly Row[], options: { unicode: boolean; columns: number; namespaces: boolean; requests: number }): string {
  if (rows.length === 0) return 'There are no Services.';
  const marks = options.unicode ? unicodeMarks : asciiMarks;
  const cells = rows.map((r) => [
    `${marks[verdictMark[r.status]]} ${options.namespaces ? `${r.namespace}/` : ''}${r.name}`,
    r.type,
    cut(r.ports.join(','), 24),
    r.type === 'ExternalName' ? '' : `${r.endpoints.ready}/${r.endpoints.total}`,
    r.status === 'healthy' ? '' : r.summary,
  ]);
  const widths = [0, 1, 2, 3].map((i) => Math.max(...cells.map((c) => stringWidth(c[i] ?? ''))));
  const lines = cells.map((c) => {
    const left = [0, 1, 2, 3].map((i) => (c[i] ?? '') + ' '.repeat((widths[i] ?? 0) - stringWidth(c[i] ?? ''))).join('  ');
    return `${left}  ${cut(c[4] ?? '', Math.max(20, options.columns - stringWidth(left) - 3))}`.trimEnd();
  });
  const count = (status: Row['status']) => rows.filter((r) => r.status === status).length;
  const counts = (['faulty', 'degraded', 'undecided', 'healthy'] as const).flatMap((s) =>
    count(s) > 0 ? [`${count(s)} ${s === 'healthy' ? 'without a problem in their objects' : s}`] : [],
  );
  return [
    ...lines,
    '',
    `${rows.length} Service${rows.length === 1 ? '' : 's'}: ${counts.join(', ')}. Connections were not tested; to test one: k8s-doctor svc NAME`,
    `${options.requests} requests`,
  ].join('\n');
}
