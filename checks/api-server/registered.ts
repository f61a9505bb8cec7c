import { nearestNames } from '../../src/catalog/nearest-names.ts';
import { kindText, refOf } from '../../src/front/asked.ts';
import { callersOf, callsFor } from '../../src/front/extension.ts';
import { check, judged, skip, unknown } from '../check.ts';
import { some } from '../format.ts';

export const registered = check({
  id: 'api-server/registered',
  title: 'What was asked about exists',
  needs: ['target', 'extension'],
  codes: ['extension-not-found'],
  run({ target, extension }) {
    const { front } = target;
    if (!front) return skip('the question begins at the Service');
    const unread = front.kind === 'webhook' ? extension.webhooks : extension.apiService;
    if (!unread.seen) return unknown(unread.why);
    const callers = callersOf(extension);
    const [first] = callers;
    if (first)
      return judged(
        [],
        first.webhook
          ? some(callers.map((c) => `${c.name} (${c.webhook ? callsFor(c.webhook) : ''})`))
          : first.service
            ? `served by Service ${first.service.namespace}/${first.service.name}`
            : 'served by the API server itself',
      );
    // A configuration without webhooks calls nobody.
    if (unread.value !== null && !(Array.isArray(unread.value) && unread.value.length === 0)) return judged([], 'it calls nothing');
    const near = nearestNames(front.name, extension.names)[0];
    const isWebhook = front.kind === 'webhook';
    return judged([
      {
        code: 'extension-not-found',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'all',
        object: refOf(target),
        message: `${kindText(front.kind)} "${front.name}" does not exist${near ? `; did you mean "${near}"?` : ''}`,
        evidence: [
          { source: isWebhook ? 'webhooks' : 'apiservices', text: extension.names.length > 0 ? `there are: ${some(extension.names, 6)}` : 'there are none' },
        ],
        fix: [
          {
            text: 'List all of them',
            command: isWebhook ? 'kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations' : 'kubectl get apiservices',
          },
        ],
      },
    ]);
  },
});
