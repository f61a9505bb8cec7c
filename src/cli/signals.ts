const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Has the signals that end a program handled, until what it answers is called. */
export function onSignals(handle: (signal: NodeJS.Signals) => void): () => void {
  for (const s of signals) process.on(s, handle);
  return () => {
    for (const s of signals) process.off(s, handle);
  };
}
