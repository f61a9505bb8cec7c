import { type FrontAnswer as Answer, isFailure, isOfProgram } from '../../src/front/answers.ts';
import { choose } from '../../src/front/choose.ts';
import { check, type Draft, judged, skip, unknown } from '../check.ts';
import { asked, refOf } from '../../src/front/asked.ts';

export const request = check({
  id: 'route/request',
  title: 'A real request through it is answered',
  needs: ['target', 'front', 'frontAnswers'],
  codes: ['route-request-failing', 'http-failing'],
  run({ target, front, frontAnswers }) {
    const chosen = choose(front, target);
    if (!chosen) return skip('nothing is concerned');
    const [first] = frontAnswers;
    if (!first) return unknown('no pod that takes the requests could be asked');
    const failing = frontAnswers.filter(isFailure);
    const who = (a: Answer) => (isOfProgram(a) ? 'the program' : 'the proxy');
    const line = (a: Answer) =>
      `${a.via}: ${a.url}: ${a.status === null ? a.error : `HTTP ${a.status} by ${who(a)}`}${a.headers['server'] ? ` (server: ${a.headers['server']})` : ''}`;
    if (failing.length === 0) return judged([], `${first.url}: HTTP ${first.status} by ${who(first)}`);
    const worst = failing[0] ?? first;
    const byProgram = isOfProgram(worst);
    const subject = asked(target) === worst.url ? '' : `${asked(target)}: `;
    // Of a page of HTML, its words.
    const body = worst.body
      .replaceAll(/<[^>]*>/g, ' ')
      .trim()
      .split('\n')[0]
      ?.trim()
      .slice(0, 120);
    const draft: Draft<'route-request-failing' | 'http-failing'> = {
      code: byProgram ? 'http-failing' : 'route-request-failing',
      severity: 'error',
      confidence: 'confirmed',
      scope: failing.length === frontAnswers.length ? 'all' : 'part',
      object: refOf(target),
      message:
        worst.status === null
          ? `${subject}no answer came to ${worst.url} (${worst.error})`
          : `${subject}${worst.url} is answered with ${worst.status} by ${byProgram ? `the program in pod ${worst.direct?.pod ?? 'behind it'}` : 'the proxy'}`,
      evidence: [
        ...frontAnswers.map((a) => ({ source: 'probe', text: line(a) })),
        ...(body ? [{ source: 'answer', text: body }] : []),
        ...(worst.direct
          ? [
              {
                source: 'probe',
                text: `through the API server, pod ${worst.direct.pod} itself: ${worst.direct.status === null ? worst.direct.error : `HTTP ${worst.direct.status}`}`,
              },
            ]
          : []),
      ],
      fix: [
        {
          text: byProgram ? 'Read the log of the program' : 'Read the log of the proxy',
          command: byProgram
            ? `kubectl -n ${target.namespace} logs ${worst.direct?.pod ?? ''} --tail=50`.trim()
            : `kubectl -n ${worst.via.split(' ')[1]?.split('/')[0]} logs ${worst.via.split('/')[1]} --all-containers --tail=50`,
        },
      ],
    };
    return judged([draft]);
  },
});
