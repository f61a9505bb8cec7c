/** Inputs that are worth keeping: each reaches code of a parser that no shorter one does. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const fileOf = (name: string) => new URL(`./corpus/${name}.json`, import.meta.url);

/** Those of one target, shortest first. */
export function corpusOf(name: string): Buffer[] {
  const file = fileOf(name);
  if (!existsSync(file)) return [];
  return (JSON.parse(readFileSync(file, 'utf8')) as { inputs: string[] }).inputs.map((input) => Buffer.from(input, 'base64'));
}

/** Bytes of a target's inputs that are kept in all, so that the repository stays small. */
const mostBytes = 100_000;

/** Writes those that fit, the shortest. */
export function keep(name: string, inputs: readonly Buffer[]): void {
  let left = mostBytes;
  const kept = inputs.toSorted((a, b) => a.length - b.length || Buffer.compare(a, b)).filter((bytes) => (left -= bytes.length) >= 0);
  const text = JSON.stringify({ generated: 'by npm run fuzz', inputs: kept.map((bytes) => bytes.toString('base64')) }, null, 1);
  writeFileSync(fileOf(name), `${text}\n`);
}
