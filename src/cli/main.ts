import { firstPaint } from './first-paint.ts';
import packageJson from '../../package.json' with { type: 'json' };

const { version } = packageJson;
const words = process.argv.slice(2);

/** The help as the build wrote it down, where it fits the terminal; to load the parser for it would take longer than to print it. */
function writtenHelp(): string {
  if ((process.stdout.columns ?? 100) < 100) return '';
  try {
    return process.getBuiltinModule('node:fs').readFileSync(new URL('help.txt', import.meta.url), 'utf8');
  } catch {
    // Not written yet: the build is just about to.
    return '';
  }
}

/** Starts this program once more, and does not wait for it. */
function inBackground(args: readonly string[]): void {
  const { isSea } = process.getBuiltinModule('node:sea');
  const program = isSea() ? [] : process.argv.slice(1, 2);
  process
    .getBuiltinModule('node:child_process')
    .spawn(process.execPath, [...program, ...args], { detached: true, stdio: 'ignore' })
    .unref();
}

// The commonest questions are answered before anything else is loaded.
const asksHelp = words.length === 1 && (words[0] === '--help' || words[0] === '-h');
const help = asksHelp ? writtenHelp() : '';
if (words.length === 1 && words[0] === '--version') process.stdout.write(`${version}\n`);
else if (help) process.stdout.write(help);
else if (words[0] === '__complete') {
  const isForKubectl = words[1] === '--for-kubectl';
  const typed = words.slice(isForKubectl ? 2 : 1);
  const { complete } = await import('./complete.ts');
  const found = await complete(typed, version, process.env, () => inBackground(['__learn', ...typed]));
  process.stdout.write([...found, ...(isForKubectl ? [':4'] : [])].map((line) => `${line}\n`).join(''));
} else if (words[0] === '__learn') await (await import('./complete.ts')).learn(words.slice(1), process.env);
else {
  const paint = firstPaint(words, process.env);
  await (await import('./commands.ts')).main(words, version, paint);
}
