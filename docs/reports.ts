/** Writes docs/reports.md, a whole report for each code: node docs/reports.ts. `test/diagnose/said.test.ts` checks that it is current. */
import { readFileSync, writeFileSync } from 'node:fs';
import { codes } from '../src/catalog/codes.ts';
import { diagnose } from '../src/diagnose/diagnose.ts';
import type { Diagnosis } from '../src/diagnose/diagnosis.ts';
import { cleanDeep } from '../src/report/clean.ts';
import { renderText } from '../src/report/text.ts';
import { checksFor, recorded, type Recorded } from '../test/support/recordings.ts';

const page = new URL('reports.md', import.meta.url);

/** As the terminal shows it, without the time of the run. */
const textOf = (d: Diagnosis): string =>
  renderText(d, 0, { colour: false, unicode: true, columns: 140, wide: false })
    .replace(/\n+ {2}\d+\.\d s[^\n]*\n*$/, '')
    .trimEnd();

const diagnosed = ({ recording }: Recorded): Diagnosis => cleanDeep(diagnose(checksFor(recording), recording));

export interface Report {
  code: string;
  /** The recording's name in test/recordings. */
  incident: string;
  text: string;
}

export const reportOf = (code: string, incident: Recorded): Report => ({ code, incident: incident.name, text: textOf(diagnosed(incident)) });

/**
 * For each code a recorded incident: of which it is the first cause, or one of them, or which mentions it besides; of these one that no
 * code before has, where there is one, and the shortest name. A code that was never recorded has none.
 */
export function chosen(): { code: string; incident: Recorded }[] {
  const all = recorded.map((incident) => ({ incident, d: diagnosed(incident) })).toSorted((a, b) => a.incident.name.length - b.incident.name.length);
  const used = new Set<Recorded>();
  return Object.keys(codes).flatMap((code) => {
    const ways: ((d: Diagnosis) => boolean)[] = [
      (d) => d.verdict.causes[0]?.code === code,
      (d) => d.verdict.causes.some((c) => c.code === code),
      (d) => d.checks.some((c) => c.findings.some((f) => f.code === code)),
    ];
    const suitable = ways.map((is) => all.filter(({ d }) => is(d))).find((found) => found.length > 0) ?? [];
    const found = suitable.find(({ incident }) => !used.has(incident)) ?? suitable[0];
    if (!found) return [];
    used.add(found.incident);
    return [{ code, incident: found.incident }];
  });
}

export const reportsOnPage = (): Report[] =>
  Array.from(
    readFileSync(page, 'utf8').matchAll(/^## (\S+)\n\nIncident: (\S+)\n\n```text\n([\s\S]*?)\n```$/gm),
    ([, code = '', incident = '', text = '']): Report => ({ code, incident, text }),
  );

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const head = `# Reports

What k8s-doctor prints, for each code one incident that was recorded on a real cluster (\`test/recordings\`). Each code has a page with its causes and
fixes in [codes](codes). This page is written by \`npm run excerpts\`.
`;
  const sections = chosen()
    .map(({ code, incident }) => reportOf(code, incident))
    .map(({ code, incident, text }) => `## ${code}\n\nIncident: ${incident}\n\n\`\`\`text\n${text}\n\`\`\`\n`);
  writeFileSync(page, [head, ...sections].join('\n'));
}
