/** Objects of one kind that a scan holds, by namespace, each reduced to what the checks read. */
import { isDeepStrictEqual } from 'node:util';
import { type Fact, seen, type Unseen, unseen } from '../facts/fact.ts';

/** Of every namespace, and of what has none. */
export const everywhere = undefined;
export type Scope = string | typeof everywhere;

export interface Named {
  metadata: { name: string; namespace: string };
}

export interface Store<T extends Named> {
  /** All of a namespace, or of what has none (''). The same fact until something of it changes. */
  in(namespace: string): Fact<T[]>;
  /** All of every namespace that is held; a failure where one of them could not be listed. */
  all(): Fact<T[]>;
  get(namespace: string, name: string): T | undefined;
  /** True where every object of a scope is held. */
  covers(scope: Scope): boolean;
  /** Takes in the present state of an object. Answers the former one, or `same` where nothing that the checks read is different. */
  put(item: T): T | 'same' | undefined;
  remove(namespace: string, name: string): T | undefined;
  /** A scope was listed to its end, or could not be. */
  listed(scope: Scope, failure?: Unseen): void;
}

export function openStore<T extends Named>(what: string): Store<T> {
  const objects = new Map<string, Map<string, T>>();
  const facts = new Map<string, Fact<T[]>>();
  const scopes = new Map<Scope, Unseen | null>();
  const none: Fact<T[]> = seen([]);
  const stateOf = (namespace: Scope): Unseen | null => {
    const scope = scopes.has(namespace) ? namespace : everywhere;
    return scopes.has(scope) ? (scopes.get(scope) ?? null) : unseen('not-needed', what, 'this scan does not read it');
  };
  const changed = (namespace: string) => facts.delete(namespace);

  return {
    in(namespace) {
      const missing = stateOf(namespace);
      if (missing) return missing;
      const own = objects.get(namespace);
      if (!own) return none;
      let fact = facts.get(namespace);
      if (!fact) facts.set(namespace, (fact = seen([...own.values()])));
      return fact;
    },
    all() {
      const missing = [...scopes.values()].find((s) => s !== null);
      return missing ?? seen([...objects.values()].flatMap((own) => [...own.values()]));
    },
    get: (namespace, name) => objects.get(namespace)?.get(name),
    covers: (scope) => scopes.get(scope) === null || scopes.get(everywhere) === null,
    put(item) {
      const { namespace, name } = item.metadata;
      let own = objects.get(namespace);
      if (!own) objects.set(namespace, (own = new Map<string, T>()));
      const former = own.get(name);
      if (former && isDeepStrictEqual(former, item)) return 'same';
      own.set(name, item);
      changed(namespace);
      return former;
    },
    remove(namespace, name) {
      const own = objects.get(namespace);
      const former = own?.get(name);
      if (!own || !former) return undefined;
      own.delete(name);
      if (own.size === 0) objects.delete(namespace);
      changed(namespace);
      return former;
    },
    listed: (scope, failure) => void scopes.set(scope, failure ?? null),
  };
}
