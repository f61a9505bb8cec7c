/** Commands of fixes, quoted for a shell, and the patch behind them. */
import type { Fix } from './check.ts';

/** A word quoted for a POSIX shell. */
export const quote = (text: string): string => (/^[A-Za-z0-9_./:=@,+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

export const kubectl = (namespace: string, ...words: string[]): string => ['kubectl', ...(namespace ? ['-n', namespace] : []), ...words].map(quote).join(' ');

/** A fix that changes one object: `KIND/NAME`. For a cause's fix the API server is asked in a dry run whether it accepts it. */
export const patch = (text: string, namespace: string, object: string, body: object, type: 'merge' | 'json' | 'strategic' = 'merge'): Fix => {
  const [kind = '', name = ''] = object.split('/');
  return { text, command: kubectl(namespace, 'patch', kind, name, `--type=${type}`, '-p', JSON.stringify(body)), patch: { kind, namespace, name, type, body } };
};
