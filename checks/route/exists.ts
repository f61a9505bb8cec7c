import { nearestNames } from '../../src/catalog/nearest-names.ts';
import { valueOf } from '../../src/facts/fact.ts';
import { choose } from '../../src/front/choose.ts';
import { check, judged, skip, unknown } from '../check.ts';
import { some } from '../format.ts';
import { asked, kindText, refOf } from '../../src/front/asked.ts';

export const exists = check({
  id: 'route/exists',
  title: 'Something claims the request',
  needs: ['target', 'front'],
  codes: ['route-not-found'],
  run({ target, front }) {
    const ref = target.front;
    if (!ref) return skip('the question begins at the Service');
    const lists = ref.kind === 'ingress' ? [front.ingresses] : ref.kind === 'route' ? [front.routes] : [front.ingresses, front.routes];
    const unread = lists.find((l) => !l.seen);
    const chosen = choose(front, target);
    if (ref.kind !== 'url') {
      if (chosen) return judged([], `${asked(target)} claims ${chosen.request.host}${chosen.request.path}`);
      if (unread && !unread.seen) return unknown(unread.why);
      const all = (ref.kind === 'ingress' ? valueOf(front.ingresses) : valueOf(front.routes)) ?? [];
      const here = all.filter((i) => i.metadata.namespace === ref.namespace).map((i) => i.metadata.name);
      const elsewhere = all.filter((i) => i.metadata.name === ref.name).map((i) => i.metadata.namespace);
      const near = nearestNames(ref.name, here)[0];
      const hint = elsewhere.length > 0 ? `; there is one in namespace ${some(elsewhere)}` : near ? `; did you mean "${near}"?` : '';
      return judged([
        {
          code: 'route-not-found',
          severity: 'error',
          confidence: 'confirmed',
          scope: 'all',
          object: refOf(target),
          message: `${kindText(ref.kind)} "${ref.name}" does not exist in namespace ${ref.namespace}${hint}`,
          evidence: [
            {
              source: ref.kind === 'ingress' ? 'ingresses' : 'routes',
              text: here.length > 0 ? `in this namespace: ${some(here, 5)}` : 'there are none in this namespace',
            },
          ],
          fix: [{ text: 'List all of them', command: ref.kind === 'ingress' ? 'kubectl get ingresses -A' : 'kubectl get httproutes,grpcroutes -A' }],
        },
      ]);
    }
    const [first] = chosen?.claims ?? [];
    if (first) return judged([], `${first.kind} ${first.namespace}/${first.name} claims ${ref.host}${ref.path ?? '/'} (${first.field})`);
    if (unread && !unread.seen) return unknown(unread.why);
    const [strange] = chosen?.unread ?? [];
    if (strange)
      return unknown(
        `${strange.field} of ${strange.kind} ${strange.namespace}/${strange.name} is no regular expression of RE2, so whether it claims ${ref.path ?? '/'} is not known: ${strange.path.slice(0, 80)}`,
      );
    const hosts = [
      ...new Set([
        ...(valueOf(front.ingresses) ?? []).flatMap((i) => i.spec.rules.map((r) => r.host)),
        ...(valueOf(front.routes) ?? []).flatMap((r) => r.spec.hostnames),
      ]),
    ].filter(Boolean);
    const isClaimed = hosts.includes(ref.host ?? '');
    const near = nearestNames(ref.host ?? '', hosts)[0];
    return judged([
      {
        code: 'route-not-found',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'all',
        object: refOf(target),
        message: isClaimed
          ? `No rule claims the path ${ref.path ?? '/'} of ${ref.host}`
          : `No Ingress and no route that is attached claims the host ${ref.host}${near ? `; did you mean "${near}"?` : ''}`,
        evidence: [{ source: 'routes', text: hosts.length > 0 ? `hosts that are claimed: ${some(hosts, 6)}` : 'no host is claimed' }],
        fix: [
          { text: 'Correct the host and path of a rule, or the parentRefs of the route that should have them', command: 'kubectl get ingresses,httproutes -A' },
        ],
      },
    ]);
  },
});
