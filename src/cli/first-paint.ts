import { stages } from '../../checks/check.ts';

/**
 * The first picture, written before anything is loaded: a person sees at once that the program runs. What draws the rest
 * takes its place. It says nothing that is not known yet.
 */
export interface Paint {
  /** Takes the picture away again. */
  erase(): void;
}

/** With any of these the terminal UI is not what was asked for, or it is not certain. */
const others = /^(-o|--output|-q|--quiet|-h|--help|--ui|--replay|--version)(=|$)/;

export const canDraw = (env: NodeJS.ProcessEnv): boolean => process.stdin.isTTY && process.stdout.isTTY && env['TERM'] !== 'dumb';

/** Whether a person sits at a terminal that can draw. */
export const isDrawable = (env: NodeJS.ProcessEnv): boolean => canDraw(env) && !env['CI'];

/** Paints where the words ask for the terminal UI. */
export function firstPaint(words: readonly string[], env: NodeJS.ProcessEnv): Paint {
  const name = words[0] === 'svc' ? words[1] : undefined;
  const asksUi = words.length === 0 || (name !== undefined && !name.startsWith('-'));
  if (!asksUi || words.some((w) => others.test(w)) || !isDrawable(env)) return { erase: () => {} };
  const width = Math.max(20, (process.stdout.columns ?? 80) - 2);
  // Only what a shell could have passed on unharmed; the rest is shown when it has been cleaned.
  const shown = name === undefined || !/^[\w./:-]*$/.test(name) ? '' : ` · ${name}`;
  const lines = [
    ` \u001b[1m${`k8s-doctor${shown}`.slice(0, width)}\u001b[0m`,
    ...(name === undefined ? [] : ['', ...stages.map((s) => ` \u001b[2m. ${s}\u001b[0m`)]),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  let isThere = true;
  return {
    erase() {
      if (isThere) process.stdout.write(`\u001b[${lines.length}A\r\u001b[J`);
      isThere = false;
    },
  };
}
