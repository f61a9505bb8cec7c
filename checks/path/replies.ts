import { check, judged, skip } from '../check.ts';
import { plural, serviceRef, some } from '../format.ts';
import { kubectl } from '../fix.ts';
import { withoutPods } from '../pods/out.ts';

/** Milliseconds without a byte, and without an end of the connection, that count as silence. */
const silenceMs = 1900;
/** Milliseconds for an answer, above which the vantage itself is taken to be slow. */
const slowMs = silenceMs / 2;

/** Some endpoints accept connections and answer, others accept them and stay silent: those hang. */
export const replies = check({
  id: 'path/replies',
  title: 'All endpoints answer the same question',
  needs: ['target', 'connections'],
  uses: ['service', 'pods'],
  codes: ['endpoint-hangs'],
  run({ target, connections, service, pods: ownPods }) {
    const { list, from } = connections;
    const open = new Set(list.filter((c) => c.hop === 'endpoint' && c.outcome === 'answered').map((c) => `${c.target} ${c.servicePort}`));
    const asked = list.filter((c) => c.hop === 'payload' && open.has(`${c.target} ${c.servicePort}`) && c.outcome !== 'timed-out');
    // Whether a program answers depends on the program: only other endpoints of the same port show what is normal.
    const silent = asked.filter(
      (c) =>
        c.outcome === 'no-answer' &&
        (c.latencyMs ?? 0) >= silenceMs &&
        asked.some((other) => other.servicePort === c.servicePort && other.outcome === 'answered'),
    );
    const [first] = silent;
    if (asked.length < 2) return skip('there are not two endpoints to compare');
    if (!first) return judged([]);
    const answering = asked.filter((c) => c.outcome === 'answered' && silent.some((other) => other.servicePort === c.servicePort));
    // On a vantage that is short of CPU every answer takes long, and silence shows nothing about one program.
    if (answering.some((c) => (c.latencyMs ?? 0) > slowMs)) return judged([], 'answers take too long here to distinguish silence from slowness');
    const hanging = ownPods.seen ? ownPods.value.filter((p) => silent.some((c) => c.pod === p.metadata.name)) : [];
    const pods = silent.flatMap((c) => (c.pod === null ? [] : [c.pod]));
    return judged([
      {
        code: 'endpoint-hangs',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'part',
        object: serviceRef(target),
        ...(pods.length > 0 && { pods }),
        message: `${some(silent.map((c) => c.pod ?? c.target))} ${silent.length === 1 ? 'accepts' : 'accept'} connections and ${silent.length === 1 ? 'gives' : 'give'} no answer within two seconds, while ${plural(answering.length, 'other endpoint')} ${answering.length === 1 ? 'answers' : 'answer'} the same question`,
        evidence: [...silent.slice(0, 3), ...answering.slice(0, 2)].map((c) => ({
          source: 'probe',
          text: `${from} → ${c.target}${c.pod ? ` (pod ${c.pod})` : ''}  OPTIONS * ${c.outcome === 'answered' ? 'answered' : 'no answer'}`,
        })),
        fix: [
          ...(service.seen && service.value ? withoutPods(service.value, hanging, 'does not hang') : []),
          { text: `Read the logs of pod "${first.pod ?? ''}" before`, command: kubectl(target.namespace, 'logs', first.pod ?? '', '--tail=20') },
          {
            text: 'Add a readiness probe that makes the same request as clients (httpGet, grpc or exec, not tcpSocket), so that the Service leaves out a pod that hangs',
          },
        ],
      },
    ]);
  },
});
