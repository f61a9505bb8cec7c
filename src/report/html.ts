import type { Diagnosis, Hop, Matrix } from '../diagnose/diagnosis.ts';
import type { CheckReport } from '../verdict/judge.ts';
import type { Finding } from '../verdict/verdict.ts';
import { cellStatus, clientName, fixNotes, headline, matrixSize, rolloutText, stageRows, unicodeMarks, verdictMark, warningsOf } from './view.ts';

/** Text from the cluster must not become markup. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const h = escapeHtml;

export const style = `
:root { color-scheme: light dark; --bg: #fff; --card: #f6f7f9; --fg: #1c2024; --soft: #5b6570; --line: #d8dce2; --pass: #1f7a48; --fail: #b3262c; --warn: #8f5d00; --unknown: #6b46b0; --skip: #6c7681 }
@media (prefers-color-scheme: dark) { :root { --bg: #14171a; --card: #1c2126; --fg: #e6e9ec; --soft: #9aa4af; --line: #333a42; --pass: #4bbd80; --fail: #f0777b; --warn: #e0a63a; --unknown: #b79af0; --skip: #8a949f } }
* { box-sizing: border-box } body { margin: 0 auto; padding: 2rem 1rem; max-width: 62rem; background: var(--bg); color: var(--fg); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 .3rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem } h3 { font-size: 1rem; margin: 1.2rem 0 .3rem } .cause h3 { margin-top: 0 } p { margin: .3rem 0 }
.soft { color: var(--soft) } .pass { color: var(--pass) } .fail, .failed { color: var(--fail) } .warn, .warning { color: var(--warn) } .unknown { color: var(--unknown) } .skip, .none { color: var(--skip) } .ok { color: var(--pass) }
.cause { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--fail); border-radius: 6px; padding: 1rem; margin: 1rem 0 } .cause.part { border-left-color: var(--warn) }
pre { background: var(--bg); border: 1px solid var(--line); border-radius: 4px; padding: .6rem; overflow-x: auto; margin: .4rem 0; font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere } th { font-weight: 600; white-space: nowrap }
.way { display: flex; flex-wrap: wrap; gap: .4rem; padding: 0; margin: 1rem 0; list-style: none } .way li { border: 1px solid var(--line); border-radius: 6px; padding: .3rem .7rem; flex: 1 1 7rem; min-width: 0 } .way li.failed { border-color: var(--fail); border-width: 2px } .way small { display: block; color: var(--soft); overflow-wrap: anywhere }
.wide { overflow-x: auto } .matrix { width: auto } .matrix th, .matrix td { padding-right: 1.2rem; white-space: nowrap } .matrix small { color: var(--soft); font-weight: 400 } .matrix th small { display: block }
details { border-bottom: 1px solid var(--line); padding: .35rem 0 } summary { cursor: pointer } details p, details ul { margin: .3rem 0 .3rem 1.4rem } ul { padding-left: 1.2rem; margin: .4rem 0 }
`;

const hopMarks: Record<Hop['state'], string> = { ok: '✓', failed: '✗', warning: '▲', unknown: '?', none: '·' };

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

export const causeHtml = (f: Finding): string => `<section class="cause${f.scope === 'part' ? ' part' : ''}">
<h3>${h(f.message)}</h3>
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
<div class="wide"><table class="matrix"><thead><tr><th scope="col"></th>${m.endpoints.map((e) => `<th scope="col">${h(e.pod ?? e.target)}<small>${h(e.target)}${e.node === null ? '' : ` on ${h(e.node)}`}</small></th>`).join('')}</tr></thead><tbody>${m.rows
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
export function renderHtml(d: Diagnosis): string {
  const { status, causes } = d.verdict;
  const { text } = headline(d, clientName(d));
  const mark = verdictMark[status];
  const warnings = warningsOf(d);
  const stages = stageRows(d.checks, causes);
  const section = (title: string, body: string) => (body === '' ? '' : `<h2>${title}</h2>\n${body}\n`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${h(text)}</title>
<style>${style}</style>
<h1><span class="${mark}">${unicodeMarks[mark]}</span> ${h(text)}</h1>
<p class="soft">${h(`${d.service.namespace}/${d.service.name}`)}, seen from ${h(clientName(d))} · ${h(d.startedAt)} · ${(d.durationMs / 1000).toFixed(1)} s · k8s-doctor ${h(d.version)}</p>
${causes.map(causeHtml).join('\n')}
${d.verdict.changed ? `<p><strong>Changed</strong> ${h(d.verdict.changed.text)}</p>` : ''}
<ol class="way" aria-label="Path of a packet">${d.path.map((p) => `<li class="${p.state}"><span class="${p.state}">${hopMarks[p.state]}</span> ${h(p.hop)}<small>${h(p.detail)}</small></li>`).join('')}</ol>
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
    : `<table><thead><tr><th scope="col">from</th><th scope="col">to</th><th scope="col">outcome</th><th scope="col">ms</th><th scope="col"></th></tr></thead><tbody>${d.probes
        .map(
          (p) =>
            `<tr><td>${h(p.from)}</td><td>${h(p.target)} <span class="soft">${h(p.kind)}</span></td><td>${h(p.outcome)}</td><td>${p.latencyMs === null ? '' : Math.round(p.latencyMs)}</td><td class="soft">${h(p.detail)}</td></tr>`,
        )
        .join('')}</tbody></table>`,
)}${section('Advice', (d.advice ?? []).length === 0 ? '' : `<ul>${(d.advice ?? []).map((a) => `<li>${h(`${a.object.kind} ${a.object.name}: ${a.text}`)} <span class="soft">${h(a.id)}: ${h(a.source)}</span></li>`).join('')}</ul>`)}${section('Not seen', d.missing.length === 0 ? '' : `<ul>${d.missing.map((m) => `<li>${h(m.what)}: ${h(m.why)}${rights(m.grant)}</li>`).join('')}</ul>`)}</html>
`;
}
