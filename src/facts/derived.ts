/** What many checks derive of the same object is derived once, and forgotten with it. The object must not change. */
export function derived<K extends object, T>(make: (from: K) => T): (from: K) => T {
  const known = new WeakMap<K, { made: T }>();
  return (from) => {
    let found = known.get(from);
    if (!found) known.set(from, (found = { made: make(from) }));
    return found.made;
  };
}
