/** What is on the screen: the rows and lines of the view, and what the keys need to know of them. */
import { useMemo } from 'react';
import { placesOf } from './components/diagnosis-view.tsx';
import { detailOf, endpointTable, nodeTable, probeTable, rowsOf } from './detail.ts';
import { orderedNames, orderedServices } from './explorer-rows.ts';
import type { Shown } from './keys.ts';
import type { State } from './state.ts';

export function useShown(state: State, columns: number, height: number, view: Pick<Shown, 'isReplay' | 'hasExplorer' | 'inline'>) {
  const services = useMemo(() => orderedServices(state.explorer, state.filter), [state.explorer, state.filter]);
  const names = useMemo(() => orderedNames(state.explorer, state.filter), [state.explorer, state.filter]);
  const places = placesOf(columns, height, state);
  const rows = useMemo(() => (state.result ? rowsOf(state.result.diagnosis, state.filter) : []), [state.result, state.filter]);
  const row = rows[Math.min(state.row, rows.length - 1)];
  const lines = useMemo(() => (state.result ? detailOf(row, state.result, places.detail - 4) : []), [row, state.result, places.detail]);
  const table = useMemo(() => {
    if (!state.result || state.tab === 'checks') return null;
    return { endpoints: endpointTable, nodes: nodeTable, probes: probeTable }[state.tab](state.result);
  }, [state.result, state.tab]);
  const shown: Shown = {
    ...view,
    rows: table ? table.rows.length : rows.length,
    page: Math.max(1, state.view === 'diagnosis' ? places.body - 1 : height - 3),
    row,
    lines: lines.length,
    linesSeen: places.body,
    services,
    names,
  };
  return { shown, services, names, places, rows, lines, table };
}
