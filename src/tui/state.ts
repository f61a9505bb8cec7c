/** The state of the terminal UI, and how it changes. The diagnosis itself is made elsewhere. */
import type { Diagnosis } from '../diagnose/diagnosis.ts';
import type { CheckReport } from '../verdict/judge.ts';
import { type Progress, type ProgressEvent, progressed } from '../diagnose/progress.ts';
import type { Asked, Quick, Result, ServiceRow, Trial } from './session.ts';

export const tabs = ['checks', 'endpoints', 'nodes', 'probes'] as const;
export type Tab = (typeof tabs)[number];

/** The list of Services, of namespaces, or of contexts. */
export interface Explorer {
  level: 'contexts' | 'namespaces' | 'services';
  /** null: of all namespaces. */
  namespace: string | null;
  names: string[];
  rows: ServiceRow[];
  /** By `namespace/name`; fills in as it is known. */
  quick: Record<string, Quick>;
  loading: boolean;
  /** Counts the listings that were asked for. */
  round: number;
  /** Key of the row that the cursor is on; the first where it is gone. */
  cursor: string;
}

export type Overlay =
  | { kind: 'help' }
  | { kind: 'filter' }
  | { kind: 'prompt'; what: 'from' | 'capture'; value: string }
  | { kind: 'trial'; command: string; trial: Trial | null; scroll: number };

export interface State {
  view: 'services' | 'run' | 'diagnosis';
  asked: Asked | null;
  progress: Progress;
  /** Start of the run in milliseconds since 1970; null where none is running. */
  runningSince: number | null;
  result: Result | null;
  /** Ids of the checks whose result changed since the run before, and `verdict`. */
  changed: ReadonlySet<string>;
  /** Why there is no result. */
  error: string;
  /** The question that a person must answer before the run continues. */
  question: string;
  tab: Tab;
  row: number;
  focus: 'list' | 'detail';
  scroll: number;
  filter: string;
  overlay: Overlay | null;
  /** The result of the last key, in a few words. */
  note: string;
  watch: boolean;
  explorer: Explorer;
}

export type Action =
  | { type: 'asked'; asked: Asked; blank: Progress; at: number }
  | { type: 'event'; event: ProgressEvent }
  | { type: 'question'; text: string }
  | { type: 'answered' }
  | { type: 'result'; result: Result }
  | { type: 'failed'; message: string }
  | { type: 'go'; row: number }
  | { type: 'scroll'; to: number }
  | { type: 'focus'; on: State['focus'] }
  | { type: 'tab'; tab: Tab }
  | { type: 'overlay'; overlay: Overlay | null }
  | { type: 'trial'; command: string; trial: Trial }
  | { type: 'filter'; text: string }
  | { type: 'note'; text: string }
  | { type: 'watch'; on: boolean }
  | { type: 'explore' }
  | { type: 'level'; level: Explorer['level']; namespace: string | null; cursor: string }
  | { type: 'listed'; names: string[]; rows: ServiceRow[] }
  | { type: 'quick'; found: Record<string, Quick> }
  | { type: 'cursor'; key: string };

/** An Ingress and a Service may share a name. */
export const keyOf = ({ front, namespace, name }: Pick<Asked, 'front' | 'namespace' | 'name'>): string => `${front ? `${front} ` : ''}${namespace}/${name}`;

export function initial(view: State['view'], blank: Progress, namespace: string): State {
  return {
    view,
    asked: null,
    progress: blank,
    runningSince: null,
    result: null,
    changed: new Set(),
    error: '',
    question: '',
    tab: 'checks',
    row: 0,
    focus: 'list',
    scroll: 0,
    filter: '',
    overlay: null,
    note: '',
    watch: false,
    explorer: { level: 'services', namespace, names: [], rows: [], quick: {}, loading: true, round: 0, cursor: '' },
  };
}

/** What a check says, without its times. */
const saying = (c: CheckReport) => JSON.stringify([c.status, c.summary, c.reason, c.findings.map((f) => [f.code, f.message])]);

/** What differs between two runs: ids of checks, and `verdict`. */
export function differences(before: Diagnosis, after: Diagnosis): Set<string> {
  const known = new Map(before.checks.map((c) => [c.id, saying(c)]));
  const changed = new Set(after.checks.filter((c) => known.get(c.id) !== saying(c)).map((c) => c.id));
  const said = (d: Diagnosis) => JSON.stringify([d.verdict.status, d.verdict.causes.map((c) => [c.code, c.message])]);
  if (said(before) !== said(after)) changed.add('verdict');
  return changed;
}

const sameAsked = (a: Asked | null, b: Asked) => a !== null && a.namespace === b.namespace && a.name === b.name && a.front === b.front && a.from === b.from;

/** The one place where state changes. */
export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case 'asked': {
      const again = sameAsked(state.asked, action.asked) && state.result !== null;
      const fresh = { asked: action.asked, progress: action.blank, runningSince: action.at, error: '', question: '' };
      // A run that is made again leaves what is being read in its place.
      if (again && state.view === 'diagnosis') return { ...state, ...fresh };
      return { ...state, ...fresh, view: 'run', result: null, changed: new Set(), row: 0, scroll: 0, focus: 'list', filter: '', overlay: null, note: '' };
    }
    case 'event':
      return { ...state, progress: progressed(state.progress, action.event) };
    case 'question':
      return { ...state, question: action.text };
    case 'answered':
      return { ...state, question: '' };
    case 'result': {
      const changed = state.result ? differences(state.result.diagnosis, action.result.diagnosis) : new Set<string>();
      // What connections showed is worth more in the list than what the objects promise.
      const { verdict, service, startedAt } = action.result.diagnosis;
      const key = keyOf(state.asked ?? service);
      const summary = `diagnosed ${startedAt.slice(11, 16)} UTC: ${verdict.causes[0]?.message ?? verdict.summary}`;
      const explorer = { ...state.explorer, quick: { ...state.explorer.quick, [key]: { status: verdict.status, summary } } };
      return { ...state, view: 'diagnosis', result: action.result, changed, runningSince: null, error: '', question: '', explorer };
    }
    case 'failed':
      return { ...state, error: action.message, runningSince: null, question: '', watch: false };
    case 'go':
      return { ...state, row: action.row, scroll: 0, note: '' };
    case 'scroll':
      return { ...state, scroll: action.to };
    case 'focus':
      return { ...state, focus: action.on };
    case 'tab':
      return { ...state, tab: action.tab, row: 0, scroll: 0, focus: 'list', filter: '' };
    case 'overlay':
      return { ...state, overlay: action.overlay, note: '' };
    case 'trial':
      // Closed in the meantime, or another's.
      return state.overlay?.kind === 'trial' && state.overlay.command === action.command
        ? { ...state, overlay: { ...state.overlay, trial: action.trial } }
        : state;
    case 'filter':
      return { ...state, filter: action.text, row: 0, scroll: 0 };
    case 'note':
      return { ...state, note: action.text };
    case 'watch':
      return { ...state, watch: action.on, note: action.on ? 'watching: runs again and again, and marks what changes' : 'no longer watching' };
    case 'explore':
      return { ...state, view: 'services', runningSince: null, question: '', watch: false, error: '', overlay: null, note: '', filter: '', focus: 'list' };
    case 'level': {
      const { level, namespace, cursor } = action;
      return {
        ...state,
        filter: '',
        note: '',
        error: '',
        explorer: { level, namespace, cursor, names: [], rows: [], quick: {}, loading: true, round: state.explorer.round + 1 },
      };
    }
    case 'listed':
      return { ...state, explorer: { ...state.explorer, names: action.names, rows: action.rows, loading: false } };
    case 'quick':
      return { ...state, explorer: { ...state.explorer, quick: { ...state.explorer.quick, ...action.found } } };
    case 'cursor':
      return { ...state, explorer: { ...state.explorer, cursor: action.key } };
  }
}
