/** Words for what checks of a mesh say of both sides. */
import type { Met } from '../../src/mesh/connections.ts';
import type { Reference } from '../../src/mesh/mutual-tls.ts';
import { plural } from '../format.ts';

export const objectText = ({ kind, namespace, name }: Reference): string => `${kind} "${name}" in namespace ${namespace}`;

/** `pod web-1`, `3 pods` */
export function podsText(group: readonly Met[]): string {
  const names = [...new Set(group.map((m) => m.pod.name))];
  return names.length === 1 ? `pod ${names[0]}` : plural(names.length, 'pod');
}
