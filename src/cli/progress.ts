import { pipeline } from '../../checks/pipeline.ts';
import { type Progress, type ProgressEvent, progressed, started } from '../diagnose/progress.ts';
import { clean } from '../report/clean.ts';
import { unicodeMarks, worstOf } from '../report/view.ts';

/** Shows on stderr what a run does. `end` leaves nothing behind on a terminal. */
interface Reporter {
  onEvent(event: ProgressEvent): void;
  end(): void;
}

const silent: Reporter = { onEvent: () => {}, end: () => {} };

/** One line that changes, for a terminal. */
function onTerminal(stream: NodeJS.WriteStream): Reporter {
  let checked = 0;
  let waiting = '';
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

/** A line for each stage when its last check is judged; with `verbose` also one for each check. */
function asLines(stream: NodeJS.WriteStream, verbose: boolean): Reporter {
  let progress: Progress = started(pipeline);
  return {
    onEvent(event) {
      if (event.type !== 'checked') return;
      progress = progressed(progress, event);
      const { id, status, durationMs, stage } = event.report;
      if (verbose) stream.write(`  ${unicodeMarks[status]} ${id} (${durationMs} ms)\n`);
      const own = progress.find((s) => s.stage === stage);
      if (own && own.reports.length === own.checks.length) stream.write(`${unicodeMarks[worstOf(own.reports)]} ${stage} (${own.ms} ms)\n`);
    },
    end: () => {},
  };
}

/** The reporter for a stream; `quiet`: none, `verbose`: each check where the stream is not a terminal. */
export function progressOn(stream: NodeJS.WriteStream, { quiet, verbose }: { quiet: boolean; verbose: boolean }): Reporter {
  if (quiet) return silent;
  return stream.isTTY ? onTerminal(stream) : asLines(stream, verbose);
}
