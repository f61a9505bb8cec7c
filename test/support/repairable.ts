/** Scenarios that a change of objects repairs, so that `fix` is held to it. */
export const repairable: readonly string[] = [];
