/** The Ink application: one reducer, one place for keys, and the wishes that keys have carried out through the session. */
import { Box, type Key, useApp, useInput, useStdout, useWindowSize } from 'ink';
import { useCallback, useEffect, useReducer, useRef } from 'react';
import type { Change } from '../catalog/finding.ts';
import { DiagnosisView } from './components/diagnosis-view.tsx';
import { KeysLine } from './components/keys-line.tsx';
import { Filter, Help, Prompt, Trial } from './components/overlays.tsx';
import { RunView } from './components/run-view.tsx';
import { ServicesView } from './components/services-view.tsx';
import { legend, pressed, type Wish } from './keys.ts';
import { ThemeProvider } from './theme.tsx';
import type { Asked, Result, Session } from './session.ts';
import { type Action, initial, keyOf, reduce, type State } from './state.ts';
import { messageOf, useList } from './use-list.ts';
import { type Runs, useRuns } from './use-runs.ts';
import { useShown } from './use-shown.ts';

export interface AppProps {
  session: Session;
  /** null: begin with the list of Services. */
  asked: Asked | null;
  namespace: string;
  /** Whose connection the explorer asks about. */
  from: string | undefined;
  unicode: boolean;
  colour: boolean;
  /** The live view that the verdict replaces. */
  inline: boolean;
  watch: boolean;
  /** A finished diagnosis to inspect. */
  given: Result | null;
  /** Ends it from without: a signal to the process. */
  end: AbortSignal;
}

const segmenter = new Intl.Segmenter();

/** The reducer's state. Keys may come faster than frames: `latest` is the state after the last of them. */
function useLatest({ asked, session, namespace, given, watch }: Pick<AppProps, 'asked' | 'session' | 'namespace' | 'given' | 'watch'>) {
  const [state, reduced] = useReducer(reduce, undefined, () => {
    const first = initial(asked ? 'run' : 'services', session.blank, namespace);
    return given ? { ...first, view: 'diagnosis' as const, asked, result: given, watch } : { ...first, watch };
  });
  const latest = useRef(state);
  const dispatch = useCallback((action: Action) => {
    latest.current = reduce(latest.current, action);
    reduced(action);
  }, []);
  return { state, latest, dispatch };
}

/** Carries out what a key wishes for beyond the state. */
function useWishes(session: Session, state: State, dispatch: (action: Action) => void, runs: Runs, from: string | undefined): (wish: Wish) => void {
  const { stdout } = useStdout();
  const say = (text: string) => dispatch({ type: 'note', text });
  /** Makes the changes of a fix, or (null) takes the last ones back, once the person agrees; then runs again. */
  async function changed(asked: Asked | null, changes: readonly Change[] | null): Promise<void> {
    if (!asked || !(await runs.ask(changes ? 'Make this change in the cluster?' : 'Take the last fix back?'))) return;
    dispatch({ type: 'overlay', overlay: null });
    try {
      say(await (changes ? session.makeFix(asked, changes) : session.undoFix()));
      runs.run(asked);
    } catch (error) {
      say(messageOf(error));
    }
  }

  return (wish) => {
    switch (wish.wish) {
      case 'quit':
        return void runs.leave({ interrupted: state.result === null && runs.isRunning() });
      case 'interrupt':
        return void runs.leave({ interrupted: true });
      case 'stay':
        runs.stay();
        return say('stays open to inspect');
      case 'again':
        return void (state.asked && runs.run(state.asked));
      case 'open':
        return runs.run({ front: wish.row.front, namespace: wish.row.namespace, name: wish.row.name, from: wish.row.front ? undefined : from });
      case 'submit':
        if (wish.what === 'from') return void (state.asked && runs.run({ ...state.asked, from: wish.value.trim() || undefined }));
        try {
          return say(session.capture(wish.value));
        } catch (error) {
          return say(messageOf(error));
        }
      case 'answer':
        return runs.answer(wish.yes);
      case 'copy':
        stdout.write(`\u001b]52;c;${Buffer.from(wish.text).toString('base64')}\u0007`);
        return say(`copied, if the terminal allows it: ${wish.text}`);
      case 'try': {
        const changes = state.result?.changes[wish.command];
        const { command } = wish;
        if (!changes) return;
        session.tryFix(changes).then(
          (trial) => dispatch({ type: 'trial', command, trial }),
          (error: unknown) => dispatch({ type: 'trial', command, trial: { accepted: false, message: messageOf(error), lines: [] } }),
        );
        return;
      }
      case 'fix': {
        const { result, asked } = state;
        const changes = result?.changes[wish.command];
        if (changes && asked) void changed(asked, changes);
        return;
      }
      case 'undo':
        return void changed(state.asked, null);
      case 'context':
        session.useContext(wish.name).then(
          () => dispatch({ type: 'level', level: 'namespaces', namespace: null, cursor: '' }),
          (error: unknown) => say(messageOf(error)),
        );
    }
  };
}

/** Enter and Backspace among what was typed quickly. */
const within = (one: string, key: Key): Key => ({ ...key, return: key.return || one === '\r' || one === '\n', backspace: key.backspace || one === '\u007f' });

const titleOf = (session: Session, asked: Asked | null): string =>
  asked ? `k8s-doctor · ${session.context ? `${session.context} · ` : ''}${keyOf(asked)}${asked.from ? ` · from ${asked.from}` : ''}` : 'k8s-doctor';

export function App({ session, asked, namespace, from, unicode, colour, inline, watch, given, end }: AppProps) {
  const { exit } = useApp();
  const { columns, rows: height } = useWindowSize();
  const { state, latest, dispatch } = useLatest({ asked, session, namespace, given, watch });
  const runs = useRuns({ session, state, latest, dispatch, exit });
  const { run, leave } = runs;

  useEffect(() => {
    if (asked && !given) run(asked);
  }, [asked, given, run]);

  useEffect(() => {
    const onEnd = () => void leave({ interrupted: true });
    if (end.aborted) onEnd();
    else end.addEventListener('abort', onEnd);
    return () => end.removeEventListener('abort', onEnd);
  }, [end, leave]);

  // The live view ends by itself: the verdict takes its place.
  useEffect(() => {
    if (inline && (state.result || state.error)) void leave({});
  }, [inline, state.result, state.error, leave]);

  useList(state.view === 'services', state.explorer, session, dispatch);
  const view = useShown(state, columns, height, { isReplay: session.isReplay, hasExplorer: !inline && !session.isReplay, inline });
  const grant = useWishes(session, state, dispatch, runs, from);

  useInput((input, key) => {
    // What was typed quickly comes as one text.
    for (const one of input.length > 1 ? Array.from(segmenter.segment(input), (s) => s.segment) : [input])
      for (const p of pressed(latest.current, one, within(one, key), view.shown))
        if ('wish' in p) grant(p);
        else dispatch(p);
  });

  const screen = { session, state, title: titleOf(session, state.asked), columns, height, view };
  return (
    <ThemeProvider unicode={unicode} colour={colour}>
      {inline ? <Inline {...screen} /> : <FullScreen {...screen} />}
    </ThemeProvider>
  );
}

interface ScreenProps {
  session: Session;
  state: State;
  title: string;
  columns: number;
  height: number;
  view: ReturnType<typeof useShown>;
}

/** The live view. What is printed when it has ended takes its place. */
function Inline({ state, title, columns, height, view }: ScreenProps) {
  if (state.result || state.error) return null;
  return (
    <>
      <RunView state={state} title={title} width={columns} height={height - 1} />
      <Box paddingX={1} marginTop={height < 17 ? 0 : 1}>
        <KeysLine keys={legend(state, view.shown)} note={state.note} width={columns - 2} />
      </Box>
    </>
  );
}

function Body({ session, state, title, columns, height, view }: ScreenProps) {
  const { overlay } = state;
  const { services, names, places, rows, lines, table } = view;
  if (overlay?.kind === 'help') return <Help height={height - 1} />;
  if (overlay?.kind === 'trial') return <Trial overlay={overlay} height={height - 1} width={columns} />;
  if (state.view === 'services')
    return <ServicesView state={state} context={session.context} services={services} names={names} width={columns} height={height - 1} />;
  if (state.view === 'run' || !state.result) return <RunView state={state} title={title} width={columns} height={height - 1} />;
  return <DiagnosisView state={state} result={state.result} title={title} places={places} rows={rows} lines={lines} table={table} />;
}

/** The bottom line where it says something: a question, an error, or the result of a key. The view of a run has its own place for questions. */
function noteOf({ view, question, error, note }: State): string {
  if (view !== 'run' && question) return `${question} (y/n)`;
  return view === 'diagnosis' && error ? error : note;
}

function FullScreen(screen: ScreenProps) {
  const { state, columns, height, view } = screen;
  const { overlay } = state;
  return (
    <Box flexDirection="column" width={columns} height={height}>
      <Box flexGrow={1} flexShrink={1} overflow="hidden" flexDirection="column">
        <Body {...screen} />
      </Box>
      <Box height={1} flexShrink={0} paddingLeft={1}>
        {overlay?.kind === 'filter' ? (
          <Filter value={state.filter} />
        ) : overlay?.kind === 'prompt' ? (
          <Prompt overlay={overlay} />
        ) : (
          <KeysLine keys={legend(state, view.shown)} note={noteOf(state)} width={columns - 2} />
        )}
      </Box>
    </Box>
  );
}
