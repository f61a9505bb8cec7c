/** Writes the excerpt of real output into each page of docs/codes: node docs/excerpts.ts. `test/language/pages.test.ts` checks that they are current. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { pipelineFor } from '../checks/pipeline.ts';
import { diagnose } from '../src/diagnose/diagnose.ts';
import type { Diagnosis } from '../src/diagnose/diagnosis.ts';
import { readCapture } from '../src/facts/capture.ts';
import { cleanDeep } from '../src/report/clean.ts';
import { renderText } from '../src/report/text.ts';
import { targetOf } from '../src/verdict/judge.ts';
import type { Finding } from '../src/verdict/verdict.ts';

const root = new URL('../', import.meta.url);
const columns = 100;

/** Recorded incidents: those of the demo first, because their names are written for readers. */
function diagnoses(): Diagnosis[] {
  const demo = new URL('demo/incidents/', root);
  const recordings = new URL('test/recordings/', root);
  const files = [
    ...readdirSync(demo).map((name) => new URL(`${name}/capture.json`, demo)),
    ...readdirSync(recordings)
      .filter((f) => f.endsWith('.json'))
      .map((f) => new URL(f, recordings)),
  ];
  return files
    .toSorted((a, b) => Number(b.href.includes('/demo/')) - Number(a.href.includes('/demo/')) || (a.href < b.href ? -1 : 1))
    .map((file) => {
      const recording = readCapture(readFileSync(file, 'utf8'));
      return cleanDeep(diagnose(pipelineFor(targetOf(recording.facts)), recording));
    });
}

/** The verdict and one finding as the terminal shows them, without evidence and fix. */
function textOf(d: Diagnosis, finding: Finding): string {
  const shown = { ...finding, evidence: [], fix: [] };
  const isCause = d.verdict.causes.some((c) => c.code === finding.code && c.message === finding.message);
  const only: Diagnosis = {
    ...d,
    verdict: { ...d.verdict, causes: isCause ? [shown] : [] },
    checks: isCause ? [] : [{ id: '', stage: 'excerpt', title: '', status: 'warn', durationMs: 0, findings: [{ ...shown, severity: 'warning' }] }],
    missing: [],
    probes: [],
  };
  const text = renderText(only, 0, { colour: false, unicode: true, columns, wide: false });
  // The line of the stage and the time of the run are not part of the finding.
  return text.replace(/\n+ {2}(?:▲ excerpt|\d+\.\d s)[\s\S]*$/, '').trimEnd();
}

/** For each code the excerpt of its page; a recorded incident of which it is a cause comes before one that only reports it. */
export function excerpts(): Map<string, string> {
  const found = new Map<string, string>();
  const all = diagnoses();
  for (const d of all) for (const c of d.verdict.causes) if (!found.has(c.code)) found.set(c.code, textOf(d, c));
  for (const d of all) for (const f of d.checks.flatMap((c) => c.findings)) if (!found.has(f.code)) found.set(f.code, textOf(d, f));
  return found;
}

const block = /```text\n[\s\S]*?```/;

/** A page with its excerpt; a code that was never recorded has none. */
export const withExcerpt = (page: string, excerpt: string | undefined): string =>
  excerpt === undefined ? page.replace(/```text\n[\s\S]*?```\n\n/, '') : page.replace(block, () => `\`\`\`text\n${excerpt}\n\`\`\``);

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const all = excerpts();
  for (const file of readdirSync(new URL('docs/codes/', root))) {
    const path = new URL(`docs/codes/${file}`, root);
    const page = readFileSync(path, 'utf8');
    writeFileSync(path, withExcerpt(page, all.get(file.replace(/\.md$/, ''))));
  }
}
