/** Files that ship with the program: in the package's folder, or within the single executable (Node documentation, "Single executable applications"). */
import { readdirSync, readFileSync } from 'node:fs';
import { getAsset, getRawAsset, isSea } from 'node:sea';

// The bundle is in dist/, one folder below the package's root.
const root = new URL('../', import.meta.url);

/** The text of a file, by its path from the package's root. Throws where there is none. */
export const shippedText = (path: string): string => (isSea() ? getAsset(path, 'utf8') : readFileSync(new URL(path, root), 'utf8'));

/** The names of the folders in a folder. */
export function shippedFolders(path: string): string[] {
  const files = isSea()
    ? (JSON.parse(Buffer.from(getRawAsset('files')).toString('utf8')) as string[])
    : readdirSync(new URL(path, root), { recursive: true, encoding: 'utf8' }).map((f) => `${path}${f}`);
  const names = files.filter((f) => f.startsWith(path) && f.slice(path.length).includes('/')).map((f) => f.slice(path.length).split('/')[0] ?? '');
  return [...new Set(names)].toSorted();
}
