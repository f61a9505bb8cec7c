/** Commands of fixes, quoted for a shell, and the changes behind them. */
import type { Change, Fix } from './check.ts';

type PatchType = 'merge' | 'json' | 'strategic';

/** A word quoted for a POSIX shell. */
export const quote = (text: string): string => (/^[A-Za-z0-9_./:=@,+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

export const kubectl = (namespace: string, ...words: string[]): string => ['kubectl', ...(namespace ? ['-n', namespace] : []), ...words].map(quote).join(' ');

/** The command that makes a change. Kubernetes replaces a pod that is deleted where a controller owns it. */
function commandOf(change: Change): string {
  const { namespace, kind, name } = change;
  switch (change.how) {
    case 'patch':
      return kubectl(namespace, 'patch', kind, name, `--type=${change.type}`, '-p', JSON.stringify(change.body));
    case 'create':
      return `printf %s ${quote(JSON.stringify(change.manifest))} | kubectl create -f -`;
    case 'restart':
      return kubectl(namespace, 'delete', kind, name);
    case 'roll-back':
      return kubectl(namespace, 'rollout', 'undo', `${kind}/${name}`);
  }
}

/** A fix that makes these changes, one after the other. */
export const fixBy = (text: string, ...changes: Change[]): Fix => ({ text, command: changes.map(commandOf).join(' && '), changes });

/** A fix that changes one object: `KIND/NAME`. */
export const patch = (text: string, namespace: string, object: string, body: object, type: PatchType = 'merge'): Fix =>
  fixBy(text, patchOf(namespace, object, body, type));

/** The pod is deleted; its controller makes another. */
export const restartOf = (namespace: string, name: string): Change => ({ how: 'restart', kind: 'pod', namespace, name });

export function patchOf(namespace: string, object: string, body: object, type: PatchType = 'merge'): Change {
  const [kind = '', name = ''] = object.split('/');
  return { how: 'patch', kind, namespace, name, type, body };
}
