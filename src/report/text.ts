import stringWidth from 'string-width';
import type { Diagnosis, Matrix, Missing } from '../diagnose/diagnosis.ts';
import type { CheckStatus } from '../verdict/judge.ts';
import type { Finding, Status } from '../verdict/verdict.ts';
import { asciiMarks, cellStatus, clientName, fixNotes, headline, matrixSize, rolloutText, stageRows, unicodeMarks, verdictMark, warningsOf } from './view.ts';

export interface TextOptions {
  colour: boolean;
  /** False where the locale or the terminal has no such marks. */
  unicode: boolean;
  /** Columns to wrap at. */
  columns: number;
  /** All checks with their findings, all probes, and the list of what was not tried. */
  wide: boolean;
}

type Tone = 'bad' | 'warn' | 'good' | 'dim' | 'bold' | 'plain' | 'accent';
const codes: Record<Tone, string> = { bad: '31;1', warn: '33', good: '32', dim: '2', bold: '1', plain: '', accent: '36' };

const statusTone: Record<Status, Tone> = { healthy: 'good', degraded: 'warn', faulty: 'bad', undecided: 'warn' };

const checkTone: Record<CheckStatus, Tone> = { pass: 'good', warn: 'warn', fail: 'bad', skip: 'dim', unknown: 'warn' };

/** Breaks text at spaces; a word longer than the line has a line of its own, so that commands can be copied. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line && stringWidth(line) + 1 + stringWidth(word) > width) {
      lines.push(line);
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  return [...lines, line];
}

/** Lines of text, wrapped and painted. */
function page({ colour, unicode, columns }: TextOptions) {
  const out: string[] = [];
  const width = Math.max(40, Math.min(columns, 120));
  const paint = (tone: Tone, text: string) => (colour && codes[tone] ? `\u001b[${codes[tone]}m${text}\u001b[0m` : text);
  return {
    out,
    width,
    paint,
    marks: unicode ? unicodeMarks : asciiMarks,
    dot: unicode ? ' · ' : ' - ',
    line: (text = '') => void out.push(text),
    /** A label in a column of its own, then text that wraps beside it. */
    row(indent: number, label: string, labelWidth: number, text: string, tone: Tone = 'plain', labelTone: Tone = 'dim') {
      const pad = ' '.repeat(indent);
      const gap = ' '.repeat(labelWidth);
      const lines = wrap(text, Math.max(20, width - indent - labelWidth));
      // A label that does not fit its column has a line of its own.
      const isLong = stringWidth(label) >= labelWidth && label !== '';
      if (isLong) out.push(`${pad}${paint(labelTone, label)}`);
      for (const [i, line] of lines.entries()) {
        const left = i === 0 && !isLong ? paint(labelTone, label) + ' '.repeat(labelWidth - stringWidth(label)) : gap;
        out.push(`${pad}${left}${paint(tone, line)}`.trimEnd());
      }
    },
  };
}
type Page = ReturnType<typeof page>;

/** The first of many, and how many more there are. */
const listed = (items: readonly string[]): string => (items.length > 6 ? `${items.slice(0, 6).join(', ')} and ${items.length - 6} more` : items.join(', '));

/** The rules to grant, a line for each namespace: `in shop: list pods, events; get services`. */
function grants(missing: readonly Missing[]): string[] {
  const rules = missing.flatMap((m) => (m.grant ? [m.grant] : []));
  return [...Map.groupBy(rules, (r) => r.namespace)].map(([namespace, own]) => {
    const byVerb = [...Map.groupBy(own, (r) => r.verbs.join(','))].map(
      ([verbs, same]) => `${verbs} ${[...new Set(same.flatMap((r) => r.resources))].join(', ')}`,
    );
    return `${namespace ? `in ${namespace}` : 'in the whole cluster'}: ${byVerb.join('; ')}`;
  });
}

/** One cause: its message, its row of the issue table, why it is believed, and the fix. `number` is 0 where it is the only one. */
function writeCause(f: Finding, number: number, tone: Tone, { line, row, paint, dot, width }: Page): void {
  for (const [i, text] of wrap(f.message, width - 5).entries()) line(`  ${number > 0 ? (i === 0 ? `${number}. ` : '   ') : ''}${paint(tone, text)}`);
  line();
  line(`  ${paint('accent', [f.issue, f.symptom, f.resolution].join(dot))}  ${paint('dim', `${f.confidence}${dot}${f.code}`)}`);
  line();
  if (f.evidence.length > 0) {
    line(`  ${paint('bold', 'Why')}`);
    const column = Math.min(24, 2 + Math.max(...f.evidence.map((e) => stringWidth(e.source))));
    for (const [i, e] of f.evidence.entries()) row(4, e.source === f.evidence[i - 1]?.source ? '' : e.source, column, e.text);
    line();
  }
  for (const [i, fix] of f.fix.entries()) {
    row(2, i === 0 ? 'Fix' : '', 5, fix.text, 'plain', 'bold');
    if (fix.command) line(`       ${paint('accent', fix.command)}`);
    for (const note of fixNotes(fix)) row(7, '', 0, note, 'dim');
  }
  if (f.fix.length > 0) line();
}

/** A table of node × endpoint: a column for each endpoint, which is named below. */
function writeMatrix(m: Matrix, { line, row, paint, marks }: Page): void {
  const label = Math.max(...m.rows.map((r) => stringWidth(r.node))) + 2;
  line();
  line(`  ${paint('bold', 'Matrix')}  ${paint('dim', matrixSize(m))}`);
  line(`    ${' '.repeat(label)}${m.endpoints.map((_, i) => String(i + 1).padEnd(3)).join('')}`.trimEnd());
  for (const r of m.rows) {
    const cells = r.outcomes.map((c) => paint(checkTone[cellStatus(c)], marks[cellStatus(c)].padEnd(3)));
    const worst = Math.max(...r.outcomes.map((c) => (c?.outcome === 'answered' ? (c.latencyMs ?? 0) : 0)));
    const note = r.problem || (worst > 0 ? `slowest ${worst < 10 ? 'under 10' : Math.round(worst)} ms` : '');
    line(`    ${r.node}${' '.repeat(label - stringWidth(r.node))}${cells.join('')} ${paint('dim', note)}`.trimEnd());
  }
  for (const [i, e] of m.endpoints.entries()) {
    const failed = m.rows.flatMap((r) => (cellStatus(r.outcomes[i] ?? null) === 'fail' ? [r.outcomes[i]?.outcome ?? ''] : []));
    const which = [e.pod, e.node && `on ${e.node}`].filter(Boolean).join(' ');
    const text = `${e.target}${which ? `  ${which}` : ''}${failed.length > 0 ? `: ${[...new Set(failed)].join(', ')}` : ''}`;
    row(4, String(i + 1), 4, text, failed.length > 0 ? 'plain' : 'dim');
  }
}

/** Every check and every probe, for `-o wide`. */
function writeDetails(d: Diagnosis, { line, row, paint, marks }: Page): void {
  line();
  line(`  ${paint('bold', 'Checks')}`);
  for (const c of d.checks) {
    const text = `${c.reason ?? c.summary ?? c.findings.map((f) => f.message).join('; ')} (${c.durationMs} ms)`;
    row(4, `${marks[c.status]} ${c.id}`, 30, text, 'plain', checkTone[c.status]);
  }
  if (d.probes.length === 0) return;
  line();
  line(`  ${paint('bold', 'Probes')}`);
  for (const p of d.probes) {
    const time = p.latencyMs === null ? '' : `, ${p.latencyMs < 10 ? 'under 10' : Math.round(p.latencyMs)} ms`;
    row(4, p.kind, 6, `${p.from} → ${p.target}  ${p.outcome}${time}${p.detail ? `  (${p.detail})` : ''}`);
  }
}

/** What could be better, with the page that says why. */
function writeAdvice(advice: NonNullable<Diagnosis['advice']>, { line, row }: Page): void {
  line();
  if (advice.length === 0) row(2, 'Advice', 9, 'none', 'dim', 'bold');
  for (const [n, a] of advice.entries()) {
    row(2, n === 0 ? 'Advice' : '', 9, `${a.object.kind} ${a.object.name}: ${a.text}`, 'plain', 'bold');
    row(2, '', 9, a.source, 'dim');
  }
}

/** What could not be read, the rights that would allow it, and what the user chose not to try. */
function writeMissing(missing: readonly Missing[], wide: boolean, { line, row }: Page): void {
  if (missing.length === 0) return;
  const chosen = missing.filter((m) => m.grant === null && m.why === '--probe none');
  const denied = missing.filter((m) => m.grant !== null);
  const failed = missing.filter((m) => m.grant === null && !chosen.includes(m));
  line();
  if (denied.length > 0) {
    row(2, 'Not seen', 11, `${listed(denied.map((m) => m.what))} (not allowed)`, 'plain', 'bold');
    for (const [n, text] of grants(denied).entries()) row(2, n === 0 ? 'To grant' : '', 11, text, 'dim', 'bold');
  }
  for (const [n, m] of failed.slice(0, 5).entries()) row(2, n === 0 && denied.length === 0 ? 'Not seen' : '', 11, `${m.what} (${m.why})`, 'plain', 'bold');
  if (chosen.length > 0) {
    const text = wide ? `${chosen.map((m) => m.what).join(', ')} (--probe none)` : 'connections and other probes (--probe none)';
    row(2, 'Not tried', 11, text, 'plain', 'bold');
  }
}

/** The diagnosis for a person in an incident: what fails for whom, why it is believed, what to type, what was not seen. */
export function renderText(d: Diagnosis, requests: number, options: TextOptions): string {
  const p = page(options);
  const { line, row, paint, marks, dot, width } = p;
  const { causes } = d.verdict;
  const top = headline(d, clientName(d));
  const tone = statusTone[top.status];
  for (const [i, text] of wrap(top.text, width - 2).entries()) line(`${i === 0 ? paint(tone, marks[verdictMark[top.status]]) : ' '} ${paint('bold', text)}`);

  for (const [i, cause] of causes.entries()) writeCause(cause, causes.length > 1 ? i + 1 : 0, tone, p);
  if (d.verdict.changed) {
    row(2, 'Changed', 9, d.verdict.changed.text, 'plain', 'bold');
    line();
  }
  if (causes.length === 0) line();
  const warnings = warningsOf(d);
  for (const f of warnings) row(2, marks.warn, 2, f.message, 'plain', 'warn');
  if (warnings.length > 0) line();

  for (const r of stageRows(d.checks, [...causes, ...warnings]))
    row(2, `${marks[r.status]} ${r.stage}`, 19, r.text, r.status === 'skip' ? 'dim' : 'plain', checkTone[r.status]);
  for (const r of d.rollouts ?? []) {
    line();
    row(2, 'Rollout', 9, rolloutText(r), 'plain', 'bold');
  }
  if (d.matrix) writeMatrix(d.matrix, p);
  if (options.wide) writeDetails(d, p);
  if (d.advice) writeAdvice(d.advice, p);
  writeMissing(d.missing, options.wide, p);

  line();
  line(paint('dim', `  ${(d.durationMs / 1000).toFixed(1)} s${dot}${requests} requests`));
  return `${p.out.join('\n')}\n`;
}
