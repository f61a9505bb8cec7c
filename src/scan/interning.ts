import { remembering } from '../cluster/index.ts';

/** Equal values become one: what many objects share is made and kept once. */
export function interning<T>(make: (json: string) => T): (value: unknown) => T {
  const made = remembering(make);
  return (value) => made(JSON.stringify(value));
}
