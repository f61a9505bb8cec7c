/** The components, drawn: a recording looked around in, and runs as they go. */
import { Text } from 'ink';
import { render } from 'ink-testing-library';
import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import { pipeline } from '../../checks/pipeline.ts';
import { replaySession, resultOf } from '../../src/cli/ui-session.ts';
import { progressed, started } from '../../src/diagnose/progress.ts';
import { App } from '../../src/tui/app.tsx';
import { PathLine } from '../../src/tui/components/path-line.tsx';
import { RunView } from '../../src/tui/components/run-view.tsx';
import { ErrorBoundary } from '../../src/tui/error-boundary.tsx';
import { ThemeProvider } from '../../src/tui/theme.tsx';
import { initial, reduce } from '../../src/tui/state.ts';
import { drawnHops } from '../../src/tui/path-hops.ts';
import { recorded, recordingOf } from '../support/recordings.ts';

const blank = started(pipeline);
/** How long is waited for what is to be drawn, in milliseconds. */
const patience = { timeout: 10_000, interval: 10 };

function app(name: string) {
  const recording = recordingOf(name);
  const given = resultOf(recording);
  const { namespace, name: service } = given.diagnosis.service;
  return render(
    <App
      session={replaySession(recording)}
      asked={{ namespace, name: service, from: undefined }}
      namespace={namespace}
      from={undefined}
      unicode
      colour
      inline={false}
      watch={false}
      given={given}
      end={new AbortController().signal}
    />,
  );
}

describe('a recording', () => {
  test('keys move through it', async () => {
    const { lastFrame, stdin, unmount } = app('policy-default-deny');
    expect(lastFrame()).toContain('policy-denies-ingress');
    stdin.write('2');
    await expect.poll(lastFrame, patience).toContain('from the client');
    stdin.write('\t');
    await expect.poll(lastFrame, patience).toContain('kube-proxy');
    stdin.write('1jj');
    await expect.poll(lastFrame, patience).toMatch(/▸ {3}✓ exists/);
    stdin.write('?');
    await expect.poll(lastFrame, patience).toContain('Keys');
    unmount();
  });

  test('a filter that is typed at once, Enter included, loses nothing', async () => {
    const { lastFrame, stdin, unmount } = app('policy-default-deny');
    stdin.write('/config\r');
    await expect.poll(lastFrame, patience).toMatch(/✓ .?config/);
    expect(lastFrame()).not.toContain('selector  ');
    unmount();
  });

  test('of every third recorded incident no line is wider than the terminal', () => {
    for (const { name } of recorded.filter((_, i) => i % 3 === 0)) {
      const { lastFrame, unmount } = app(name);
      const frame = lastFrame() ?? '';
      expect(frame, name).toContain('k8s-doctor');
      for (const line of frame.split('\n')) expect(stringWidth(line), name).toBeLessThanOrEqual(100);
      unmount();
    }
  });
});

describe("the packet's way", () => {
  test.each([120, 100, 80, 60, 40, 20])('at %d columns it fits, and the failing hop is marked without colours', (width) => {
    const result = resultOf(recordingOf('policy-default-deny'));
    const { lastFrame, unmount } = render(
      <ThemeProvider unicode colour>
        <PathLine stops={drawnHops(blank, result)} width={width} />
      </ThemeProvider>,
    );
    const frame = lastFrame() ?? '';
    expect(frame.match(/✗/g)).toHaveLength(1);
    expect(frame).toMatch(/✗[─ ]*policy/);
    if (width >= 80) for (const line of frame.split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(width);
    unmount();
  });
});

describe('a run as it goes', () => {
  const asked = { namespace: 'shop', name: 'sho\u{1f6d2}p-店', from: undefined };
  const running = reduce(initial('run', blank, 'shop'), { type: 'asked', asked, blank, at: Date.now() });

  test('a stage shows what it waits for, then what it found', () => {
    const { checks } = resultOf(recordingOf('selector-typo')).diagnosis;
    const waiting = progressed(blank, { type: 'waiting', stage: 'path', text: 'debug pod: starting', at: Date.now() });
    const some = checks.filter((c) => c.stage === 'endpoints').reduce((p, report) => progressed(p, { type: 'checked', report }), waiting);
    const { lastFrame, unmount } = render(<RunView state={{ ...running, progress: some }} title="k8s-doctor" width={100} height={30} />);
    expect(lastFrame()).toContain('debug pod: starting');
    expect(lastFrame()).toMatch(/✗ endpoints/);
    unmount();
  });

  test('on a screen of a few lines, the stages that are still open', () => {
    const { checks } = resultOf(recordingOf('selector-typo')).diagnosis;
    const some = checks.filter((c) => c.stage === 'service').reduce((p, report) => progressed(p, { type: 'checked', report }), blank);
    const { lastFrame, unmount } = render(<RunView state={{ ...running, progress: some }} title="k8s-doctor" width={100} height={7} />);
    const frame = lastFrame() ?? '';
    expect(frame.split('\n').length).toBeLessThanOrEqual(7);
    expect(frame).toContain('endpoints');
    expect(frame).not.toMatch(/^ *. service/m);
    unmount();
  });

  test('wide characters and emoji in names keep the lines whole', () => {
    const { lastFrame, unmount } = render(<RunView state={running} title={`k8s-doctor · ${asked.name}`} width={40} height={14} />);
    for (const line of (lastFrame() ?? '').split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(40);
    unmount();
  });

  test('an error takes the place of the verdict', () => {
    const failed = reduce(running, { type: 'failed', message: 'The API server of context "x" cannot be reached (ECONNREFUSED); check the cluster.' });
    const { lastFrame, unmount } = render(<RunView state={failed} title="k8s-doctor" width={80} height={30} />);
    expect(lastFrame()).toContain('cannot be reached');
    unmount();
  });
});

test('an error while something is drawn is handed on, and no stack is drawn', async () => {
  const seen: Error[] = [];
  const Broken = (): never => {
    throw new Error('broken');
  };
  const { lastFrame, unmount } = render(
    <ErrorBoundary onError={(e) => seen.push(e)}>
      <Text>before</Text>
      <Broken />
    </ErrorBoundary>,
  );
  await expect.poll(() => seen.map((e) => e.message), patience).toEqual(['broken']);
  expect(lastFrame()).not.toContain('broken');
  unmount();
});
