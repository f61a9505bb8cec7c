const mostKnown = 20_000;

/** Equal values become one: what many objects share is made and kept once. */
export function interning<T>(make: (json: string) => T): (value: unknown) => T {
  const known = new Map<string, T>();
  return (value) => {
    const json = JSON.stringify(value);
    let made = known.get(json);
    if (made !== undefined) return made;
    // Templates come and go while a cluster is watched for weeks.
    if (known.size >= mostKnown) known.clear();
    known.set(json, (made = make(json)));
    return made;
  };
}
