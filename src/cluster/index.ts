export * from './cluster.ts';
export * from './failure.ts';
export { field, type Fields } from './protobuf.ts';
export type { ExecOutput, Tunnel } from './sockets.ts';
