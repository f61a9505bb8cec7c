import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, isNode, LineCounter, parseAllDocuments } from 'yaml';
import { CannotRun } from '../catalog/cannot-run.ts';

export interface Manifest {
  object: { apiVersion?: string; kind?: string; metadata?: { name?: string } } & Record<string, unknown>;
  /** `FILE:LINE` of a field, or of the nearest that is there. */
  at(path: readonly (string | number)[]): string;
}

function filesUnder(path: string): string[] {
  let found: ReturnType<typeof statSync>;
  try {
    found = statSync(path);
  } catch (error) {
    throw new CannotRun(`The manifests ${path} cannot be read (${(error as NodeJS.ErrnoException).code}); check the path.`);
  }
  if (!found?.isDirectory()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile() && /\.(ya?ml|json)$/.test(e.name))
    .map((e) => join(e.parentPath, e.name))
    .toSorted();
}

function place(document: Document, lines: LineCounter, file: string, path: readonly (string | number)[]): string {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return `${file}:${lines.linePos(node.range[0]).line}`;
  }
  return file;
}

/** Reads all objects of a file, or of all YAML and JSON files under a folder; a List is its items. Throws CannotRun, with file and line, for what is no YAML. */
export function readManifests(path: string): Manifest[] {
  return filesUnder(path).flatMap((file) => {
    const lines = new LineCounter();
    const documents = parseAllDocuments(readFileSync(file, 'utf8'), { lineCounter: lines });
    return (Array.isArray(documents) ? documents : []).flatMap((document): Manifest[] => {
      const broken = document.errors[0];
      if (broken) throw new CannotRun(`${file}:${broken.linePos?.[0].line ?? 1}: ${broken.message.split('\n')[0]?.replace(/ at line \d+.*$/, '')}.`);
      let object: Manifest['object'] | null;
      try {
        object = document.toJS() as typeof object;
      } catch (error) {
        // Aliases are resolved last: one that names nothing, or too many of them.
        throw new CannotRun(`${file}: ${(error as Error).message.split('\n')[0]}.`);
      }
      if (object === null || typeof object !== 'object') return [];
      const at = (steps: readonly (string | number)[]) => place(document, lines, file, steps);
      const items = object.kind?.endsWith('List') && Array.isArray(object['items']) ? (object['items'] as Manifest['object'][]) : undefined;
      return items ? items.map((item, i) => ({ object: item, at: (steps) => at(['items', i, ...steps]) })) : [{ object, at }];
    });
  });
}
