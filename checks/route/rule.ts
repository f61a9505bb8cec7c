import { unreadOf } from '../../src/facts/fact.ts';
import { choose } from '../../src/front/choose.ts';
import { check, judged, skip, unknown } from '../check.ts';

export const rule = check({
  id: 'route/rule',
  title: 'Its rule gets the request',
  needs: ['target', 'front'],
  codes: ['route-overridden'],
  run({ target, front }) {
    const chosen = choose(front, target);
    const own = chosen?.own;
    if (!chosen || !own) return skip('no rule is concerned');
    const [first] = chosen.claims;
    const { host, path } = chosen.request;
    const isOwn = first === undefined || (first.kind === own.kind && first.namespace === own.namespace && first.name === own.name);
    const unread = unreadOf(...(own.kind === 'Ingress' ? [front.ingresses] : [front.routes, front.gateways, front.namespaces]));
    if (isOwn && unread !== undefined) return unknown(unread);
    if (isOwn) return judged([], `${own.field} gets ${host}${path}${chosen.claims.length > 1 ? `, before ${chosen.claims.length - 1} other rules` : ''}`);
    const isSame = first.host === own.host && first.path === own.path && first.pathType === own.pathType;
    return judged([
      {
        code: 'route-overridden',
        // Controllers may order Ingresses in ways of their own, and one class does not see the other's.
        severity: own.kind === 'Ingress' ? 'warning' : 'error',
        confidence: own.kind === 'Ingress' ? 'likely' : 'confirmed',
        scope: 'all',
        object: { kind: own.kind, namespace: own.namespace, name: own.name },
        message: `${first.kind} ${first.namespace}/${first.name} gets ${host}${path} before ${own.kind} "${own.name}": ${isSame ? 'both claim the same, and it is older' : `its rule is more specific (${first.field})`}`,
        evidence: chosen.claims.slice(0, 4).map((c) => ({
          source: 'routes',
          text: `${c.kind} ${c.namespace}/${c.name} ${c.field}: ${c.host || 'every host'} ${c.pathType} ${c.path}, created ${c.created}`,
        })),
        fix: [{ text: `Take the host or path out of one of them, or make the rule of "${own.name}" more specific` }],
      },
    ]);
  },
});
