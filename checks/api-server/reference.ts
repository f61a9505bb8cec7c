import { nearestNames } from '../../src/catalog/nearest-names.ts';
import { type Caller, callersOf, type Extension, referenceProblem } from '../../src/front/extension.ts';
import { check, type Draft, type Fix, judged, skip, unknown } from '../check.ts';
import { patch } from '../fix.ts';
import { some } from '../format.ts';
import { callEvidence } from './evidence.ts';

/** The port is named only where there is no other: a caller without one means 443. */
function fixesFor(extension: Extension, { object, pointer, service }: Caller): Fix[] {
  if (!service) return [];
  const found = extension.services[`${service.namespace}/${service.name}`];
  const ports = (found?.seen && found.value?.spec.ports) || [];
  const only = ports.length === 1 ? ports[0] : undefined;
  const resource = `${object.kind.toLowerCase()}/${object.name}`;
  if (only) return [patch(`Name port ${only.port} of the Service`, '', resource, [{ op: 'add', path: `${pointer}/service/port`, value: only.port }], 'json')];
  if (ports.length > 0) return [{ text: 'Name the port of the Service that serves it' }];
  return [{ text: 'Create the Service, correct its name, or remove what names it', command: `kubectl -n ${service.namespace} get services` }];
}

export const reference = check({
  id: 'api-server/reference',
  title: 'The Service that is called exists, with that port',
  needs: ['target', 'extension'],
  uses: ['apiServerCalls'],
  codes: ['extension-backend-invalid'],
  run({ target, extension, apiServerCalls }) {
    const callers = callersOf(extension);
    const called = callers.filter((c) => c.service);
    if (called.length === 0)
      return skip(callers.some((c) => c.url) ? `a URL is called, and no Service: ${callers.find((c) => c.url)?.url}` : 'no Service is called');
    const unread = Object.values(extension.services).find((s) => !s.seen);
    const wrong = called.flatMap((caller) => {
      const problem = referenceProblem(extension, caller);
      return problem === '' ? [] : [{ caller, problem }];
    });
    const [first] = wrong;
    if (!first)
      return unread && !unread.seen
        ? unknown(unread.why)
        : judged([], some([...new Set(called.map((c) => `${c.service?.namespace}/${c.service?.name}:${c.service?.port}`))]));
    const drafts = wrong.map(({ caller, problem }): Draft<'extension-backend-invalid'> => {
      const namespaceOf = caller.service?.namespace ?? '';
      const near = nearestNames(caller.service?.name ?? '', target.namespace === namespaceOf && target.name !== '' ? [target.name] : [])[0];
      return {
        code: 'extension-backend-invalid',
        severity: 'error',
        confidence: 'confirmed',
        scope: wrong.length === called.length ? 'all' : 'part',
        object: { kind: caller.object.kind, namespace: '', name: caller.object.name },
        message: `${caller.webhook ? `Webhook ${caller.name}` : `APIService ${caller.name}`}: ${problem}${near && near !== caller.service?.name ? `; did you mean "${near}"?` : ''}`,
        evidence: [
          { source: 'clientConfig', text: `Service ${namespaceOf}/${caller.service?.name}, port ${caller.service?.port}` },
          ...callEvidence(extension, apiServerCalls),
        ],
        fix: fixesFor(extension, caller),
      };
    });
    return judged(drafts);
  },
});
