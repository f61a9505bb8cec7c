/** What an answer to a real request shows. */
import type { FactTypes } from '../facts/facts.ts';

export type FrontAnswer = FactTypes['frontAnswers'][number];

/** Whether the program behind the proxy gave the answer. Envoy says so by a header; else the program is asked itself, and answers alike. */
export function isOfProgram({ headers, status, direct }: FrontAnswer): boolean {
  if ('x-envoy-upstream-service-time' in headers) return true;
  return direct !== null && direct.status === status && status !== null;
}

/** No answer, an error, or a 404 that the program did not give. */
export const isFailure = (a: FrontAnswer): boolean => a.status === null || a.status >= 500 || (a.status === 404 && !isOfProgram(a));
