import { setTimeout as pause } from 'node:timers/promises';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Has the signals that end a program handled, until what it answers is called. */
export function onSignals(handle: (signal: NodeJS.Signals) => void): () => void {
  for (const s of signals) process.on(s, handle);
  return () => {
    for (const s of signals) process.off(s, handle);
  };
}

/** Waits so many milliseconds, or until a signal comes; answers that signal. */
export async function pauseOrSignal(ms: number): Promise<NodeJS.Signals | undefined> {
  const ending = new AbortController();
  let came: NodeJS.Signals | undefined;
  const off = onSignals((signal) => {
    came = signal;
    ending.abort();
  });
  await pause(ms, undefined, { signal: ending.signal }).catch(() => {});
  off();
  return came;
}
