/**
 * Compares k8s-doctor with others on Services broken in real ways: npm run compare -- DIR_OF_SCENARIOS. Each breaks the cluster that KUBECONFIG names, one
 * after another. popeye and k8sgpt are run where they are on the PATH. Writes docs/comparison.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Case } from '../support/expectation.ts';
import { deleteNamespace } from '../support/kubectl.ts';
import { withRows } from '../support/page-table.ts';
import { broken, foldersOf, healed, isFor, kindOfCluster } from '../support/scenarios.ts';
import { causes } from './causes.ts';
import { type Answer, tools } from './tools.ts';

const [dir] = process.argv.slice(2);
if (dir === undefined) throw new Error('Which scenarios? npm run compare -- DIR');
const kind = await kindOfCluster();
const versions = await Promise.all(tools.map(async (tool) => ({ tool, version: await tool.version() })));
const present = versions.filter((v) => v.version !== undefined).map((v) => v.tool);
const caseOf = (folder: string) => JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')) as Case;
const isHealthy = (folder: string) => (caseOf(folder).expect.causes ?? []).length === 0;
// The healthy ones first: what a program says of those, it says of everything.
const folders = foldersOf([dir])
  .filter((folder) => isFor(folder, kind) && (isHealthy(folder) || causes[basename(folder)] !== undefined))
  .toSorted((a, b) => Number(isHealthy(b)) - Number(isHealthy(a)) || (a < b ? -1 : 1));

async function answersOf(folder: string): Promise<Map<string, Answer>> {
  const namespace = `cmp-${basename(folder)}`;
  const scenario = caseOf(folder);
  try {
    await broken(folder, scenario, namespace);
    const answers = new Map<string, Answer>();
    for (const tool of present)
      answers.set(
        tool.name,
        await tool.ask(
          namespace,
          scenario.args.map((a) => a.replaceAll('{ns}', namespace)),
        ),
      );
    return answers;
  } finally {
    try {
      await healed(folder, namespace);
    } finally {
      await deleteNamespace(namespace, true);
    }
  }
}

/** A complaint without what differs from run to run: the namespace, the ends of pods' names, numbers of containers. */
const plain = (complaint: string, folder: string): string =>
  complaint.replaceAll(`cmp-${basename(folder)}`, 'NS').replaceAll(/-[a-z0-9]{8,10}-[a-z0-9]{5}\b|-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, '');

const answers = new Map<string, Map<string, Answer>>();
for (const folder of folders) {
  answers.set(folder, await answersOf(folder));
  process.stderr.write(`${basename(folder)}\n`);
}
const saidOf = (folder: string, tool: string): Answer => answers.get(folder)?.get(tool) ?? { complaints: [], lines: 0, ms: 0 };
const healthy = folders.filter(isHealthy);
/** What a program says of any Service is no symptom. */
const alwaysSaid = new Map(present.map((tool) => [tool.name, new Set(healthy.flatMap((f) => saidOf(f, tool.name).complaints.map((c) => plain(c, f))))]));

/** Complaints about the scenario itself; those about the cluster's own parts are the same for all. */
const ofNamespace = (folder: string, complaints: readonly string[]): string[] => complaints.filter((c) => c.includes(`cmp-${basename(folder)}/`));

function cell(folder: string, tool: string): 'cause' | 'symptom' | 'in the facts' | 'quiet' | '–' | `${number} complaint${'s' | ''}` {
  const { complaints } = saidOf(folder, tool);
  if (tool === 'kubectl') return isHealthy(folder) ? '–' : complaints.some((c) => causes[basename(folder)]?.test(c)) ? 'in the facts' : '–';
  const own = ofNamespace(folder, complaints).length;
  if (isHealthy(folder)) return own === 0 ? 'quiet' : `${own} complaint${own === 1 ? '' : 's'}`;
  const special = complaints.filter((c) => !alwaysSaid.get(tool)?.has(plain(c, folder)));
  return special.some((c) => causes[basename(folder)]?.test(c)) ? 'cause' : special.length > 0 ? 'symptom' : '–';
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
const faults = folders.filter((f) => !isHealthy(f));
const overall = (title: string, of: (tool: string) => string | number) => row([`**${title}**`, ...present.map((t) => of(t.name))]);
const counted = (tool: string, what: string) => faults.filter((f) => cell(f, tool) === what).length;
const head = ['', ...versions.filter((v) => v.version !== undefined).map((v) => `${v.tool.name} ${v.version?.replace(/^v/, '')}`)];
const rows = [
  overall(`cause named, of ${faults.length}`, (tool) => (tool === 'kubectl' ? `none; in the facts: ${counted(tool, 'in the facts')}` : counted(tool, 'cause'))),
  overall('a symptom at least', (tool) => (tool === 'kubectl' ? '' : counted(tool, 'cause') + counted(tool, 'symptom'))),
  overall(`complaints about ${healthy.length} healthy Services`, (tool) =>
    tool === 'kubectl' ? '' : healthy.reduce((n, f) => n + ofNamespace(f, saidOf(f, tool).complaints).length, 0),
  ),
  overall('lines to read, median', (tool) => median(faults.map((f) => saidOf(f, tool).lines))),
  overall('seconds, median', (tool) => (median(faults.map((f) => saidOf(f, tool).ms)) / 1000).toFixed(1)),
  ...folders.map((f) => row([caseOf(f).title, ...present.map((t) => cell(f, t.name))])),
];

const page = new URL('../../docs/comparison.md', import.meta.url);
writeFileSync(page, withRows(readFileSync(page, 'utf8'), 'compare', head, rows));
process.stdout.write(`${head.join(' | ')}\n${rows.join('\n')}\n`);
for (const { tool } of versions.filter((v) => v.version === undefined)) process.stderr.write(`${tool.name} is not on the PATH and was left out.\n`);
