import type { Diagnosis, Matrix } from '../diagnose/diagnosis.ts';
import type { CheckReport } from '../verdict/judge.ts';
import type { Finding } from '../verdict/verdict.ts';
import { escapeHtml, page, pathHtml, sortableHead, type Watched } from './html-page.ts';
import { cellStatus, clientName, fixNotes, headline, matrixSize, rolloutText, stageRows, unicodeMarks, verdictMark, warningsOf } from './view.ts';

const h = escapeHtml;

const fixes = (f: Finding): string =>
  f.fix
    .map(
      (x) =>
        `<p>Fix: ${h(x.text)}</p>${x.command === undefined ? '' : `<pre>${h(x.command)}</pre>`}${fixNotes(x)
          .map((n) => `<p class="soft">${h(n)}</p>`)
          .join('')}`,
    )
    .join('');

const evidence = (f: Finding): string =>
  f.evidence.length === 0
    ? ''
    : `<table>${f.evidence.map((e) => `<tr><th scope="row" class="soft">${h(e.source)}</th><td>${h(e.text)}</td></tr>`).join('')}</table>`;

export const causeHtml = (f: Finding, heading: 'h2' | 'h3' = 'h3'): string => `<section class="cause${f.scope === 'part' ? ' part' : ''}">
<${heading}>${h(f.message)}</${heading}>
<p><strong>${h(f.issue)}</strong> · ${h(f.symptom)} · ${h(f.resolution)} <span class="soft">${f.confidence} · ${h(f.code)}</span></p>
${evidence(f)}${fixes(f)}
</section>`;

function check(c: CheckReport): string {
  const words = c.findings[0]?.message ?? c.summary ?? c.reason ?? '';
  const more = c.findings.map((f) => `<p>${h(f.message)} <span class="soft">${h(f.code)}, ${f.confidence}</span></p>${evidence(f)}${fixes(f)}`).join('');
  return `<details><summary><span class="${c.status}">${unicodeMarks[c.status]}</span> ${h(c.title)} <span class="soft">${h(c.id)}</span></summary><p class="soft">${h(words)}</p>${more}</details>`;
}

const rights = (grant: Diagnosis['missing'][number]['grant']): string =>
  grant === null
    ? ''
    : ` <span class="soft">needs ${h(`${grant.verbs.join(', ')} on ${grant.resources.join(', ')}${grant.namespace === undefined ? '' : ` in namespace ${grant.namespace}`}`)}</span>`;

/** A table of node × endpoint. */
const matrix = (m: Matrix): string => `<p class="soft">${h(matrixSize(m))}; a row for each node, a column for each endpoint</p>
<div class="wide" tabindex="0" role="region" aria-label="From every node"><table class="matrix"><thead><tr><td></td>${m.endpoints.map((e) => `<th scope="col">${h(e.pod ?? e.target)}<small>${h(e.target)}${e.node === null ? '' : ` on ${h(e.node)}`}</small></th>`).join('')}</tr></thead><tbody>${m.rows
  .map(
    (r) =>
      `<tr><th scope="row">${h(r.node)}${r.problem ? `<small>${h(r.problem)}</small>` : ''}</th>${r.outcomes
        .map((c) => {
          const status = cellStatus(c);
          const text = status === 'pass' ? (c?.latencyMs == null ? '' : `${Math.round(c.latencyMs)} ms`) : (c?.outcome ?? 'not tried');
          return `<td class="${status}">${unicodeMarks[status]} <small>${h(text)}</small></td>`;
        })
        .join('')}</tr>`,
  )
  .join('')}</tbody></table></div>`;

/** The diagnosis as one HTML file without other files: the verdict first, the details of each check below. */
export function renderHtml(d: Diagnosis, watched?: Watched): string {
  const { status, causes } = d.verdict;
  const { text } = headline(d, clientName(d));
  const mark = verdictMark[status];
  const warnings = warningsOf(d);
  const stages = stageRows(d.checks, causes);
  const section = (title: string, body: string) => (body === '' ? '' : `<h2>${title}</h2>\n${body}\n`);
  return page(
    text,
    `<h1><span class="${mark}">${unicodeMarks[mark]}</span> ${h(text)}</h1>
<p class="soft">${h(`${d.service.namespace}/${d.service.name}`)}, seen from ${h(clientName(d))} · ${h(d.startedAt)} · ${(d.durationMs / 1000).toFixed(1)} s · k8s-doctor ${h(d.version)}</p>
${causes.map((f) => causeHtml(f, 'h2')).join('\n')}
${d.verdict.changed ? `<p><strong>Changed</strong> ${h(d.verdict.changed.text)}</p>` : ''}
${pathHtml(d.path)}
${section('Warnings', warnings.length === 0 ? '' : `<ul>${warnings.map((f) => `<li><span class="warn">▲</span> ${h(f.message)} <span class="soft">${h(f.code)}</span></li>`).join('')}</ul>`)}${section(
  'Checks',
  stages
    .map(
      (r) =>
        `<h3><span class="${r.status}">${unicodeMarks[r.status]}</span> ${h(r.stage)}</h3>${d.checks
          .filter((c) => c.stage === r.stage)
          .map(check)
          .join('')}`,
    )
    .join('\n'),
)}${section('Rollout', (d.rollouts ?? []).map((r) => `<p>${h(rolloutText(r))}</p>`).join(''))}${section('From every node', d.matrix ? matrix(d.matrix) : '')}${section(
  'Connections',
  d.probes.length === 0
    ? ''
    : `<div class="wide" tabindex="0" role="region" aria-label="Connections"><table>${sortableHead(['from', 'to', 'outcome', 'ms', 'detail'])}<tbody>${d.probes
        .map(
          (p) =>
            `<tr><td>${h(p.from)}</td><td>${h(p.target)} <span class="soft">${h(p.kind)}</span></td><td>${h(p.outcome)}</td><td>${p.latencyMs === null ? '' : Math.round(p.latencyMs)}</td><td class="soft">${h(p.detail)}</td></tr>`,
        )
        .join('')}</tbody></table></div>`,
)}${section('Advice', (d.advice ?? []).length === 0 ? '' : `<ul>${(d.advice ?? []).map((a) => `<li>${h(`${a.object.kind} ${a.object.name}: ${a.text}`)} <span class="soft">${h(a.id)}: ${h(a.source)}</span></li>`).join('')}</ul>`)}${section('Not seen', d.missing.length === 0 ? '' : `<ul>${d.missing.map((m) => `<li>${h(m.what)}: ${h(m.why)}${rights(m.grant)}</li>`).join('')}</ul>`)}`,
    watched,
  );
}
