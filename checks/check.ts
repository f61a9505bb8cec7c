import type { Code } from '../src/catalog/codes.ts';
import type { Draft, Evidence } from '../src/catalog/finding.ts';
import type { Fact } from '../src/facts/fact.ts';
import type { FactName, FactTypes } from '../src/facts/facts.ts';

export type { Change, Draft, Evidence, Fix, ObjectRef } from '../src/catalog/finding.ts';

export const stages = ['api-server', 'route', 'service', 'endpoints', 'pods', 'network-policy', 'mesh', 'dns', 'kube-proxy', 'path'] as const;
export type Stage = (typeof stages)[number];

/** The result of a check. `summary` says in a few words what was found to be right. */
export type Judgement<C extends Code = Code> =
  | { kind: 'judged'; findings: Draft<C>[]; summary: string }
  | { kind: 'skip'; reason: string }
  | { kind: 'unknown'; reason: string };

/** The same evidence may come from both ports, families or readings; it is shown once. */
const withoutRepeats = (evidence: readonly Evidence[]): Evidence[] => [...new Map(evidence.map((e) => [`${e.source}\n${e.text}`, e])).values()];

/** What is wrong; without findings all is right. `summary` says in a few words what was read, or what is right. */
export const judged = <C extends Code>(findings: Draft<C>[], summary = ''): Judgement<C> => ({
  kind: 'judged',
  findings: findings.map((f) => ({ ...f, evidence: withoutRepeats(f.evidence) })),
  summary,
});
export const skip = (reason: string): Judgement<never> => ({ kind: 'skip', reason });
/** Could not be judged; a person reads the reason. The missing facts are listed separately. */
export const unknown = (reason: string): Judgement<never> => ({ kind: 'unknown', reason });
/**
 * What is wrong; without findings all is right, and `summary` says so in a few words, or it is not known where something could not be
 * read (`unreadOf`).
 */
export const judgedUnless = <C extends Code>(unread: string | undefined, findings: Draft<C>[], summary?: string): Judgement<C> => {
  if (findings.length > 0) return judged(findings);
  return unread === undefined ? judged(findings, summary) : unknown(unread);
};

export type Given<N extends FactName, U extends FactName> = { readonly [K in N]: FactTypes[K] } & {
  readonly [K in U]: Fact<FactTypes[K]>;
};

/**
 * One check: a value without state. It does no I/O, reads no clock, and never asks whether another check failed.
 * Where a fact of `needs` is unseen the runner answers `unknown` for it; facts of `uses` arrive seen or unseen.
 */
export interface Check {
  id: `${Stage}/${string}`;
  /** What is true when it passes. */
  title: string;
  needs: readonly FactName[];
  uses: readonly FactName[];
  codes: readonly Code[];
  run(given: never): Judgement;
}

/** Ties a check's `run` to the facts and codes that it declares. */
export function check<const N extends FactName, const U extends FactName, const C extends Code>(definition: {
  id: `${Stage}/${string}`;
  title: string;
  needs: readonly N[];
  uses?: readonly U[];
  codes: readonly C[];
  run(given: Given<N, U>): Judgement<NoInfer<C>>;
}): Check {
  return { uses: [], ...definition };
}
