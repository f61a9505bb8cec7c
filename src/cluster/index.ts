export * from './cluster.ts';
export * from './failure.ts';
export type { ExecOutput, Tunnel } from './sockets.ts';
