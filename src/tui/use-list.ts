import { useEffect, useRef } from 'react';
import type { Quick, ServiceRow, Session } from './session.ts';
import { type Action, type Explorer, keyOf } from './state.ts';

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const judgedAtOnce = 4;
/** What is known of Services is shown in steps, so that thousands of them do not redraw the list each. Milliseconds. */
const quickEveryMs = 250;

/** Lists the explorer's rows, then checks each Service, a few at a time, while the list is on the screen. */
export function useList(isActive: boolean, explorer: Explorer, session: Session, dispatch: (action: Action) => void): void {
  const { round } = explorer;
  const now = useRef(explorer);
  now.current = explorer;
  useEffect(() => {
    if (!isActive) return;
    const { level, namespace, loading, quick } = now.current;
    const gone = new AbortController();
    let found: Record<string, Quick> = {};
    const flush = () => {
      if (!gone.signal.aborted && Object.keys(found).length > 0) dispatch({ type: 'quick', found });
      found = {};
    };
    const timer = setInterval(flush, quickEveryMs);
    const judgeAll = async (rows: readonly ServiceRow[]) => {
      const queue = rows.filter((r) => !quick[keyOf(r)]);
      const worker = async () => {
        for (let row = queue.shift(); row && !gone.signal.aborted; row = queue.shift()) {
          // `found` is another one by the time that this is known.
          const known = await session.judge(row);
          found[keyOf(row)] = known;
          // Keys come first.
          await new Promise((r) => setImmediate(r));
        }
      };
      await Promise.all(Array.from({ length: judgedAtOnce }, worker));
      flush();
    };
    const list = async () => {
      if (level === 'contexts') return dispatch({ type: 'listed', names: [...session.contexts], rows: [] });
      if (level === 'namespaces') {
        const names = await session.namespaces();
        return gone.signal.aborted ? undefined : dispatch({ type: 'listed', names, rows: [] });
      }
      const rows = loading ? await session.services(namespace) : now.current.rows;
      if (gone.signal.aborted) return;
      if (loading) dispatch({ type: 'listed', names: [], rows });
      await judgeAll(rows);
    };
    list().catch((error: unknown) => {
      if (gone.signal.aborted) return;
      dispatch({ type: 'listed', names: [], rows: [] });
      dispatch({ type: 'note', text: messageOf(error) });
    });
    return () => {
      gone.abort();
      clearInterval(timer);
    };
  }, [isActive, round, session, dispatch]);
}
