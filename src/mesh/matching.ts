/** Matches that facts can leave open, as policies of a mesh combine them. */

export type Match = true | false | 'maybe';

export const allOf = (matches: readonly Match[]): Match => (matches.includes(false) ? false : matches.includes('maybe') ? 'maybe' : true);
export const anyOf = (matches: readonly Match[]): Match => (matches.includes(true) ? true : matches.includes('maybe') ? 'maybe' : false);
export const not = (match: Match): Match => (match === 'maybe' ? match : !match);

/** A list of values of which one has to match, and a list of which none may. An empty list asks for nothing. */
export const wanted = (values: readonly string[], unwanted: readonly string[], test: (value: string) => Match): Match =>
  allOf([values.length === 0 || anyOf(values.map(test)), unwanted.length === 0 || not(anyOf(unwanted.map(test)))]);

/** Whether a pod has all labels that Istio's WorkloadSelector names; none means every pod. */
export const hasLabels = (wanted: Record<string, string> | null | undefined, labels: Record<string, string>): boolean =>
  Object.entries(wanted ?? {}).every(([key, value]) => labels[key] === value);

/** Istio's string match: exact, `prefix*`, `*suffix`, or `*` for any that is there. */
export function matchesText(pattern: string, value: string): boolean {
  if (pattern === '*') return value !== '';
  if (pattern.endsWith('*')) return value.startsWith(pattern.slice(0, -1));
  return pattern.startsWith('*') ? value.endsWith(pattern.slice(1)) : pattern === value;
}
