import { refOf } from '../../src/front/asked.ts';
import { valueOf } from '../../src/facts/fact.ts';
import { check, judged, skip, unknown } from '../check.ts';
import { conditionText, isNo } from '../route/words.ts';
import { callEvidence, failedCalls } from './evidence.ts';

export const call = check({
  id: 'api-server/call',
  title: 'A real call by the API server is answered',
  needs: ['target', 'extension'],
  uses: ['apiServerCalls'],
  codes: ['extension-call-failing'],
  run({ target, extension, apiServerCalls }) {
    const calls = valueOf(apiServerCalls) ?? [];
    const refusals = (valueOf(extension.apiService)?.status.conditions ?? []).filter((c) => c.type === 'Available' && isNo(c));
    const [worst] = failedCalls(apiServerCalls);
    const [refusal] = refusals;
    const good = calls.find((c) => c.succeeded);
    // A condition is a moment old; a call that succeeded is not.
    if (!worst && (!refusal || good)) {
      if (good) return judged(`${good.asked}: answered`);
      if (!apiServerCalls.seen && apiServerCalls.reason === 'not-asked') return skip(apiServerCalls.why);
      return unknown(calls[0]?.message ?? (apiServerCalls.seen ? 'there was nothing to call' : apiServerCalls.why));
    }
    return judged('', [
      {
        code: 'extension-call-failing',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'all',
        object: refOf(target),
        message: worst
          ? `The API server's call fails: ${worst.message}`
          : `The API server says that it cannot be called: ${refusal ? conditionText(refusal) : ''}`,
        evidence: [...callEvidence(extension, apiServerCalls), ...refusals.map((c) => ({ source: 'status', text: conditionText(c) }))],
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
