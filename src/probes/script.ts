/**
 * The script that makes all connections of a run, in parallel, with the tools that the image has: `probe.sh`, then one line for
 * each task. Each result is one record, written at once: SOH key STX id STX tool STX exit status STX milliseconds STX output ETX key.
 */
import { randomBytes } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import functions from './probe.sh';

export type Task =
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'udp'; host: string; port: number }
  /** Sends packets of full size: are they acknowledged, and does an answer come back? */
  | { kind: 'payload'; host: string; port: number }
  /** One GET, under a name of the Service. A certificate is not verified; its subject is reported. */
  | { kind: 'http'; host: string; port: number; tls: boolean; name: string; path: string }
  /** With `domain` the name is in the cluster's domain: that of resolv.conf's search list, or without one this domain. */
  | { kind: 'name'; name: string; domain?: string; type: 'A' | 'AAAA' }
  /** The same of one server, over one transport; with `always` false, only where a name did not resolve. */
  | { kind: 'ask'; server: string; tcp: boolean; always: boolean; name: string; domain?: string; type: 'A' | 'AAAA' };

export interface Record {
  /** Index of the task; `resolv.conf` and `tools` are records of their own. */
  id: string;
  tool: string;
  exitCode: number;
  /** Wall time in milliseconds, in steps of 10 (the resolution of /proc/uptime). */
  ms: number;
  output: string;
}

/** How long one connection may take, in seconds. */
export const connectTimeoutS = 2;

/** Written in front of each record, and known to this process and its script alone: what a server or a program answers is in records, too. */
const key = randomBytes(8).toString('hex');

const prelude = (tries: number) => `TRIES=${tries} LIMIT=${connectTimeoutS} KEY=${key}\n${functions}`;

// Everything in the script comes from the API server, and can contain anything.
const address = /^[0-9a-fA-F.:]+$/;
/** A path with its query, as RFC 3986 allows it, without the quote that would end a word of the shell. */
export const httpPath = /^\/[\w.~!$&()*+,;=:@%/?-]*$/;
const dnsName = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

const wholeName = (task: { name: string; domain?: string }) => `${task.name}${task.domain === undefined ? '' : `.\${D:-${task.domain}}`}.`;

/** An address and port as /proc/net/tcp and tcp6 write them on a little-endian machine, in words of four bytes: `0100007F:0050`. */
function procAddress(host: string, port: number): string {
  const bytes = ipaddr.parse(host).toByteArray();
  const hex = (n: number, digits: number) => n.toString(16).toUpperCase().padStart(digits, '0');
  const words = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.slice(4 * i, 4 * i + 4).toReversed());
  return `${words
    .flat()
    .map((b) => hex(b, 2))
    .join('')}:${hex(port, 4)}`;
}

/** One task as a line of the script; empty where a part of it is not an address, a name or a path. */
function line(task: Task, id: number): string {
  if (task.kind === 'tcp' || task.kind === 'udp')
    return address.test(task.host) && Number.isInteger(task.port) ? `${task.kind} ${id} ${task.host} ${task.port} &` : '';
  if (task.kind === 'payload') {
    return ipaddr.isValid(task.host) ? `payload ${id} ${task.host} ${task.port} ${procAddress(task.host, task.port)} &` : '';
  }
  if (task.kind === 'http') {
    const fits = address.test(task.host) && dnsName.test(task.name) && httpPath.test(task.path);
    return fits ? `http ${id} ${task.host} ${task.port} ${task.tls ? 'https' : 'http'} '${task.path}' ${task.name} &` : '';
  }
  if (!dnsName.test(task.name) || !dnsName.test(task.domain ?? 'x')) return '';
  if (task.kind === 'name') return `name ${id} ${wholeName(task)} ${task.type}; resolved`;
  return address.test(task.server) ? `ask ${id} ${task.server} ${wholeName(task)} ${task.type} ${task.tcp ? '+tcp' : '+notcp'} &` : '';
}

/** So many connections at once where memory is short. */
const fewAtOnce = 4;

/** Connections and questions in parallel, then the names, then the questions for names that did not resolve. */
function lines(tasks: readonly Task[]): string {
  const of = (wanted: (t: Task) => boolean) => tasks.flatMap((t, i) => (wanted(t) ? [line(t, i)] : [])).filter(Boolean);
  const later = (t: Task) => t.kind === 'ask' && !t.always;
  const asks = of(later);
  const parallel = of((t) => t.kind !== 'name' && !later(t));
  return [
    ...parallel.flatMap((l, i) => (i % fewAtOnce === fewAtOnce - 1 ? [l, 'pause'] : [l])),
    ...of((t) => t.kind === 'name'),
    ...(asks.length > 0 ? ['if [ -n "$FAILED" ]; then', ...asks, ':; fi'] : []),
  ].join('\n');
}

export interface Patience {
  /** How often a connection without an answer is tried; network plug-ins need a moment to allow a new pod. */
  tries: number;
  /** Seconds to wait first; plug-ins need a moment to apply policies to a new pod, too. */
  settleS: number;
}

/** The script for these tasks. A task whose address or name is not one is left out, and so has no record. */
export const buildScript = (tasks: readonly Task[], { tries, settleS }: Patience): string =>
  `${settleS > 0 ? `sleep ${settleS}\n` : ''}${prelude(tries)}\n${lines(tasks)}\nwait\n`;

/**
 * The script for connections that many pods of an indexed Job make at once: a few at a time, each pod beginning with
 * others, so that no endpoint meets all of them together.
 */
export function buildSpread(tasks: readonly (Task & { kind: 'tcp' | 'udp' })[], atOnce: number): string {
  const steps = tasks.map((t, i) => `${i}) ${line(t, i).replace(/ &$/, '') || ':'} ;;`);
  return `${prelude(2)}
step() { case $1 in
${steps.join('\n')}
esac; }
k=0
while [ $k -lt ${tasks.length} ]; do
  step $(((k + \${JOB_COMPLETION_INDEX:-0} * ${atOnce}) % ${tasks.length})) &
  k=$((k + 1))
  if [ $((k % ${atOnce})) = 0 ]; then wait; fi
done
wait
`;
}

/** Reads the records of a script's output; what is incomplete, or has not this run's key, is none. */
export function readRecords(output: string): Record[] {
  const found: Record[] = [];
  for (const part of output.split(`\u0001${key}\u0002`).slice(1)) {
    const end = part.indexOf(`\u0003${key}`);
    if (end < 0) continue;
    const [id, tool, exitCode, ms, ...rest] = part.slice(0, end).split('\u0002');
    found.push({ id: id ?? '', tool: tool ?? '', exitCode: Number(exitCode), ms: Number(ms), output: rest.join('\u0002') });
  }
  return found;
}
