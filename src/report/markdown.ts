import type { Diagnosis } from '../diagnose/diagnosis.ts';
import type { Finding } from '../verdict/verdict.ts';
import { clientName, fixNotes, headline, rolloutText, stageRows, unicodeMarks, warningsOf } from './view.ts';

/** Text from the cluster must not become markup: neither Markdown's nor HTML's. */
export const plain = (text: string): string => text.replace(/[\\`*_{}[\]<>#|~]/g, (c) => `\\${c}`);
/** A fence that is longer than any run of backquotes in the text. */
const fenced = (text: string): string => {
  const fence = '`'.repeat(Math.max(3, ...[...text.matchAll(/`+/g)].map((m) => m[0].length + 1)));
  return `${fence}sh\n${text}\n${fence}`;
};

export function causeMarkdown(f: Finding): string[] {
  return [
    `## ${plain(f.message)}`,
    '',
    `**${plain(f.issue)}** · ${plain(f.symptom)} · ${plain(f.resolution)} (${f.confidence}, \`${f.code}\`)`,
    '',
    ...f.evidence.map((e) => `- ${plain(e.source)}: ${plain(e.text)}`),
    '',
    ...f.fix.flatMap((x) => [
      `Fix: ${plain(x.text)}`,
      '',
      ...(x.command === undefined ? [] : [fenced(x.command), '']),
      ...fixNotes(x).flatMap((n) => [`- ${plain(n)}`]),
      ...(fixNotes(x).length > 0 ? [''] : []),
    ]),
  ];
}

/** The diagnosis for an incident's page or a pull request. */
export function renderMarkdown(d: Diagnosis): string {
  const warnings = warningsOf(d);
  return `${[
    `# ${plain(headline(d, clientName(d)).text)}`,
    '',
    ...d.verdict.causes.flatMap(causeMarkdown),
    ...(d.verdict.changed ? [`**Changed** ${plain(d.verdict.changed.text)}`, ''] : []),
    ...warnings.map((f) => `- ▲ ${plain(f.message)}`),
    ...(warnings.length > 0 ? [''] : []),
    '| stage | | |',
    '| --- | --- | --- |',
    ...stageRows(d.checks, [...d.verdict.causes, ...warnings]).map((r) => `| ${r.stage} | ${unicodeMarks[r.status]} | ${plain(r.text)} |`),
    '',
    ...(d.rollouts ?? []).flatMap((r) => [`**Rollout** ${plain(rolloutText(r))}`, '']),
    ...(d.advice ?? []).map((a) => `- advice: ${plain(`${a.object.kind} ${a.object.name}: ${a.text}`)} ([${a.id}](${a.source}))`),
    ...((d.advice ?? []).length > 0 ? [''] : []),
    ...d.missing.map((m) => `- not seen: ${plain(m.what)} (${plain(m.why)})`),
    ...(d.missing.length > 0 ? [''] : []),
    `${d.startedAt} · ${(d.durationMs / 1000).toFixed(1)} s · k8s-doctor ${d.version}`,
  ].join('\n')}\n`;
}
