import { spawn } from 'node:child_process';

const program = new URL('../../bin/k8s-doctor.js', import.meta.url).pathname;

export interface Line {
  at: string;
  /** Of what is in front of Services. */
  kind?: string;
  namespace: string;
  name: string;
  status: string;
  causes: string[];
}

/** `scan --watch -o json`: its lines as they come; the first is the whole scan. */
export function following(args: readonly string[], env: NodeJS.ProcessEnv = {}, errors: 'ignore' | 'inherit' = 'ignore') {
  const child = spawn(process.execPath, [program, 'scan', '--watch', '-o', 'json', ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', errors],
  });
  const lines: Line[] = [];
  let rest = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts.map((p) => JSON.parse(p) as Line));
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
  return {
    pid: child.pid,
    lines,
    async until(isThere: () => boolean, ms: number): Promise<void> {
      const started = performance.now();
      while (!isThere()) {
        if (performance.now() - started > ms) throw new Error(`not within ${ms} ms; lines so far: ${JSON.stringify(lines.slice(1))}`);
        await new Promise((r) => setTimeout(r, 50));
      }
    },
    /** Ends it as Ctrl-C does, and answers its exit status. */
    end(): Promise<number | null> {
      child.kill('SIGINT');
      return ended;
    },
  };
}
