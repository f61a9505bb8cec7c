/** How what was asked about in front of a Service is named. */
import type { Target } from '../facts/facts.ts';

type FrontKind = NonNullable<Target['front']>['kind'];

export const kindText = (kind: FrontKind): string =>
  ({ ingress: 'Ingress', route: 'Route', url: 'URL', webhook: 'Webhook configuration', apiservice: 'APIService' })[kind];

export const refOf = ({ front, namespace, name }: Target): { kind: string; namespace: string; name: string } =>
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
