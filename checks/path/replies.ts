import { check, judged, skip } from '../check.ts';
import { plural, serviceRef, some } from '../format.ts';
import { kubectl } from '../fix.ts';

/** So many milliseconds without a byte, and without an end of the connection, are silence. */
const silenceMs = 1900;

/** Of endpoints that all take connections, some give an answer and some give none: those hang. */
export const replies = check({
  id: 'path/replies',
  title: 'Endpoints answer alike',
  needs: ['target', 'connections'],
  codes: ['endpoint-hangs'],
  run({ target, connections }) {
    const { list, from } = connections;
    const open = new Set(list.filter((c) => c.hop === 'endpoint' && c.outcome === 'answered').map((c) => `${c.target} ${c.servicePort}`));
    const asked = list.filter((c) => c.hop === 'payload' && open.has(`${c.target} ${c.servicePort}`) && c.outcome !== 'timed-out');
    // Which answer a program gives, and whether it gives one, is its own affair: only its likes can tell.
    const silent = asked.filter(
      (c) =>
        c.outcome === 'no-answer' &&
        (c.latencyMs ?? 0) >= silenceMs &&
        asked.some((other) => other.servicePort === c.servicePort && other.outcome === 'answered'),
    );
    const [first] = silent;
    if (asked.length < 2) return skip('there are not two endpoints to compare');
    if (!first) return judged('');
    const answering = asked.filter((c) => c.outcome === 'answered');
    const pods = silent.flatMap((c) => (c.pod === null ? [] : [c.pod]));
    return judged('', [
      {
        code: 'endpoint-hangs',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'part',
        object: serviceRef(target),
        ...(pods.length > 0 && { pods }),
        message: `${some(silent.map((c) => c.pod ?? c.target))} ${silent.length === 1 ? 'takes' : 'take'} connections and ${silent.length === 1 ? 'gives' : 'give'} no answer within two seconds, while ${plural(answering.length, 'other endpoint')} ${answering.length === 1 ? 'answers' : 'answer'} the same question`,
        evidence: [...silent.slice(0, 3), ...answering.slice(0, 2)].map((c) => ({
          source: 'probe',
          text: `${from} → ${c.target}${c.pod ? ` (pod ${c.pod})` : ''}  OPTIONS * ${c.outcome === 'answered' ? 'answered' : 'no answer'}`,
        })),
        fix: [
          { text: 'See what the program is doing, then restart the pod', command: kubectl(target.namespace, 'logs', first.pod ?? '', '--tail=20') },
          { text: 'Give it a readiness probe that asks what clients ask (httpGet, grpc or exec, not tcpSocket): the Service then leaves it out by itself' },
        ],
      },
    ]);
  },
});
