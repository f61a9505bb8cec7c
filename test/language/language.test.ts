/** The words that users and readers of the code see (test/language/banned.ts), and the excerpts in the pages of codes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { excerpts, withExcerpt } from '../../docs/excerpts.ts';
import { chosen, reportsOnPage } from '../../docs/reports.ts';
import { everyCheck } from '../../checks/pipeline.ts';
import { codes, issues } from '../../src/catalog/codes.ts';
import { bannedIn } from './banned.ts';

const root = new URL('../../', import.meta.url).pathname;
const filesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile() && /\.(tsx?|js|md|sh)$/.test(e.name))
    .map((e) => join(e.parentPath, e.name).slice(root.length))
    // The tests of the linter put files into the rooms for a moment; the vocabulary is a list of the words of others.
    .filter((f) => !f.includes('/node_modules/') && !f.startsWith('test/language/') && !f.endsWith('/violation.ts') && f !== 'src/facts/vocabulary.ts');
const read = (file: string) => readFileSync(join(root, file), 'utf8');

describe('words that are banned do not come back', () => {
  const pages = readdirSync(root).filter((f) => f.endsWith('.md'));
  test.each([...pages, ...['docs', 'checks', 'src', 'bin', 'test', 'demo'].flatMap(filesIn)])('%s', (file) => {
    expect(bannedIn(file, read(file))).toEqual([]);
  });

  test('titles of checks and the issue table', () => {
    const texts = [...everyCheck.map((c) => c.title), ...Object.values(issues).flatMap((i) => Object.values(i))];
    expect(bannedIn('title', texts.join('\n'))).toEqual([]);
  });

  test('the ban works', () => {
    expect(bannedIn('x', 'Mend the route\nit leads nowhere').map((h) => [h.at, h.word])).toEqual([
      ['x:1', 'Mend'],
      ['x:2', 'leads'],
      ['x:2', 'nowhere'],
    ]);
  });
});

describe('pages of codes', () => {
  const all = excerpts();
  test.each(Object.keys(codes))('%s: its excerpt is what the recording prints (node docs/excerpts.ts)', (code) => {
    const page = read(`docs/codes/${code}.md`);
    expect(page).toBe(withExcerpt(page, all.get(code)));
  });

  test('every code has one, except where a recording would break the whole machine', () => {
    expect(Object.keys(codes).filter((c) => !all.has(c))).toEqual(['conntrack-full']);
  });

  test('so does docs/reports.md (npm run excerpts)', () => {
    expect(reportsOnPage().map(({ code, incident }) => [code, incident])).toEqual(chosen().map(({ code, incident }) => [code, incident.name]));
  });
});
