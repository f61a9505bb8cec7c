/**
 * Whether a pattern means the whole of a text: `*` is any characters, `?` is one. A pattern may come from the cluster, and the same as a
 * regular expression can take for ever; this takes at most as many steps as the two lengths multiplied.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let [p, t] = [0, 0];
  /** Behind the last `*`, and how far into the text it goes so far. */
  let last: { p: number; t: number } | undefined;
  while (t < text.length) {
    if (pattern[p] === '*') last = { p: ++p, t };
    else if (pattern[p] === '?' || pattern[p] === text[t]) [p, t] = [p + 1, t + 1];
    else if (last) {
      last.t++;
      ({ p, t } = last);
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
