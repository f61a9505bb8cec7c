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

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Fields by which an object is recognized. Each may be left out: a file can have other YAML than objects of Kubernetes. */
const texts = [['apiVersion'], ['kind'], ['metadata', 'name'], ['metadata', 'namespace']] as const;

/** Throws CannotRun for a field that is to be a text and is none. */
function recognizable(manifest: { object: unknown; at: Manifest['at'] }): Manifest {
  const { object, at } = manifest;
  if (!isObject(object)) throw new CannotRun(`${at([])}: an item of a List must be an object.`);
  for (const path of texts) {
    const value = path.reduce<unknown>((inside, step) => (isObject(inside) ? inside[step as keyof typeof inside] : undefined), object);
    if (value !== undefined && value !== null && typeof value !== 'string') throw new CannotRun(`${at(path)}: ${path.join('.')} must be a text.`);
  }
  return manifest as Manifest;
}

/**
 * Reads all objects of a file, or of all YAML and JSON files under a folder; a List is its items. Throws CannotRun, with file and line, for
 * what is no YAML, and for an object whose name or kind is no text.
 */
export function readManifests(path: string): Manifest[] {
  return filesUnder(path).flatMap((file) => {
    const lines = new LineCounter();
    const documents = parseAllDocuments(readFileSync(file, 'utf8'), { lineCounter: lines });
    return (Array.isArray(documents) ? documents : []).flatMap((document): Manifest[] => {
      const broken = document.errors[0];
      if (broken) throw new CannotRun(`${file}:${broken.linePos?.[0].line ?? 1}: ${broken.message.split('\n')[0]?.replace(/ at line \d+.*$/, '')}.`);
      let object: unknown;
      try {
        object = document.toJS();
      } catch (error) {
        // Aliases are resolved last: one that names nothing, or too many of them.
        throw new CannotRun(`${file}: ${(error as Error).message.split('\n')[0]}.`);
      }
      if (!isObject(object)) return [];
      const at = (steps: readonly (string | number)[]) => place(document, lines, file, steps);
      const whole = recognizable({ object, at });
      const items = whole.object['items'];
      return whole.object.kind?.endsWith('List') && Array.isArray(items)
        ? items.map((item, i) => recognizable({ object: item, at: (steps) => at(['items', i, ...steps]) }))
        : [whole];
    });
  });
}
