import { type Code, codes, issues } from '../catalog/codes.ts';
import { knownCode } from '../catalog/known-code.ts';
import { shippedText } from './shipped.ts';

/** Prints the page of a code, or the codes by their rows of the issue table. */
export function explain(code: string | undefined, out: NodeJS.WriteStream): number {
  const all = Object.keys(codes) as Code[];
  if (code === undefined) {
    for (const [key, row] of Object.entries(issues)) {
      out.write(`${row.issue} · ${row.symptom} · ${row.resolution}\n`);
      for (const c of all.filter((x) => codes[x] === key)) out.write(`  ${c}\n`);
    }
    return 0;
  }
  out.write(shippedText(`docs/codes/${knownCode(code)}.md`));
  return 0;
}
