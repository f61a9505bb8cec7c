const mostKnown = 20_000;

/** What is made for a key is made once, and kept for the next time. `more` is what it is made of, where the key alone does not say. */
export function remembering<K, T, More extends unknown[]>(make: (key: K, ...more: More) => T): (key: K, ...more: More) => T {
  const known = new Map<K, T>();
  return (key, ...more) => {
    let made = known.get(key);
    if (made !== undefined) return made;
    // What is asked for changes while a cluster is watched for weeks.
    if (known.size >= mostKnown) known.clear();
    known.set(key, (made = make(key, ...more)));
    return made;
  };
}
