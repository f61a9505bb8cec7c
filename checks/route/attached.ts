import { valueOf } from '../../src/facts/fact.ts';
import { choose } from '../../src/front/choose.ts';
import { check, type Draft, type Fix, judged, skip } from '../check.ts';
import { patch } from '../fix.ts';
import { conditionText } from './words.ts';

export const attached = check({
  id: 'route/attached',
  title: 'The route is attached to a listener',
  needs: ['target', 'front'],
  codes: ['route-not-attached'],
  run({ target, front }) {
    const chosen = choose(front, target);
    const route = chosen?.route;
    if (!chosen || !route) return skip('no route is concerned');
    const { namespace, name } = route.metadata;
    const plural = `${route.kind.toLowerCase()}/${name}`;
    const failing = chosen.attached.filter((a) => a.why !== undefined);
    const serving = chosen.attached.filter((a) => a.why === undefined);
    const refusals = route.status.parents.flatMap((p) =>
      p.conditions
        .filter((c) => c.type === 'Accepted' && c.status === 'False')
        .map((c) => ({ source: 'status', text: `${p.parentRef.name}: ${conditionText(c)}`, message: c.message ?? c.reason ?? '' })),
    );
    const isAll = serving.length === 0;
    const drafts = failing.map((a): Draft<'route-not-attached'> => {
      const sections = a.gateway?.spec.listeners.map((l) => l.name) ?? [];
      const i = chosen.attached.indexOf(a);
      const only = sections.length === 1 ? sections[0] : undefined;
      const near = a.at?.field.endsWith('.sectionName') && only;
      const fix: Fix[] = near
        ? [patch(`Name the listener "${only}"`, namespace, plural, [{ op: 'replace', path: `/spec/parentRefs/${i}/sectionName`, value: only }], 'json')]
        : [
            {
              text: `Change ${a.at?.object === 'gateway' ? `${a.at.field} of Gateway ${a.gateway?.metadata.name}` : `${a.at?.field ?? a.field} of the route`}`,
              command: `kubectl -n ${namespace} describe ${plural}`,
            },
          ];
      return {
        code: 'route-not-attached',
        severity: isAll ? 'error' : 'warning',
        confidence: 'confirmed',
        scope: isAll ? 'all' : 'part',
        object: { kind: route.kind, namespace, name },
        message: `${route.kind} "${name}" is not attached: ${a.why}`,
        evidence: [{ source: 'route', text: a.at?.field ?? a.field }, ...refusals.slice(0, 2).map(({ source, text }) => ({ source, text }))],
        fix,
      };
    });
    if (drafts.length > 0) return judged(drafts);
    if (route.spec.parentRefs.length === 0)
      return judged([
        {
          code: 'route-not-attached',
          severity: 'error',
          confidence: 'confirmed',
          scope: 'all',
          object: { kind: route.kind, namespace, name },
          message: `${route.kind} "${name}" names no parent: spec.parentRefs is empty`,
          evidence: [{ source: 'route', text: 'spec.parentRefs is not set' }],
          fix: [{ text: 'Name a Gateway in spec.parentRefs', command: 'kubectl get gateways -A' }],
        },
      ]);
    if (refusals[0])
      return judged([
        {
          code: 'route-not-attached',
          severity: 'error',
          confidence: 'confirmed',
          scope: 'all',
          object: { kind: route.kind, namespace, name },
          message: `${route.kind} "${name}" is not accepted: ${refusals[0].message}`,
          evidence: refusals.map(({ source, text }) => ({ source, text })),
          fix: [{ text: 'Correct what the condition names', command: `kubectl -n ${namespace} describe ${plural}` }],
        },
      ]);
    const labels = valueOf(front.namespaces);
    return judged(
      [],
      `attached to ${serving.flatMap((a) => a.listeners.map((l) => `${a.parentRef.name}/${l.listener.name}`)).join(', ')}${labels ? '' : ' (labels of namespaces were not read)'}`,
    );
  },
});
