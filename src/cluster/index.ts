export * from './cluster.ts';
export * from './failure.ts';
export { field, type Fields, template } from './protobuf.ts';
export * from './remembering.ts';
export type { ExecOutput, Tunnel } from './sockets.ts';
