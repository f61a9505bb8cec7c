/** Host names of rules, routes and listeners; an empty one means every host. */

/** True where `*.example.com` or `example.com` matches `host`. A wildcard takes one label (Ingress) or more (Gateway API, Hostname). */
export function hostMatches(pattern: string, host: string, labels: 'one' | 'more'): boolean {
  if (pattern === '') return true;
  const [own, asked] = [pattern.toLowerCase(), host.toLowerCase()];
  if (!own.startsWith('*.')) return own === asked;
  const rest = own.slice(1);
  if (!asked.endsWith(rest)) return false;
  const first = asked.slice(0, -rest.length);
  return first !== '' && (labels === 'more' || !first.includes('.'));
}

/** The more specific of a listener's and a route's host name where they have one in common (Gateway API, HTTPRouteSpec.hostnames); else undefined. */
export function hostInCommon(a: string, b: string): string | undefined {
  if (a === '') return b;
  if (b === '' || a.toLowerCase() === b.toLowerCase()) return a;
  if (a.startsWith('*.') && b.startsWith('*.')) {
    if (b.toLowerCase().endsWith(a.slice(1).toLowerCase())) return b;
    return a.toLowerCase().endsWith(b.slice(1).toLowerCase()) ? a : undefined;
  }
  if (hostMatches(a, b, 'more')) return b;
  return hostMatches(b, a, 'more') ? a : undefined;
}

/** An exact name comes before a wildcard, a longer one before a shorter one, and no name comes last. */
export const hostRank = (pattern: string): [number, number] => [pattern === '' ? 0 : pattern.startsWith('*.') ? 1 : 2, pattern.length];

/** A host that a pattern matches, to try it: `*.example.com` by `any.example.com`; without a pattern `example.invalid`. */
export const hostFor = (pattern: string): string => (pattern === '' ? 'k8s-doctor.invalid' : pattern.replace(/^\*/, 'k8s-doctor'));
