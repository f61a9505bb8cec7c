/** How the UI's state changes, and what keys mean, on real diagnoses. */
import type { Key } from 'ink';
import { describe, expect, test } from 'vitest';
import { pipeline } from '../../checks/pipeline.ts';
import { resultOf } from '../../src/cli/ui-session.ts';
import { progressed, started } from '../../src/diagnose/progress.ts';
import { rowsOf } from '../../src/tui/detail.ts';
import { orderedServices, windowOf } from '../../src/tui/explorer-rows.ts';
import { legend, pressed, type Shown } from '../../src/tui/keys.ts';
import { differences, initial, reduce, type State } from '../../src/tui/state.ts';
import { recordingOf } from '../support/recordings.ts';

const blank = started(pipeline);
const fault = resultOf(recordingOf('selector-typo'));
const healthy = resultOf(recordingOf('healthy'));
const asked = { namespace: 'shop', name: 'web', from: undefined };

const noKey: Key = Object.fromEntries(
  [
    'upArrow',
    'downArrow',
    'leftArrow',
    'rightArrow',
    'pageDown',
    'pageUp',
    'home',
    'end',
    'return',
    'escape',
    'ctrl',
    'shift',
    'tab',
    'backspace',
    'delete',
    'meta',
    'super',
    'hyper',
    'capsLock',
    'numLock',
  ].map((k) => [k, false]),
) as unknown as Key;
const key = (name: keyof Key): Key => ({ ...noKey, [name]: true });

const around = (result = fault): State => reduce(reduce(initial('run', blank, 'shop'), { type: 'asked', asked, blank, at: 0 }), { type: 'result', result });
const shown = (state: State, more: Partial<Shown> = {}): Shown => {
  const rows = state.result ? rowsOf(state.result.diagnosis, state.filter) : [];
  return {
    isReplay: false,
    hasExplorer: true,
    inline: false,
    rows: rows.length,
    page: 10,
    row: rows[state.row],
    lines: 50,
    linesSeen: 10,
    services: [],
    names: [],
    ...more,
  };
};
/** The state after keys, and what they asked for. */
function after(state: State, ...keys: (string | Key)[]): { state: State; wishes: unknown[] } {
  let now = state;
  const wishes: unknown[] = [];
  for (const k of keys)
    for (const p of pressed(now, typeof k === 'string' ? k : '', typeof k === 'string' ? noKey : k, shown(now)))
      if ('wish' in p) wishes.push(p);
      else now = reduce(now, p);
  return { state: now, wishes };
}

describe('while it runs', () => {
  test('each check moves its stage on, and no other', () => {
    const report = fault.diagnosis.checks.find((c) => c.id === 'endpoints/selector');
    if (!report) throw new Error('the recording has no such check');
    const moved = progressed(progressed(blank, { type: 'checked', report }), { type: 'waiting', stage: 'path', text: 'debug pod: starting', at: Date.now() });
    expect(moved.filter((s) => s.reports.length > 0).map((s) => s.stage)).toEqual(['endpoints']);
    expect(moved.find((s) => s.stage === 'path')?.waiting).toBe('debug pod: starting');
  });
  test('all checks judged, each stage is complete', () => {
    const done = fault.diagnosis.checks.reduce((p, report) => progressed(p, { type: 'checked', report }), blank);
    for (const s of done) expect(s.reports.map((r) => r.id)).toEqual(s.checks);
  });
  test('a question is answered by y and n alone', () => {
    const state = reduce(reduce(initial('run', blank, 'shop'), { type: 'asked', asked, blank, at: 0 }), { type: 'question', text: 'Add it?' });
    expect(after(state, 'j', 'q', 'y').wishes).toEqual([{ wish: 'answer', yes: true }]);
    expect(after(state, key('return')).wishes).toEqual([{ wish: 'answer', yes: false }]);
    expect(legend(state, shown(state)).map(([k]) => k)).toEqual(['y', 'n']);
  });
  test('i asks the live view to stay; elsewhere it does nothing', () => {
    const state = reduce(initial('run', blank, 'shop'), { type: 'asked', asked, blank, at: 0 });
    expect(pressed(state, 'i', noKey, shown(state, { inline: true }))).toEqual([{ wish: 'stay' }]);
    expect(pressed(state, 'i', noKey, shown(state))).toEqual([]);
  });
});

describe('around a diagnosis', () => {
  test('moves by arrows and letters, and stays inside', () => {
    expect(after(around(), 'j', 'j', key('downArrow'), 'k').state.row).toBe(2);
    expect(after(around(), 'k', key('upArrow')).state.row).toBe(0);
    const rows = rowsOf(fault.diagnosis, '').length;
    expect(after(around(), 'G', 'j').state.row).toBe(rows - 1);
  });
  test('what is behind a row is scrolled, and left by Esc', () => {
    const inside = after(around(), key('return'), 'j', 'j', key('pageDown')).state;
    expect(inside).toMatchObject({ focus: 'detail', scroll: 11, row: 0 });
    expect(after(inside, 'G').state.scroll).toBe(40);
    expect(after(inside, key('escape')).state.focus).toBe('list');
  });
  test('a fix of a cause is copied and tried; where there is none, that is said', () => {
    const command = fault.diagnosis.verdict.causes[0]?.fix.find((f) => f.command)?.command;
    expect(after(around(), 'y').wishes).toEqual([{ wish: 'copy', text: command }]);
    expect(after(around(), 'd')).toMatchObject({ wishes: [{ wish: 'try' }], state: { overlay: { kind: 'trial' } } });
    expect(after(around(healthy), 'y', 'd').wishes).toEqual([]);
    expect(after(around(healthy), 'd').state.note).toContain('no fix');
  });
  test('a change is applied only after its diff was shown and accepted, and never in a recording', () => {
    const trial = (accepted: boolean) => ({
      ...after(around(), 'd').state,
      overlay: { kind: 'trial' as const, command: 'c', trial: { accepted, message: '', lines: [] }, scroll: 0 },
    });
    expect(after(trial(true), 'a').wishes).toEqual([{ wish: 'fix', command: 'c' }]);
    expect(after(trial(false), 'a').wishes).toEqual([]);
    expect(after(around(), 'a').wishes).toEqual([]);
  });
  test('tabs go round, a filter goes with its list', () => {
    expect(after(around(), key('tab'), key('tab')).state.tab).toBe('nodes');
    expect(after(around(), key('tab'), key('tab'), key('tab'), key('tab')).state.tab).toBe('checks');
    expect(after(around(), '4').state.tab).toBe('probes');
    const filtered = reduce(around(), { type: 'filter', text: 'dns' });
    expect(rowsOf(fault.diagnosis, filtered.filter).every((r) => r.kind !== 'check' || JSON.stringify(r.check).toLowerCase().includes('dns'))).toBe(true);
    expect(after(filtered, key('escape')).state.filter).toBe('');
  });
  test('what is typed into a filter or a prompt is a part of the state, key by key', () => {
    const typing = after(around(), '/', 'd', 'n', 'x', key('backspace'), 's');
    expect(typing.state).toMatchObject({ filter: 'dns', overlay: { kind: 'filter' } });
    expect(after(typing.state, key('return')).state).toMatchObject({ filter: 'dns', overlay: null });
    expect(after(typing.state, key('escape')).state).toMatchObject({ filter: '', overlay: null });
    // Keys that mean something elsewhere are text here.
    expect(after(around(), '/', 'q', '?', 'r')).toMatchObject({ state: { filter: 'q?r' }, wishes: [] });
    const asked = after(around(), 'f', 'p', 'o', 'd', '/', 'a', key('return'));
    expect(asked.wishes).toEqual([{ wish: 'submit', what: 'from', value: 'pod/a' }]);
    const cleared = after(around(), 'c', { ...noKey, ctrl: true });
    expect(cleared.state.overlay).toMatchObject({ kind: 'prompt', what: 'capture' });
    expect(after(around(), 'c', key('escape'))).toMatchObject({ state: { overlay: null }, wishes: [] });
  });
  test('a recording runs no second time', () => {
    const state = around();
    for (const k of ['r', 'w', 'f']) {
      const [action] = pressed(state, k, noKey, shown(state, { isReplay: true }));
      expect(action).toMatchObject({ type: 'note' });
    }
    expect(legend(state, shown(state, { isReplay: true })).map(([k]) => k)).not.toContain('r');
  });
  test('run again, what was read stays on the screen, and what changed is marked', () => {
    const again = reduce(around(), { type: 'asked', asked, blank, at: 5 });
    expect(again).toMatchObject({ view: 'diagnosis', result: fault, runningSince: 5 });
    const changed = reduce(again, { type: 'result', result: healthy }).changed;
    expect(changed).toContain('verdict');
    expect(changed).toContain('endpoints/selector');
    expect(differences(fault.diagnosis, fault.diagnosis).size).toBe(0);
  });
  test('of another Service or client the old result is not shown', () => {
    expect(reduce(around(), { type: 'asked', asked: { ...asked, from: 'node/a' }, blank, at: 1 })).toMatchObject({ view: 'run', result: null });
  });
  test('a run that fails leaves the last result, with why', () => {
    const again = reduce(around(), { type: 'asked', asked, blank, at: 5 });
    expect(reduce(again, { type: 'failed', message: 'the API server is away' })).toMatchObject({
      result: fault,
      error: 'the API server is away',
      runningSince: null,
    });
  });
});

describe('the explorer', () => {
  const row = (name: string) => ({ namespace: 'shop', name, type: 'ClusterIP', ports: '80→80', endpoints: { ready: 1, total: 1 } });
  const explorer = { ...initial('services', blank, 'shop').explorer, rows: ['cart', 'frontend-web', 'search', 'web'].map(row), loading: false };
  const quick = {
    'shop/web': { status: 'faulty' as const, summary: '' },
    'shop/cart': { status: 'healthy' as const, summary: '' },
    'shop/search': { status: 'degraded' as const, summary: '' },
  };

  test('the worst first, what is not known before what is well', () => {
    expect(orderedServices({ ...explorer, quick }, '').map((s) => s.name)).toEqual(['web', 'search', 'frontend-web', 'cart']);
  });
  test('a filter is fuzzy, the best match first', () => {
    expect(orderedServices(explorer, 'web').map((s) => s.name)).toEqual(['web', 'frontend-web']);
    expect(orderedServices(explorer, 'ftw').map((s) => s.name)).toEqual(['frontend-web']);
    expect(orderedServices(explorer, 'zzz')).toEqual([]);
  });
  test('Enter opens the row under the cursor, Esc goes up', () => {
    const state = { ...initial('services', blank, 'shop'), explorer: { ...explorer, cursor: 'shop/search' } };
    const listed = shown(state, { services: explorer.rows });
    expect(pressed(state, '', key('return'), listed)).toEqual([{ wish: 'open', row: row('search') }]);
    expect(pressed(state, '', key('escape'), listed)).toMatchObject([{ type: 'level', level: 'namespaces' }]);
    expect(pressed(state, '', key('downArrow'), listed)).toEqual([{ type: 'cursor', key: 'shop/web' }]);
  });
  test('a window of a long list holds the cursor', () => {
    for (const cursor of [0, 1, 40, 98, 99]) {
      const { from, to } = windowOf(100, cursor, 20);
      expect(to - from).toBe(20);
      expect(cursor >= from && cursor < to).toBe(true);
    }
    expect(windowOf(3, 2, 20)).toEqual({ from: 0, to: 3 });
  });
});
