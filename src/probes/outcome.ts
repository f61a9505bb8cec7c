import type { Record, Task } from './script.ts';

export type ProbeOutcome = 'answered' | 'refused' | 'timed-out' | 'reset' | 'no-route' | 'no-answer' | 'name-not-found' | 'dns-timed-out' | 'dns-failed';

export interface Reading {
  outcome: ProbeOutcome;
  /** Milliseconds; null where the tool does not measure it. */
  latencyMs: number | null;
  detail: string;
  /** For a name: the addresses that it resolved to. */
  answers: string[];
  /** For HTTP: the status of the answer. */
  status?: number;
}

const has = (pattern: RegExp, record: Record) => pattern.test(record.output);
/** Ended by SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE or SIGSEGV: the tool is broken, and shows nothing about the connection. */
const crashed = (code: number) => (code >= 132 && code <= 136) || code === 139;
const killed = (code: number) => code === 143 || code === 137 || code === 124;

/** What a record means; null where the probe could not run, which is not a failed connection. */
export function read(task: Task, record: Record): Reading | null {
  // A tool that prints its usage was not built to do this.
  if (record.tool === 'none' || record.exitCode === 127 || crashed(record.exitCode) || Number.isNaN(record.exitCode) || has(/^usage:/im, record)) return null;
  if (task.kind === 'http') return readHttp(record);
  if (task.kind === 'payload') return readPayload(record);
  return task.kind === 'name' || task.kind === 'ask' ? readName(record) : task.kind === 'udp' ? readUdp(record) : readTcp(record);
}

const brief = (text: string) => text.replace(/\s+/g, ' ').trim().slice(0, 160);

/** The outcome from the words of any tool or system; null where no known word is in them. */
export function outcomeInWords(text: string): ProbeOutcome | null {
  if (/refused|ECONNREFUSED/i.test(text)) return 'refused';
  if (/no route|unreachable|EHOSTUNREACH|ENETUNREACH/i.test(text)) return 'no-route';
  return /timed? ?-?out|ETIMEDOUT/i.test(text) ? 'timed-out' : null;
}

const failure = (record: Record): ProbeOutcome | null => outcomeInWords(record.output) ?? (killed(record.exitCode) ? 'timed-out' : null);

function readTcp(record: Record): Reading | null {
  const detail = brief(record.output);
  const seconds = Number(/connected after ([\d.]+) s/.exec(record.output)?.[1] ?? 0);
  const latencyMs = seconds > 0 ? seconds * 1000 : record.ms;
  if (has(/reset by peer|ConnectionResetError|ECONNRESET/i, record)) return { outcome: 'reset', latencyMs, detail, answers: [] };
  // The handshake succeeded; the time limit of curl's telnet session afterwards means nothing.
  if (seconds > 0) return { outcome: 'answered', latencyMs, detail: '', answers: [] };
  // An HTTP error is an answer too: the connection works.
  if (record.exitCode === 0 || (record.tool === 'wget' && has(/server returned|ERROR \d{3}|bad header/i, record))) {
    return { outcome: 'answered', latencyMs, detail: '', answers: [] };
  }
  const outcome = failure(record);
  return outcome ? { outcome, latencyMs: record.ms, detail, answers: [] } : null;
}

function readHttp(record: Record): Reading | null {
  const status = Number(/HTTP(?:\/[\d.]+)? (\d{3})/.exec(record.output)?.[1] ?? 0);
  const seconds = Number(/after ([\d.]+) s/.exec(record.output)?.[1] ?? 0);
  const subject = /subject: (.*)/.exec(record.output)?.[1]?.trim();
  const certificate = subject === undefined ? '' : `, certificate of ${subject}`;
  if (status > 0) {
    const latencyMs = seconds > 0 ? Math.round(seconds * 1000) : record.ms;
    return { outcome: 'answered', latencyMs, detail: `HTTP ${status}${certificate}`, answers: [], status };
  }
  const outcome = has(/reset|Empty reply/i, record) ? 'reset' : (failure(record) ?? 'no-answer');
  return { outcome, latencyMs: record.ms, detail: brief(record.output), answers: [] };
}

/** States of TCP in which data was sent: established, and closing on this side (include/net/tcp_states.h). */
const sending = new Set(['01', '04', '0B']);

function readPayload(record: Record): Reading | null {
  const [, owed = '0', state = ''] = /owed ([0-9A-F]+) in state (\w*)/.exec(record.output) ?? [];
  const replied = /bytes back:\s*1/.test(record.output);
  const bytes = Number.parseInt(owed, 16);
  if (bytes === 0) return { outcome: replied ? 'answered' : 'no-answer', latencyMs: record.ms, detail: '', answers: [] };
  // A connection that was not made is another probe's result.
  if (!sending.has(state)) return null;
  return { outcome: 'timed-out', latencyMs: null, detail: `${bytes} bytes were sent and never acknowledged`, answers: [] };
}

function readUdp(record: Record): Reading | null {
  const outcome = failure(record);
  if (outcome === 'refused' || outcome === 'no-route') return { outcome, latencyMs: null, detail: brief(record.output), answers: [] };
  // dig and nslookup report every answer, also one that they can't read.
  const asked = record.tool === 'dig' || record.tool === 'nslookup';
  if (asked ? has(/Got (?:answer|bad packet)|->>HEADER|can't find|can't parse/i, record) : record.output.length > 0 && record.exitCode === 0)
    return { outcome: 'answered', latencyMs: record.ms, detail: '', answers: [] };
  return { outcome: 'no-answer', latencyMs: null, detail: 'a UDP program need not answer', answers: [] };
}

const addressPattern = /\b(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})\b/gi;

function readName(record: Record): Reading | null {
  const status = record.tool === 'dig' ? /status: (\w+)/.exec(record.output)?.[1] : undefined;
  // What dig prints first are its own remarks.
  const detail = status === undefined ? brief(record.output) : `dig: status ${status}`;
  const done = (outcome: ProbeOutcome, answers: string[] = []): Reading => ({
    outcome,
    latencyMs: record.ms,
    detail: outcome === 'answered' ? '' : detail,
    answers,
  });
  if (record.tool === 'dig') {
    if (has(/no servers could be reached|timed out|communications error/i, record)) return done('dns-timed-out');
    const answers = [...record.output.matchAll(/\sIN\s+(?:A|AAAA)\s+(\S+)/g)].map((m) => m[1] ?? '');
    if (status === 'NOERROR' && answers.length > 0) return done('answered', answers);
    if (status === 'NXDOMAIN' || status === 'NOERROR') return done('name-not-found');
    return status ? done('dns-failed') : null;
  }
  if (record.tool === 'nslookup') {
    if (has(/no servers could be reached|timed out/i, record) || killed(record.exitCode)) return done('dns-timed-out');
    if (has(/SERVFAIL|REFUSED|FORMERR/, record)) return done('dns-failed');
    if (has(/NXDOMAIN|can't find|No answer/i, record)) return done('name-not-found');
    // The first block names the server that was asked.
    const body = record.output
      .split(/\n\s*\n/)
      .slice(1)
      .join('\n');
    const answers = [...body.matchAll(/Address(?: \d+)?:\s*(\S+)/g)].map((m) => m[1] ?? '');
    return answers.length > 0 ? done('answered', answers) : done('name-not-found');
  }
  if (killed(record.exitCode) || has(/EAI_AGAIN|temporary failure|Resolving timed out/i, record)) return done('dns-timed-out');
  if (record.tool === 'curl') {
    const answers = [...record.output.matchAll(/Trying (?:\[)?([0-9a-f.:]+?)(?:\])?(?::\d+)?\.\.\./gi)].map((m) => m[1] ?? '');
    return record.exitCode === 0 && answers.length > 0
      ? done('answered', [...new Set(answers)])
      : has(/Could not resolve/i, record)
        ? done('name-not-found')
        : null;
  }
  if (record.exitCode === 0) return done('answered', [...new Set(record.output.match(addressPattern) ?? [])]);
  return done('name-not-found');
}
