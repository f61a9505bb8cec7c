/** What each key does in each view. Pure: a key becomes actions and wishes; the App carries out the wishes. */
import type { Key } from 'ink';
import type { Row } from './detail.ts';
import type { ServiceRow } from './session.ts';
import { type Action, keyOf, type Overlay, type State, type Tab, tabs } from './state.ts';

/** A result of a key beyond a change of state. */
export type Wish =
  | { wish: 'quit' }
  | { wish: 'interrupt' }
  | { wish: 'stay' }
  | { wish: 'again' }
  | { wish: 'open'; row: ServiceRow }
  | { wish: 'copy'; text: string }
  | { wish: 'try'; command: string }
  | { wish: 'fix'; command: string }
  | { wish: 'undo' }
  | { wish: 'submit'; what: 'from' | 'capture'; value: string }
  | { wish: 'answer'; yes: boolean }
  | { wish: 'context'; name: string };

/** The parts of the screen on which keys depend. */
export interface Shown {
  isReplay: boolean;
  /** There is a list of Services to go back to. */
  hasExplorer: boolean;
  /** A live view that the verdict replaces. */
  inline: boolean;
  /** Rows that the cursor can be on, rows of a page, and the row that it is on. */
  rows: number;
  page: number;
  row: Row | undefined;
  /** Lines behind it, and how many of them are seen at once. */
  lines: number;
  linesSeen: number;
  services: readonly ServiceRow[];
  names: readonly string[];
}

type Pressed = (Action | Wish)[];

const clamp = (n: number, most: number) => Math.max(0, Math.min(n, most));

/** How far a key moves: rows of a list, or lines of a text. */
function step(input: string, key: Key, page: number, all: number): number | null {
  if (key.upArrow || input === 'k') return -1;
  if (key.downArrow || input === 'j') return 1;
  if (key.pageUp) return -page;
  if (key.pageDown || input === ' ') return page;
  if (key.home || input === 'g') return -all;
  if (key.end || input === 'G') return all;
  return null;
}

const fixesOf = (row: Row | undefined) => (row?.kind === 'cause' ? row.finding.fix : row?.kind === 'check' ? row.check.findings.flatMap((f) => f.fix) : []);

const show = (overlay: Overlay | null): Pressed => [{ type: 'overlay', overlay }];
const note = (text: string): Pressed => [{ type: 'note', text }];

/** Keys that mean the same everywhere but where something is typed. */
function common(input: string, key: Key, shown: Shown): Pressed | null {
  if (key.ctrl && input === 'c') return [{ wish: 'interrupt' }];
  if (input === 'q') return [{ wish: 'quit' }];
  if (input === '?' && !shown.inline) return show({ kind: 'help' });
  return null;
}

const segmenter = new Intl.Segmenter();

/** A line after one more key: a character at its end, one less, or (Ctrl-U) none. */
function typed(line: string, input: string, key: Key): string {
  if (key.backspace || key.delete)
    return Array.from(segmenter.segment(line), (s) => s.segment)
      .slice(0, -1)
      .join('');
  if (key.ctrl && input === 'u') return '';
  // oxlint-disable-next-line no-control-regex
  return key.ctrl || key.meta || key.tab || key.upArrow || key.downArrow || key.leftArrow || key.rightArrow || /[\u0000-\u001f\u007f]/.test(input)
    ? line
    : line + input;
}

/** What is typed is a part of the state: a field of the screen's own would miss what comes before it is drawn. */
function overlayKeys(overlay: Overlay, input: string, key: Key, shown: Shown, filter: string): Pressed {
  if (key.ctrl && input === 'c') return [{ wish: 'interrupt' }];
  if (overlay.kind === 'filter') {
    if (key.escape) return [{ type: 'filter', text: '' }, ...show(null)];
    if (key.return) return show(null);
    const text = typed(filter, input, key);
    return text === filter ? [] : [{ type: 'filter', text }];
  }
  if (overlay.kind === 'prompt') {
    if (key.escape) return show(null);
    if (key.return) return [...show(null), { wish: 'submit', what: overlay.what, value: overlay.value }];
    return show({ ...overlay, value: typed(overlay.value, input, key) });
  }
  if (key.escape || input === 'q' || key.return || input === '?') return show(null);
  if (overlay.kind === 'trial') {
    if (input === 'a' && !shown.isReplay && overlay.trial?.accepted) return [{ wish: 'fix', command: overlay.command }];
    const by = step(input, key, shown.page, 10_000);
    const last = Math.max(0, (overlay.trial?.lines.length ?? 0) - 3);
    if (by !== null) return show({ ...overlay, scroll: clamp(overlay.scroll + by, last) });
  }
  return [];
}

function servicesKeys(state: State, input: string, key: Key, shown: Shown): Pressed {
  const { explorer } = state;
  const keys = explorer.level === 'services' ? shown.services.map(keyOf) : shown.names;
  const at = Math.max(0, keys.indexOf(explorer.cursor));
  const by = step(input, key, shown.page, keys.length);
  if (by !== null) return [{ type: 'cursor', key: keys[clamp(at + by, keys.length - 1)] ?? '' }];
  if (input === '/') return show({ kind: 'filter' });
  if (input === 'r') return [{ type: 'level', level: explorer.level, namespace: explorer.namespace, cursor: explorer.cursor }];
  if (input === 'a' && explorer.level === 'services') return [{ type: 'level', level: 'services', namespace: null, cursor: '' }];
  if (key.escape && state.filter) return [{ type: 'filter', text: '' }];
  if (key.escape || key.leftArrow || input === 'h' || key.backspace || key.delete) {
    if (explorer.level === 'services') return [{ type: 'level', level: 'namespaces', namespace: explorer.namespace, cursor: explorer.namespace ?? '' }];
    return explorer.level === 'namespaces' ? [{ type: 'level', level: 'contexts', namespace: explorer.namespace, cursor: '' }] : [];
  }
  if (key.return || key.rightArrow || input === 'l') {
    if (explorer.level === 'services') {
      const row = shown.services[at];
      return row ? [{ wish: 'open', row }] : [];
    }
    const name = shown.names[at];
    if (name === undefined) return [];
    return explorer.level === 'namespaces' ? [{ type: 'level', level: 'services', namespace: name, cursor: '' }] : [{ wish: 'context', name }];
  }
  return [];
}

function runKeys(state: State, input: string, key: Key, shown: Shown): Pressed {
  if (state.error) {
    if (input === 'r' && !shown.isReplay) return [{ wish: 'again' }];
    if ((key.escape || key.leftArrow || key.backspace) && shown.hasExplorer) return [{ type: 'explore' }];
    if (input === 'f' && !shown.isReplay) return show({ kind: 'prompt', what: 'from', value: state.asked?.from ?? '' });
    return [];
  }
  if (shown.inline) return input === 'i' ? [{ wish: 'stay' }] : [];
  return key.escape && shown.hasExplorer ? [{ type: 'explore' }] : [];
}

function diagnosisKeys(state: State, input: string, key: Key, shown: Shown): Pressed {
  const number = Number(input);
  const tab: Tab | undefined = key.tab
    ? tabs[(tabs.indexOf(state.tab) + (key.shift ? tabs.length - 1 : 1)) % tabs.length]
    : number >= 1
      ? tabs[number - 1]
      : undefined;
  if (tab) return [{ type: 'tab', tab }];
  const inDetail = state.focus === 'detail' && state.tab === 'checks';
  const by = step(input, key, inDetail ? shown.linesSeen - 1 : shown.page, 10_000);
  if (by !== null) {
    if (inDetail) return [{ type: 'scroll', to: clamp(state.scroll + by, shown.lines - shown.linesSeen) }];
    return [{ type: 'go', row: clamp(state.row + by, shown.rows - 1) }];
  }
  if (key.return || key.rightArrow || input === 'l') return state.tab === 'checks' ? [{ type: 'focus', on: 'detail' }] : [];
  if (key.escape || key.leftArrow || input === 'h' || key.backspace || key.delete) {
    if (state.focus === 'detail') return [{ type: 'focus', on: 'list' }];
    if (state.filter) return [{ type: 'filter', text: '' }];
    if (state.tab !== 'checks') return [{ type: 'tab', tab: 'checks' }];
    return shown.hasExplorer && !key.leftArrow ? [{ type: 'explore' }] : [];
  }
  const commands = fixesOf(shown.row).flatMap((f) => f.command ?? []);
  switch (input) {
    case '/':
      return show({ kind: 'filter' });
    case 'y': {
      const [command] = commands;
      return command === undefined ? note('nothing to copy here: choose a cause') : [{ wish: 'copy', text: command }];
    }
    case 'd': {
      const command = commands.find((c) => state.result?.changes[c]);
      return command === undefined
        ? note('no fix here that changes an object')
        : [...show({ kind: 'trial', command, trial: null, scroll: 0 }), { wish: 'try', command }];
    }
    case 'u':
      return shown.isReplay ? note('a recording: nothing was changed') : [{ wish: 'undo' }];
    case 'c':
      return show({ kind: 'prompt', what: 'capture', value: `${state.asked?.name ?? 'incident'}.json` });
    case 'r':
      return shown.isReplay ? note('a recording: there is no cluster to ask again') : [{ wish: 'again' }];
    case 'w':
      return shown.isReplay ? note('a recording: there is no cluster to watch') : [{ type: 'watch', on: !state.watch }];
    case 'f':
      return shown.isReplay ? note('a recording: it has one client only') : show({ kind: 'prompt', what: 'from', value: state.asked?.from ?? '' });
  }
  return [];
}

/** The actions and wishes of a key press. */
export function pressed(state: State, input: string, key: Key, shown: Shown): Pressed {
  if (state.question) {
    if (key.ctrl && input === 'c') return [{ wish: 'interrupt' }];
    if (input === 'y' || input === 'n' || key.escape || key.return) return [{ wish: 'answer', yes: input === 'y' }];
    return [];
  }
  if (state.overlay) return overlayKeys(state.overlay, input, key, shown, state.filter);
  const everywhere = common(input, key, shown);
  if (everywhere) return everywhere;
  if (state.view === 'services') return servicesKeys(state, input, key, shown);
  return state.view === 'run' ? runKeys(state, input, key, shown) : diagnosisKeys(state, input, key, shown);
}

/** The keys that work now, for the bottom line. */
export function legend(state: State, shown: Pick<Shown, 'isReplay' | 'hasExplorer' | 'inline'>): [string, string][] {
  if (state.question)
    return [
      ['y', 'yes'],
      ['n', 'no'],
    ];
  const { overlay } = state;
  if (overlay?.kind === 'filter')
    return [
      ['enter', 'keep'],
      ['esc', 'clear'],
    ];
  if (overlay?.kind === 'prompt')
    return [
      ['enter', overlay.what === 'from' ? 'run' : 'write'],
      ['esc', 'leave'],
    ];
  if (overlay)
    return [
      ...(overlay.kind === 'trial' && overlay.trial?.accepted && !shown.isReplay ? [['a', 'apply'] as [string, string]] : []),
      ['↑↓', 'scroll'],
      ['esc', 'close'],
    ];
  if (state.view === 'services')
    return [
      ['↑↓', 'move'],
      ['enter', 'open'],
      ['/', 'filter'],
      ['esc', 'up'],
      ...(state.explorer.level === 'services' ? [['a', 'all'] as [string, string]] : []),
      ['?', 'help'],
      ['q', 'quit'],
    ];
  if (state.view === 'run') {
    if (state.error)
      return [
        ...(shown.isReplay
          ? []
          : ([
              ['r', 'again'],
              ['f', 'from'],
            ] as [string, string][])),
        ...(shown.hasExplorer ? [['esc', 'back'] as [string, string]] : []),
        ['q', 'quit'],
      ];
    return shown.inline
      ? [
          ['i', 'inspect'],
          ['q', 'quit'],
        ]
      : [...(shown.hasExplorer ? [['esc', 'back'] as [string, string]] : []), ['q', 'quit']];
  }
  if (state.focus === 'detail')
    return [
      ['↑↓', 'scroll'],
      ['esc', 'back'],
      ['y', 'copy fix'],
      ['d', 'diff'],
      ['?', 'help'],
      ['q', 'quit'],
    ];
  return [
    ['↑↓', 'move'],
    ['enter', 'read'],
    ['tab', 'tables'],
    ['y', 'copy fix'],
    ['d', 'diff'],
    ...(shown.isReplay
      ? []
      : ([
          ['r', 'again'],
          ['w', 'watch'],
          ['f', 'from'],
        ] as [string, string][])),
    ['c', 'capture'],
    ['/', 'filter'],
    ['?', 'help'],
    ['q', 'quit'],
  ];
}
