/** Two faults at once: both are named, first the one to repair first. What the first one hides shows in what its fix is said to leave. */
import { afterAll, describe, expect, test } from 'vitest';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { brokenBy, codeOf } from '../support/faults.ts';
import { keepFigures } from '../support/figures.ts';
import { apply, createNamespace, deleteNamespace, doctor, must } from '../support/kubectl.ts';

/** Two that change the same field are one fault, and what one of two policies allows is allowed. */
const exclusive = [
  ['a targetPort where nothing listens', 'a targetPort of a name that no container has'],
  ['egress for DNS only', 'egress without DNS'],
];
/** What only pods behind the Service show, and what leaves it without any: the prediction then names what it takes for granted. */
const shownByPods = ['a targetPort where nothing listens', 'a probe of a wrong port', 'a request that fits on no node'];
const withoutPods = ['no replicas', 'a request that fits on no node', 'a selector that matches nothing'];
const isHidden = (a: string, b: string) => withoutPods.includes(a) && shownByPods.includes(b);
/** How each is named where it shows in what a fix leaves. */
const words: Record<string, RegExp> = {
  'a targetPort where nothing listens': /Nothing listens on port 8081/,
  'a targetPort of a name that no container has': /no container has a port named/,
  'a default-deny': /default-deny/,
  'egress for DNS only': /dns-only/,
  'egress without DNS': /shop-only/,
  'no replicas': /scaled to zero/,
  'a probe of a wrong port': /readiness probe/,
  'a request that fits on no node': /scheduler finds no node/,
  'a label that takes it from kube-proxy': /service-proxy-name/,
  'internalTrafficPolicy Local, and no endpoint on the node': /internalTrafficPolicy is Local/,
};
const isNamed = (text: string, fault: string): boolean => text.includes(codeOf[fault] ?? '') || words[fault]?.test(text) === true;
const names = Object.keys(codeOf);
const pairs = names
  .flatMap((a, i) => names.slice(i + 1).map((b) => [a, b] as const))
  .filter(([a, b]) => !exclusive.some((pair) => pair.includes(a) && pair.includes(b)));
const chosen = process.env['NIGHTLY'] === undefined ? pairs.filter((_, i) => i % 18 === 0) : pairs;

const counts = { runs: 0, right: 0 };
afterAll(() => keepFigures('pairs', { runs: counts.runs, wrong: counts.runs - counts.right }));

describe('two faults at once', () => {
  test.concurrent.each(chosen.map(([a, b], i) => [`${a}, and ${b}`, a, b, i] as const))(
    '%s',
    async (_, a, b, i) => {
      const namespace = `both-${i}`;
      counts.runs++;
      await createNamespace(namespace);
      try {
        await apply(namespace, brokenBy(a, b));
        await must('-n', namespace, 'wait', 'pod/client', '--for=condition=Ready', '--timeout=60s');
        await new Promise((r) => setTimeout(r, 5000));
        const ran = await doctor(['svc', 'shop', '-n', namespace, '--from', 'pod/client', '-o', 'json']);
        const { verdict } = JSON.parse(ran.stdout) as Diagnosis;
        const text = JSON.stringify(verdict.causes);
        const unnamed = [a, b].filter((fault) => !isNamed(text, fault));
        const isOpen = (isHidden(a, b) || isHidden(b, a)) && text.includes('as far as is known');
        const missing = isOpen ? unnamed.slice(1) : unnamed;
        if (missing.length === 0 && verdict.status === 'faulty') counts.right++;
        expect(missing, `${verdict.summary} ${JSON.stringify(verdict.causes.map((c) => [c.code, c.fix.map((f) => f.predicted)]))}`).toEqual([]);
        expect(verdict.status).toBe('faulty');
      } finally {
        await deleteNamespace(namespace);
      }
    },
    120_000,
  );
});
