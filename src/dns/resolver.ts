/** Which questions a resolver asks for a name, in order: resolv.conf(5), "search" and "ndots", and where glibc and musl differ. */
import type { ResolvConf } from './resolv-conf.ts';

export type Libc = 'glibc' | 'musl';

const withoutDot = (name: string): string => (name.endsWith('.') ? name.slice(0, -1) : name);

/**
 * The names that are asked for, one after the other until one answers; each costs a question for A and one for AAAA.
 * A trailing dot leaves out the search list. With at least `ndots` dots the name itself comes first; then glibc goes on to
 * the search list, and musl does not.
 */
export function questionsFor(name: string, { search, ndots }: Pick<ResolvConf, 'search' | 'ndots'>, libc: Libc): string[] {
  const bare = withoutDot(name);
  if (name.endsWith('.')) return [bare];
  const listed = search.map((domain) => withoutDot(`${bare}.${withoutDot(domain)}`));
  const dots = bare.split('.').length - 1;
  if (dots < ndots) return [...new Set([...listed, bare])];
  return libc === 'glibc' ? [...new Set([bare, ...listed])] : [bare];
}

/** How many questions fail before the right one is asked: 0 where it is the first. `right` is the whole name, without a trailing dot. */
export function wasted(name: string, right: string, conf: Pick<ResolvConf, 'search' | 'ndots'>, libc: Libc = 'glibc'): number | null {
  const wanted = right.toLowerCase();
  const at = questionsFor(name, conf, libc).findIndex((q) => q.length === wanted.length && q.toLowerCase() === wanted);
  return at < 0 ? null : at;
}

/** The forms of a Service's name, shortest first, that resolve to it for a client with this resolv.conf. */
export function workingForms(service: { name: string; namespace: string; domain: string }, conf: Pick<ResolvConf, 'search' | 'ndots'>): string[] {
  const { name, namespace, domain } = service;
  const right = `${name}.${namespace}.svc.${domain}`;
  return [name, `${name}.${namespace}`, `${name}.${namespace}.svc`, right].filter((form) => wasted(form, right, conf) !== null);
}
