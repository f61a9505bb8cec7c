/** Draws the application until it ends, and leaves the terminal as it was. */
import { render, useApp } from 'ink';
import { App, type AppProps } from './app.tsx';
import type { Ending } from './use-runs.ts';
import { ErrorBoundary } from './error-boundary.tsx';

export type { Ending } from './use-runs.ts';

function Root(props: AppProps) {
  const { exit } = useApp();
  return (
    <ErrorBoundary onError={exit}>
      <App {...props} />
    </ErrorBoundary>
  );
}

/** Rejects with what was thrown while something was drawn. */
export async function start(props: AppProps): Promise<Ending> {
  const { waitUntilExit } = render(<Root {...props} />, {
    exitOnCtrlC: false,
    interactive: true,
    incrementalRendering: true,
    alternateScreen: !props.inline,
  });
  return (await waitUntilExit()) as Ending;
}
