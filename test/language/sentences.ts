/** Lists sentences with more than 25 words in the documentation and in the texts of the program: npm run sentences. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseAst } from 'rolldown/parseAst';

const most = 25;

interface Node {
  type: string;
  start: number;
  [key: string]: unknown;
}

/** Texts of a source file with their offsets; an expression inside a template counts as one word. */
function stringsIn(source: string, lang: 'ts' | 'tsx'): { at: number; text: string }[] {
  const found: { at: number; text: string }[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const v of value) visit(v);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
    const node = value as Node;
    if (node.type === 'Literal' && typeof node['value'] === 'string') found.push({ at: node.start, text: node['value'] });
    if (node.type === 'TemplateLiteral') {
      const parts = (node['quasis'] as { value: { cooked: string } }[]).map((q) => q.value.cooked);
      found.push({ at: node.start, text: parts.join('X') });
    }
    for (const key of Object.keys(node)) visit(node[key]);
  };
  visit(parseAst(source, { lang }).body);
  return found;
}

/** Paragraphs of a Markdown file with their offsets; tables, code and headings are left out. */
function paragraphsIn(source: string): { at: number; text: string }[] {
  const prose = source.replace(/^```[\s\S]*?^```|^(?: {4}|\||#).*$/gm, (code) => code.replace(/[^\n]/g, ' '));
  return [...prose.matchAll(/\S[\s\S]*?(?=\n\s*\n|\n\s*[-\d]+[. ] |$(?![\s\S]))/g)].map((m) => ({ at: m.index, text: m[0].replace(/\s+/g, ' ') }));
}

const files = execFileSync('git', ['ls-files', '*.md', 'src', 'checks'], { encoding: 'utf8' }).split('\n');
let count = 0;
for (const file of files) {
  const lang = file.endsWith('.tsx') ? 'tsx' : 'ts';
  const isDoc = file.endsWith('.md');
  if (!isDoc && !/\.tsx?$/.test(file)) continue;
  const source = readFileSync(file, 'utf8');
  for (const { at, text } of isDoc ? paragraphsIn(source) : stringsIn(source, lang))
    for (const sentence of text.split(/(?<=[.!?:;])\s+/)) {
      const words = sentence.split(/\s+/).filter((w) => /\w/.test(w));
      if (words.length <= most) continue;
      count++;
      console.log(`${file}:${source.slice(0, at).split('\n').length}: ${words.length} words: ${sentence.slice(0, 140)}`);
    }
}
console.log(`${count} sentences with more than ${most} words`);
