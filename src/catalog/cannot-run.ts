/** The program cannot run. The message is one sentence with what happened and what to do next; the exit status is 3. */
export class CannotRun extends Error {}
