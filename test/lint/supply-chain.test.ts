/** What a release is made of: each package by its bytes, under a licence that lets it be given away, and nothing that runs while it is installed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keepFigures } from '../support/figures.ts';

const root = new URL('../../', import.meta.url).pathname;
const json = <T>(file: string): T => JSON.parse(readFileSync(join(root, file), 'utf8')) as T;
/** Those that a lock file pins. */
const packagesOf = (lock: string) =>
  Object.entries(json<{ packages: Record<string, { integrity?: string; hasInstallScript?: boolean }> }>(lock).packages).filter(([path]) => path !== '');
const installed = packagesOf('package-lock.json');
/** What only fuzzing and mutation testing need. */
const forTests = ['test/fuzz/package-lock.json', 'test/mutation/package-lock.json'].flatMap(packagesOf);
const own = json<{ dependencies?: object; scripts: Record<string, string>; devDependencies: Record<string, string> }>('package.json');

test('each package is pinned by its bytes', () => {
  expect(installed.length).toBeGreaterThan(100);
  const all = [...installed, ...forTests];
  const unpinned = all.filter(([, p]) => !p.integrity?.startsWith('sha512-')).map(([path]) => path);
  keepFigures('pinned', { runs: all.length, wrong: unpinned.length });
  expect(unpinned).toEqual([]);
});

test('nothing runs while it is installed, but for what brings the runtime', () => {
  expect(installed.filter(([, p]) => p.hasInstallScript).map(([path]) => path)).toEqual(['node_modules/node']);
  expect(forTests.filter(([, p]) => p.hasInstallScript)).toEqual([]);
  // `prepare` runs where the repository is cloned, and not where the package is installed (npm documentation, "scripts").
  expect(Object.keys(own.scripts).filter((name) => /^(pre|post)?install$/.test(name))).toEqual([]);
  expect(own.dependencies).toBeUndefined();
});

test('what is in the bundle may be given away, and its licence is beside it', () => {
  const { components } = json<{ components: { name: string; licenses: { license?: { id: string }; expression?: string }[] }[] }>('dist/sbom.cdx.json');
  const free = new Set(['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause']);
  const texts = readFileSync(join(root, 'dist/LICENSES.txt'), 'utf8');
  expect(components.length).toBeGreaterThan(50);
  const isFree = ({ name, licenses }: (typeof components)[number]) =>
    licenses.every((l) => l.license !== undefined && free.has(l.license.id)) && texts.includes(`${name} `);
  const others = components.filter((c) => !isFree(c));
  keepFigures('licences', { runs: components.length, wrong: others.length });
  expect(others).toEqual([]);
});

test('workflows run what they name by its commit, with the rights that they need', () => {
  const folder = join(root, '.github/workflows');
  const workflows = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  const used = workflows.flatMap((text) => [...text.matchAll(/uses: (\S+)/g)].map((m) => m[1] ?? '')).filter((action) => !action.startsWith('./'));
  expect(used.length).toBeGreaterThan(3);
  for (const action of used) expect(action).toMatch(/@[0-9a-f]{40}$/);
  for (const text of workflows) expect(text).toContain('\npermissions: { contents: read }\n');
  // What OpenSSF Scorecard asks for: each change is tested, and its source is analysed, before it is merged.
  const ofChanges = workflows.filter((text) => text.includes('pull_request'));
  for (const asked of ['npm test', 'github/codeql-action/analyze@']) expect(ofChanges.some((text) => text.includes(asked))).toBe(true);
});
