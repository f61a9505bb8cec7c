/** The Ink application: one reducer, one place for keys, and the wishes that keys have carried out through the session. */
import { Box, useApp, useInput, useStdout, useWindowSize } from 'ink';
import { useCallback, useEffect, useMemo, useReducer, useRef } from 'react';
import { watchEveryMs } from '../diagnose/progress.ts';
import { DiagnosisView, placesOf } from './components/diagnosis-view.tsx';
import { KeysLine } from './components/keys-line.tsx';
import { Filter, Help, Prompt, Trial } from './components/overlays.tsx';
import { RunView } from './components/run-view.tsx';
import { ServicesView } from './components/services-view.tsx';
import { detailOf, endpointTable, nodeTable, probeTable, rowsOf } from './detail.ts';
import { orderedNames, orderedServices } from './explorer-rows.ts';
import { legend, pressed, type Shown, type Wish } from './keys.ts';
import { ThemeProvider } from './theme.tsx';
import type { Asked, Result, Session } from './session.ts';
import { type Action, initial, keyOf, reduce } from './state.ts';
import { messageOf, useList } from './use-list.ts';

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

export function App({ session, asked, namespace, from, unicode, colour, inline, watch, given, end }: AppProps) {
  const [state, reduced] = useReducer(reduce, undefined, () => {
    const first = initial(asked ? 'run' : 'services', session.blank, namespace);
    return given ? { ...first, view: 'diagnosis' as const, asked, result: given, watch } : { ...first, watch };
  });
  const { exit } = useApp();
  const { stdout } = useStdout();
  const { columns, rows: height } = useWindowSize();
  const running = useRef<AbortController | null>(null);
  const answer = useRef<((yes: boolean) => void) | null>(null);
  /** Runs that were ended or replaced, and still remove what they created. */
  const pending = useRef(new Set<Promise<void>>());
  const latest = useRef(state);
  // Keys may come faster than frames: each sees what the one before it did.
  const dispatch = useCallback((action: Action) => {
    latest.current = reduce(latest.current, action);
    reduced(action);
  }, []);
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
      exit({ result, error, interrupted: false, stay: stays.current, ...how } satisfies Ending);
    },
    [exit, dispatch],
  );

  const run = useCallback(
    (what: Asked) => {
      const ending = new AbortController();
      running.current?.abort();
      running.current = ending;
      dispatch({ type: 'asked', asked: what, blank: session.blank, at: Date.now() });
      const consent = (question: string) =>
        new Promise<boolean>((resolve) => {
          answer.current = (yes) => {
            answer.current = null;
            dispatch({ type: 'answered' });
            resolve(yes);
          };
          dispatch({ type: 'question', text: question });
        });
      const isMine = () => running.current === ending;
      const done = session.run(what, { onEvent: (event) => isMine() && dispatch({ type: 'event', event }), consent, signal: ending.signal }).then(
        (result) => {
          if (!isMine()) return;
          running.current = null;
          if (!ending.signal.aborted) dispatch({ type: 'result', result });
        },
        (error: unknown) => {
          if (!isMine()) return;
          running.current = null;
          if (!ending.signal.aborted) dispatch({ type: 'failed', message: messageOf(error) });
        },
      );
      pending.current.add(done);
      void done.finally(() => pending.current.delete(done));
    },
    [session, dispatch],
  );

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

  useList(state.view === 'services', state.explorer, session, dispatch);

  const services = useMemo(() => orderedServices(state.explorer, state.filter), [state.explorer, state.filter]);
  const names = useMemo(() => orderedNames(state.explorer, state.filter), [state.explorer, state.filter]);
  const hasExplorer = !inline && !session.isReplay;
  const places = placesOf(columns, height, state);
  const rows = useMemo(() => (state.result ? rowsOf(state.result.diagnosis, state.filter) : []), [state.result, state.filter]);
  const row = rows[Math.min(state.row, rows.length - 1)];
  const lines = useMemo(() => (state.result ? detailOf(row, state.result, places.detail - 4) : []), [row, state.result, places.detail]);
  const table = useMemo(() => {
    if (!state.result || state.tab === 'checks') return null;
    return { endpoints: endpointTable, nodes: nodeTable, probes: probeTable }[state.tab](state.result);
  }, [state.result, state.tab]);

  const shown: Shown = {
    isReplay: session.isReplay,
    hasExplorer,
    inline,
    rows: table ? table.rows.length : rows.length,
    page: Math.max(1, state.view === 'diagnosis' ? places.body - 1 : height - 3),
    row,
    lines: lines.length,
    linesSeen: places.body,
    services,
    names,
  };

  const grant = (wish: Wish) => {
    const say = (text: string) => dispatch({ type: 'note', text });
    switch (wish.wish) {
      case 'quit':
        return void leave({ interrupted: state.result === null && running.current !== null });
      case 'interrupt':
        return void leave({ interrupted: true });
      case 'stay':
        stays.current = true;
        return say('stays open to inspect');
      case 'again':
        return void (state.asked && run(state.asked));
      case 'open':
        return run({ namespace: wish.row.namespace, name: wish.row.name, from });
      case 'answer':
        return answer.current?.(wish.yes);
      case 'copy':
        stdout.write(`\u001b]52;c;${Buffer.from(wish.text).toString('base64')}\u0007`);
        return say(`copied, if the terminal allows it: ${wish.text}`);
      case 'try': {
        const patch = state.result?.patches[wish.command];
        const { command } = wish;
        if (!patch) return;
        session.tryFix(patch).then(
          (trial) => dispatch({ type: 'trial', command, trial }),
          (error: unknown) => dispatch({ type: 'trial', command, trial: { accepted: false, message: messageOf(error), lines: [] } }),
        );
        return;
      }
      case 'context':
        session.useContext(wish.name).then(
          () => dispatch({ type: 'level', level: 'namespaces', namespace: null, cursor: '' }),
          (error: unknown) => say(messageOf(error)),
        );
    }
  };

  useInput((input, key) => {
    // What was typed quickly comes as one text.
    for (const one of input.length > 1 ? Array.from(segmenter.segment(input), (s) => s.segment) : [input])
      for (const p of pressed(latest.current, one, key, shown))
        if ('wish' in p) grant(p);
        else dispatch(p);
  });

  const submit = (value: string) => {
    const { overlay } = state;
    dispatch({ type: 'overlay', overlay: null });
    if (overlay?.kind !== 'prompt') return;
    if (overlay.what === 'from') {
      if (state.asked) run({ ...state.asked, from: value.trim() || undefined });
      return;
    }
    try {
      dispatch({ type: 'note', text: session.capture(value) });
    } catch (error) {
      dispatch({ type: 'note', text: messageOf(error) });
    }
  };

  const { overlay } = state;
  const title = state.asked
    ? `k8s-doctor · ${session.context ? `${session.context} · ` : ''}${keyOf(state.asked)}${state.asked.from ? ` · from ${state.asked.from}` : ''}`
    : 'k8s-doctor';
  const isTight = height < 17;
  if (inline) {
    // What is printed now takes its place.
    if (state.result || state.error) return null;
    return (
      <ThemeProvider unicode={unicode} colour={colour}>
        <RunView state={state} title={title} width={columns} height={height - 1} />
        <Box paddingX={1} marginTop={isTight ? 0 : 1}>
          <KeysLine keys={legend(state, shown)} note={state.note} width={columns - 2} />
        </Box>
      </ThemeProvider>
    );
  }
  const body =
    overlay?.kind === 'help' ? (
      <Help height={height - 1} />
    ) : overlay?.kind === 'trial' ? (
      <Trial overlay={overlay} height={height - 1} width={columns} />
    ) : state.view === 'services' ? (
      <ServicesView state={state} context={session.context} services={services} names={names} width={columns} height={height - 1} />
    ) : state.view === 'run' || !state.result ? (
      <RunView state={state} title={title} width={columns} height={height - 1} />
    ) : (
      <DiagnosisView state={state} result={state.result} title={title} places={places} rows={rows} lines={lines} table={table} />
    );
  return (
    <ThemeProvider unicode={unicode} colour={colour}>
      <Box flexDirection="column" width={columns} height={height}>
        <Box flexGrow={1} flexShrink={1} overflow="hidden" flexDirection="column">
          {body}
        </Box>
        <Box height={1} flexShrink={0} paddingLeft={1}>
          {overlay?.kind === 'filter' ? (
            <Filter value={state.filter} onChange={(text) => dispatch({ type: 'filter', text })} />
          ) : overlay?.kind === 'prompt' ? (
            <Prompt overlay={overlay} onSubmit={submit} />
          ) : (
            <KeysLine keys={legend(state, shown)} note={state.view === 'diagnosis' && state.error ? state.error : state.note} width={columns - 2} />
          )}
        </Box>
      </Box>
    </ThemeProvider>
  );
}
