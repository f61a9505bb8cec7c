/** Why something could not be seen; `not-asked` and `not-needed` are choices, the others are failures. */
export const unseenReasons = [
  'forbidden',
  'not-found',
  'unreachable',
  'timed-out',
  'unauthenticated',
  'malformed',
  'not-possible',
  'not-asked',
  'not-needed',
] as const;
export type UnseenReason = (typeof unseenReasons)[number];

/** An RBAC PolicyRule (rbac.authorization.k8s.io/v1), and where it must hold. Without a namespace: in the whole cluster. */
export interface Grant {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
  resourceNames?: string[];
  namespace?: string;
}

export interface Unseen {
  seen: false;
  reason: UnseenReason;
  /** What was asked for, as a person would say it: `pods in namespace shop`. */
  what: string;
  /** What happened, in one clause. */
  why: string;
  grant?: Grant;
}

export interface Seen<T> {
  seen: true;
  value: T;
}

/** A value that was read, or the reason why it was not. Never a default in place of an unknown value. */
export type Fact<T> = Seen<T> | Unseen;

export const seen = <T>(value: T): Seen<T> => ({ seen: true, value });

export const unseen = (reason: UnseenReason, what: string, why: string, grant?: Grant): Unseen => ({
  seen: false,
  reason,
  what,
  why,
  ...(grant && { grant }),
});

/** True where the user or the plan chose not to read it: nothing is missing then. */
export const byChoice = (fact: Unseen): boolean => fact.reason === 'not-needed' || fact.reason === 'not-asked';

/** The first of some facts that could not be read, with its reason: `pods in namespace shop: not allowed to list them`. What nobody wanted is not missing. */
export const unreadOf = (...facts: readonly Fact<unknown>[]): string | undefined => {
  const unread = facts.find((fact): fact is Unseen => !fact.seen && !byChoice(fact));
  return unread && `${unread.what}: ${unread.why}`;
};

/** The value of a fact that was seen. */
export const valueOf = <T>(fact: Fact<T>): T | undefined => (fact.seen ? fact.value : undefined);
