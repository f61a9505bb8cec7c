import { choose } from '../../src/front/choose.ts';
import { check, type Draft, judged, skip, unknown } from '../check.ts';
import { plural } from '../format.ts';
import { conditionText, isNo } from './words.ts';

/** Conditions that say so where they are True. */
const badIfTrue = new Set(['Conflicted', 'OverlappingTLSConfig']);

export const gateway = check({
  id: 'route/gateway',
  title: 'The Gateway is programmed, with its listeners',
  needs: ['target', 'front'],
  codes: ['gateway-not-ready'],
  run({ target, front }) {
    const chosen = choose(front, target);
    const own = chosen?.gateway;
    if (!chosen || !own) return skip('no Gateway is concerned');
    const { namespace, name } = own.metadata;
    const { conditions, listeners, addresses } = own.status;
    const at = (message: string, severity: 'error' | 'warning', text: string): Draft<'gateway-not-ready'> => ({
      code: 'gateway-not-ready',
      severity,
      confidence: 'confirmed',
      scope: 'all',
      object: { kind: 'Gateway', namespace, name },
      message,
      evidence: [{ source: 'gateway', text }],
      fix: [{ text: 'Correct what the condition names', command: `kubectl -n ${namespace} describe gateway ${name}` }],
    });
    const used = new Set(chosen.attached.flatMap((a) => a.listeners.map((l) => l.listener.name)));
    const ofListeners = listeners
      .filter((l) => used.size === 0 || used.has(l.name))
      .flatMap((l) =>
        l.conditions
          .filter((c) => (badIfTrue.has(c.type) ? c.status === 'True' : isNo(c)))
          .slice(0, 1)
          .map((c) =>
            at(
              `Listener "${l.name}" of Gateway "${name}": ${c.type} is ${c.status} (${c.reason})${c.message ? `: ${c.message}` : ''}`,
              'error',
              `${l.name}: ${conditionText(c)}`,
            ),
          ),
      );
    if (ofListeners.length > 0) return judged(ofListeners);
    // An address may be missing where the cluster has no load balancer; the listeners serve without it.
    const noAddress = (reason: string | null | undefined) => reason === 'AddressNotAssigned' || reason === 'AddressNotUsable';
    const ofGateway = conditions
      .filter(isNo)
      .map((c) =>
        at(
          `Gateway "${name}": ${c.type} is ${c.status} (${c.reason})${c.message ? `: ${c.message}` : ''}`,
          noAddress(c.reason) ? 'warning' : 'error',
          conditionText(c),
        ),
      );
    if (ofGateway.length > 0) return judged(ofGateway);
    if (conditions.every((c) => c.status !== 'True')) return unknown(`no controller has written the status of Gateway "${name}" yet`);
    return judged(
      [],
      `Gateway ${namespace}/${name}: ${plural(own.spec.listeners.length, 'listener')}${addresses.length > 0 ? `, ${addresses.map((a) => a.value).join(', ')}` : ', no address'}`,
    );
  },
});
