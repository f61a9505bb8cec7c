/** How checks name what is in front of a Service. */
import type { Condition } from '../../src/facts/objects.ts';
import type { Target } from '../../src/facts/facts.ts';
import type { ObjectRef } from '../check.ts';

export const kindText = (kind: 'ingress' | 'route' | 'url'): string => ({ ingress: 'Ingress', route: 'Route', url: 'URL' })[kind];

export const refOf = ({ front, namespace, name }: Target): ObjectRef =>
  front
    ? {
        kind: kindText(front.kind),
        namespace: front.kind === 'url' ? '' : front.namespace,
        name: front.kind === 'url' ? `${front.host}${front.path ?? ''}` : front.name,
      }
    : { kind: 'Service', namespace, name };

/** What was asked about, in words. */
export function asked({ front }: Target): string {
  if (!front) return 'the Service';
  return front.kind === 'url' ? `${front.scheme ?? 'http'}://${front.host}${front.path ?? '/'}` : `${kindText(front.kind)} "${front.name}"`;
}

/** A condition that says no, as it is written. */
export const conditionText = (c: Condition): string => `${c.type}=${c.status}${c.reason ? `, ${c.reason}` : ''}${c.message ? `: ${c.message}` : ''}`;

export const isNo = (c: Condition): boolean => c.status === 'False';
