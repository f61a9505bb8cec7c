import { failed, noRule, ok, type Result } from '../cluster/index.ts';

/** Runs a command: `onLine` gets its lines; the result has its exit status and its error output. */
export type Shell = (command: string[], onLine: (line: string) => void) => Promise<Result<{ exitCode: number; stderr: string }>>;

const mark = '== k8s-doctor ended with ';
const quoted = (word: string) => (/^[\w/.-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

interface Waiting {
  command: string[];
  onLine: (line: string) => void;
  done: (result: Awaited<ReturnType<Shell>>) => void;
}

/** Commands of the same moment run in one shell where the image has one, because each connection costs time. */
export function batched(shell: Shell): Shell {
  let waiting: Waiting[] = [];
  let hasShell = true;
  const oneByOne = (all: Waiting[]) => Promise.all(all.map(async (w) => w.done(await shell(w.command, w.onLine))));

  async function flush() {
    const all = waiting;
    waiting = [];
    if (all.length === 1 || !hasShell) return oneByOne(all);
    let current = 0;
    /** The last lines, which contain a command's error message. */
    let tail: string[] = [];
    const script = all.map((w) => `${w.command.map(quoted).join(' ')} 2>&1; echo "${mark}$?"`).join('\n');
    const ran = await shell(['sh', '-c', script], (line) => {
      const now = all[current];
      if (!now) return;
      if (!line.startsWith(mark)) {
        tail = [...tail.slice(-2), line];
        now.onLine(line);
        return;
      }
      const exitCode = Number(line.slice(mark.length));
      const what = `running ${now.command[0]}`;
      now.done(
        exitCode === 127
          ? failed({ reason: 'not-possible', what, why: `the image has no "${now.command[0]}"`, rule: noRule })
          : ok({ exitCode, stderr: exitCode === 0 ? '' : tail.join('\n') }),
      );
      current++;
      tail = [];
    });
    const left = all.slice(current);
    if (!ran.ok && ran.failure.reason === 'not-possible' && current === 0) {
      hasShell = false;
      return oneByOne(all);
    }
    for (const w of left) w.done(ran.ok ? ok({ exitCode: ran.value.exitCode || 1, stderr: 'it was cut off' }) : ran);
    return undefined;
  }

  return (command, onLine) =>
    new Promise((done, reject) => {
      waiting.push({ command, onLine, done });
      if (waiting.length === 1) queueMicrotask(() => void flush().catch(reject));
    });
}
