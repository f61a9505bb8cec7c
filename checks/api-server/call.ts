import { refOf } from '../../src/front/asked.ts';
import { valueOf } from '../../src/facts/fact.ts';
import { check, judged, unknown } from '../check.ts';
import { conditionText, isNo } from '../route/words.ts';
import { callEvidence, failedCalls, noCertificate } from './evidence.ts';

export const call = check({
  id: 'api-server/call',
  title: 'A real call by the API server is answered',
  needs: ['target', 'extension'],
  uses: ['apiServerCalls', 'servedCertificates'],
  codes: ['extension-call-failing'],
  run({ target, extension, apiServerCalls, servedCertificates }) {
    const calls = valueOf(apiServerCalls) ?? [];
    const refusals = (valueOf(extension.apiService)?.status.conditions ?? []).filter((c) => c.type === 'Available' && isNo(c));
    const [worst] = failedCalls(apiServerCalls);
    const [refusal] = refusals;
    const good = calls.find((c) => c.succeeded);
    // A condition is a moment old; a call that succeeded is not.
    if (!worst && (!refusal || good)) {
      if (good) return judged([], `${good.asked}: answered`);
      return unknown(calls[0]?.message ?? (apiServerCalls.seen ? 'there was nothing to call' : apiServerCalls.why));
    }
    const unshown = (valueOf(servedCertificates) ?? []).filter((s) => s.error !== '').slice(0, 1);
    return judged([
      {
        code: 'extension-call-failing',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'all',
        object: refOf(target),
        message: worst
          ? `The API server's call fails: ${worst.message}`
          : `The API server says that it cannot be called: ${refusal ? conditionText(refusal) : ''}`,
        evidence: [
          ...callEvidence(extension, apiServerCalls),
          ...refusals.map((c) => ({ source: 'status', text: conditionText(c) })),
          ...unshown.map((s) => ({ source: 'tls', text: `pod ${s.pod}, port ${s.port}: ${noCertificate(s)}` })),
        ],
        fix: [
          {
            text: 'Read the log of the program that is called',
            ...(target.name && { command: `kubectl -n ${target.namespace} logs service/${target.name} --tail=50` }),
          },
        ],
      },
    ]);
  },
});
