import * as v from 'valibot';
import { factNames, type FactName, factSchemas, type Facts } from './facts.ts';
import type { Fact } from './fact.ts';

/** Sealed facts: everything that a diagnosis reads. */
export interface Recording {
  /** Of the k8s-doctor that recorded it. */
  version: string;
  /** ISO 8601. */
  startedAt: string;
  durationMs: number;
  /** Requests sent to the API server, and debug pods created. */
  requests: number;
  /** Milliseconds from the start until each fact was settled. */
  settledMs: Partial<Record<FactName, number>>;
  facts: Facts;
}

/** The file is no capture, or a damaged one; the message says what is wrong with it. */
export class CaptureError extends Error {}

const apiVersion = 'k8s-doctor/v1';
const kind = 'Capture';

const header = v.object({
  apiVersion: v.literal(apiVersion),
  kind: v.literal(kind),
  version: v.string(),
  startedAt: v.string(),
  durationMs: v.number(),
  requests: v.number(),
  settledMs: v.record(v.string(), v.number()),
  facts: v.record(v.string(), v.unknown()),
});

/** The text of a capture file. */
export const writeCapture = (recording: Recording): string => `${JSON.stringify({ apiVersion, kind, ...recording }, null, 1)}\n`;

/**
 * Reads a capture file's text. Throws CaptureError where it is not one, is damaged, or holds values of another form;
 * a fact that an older k8s-doctor did not know is unseen.
 */
export function readCapture(text: string): Recording {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw new CaptureError(`it is not valid JSON (${(error as Error).message})`);
  }
  const head = v.safeParse(header, raw, { abortEarly: true });
  if (!head.success) throw new CaptureError(`${v.getDotPath(head.issues[0]) ?? 'it'}: ${head.issues[0].message}`);
  const facts: Partial<Record<FactName, Fact<unknown>>> = {};
  for (const name of factNames) {
    const value = head.output.facts[name];
    if (value === undefined) {
      facts[name] = { seen: false, reason: 'not-needed', what: name, why: 'the capture does not hold it' };
      continue;
    }
    const read = v.safeParse(factSchemas[name], value, { abortEarly: true });
    if (!read.success) throw new CaptureError(`facts.${name}.${v.getDotPath(read.issues[0]) ?? ''}: ${read.issues[0].message}`);
    facts[name] = read.output;
  }
  const { version, startedAt, durationMs, requests, settledMs } = head.output;
  if (!facts.target?.seen) throw new CaptureError('facts.target is missing');
  return { version, startedAt, durationMs, requests, settledMs, facts: facts as Facts };
}
