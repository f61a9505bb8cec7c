/** A real terminal (tmux) with the built program in it: keys go in, the screen is read. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const program = new URL('../../bin/k8s-doctor.js', import.meta.url).pathname;
let count = 0;

export interface Terminal {
  /** The lines of the screen, as they are now. */
  screen(): string;
  /** The screen with its colours, as terminal escapes. */
  styled(): string;
  /** The screen with what has scrolled away above it. */
  scrollback(): string;
  /** As tmux names them: `Enter`, `Down`, `C-c`; anything else is typed. */
  keys(...keys: string[]): Promise<void>;
  /** Waits until the screen holds a text. Throws with the screen where it does not come. */
  shows(text: string | RegExp, timeoutMs?: number): Promise<string>;
  resize(columns: number, rows: number): void;
  /** Ends the program by a signal. */
  signal(name: NodeJS.Signals): void;
  /** What was written to the terminal so far. */
  written(): string;
  /** Whether the terminal is in a state of its own: the alternate screen, a hidden cursor. */
  isOdd(): boolean;
  close(): void;
}

const pause = (ms: number) => new Promise((r) => setTimeout(r, ms));
const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

/** Opens a terminal of that size, with a shell that runs the program (the built one, or `words`) and then says how it ended: `exit=N`. */
export function terminal(
  columns: number,
  rows: number,
  args: readonly string[],
  env: Record<string, string> = {},
  words: readonly string[] = [process.execPath, program],
): Terminal {
  const name = `t${++count}`;
  // A server of its own: one that ends with its last session may still be ending when the next is asked for.
  const server = ['-L', `k8s-doctor-${process.pid}-${name}`, '-f', '/dev/null'];
  const tmux = (...args: string[]): string => {
    const ran = spawnSync('tmux', [...server, ...args], { encoding: 'utf8' });
    if (ran.status !== 0) throw new Error(`tmux ${args.join(' ')}: ${ran.stderr || ran.error?.message}`);
    return ran.stdout;
  };
  // Files that the program writes go to a folder of its own.
  const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-tui-'));
  const log = join(folder, 'bytes');
  const set = Object.entries({ LANG: 'C.UTF-8', KUBECONFIG: process.env['KUBECONFIG'] ?? '', ...env }).map(([k, x]) => `${k}=${quote(x)}`);
  const command = `env -u CI -u NO_COLOR ${set.join(' ')} ${[...words, ...args].map(quote).join(' ')}; echo "exit=$?"; stty -a | grep -o -- '-\\?icanon'`;
  tmux('new-session', '-d', '-c', folder, '-s', name, '-x', String(columns), '-y', String(rows), 'sh');
  tmux('pipe-pane', '-t', name, '-o', `cat > ${log}`);
  tmux('send-keys', '-t', name, '-l', `PS1='$ '; clear; ${command}`);
  tmux('send-keys', '-t', name, 'Enter');
  const screen = () => tmux('capture-pane', '-p', '-t', name);
  return {
    screen,
    styled: () => tmux('capture-pane', '-p', '-e', '-t', name),
    scrollback: () => tmux('capture-pane', '-p', '-J', '-S', '-500', '-t', name),
    async keys(...keys) {
      for (const key of keys) {
        tmux('send-keys', '-t', name, ...(/^(Enter|Escape|Up|Down|Left|Right|Tab|BTab|BSpace|PageDown|PageUp|Home|End|C-.)$/.test(key) ? [key] : ['-l', key]));
        // A terminal takes Esc for the beginning of another key for a moment.
        await pause(key === 'Escape' ? 250 : 80);
      }
    },
    async shows(text, timeoutMs = 10_000) {
      const until = Date.now() + timeoutMs;
      for (;;) {
        const now = screen();
        if (typeof text === 'string' ? now.includes(text) : text.test(now)) return now;
        if (Date.now() > until) throw new Error(`the screen never showed ${String(text)}:\n${now}`);
        await pause(50);
      }
    },
    resize: (w, h) => void tmux('resize-window', '-t', name, '-x', String(w), '-y', String(h)),
    signal(signal) {
      const shell = tmux('display-message', '-p', '-t', name, '#{pane_pid}').trim();
      const child = spawnSync('pgrep', ['-P', shell], { encoding: 'utf8' }).stdout.trim().split('\n')[0];
      process.kill(Number(child), signal);
    },
    written: () => readFileSync(log, 'latin1'),
    isOdd: () => tmux('display-message', '-p', '-t', name, '#{alternate_on}#{?cursor_flag,0,1}').trim() !== '00',
    close: () => void spawnSync('tmux', [...server, 'kill-server']),
  };
}
