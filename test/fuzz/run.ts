/**
 * Fuzzes parsers by coverage (Jazzer.js, on libFuzzer): npm run fuzz, or npm run fuzz -- NAME… for some of them. SECONDS each, by default
 * ten minutes. What reached new code is kept in corpus/NAME.json, which `npm test` feeds to the parsers; an input that ends one is
 * printed, and ends the run with exit status 1. Writes the figures into docs/trust.md.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { shellScripts } from '../../rolldown.config.ts';
import { withRow } from '../support/page-table.ts';
import { corpusOf, keep } from './corpus.ts';
import type { fuzzTargets as Targets } from './targets.ts';

const here = new URL('./', import.meta.url).pathname;
const page = join(here, '../../docs/trust.md');
const seconds = Number(process.env['SECONDS'] ?? 600);
if (!existsSync(join(here, 'node_modules'))) execFileSync('npm', ['ci', '--ignore-scripts', '--silent'], { cwd: here, stdio: 'inherit' });
const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-fuzz-'));
// One file, as CommonJS: what is loaded by `require` is what gets counters.
const bundle = await rolldown({
  input: join(here, 'entry.ts'),
  platform: 'node',
  transform: { target: 'node22' },
  plugins: [shellScripts],
});
await bundle.write({ file: join(folder, 'fuzz.cjs'), format: 'cjs', codeSplitting: false });

process.env['FUZZ_TESTS'] = join(here, '../');
const { fuzzTargets } = (await import(join(folder, 'fuzz.cjs'))) as { fuzzTargets: typeof Targets };
const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in fuzzTargets));
if (unknown.length > 0) throw new Error(`There is no target ${unknown.join(', ')}; choose from ${Object.keys(fuzzTargets).join(', ')}.`);

/** One run of the fuzzer over a folder of inputs; the flags are libFuzzer's. An input that takes 20 s is a hang, also on a busy machine. */
function jazzer(name: string, folders: readonly string[], flags: readonly string[]): { isClean: boolean; said: string } {
  const ran = spawnSync(
    join(here, 'node_modules/.bin/jazzer'),
    [join(folder, 'fuzz.cjs'), ...folders, '--sync', '--timeout=20000', '--disableBugDetectors=.*', '--', ...flags],
    {
      cwd: folder,
      env: { ...process.env, FUZZ: name },
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    },
  );
  return { isClean: ran.status === 0, said: `${ran.stdout}${ran.stderr}` };
}

/** The fuzzer itself keeps some 20 kB of each input; a process of its own for each round gives them back. The parsers keep nothing. */
const roundSeconds = 30;

let failed = 0;
for (const name of names.length > 0 ? names : Object.keys(fuzzTargets)) {
  const target = fuzzTargets[name];
  if (!target) continue;
  const [inputs, least] = [join(folder, name), join(folder, `${name}-least`)];
  mkdirSync(inputs);
  mkdirSync(least);
  for (const bytes of [...target.seeds(), ...corpusOf(name)]) writeFileSync(join(inputs, createHash('sha256').update(bytes).digest('hex')), bytes);
  let [runs, ranS, isClean, said] = [0, 0, true, ''];
  for (let left = seconds; left > 0 && isClean; left -= roundSeconds) {
    ({ isClean, said } = jazzer(
      name,
      [inputs],
      [`-max_total_time=${Math.min(left, roundSeconds)}`, `-max_len=${target.longest}`, '-rss_limit_mb=6000', `-artifact_prefix=${folder}/${name}-found-`],
    ));
    const [, done, forS] = /Done (\d+) runs in (\d+) second/.exec(said) ?? [];
    runs += Number(done ?? 0);
    ranS += Number(forS ?? 0);
  }
  if (!isClean) {
    const found = readdirSync(folder).filter((f) => f.startsWith(`${name}-found-`));
    // A fuzzer that could not start has found nothing.
    if (found.length === 0) throw new Error(`The fuzzer ended without an input that ends ${name}:\n${said}`);
    failed++;
    process.stdout.write(`${said.split('\n').slice(-40).join('\n')}\n`);
    for (const file of found) process.stdout.write(`${file}: ${readFileSync(join(folder, file)).toString('base64')}\n`);
  }
  process.stdout.write(`${name}: ${runs} inputs in ${ranS} s, ${isClean ? 'none' : 'one'} ends it\n`);
  const merged = jazzer(name, [least, inputs], ['-merge=1', `-max_len=${target.longest}`]);
  const kept = readdirSync(least).map((file) => readFileSync(join(least, file)));
  if (merged.isClean && kept.length > 0) keep(name, kept);
  else process.stdout.write(`The corpus of ${name} stays as it was, because its inputs could not be brought together:\n${merged.said}\n`);
  const row = `| ${name} | ${runs} | ${ranS} | ${isClean ? 0 : 1} | ${new Date().toISOString().slice(0, 10)} |`;
  const head = ['parser', 'inputs', 'seconds', 'crashes and hangs', 'measured'];
  writeFileSync(page, withRow(readFileSync(page, 'utf8'), 'fuzz', head, Object.keys(fuzzTargets), row));
}
rmSync(folder, { recursive: true });
process.exitCode = failed > 0 ? 1 : 0;
