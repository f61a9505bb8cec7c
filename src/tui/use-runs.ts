/** The runs of the terminal UI: one at a time; a new one replaces it, and the end waits until all have removed what they created. */
import { type RefObject, useCallback, useEffect, useRef } from 'react';
import { watchEveryMs } from '../diagnose/progress.ts';
import type { Asked, Result, Session } from './session.ts';
import type { Action, State } from './state.ts';
import { messageOf } from './use-list.ts';

/** How the application ended: with the last result there was. */
export interface Ending {
  result: Result | null;
  /** Why there is none. */
  error: string;
  /** Ctrl-C, or q before there was a result. */
  interrupted: boolean;
  /** The live view was asked to stay. */
  stay: boolean;
}

export interface Runs {
  run(what: Asked): void;
  /** Ends the application, once. */
  leave(how: Partial<Ending>): Promise<void>;
  isRunning(): boolean;
  /** Asks the person, on the screen. */
  ask(question: string): Promise<boolean>;
  /** Answers the question that somebody waits for. */
  answer(yes: boolean): void;
  /** The live view is to be replaced by the view to inspect. */
  stay(): void;
}

interface Given {
  session: Session;
  state: State;
  /** The state after the last action, however many came since the last frame. */
  latest: RefObject<State>;
  dispatch(action: Action): void;
  exit(ending: Ending): void;
}

export function useRuns({ session, state, latest, dispatch, exit }: Given): Runs {
  const running = useRef<AbortController | null>(null);
  const answer = useRef<((yes: boolean) => void) | null>(null);
  /** Runs that were ended or replaced, and still remove what they created. */
  const pending = useRef(new Set<Promise<void>>());
  const isOver = useRef(false);
  const stays = useRef(false);

  const leave = useCallback(
    async (how: Partial<Ending>) => {
      if (isOver.current) return;
      isOver.current = true;
      answer.current?.(false);
      running.current?.abort();
      if (pending.current.size > 0) dispatch({ type: 'note', text: 'ending: what the run has created is being removed …' });
      await Promise.all(pending.current);
      const { result, error } = latest.current;
      exit({ result, error, interrupted: false, stay: stays.current, ...how });
    },
    [exit, dispatch, latest],
  );

  const consent = useCallback(
    (question: string) =>
      new Promise<boolean>((resolve) => {
        answer.current = (yes) => {
          answer.current = null;
          dispatch({ type: 'answered' });
          resolve(yes);
        };
        dispatch({ type: 'question', text: question });
      }),
    [dispatch],
  );

  const run = useCallback(
    (what: Asked) => {
      const ending = new AbortController();
      running.current?.abort();
      running.current = ending;
      dispatch({ type: 'asked', asked: what, blank: session.blank, at: Date.now() });
      const isMine = () => running.current === ending;
      const settled = (action: Action) => {
        if (!isMine()) return;
        running.current = null;
        if (!ending.signal.aborted) dispatch(action);
      };
      const done = session.run(what, { onEvent: (event) => isMine() && dispatch({ type: 'event', event }), consent, signal: ending.signal }).then(
        (result) => settled({ type: 'result', result }),
        (error: unknown) => settled({ type: 'failed', message: messageOf(error) }),
      );
      pending.current.add(done);
      void done.finally(() => pending.current.delete(done));
    },
    [session, dispatch, consent],
  );

  useEffect(() => {
    if (!state.watch || state.view !== 'diagnosis' || state.runningSince !== null || !state.asked) return;
    const timer = setTimeout(run, watchEveryMs, state.asked);
    return () => clearTimeout(timer);
  }, [state.watch, state.view, state.runningSince, state.asked, run]);

  // Who goes back to the list does not wait for the run any more.
  useEffect(() => {
    if (state.view !== 'services') return;
    running.current?.abort();
    running.current = null;
  }, [state.view]);

  const isRunning = useCallback(() => running.current !== null, []);
  const answered = useCallback((yes: boolean) => answer.current?.(yes), []);
  const stay = useCallback(() => {
    stays.current = true;
  }, []);
  return { run, leave, isRunning, ask: consent, answer: answered, stay };
}
