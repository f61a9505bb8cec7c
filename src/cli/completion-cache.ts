/** What completion last learned of a cluster: a far cluster answers too late for one tab, and in time for the next. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Milliseconds after which names count as forgotten. */
const keptMs = 5 * 60_000;

/** The file for a question; its name says nothing of what was asked (XDG Base Directory Specification). */
function fileOf(question: readonly string[], env: NodeJS.ProcessEnv): string {
  const name = createHash('sha256')
    .update(JSON.stringify([env['KUBECONFIG'] ?? '', ...question]))
    .digest('hex');
  return join(env['XDG_CACHE_HOME'] || join(env['HOME'] ?? homedir(), '.cache'), 'k8s-doctor', 'completion', name);
}

/** The words of the last answer, or none. */
export function keptAnswer(question: readonly string[], env: NodeJS.ProcessEnv): string[] {
  const file = fileOf(question, env);
  try {
    return Date.now() - statSync(file).mtimeMs > keptMs ? [] : readFileSync(file, 'utf8').split('\n').filter(Boolean);
  } catch {
    // Nothing was asked before.
    return [];
  }
}

/** Names in a cluster are nobody else's business: only this user can read them. */
export function keepAnswer(question: readonly string[], words: readonly string[], env: NodeJS.ProcessEnv): void {
  const file = fileOf(question, env);
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    // Another tab may be reading it.
    writeFileSync(`${file}.${process.pid}`, words.join('\n'), { mode: 0o600 });
    renameSync(`${file}.${process.pid}`, file);
  } catch {
    // A home that cannot be written to: the next tab asks again.
  }
}
