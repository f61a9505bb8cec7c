/** k8s-doctor for assistants: a server of the Model Context Protocol over standard input and output. */
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { ConnectOptions } from '../cluster/index.ts';
import type { PodDefaults } from '../probes/pod-defaults.ts';
import { mcpServer } from './mcp-server.ts';
import { onSignals } from './signals.ts';

export interface McpOptions extends ConnectOptions {
  version: string;
  /** Diagnoses may make connections, with debug pods. */
  allowProbes: boolean;
  image: string | undefined;
  pods?: PodDefaults | undefined;
}

/** Serves until standard input ends or a signal comes; what a diagnosis created is removed by then. */
export async function mcp(options: McpOptions, env: NodeJS.ProcessEnv): Promise<number> {
  const ending = new AbortController();
  const running = new Set<Promise<unknown>>();
  // A credential plug-in cannot ask anybody: the terminal belongs to the protocol.
  const handle = serveStdio(() => mcpServer({ ...options, beforeAsking: null }, env, { signal: ending.signal, running }), {
    onerror: (error) => void process.stderr.write(`${error.message}\n`),
  });
  await new Promise<void>((resolve) => {
    process.stdin.once('end', resolve);
    process.stdin.once('close', resolve);
    onSignals(() => resolve());
  });
  ending.abort();
  await Promise.allSettled(running);
  await handle.close();
  return 0;
}
