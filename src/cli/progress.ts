import type { ProgressEvent } from '../diagnose/progress.ts';
import { clean } from '../report/clean.ts';
import { unicodeMarks } from '../report/view.ts';

/** Shows on stderr what is being done: one line that changes on a terminal, else a line for each check. `end` leaves nothing behind on a terminal. */
export function progressOn(stream: NodeJS.WriteStream, quiet: boolean): { onEvent(event: ProgressEvent): void; end(): void } {
  if (quiet) return { onEvent: () => {}, end: () => {} };
  let checked = 0;
  let waiting = '';
  if (stream.isTTY) {
    const draw = () => stream.write(`\r\u001b[2K  ${checked} checks done${waiting ? ` · ${waiting}` : ''}`.slice(0, (stream.columns ?? 80) + 4));
    return {
      onEvent(event) {
        if (event.type === 'checked') checked++;
        else waiting = clean(event.text);
        draw();
      },
      end: () => void stream.write('\r\u001b[2K'),
    };
  }
  return {
    onEvent(event) {
      if (event.type === 'checked') stream.write(`${unicodeMarks[event.report.status]} ${event.report.id} (${event.report.durationMs} ms)\n`);
    },
    end: () => {},
  };
}
