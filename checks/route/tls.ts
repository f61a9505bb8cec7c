import { hostMatches } from '../../src/front/hosts.ts';
import { choose } from '../../src/front/choose.ts';
import { check, type Draft, judged, skip, unknown } from '../check.ts';
import { some } from '../format.ts';

export const tls = check({
  id: 'route/tls',
  title: 'The certificate is there, and is for this host',
  needs: ['target', 'front'],
  uses: ['frontAnswers'],
  codes: ['route-tls-invalid'],
  run({ target, front, frontAnswers }) {
    const chosen = choose(front, target);
    if (!chosen) return skip('nothing is concerned');
    const { request, ingress, gateway } = chosen;
    const named = ingress
      ? ingress.spec.tls.flatMap((t) =>
          t.secretName ? [{ by: `spec.tls of Ingress "${ingress.metadata.name}"`, secret: `${ingress.metadata.namespace}/${t.secretName}` }] : [],
        )
      : (gateway?.spec.listeners ?? [])
          .filter((l) => chosen.attached.some((a) => a.listeners.some((x) => x.listener.name === l.name)))
          .flatMap((l) =>
            (l.tls?.certificateRefs ?? []).map((c) => ({
              by: `listener "${l.name}" of Gateway "${gateway?.metadata.name}"`,
              secret: `${c.namespace ?? gateway?.metadata.namespace}/${c.name}`,
            })),
          );
    const object = ingress
      ? { kind: 'Ingress', namespace: ingress.metadata.namespace, name: ingress.metadata.name }
      : { kind: 'Gateway', namespace: gateway?.metadata.namespace ?? '', name: gateway?.metadata.name ?? '' };
    const found = (message: string, text: string, fix: string, severity: 'error' | 'warning' = 'error'): Draft<'route-tls-invalid'> => ({
      code: 'route-tls-invalid',
      severity,
      confidence: 'confirmed',
      scope: 'all',
      object,
      message,
      evidence: [{ source: 'tls', text }],
      fix: [{ text: fix }],
    });
    const missing = named.flatMap(({ by, secret }) => {
      const there = front.secrets[secret];
      return there?.seen && !there.value
        ? [
            found(
              `The Secret ${secret}, which ${by} names, does not exist`,
              `secrets "${secret}" not found`,
              `Create the Secret ${secret} with tls.crt and tls.key, or correct its name`,
              request.scheme === 'https' ? 'error' : 'warning',
            ),
          ]
        : [];
    });
    if (missing.length > 0) return judged(missing);
    if (request.scheme !== 'https') return skip('the request is not over TLS');
    const answers = frontAnswers.seen ? frontAnswers.value : [];
    const certificate = answers.find((a) => a.certificate)?.certificate;
    if (!certificate) return named.length === 0 && answers.length === 0 ? skip('no certificate was seen') : unknown('no certificate was seen');
    const { names, from, to, issuer } = certificate;
    const shown = `for ${some(names, 4)}, from ${from.slice(0, 10)} to ${to.slice(0, 10)}, by ${issuer}`;
    if (!names.some((n) => hostMatches(n, request.host, 'one')))
      return judged([found(`The certificate is for ${some(names)}, not for ${request.host}`, shown, `Give a certificate that names ${request.host}`)]);
    const at = answers[0]?.at ?? '';
    if (to < at) return judged([found(`The certificate ran out on ${to.slice(0, 10)}`, shown, 'Renew the certificate')]);
    return judged([], `certificate ${shown}`);
  },
});
