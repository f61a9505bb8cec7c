/** The interface between the terminal UI and the rest of the program. All texts that pass it are cleaned. */
import type { Change } from '../catalog/finding.ts';
import type { Diagnosis } from '../diagnose/diagnosis.ts';
import type { Progress, ProgressEvent } from '../diagnose/progress.ts';
import type { Facts } from '../facts/facts.ts';
import type { DiffLine } from '../repair/trial.ts';

/** Whose connection to which Service; `from` as `--from` takes it. */
/** What is in front of Services, where that is asked about and not a Service. */
export type FrontKind = 'ingress' | 'route';

export interface Asked {
  front?: FrontKind | undefined;
  namespace: string;
  name: string;
  from: string | undefined;
}

export interface Result {
  diagnosis: Diagnosis;
  facts: Facts;
  requests: number;
  /** What the commands of fixes change; by command. */
  changes: Record<string, Change[]>;
}

/** What a dry run of a fix says, and what it would change. */
export interface Trial {
  accepted: boolean;
  message: string;
  lines: DiffLine[];
}

export interface ServiceRow {
  front?: FrontKind;
  namespace: string;
  name: string;
  /** Of a Service; or the kind of what is in front of some. */
  type: string;
  /** Ports, or host names. */
  ports: string;
  /** null: its EndpointSlices could not be read, or it has none. */
  endpoints: { ready: number; total: number } | null;
}

/** The status of a Service by its objects only. */
export interface Quick {
  status: Diagnosis['verdict']['status'];
  summary: string;
}

export interface Session {
  context: string;
  contexts: readonly string[];
  /** A recording: nothing can be run again, tried, or listed. */
  isReplay: boolean;
  /** Before anything was judged. */
  blank: Progress;
  /** Throws an error whose message a person can read. */
  run(
    asked: Asked,
    watcher: { onEvent(event: ProgressEvent): void; consent: ((question: string) => Promise<boolean>) | undefined; signal: AbortSignal },
  ): Promise<Result>;
  tryFix(changes: readonly Change[]): Promise<Trial>;
  /** Makes the changes of a fix, after its undo file was written; returns how to take it back. Throws an error whose message a person can read. */
  makeFix(asked: Asked, changes: readonly Change[]): Promise<string>;
  /** Takes the last fix of this session back; returns what was restored. */
  undoFix(): Promise<string>;
  /** Writes the facts of the last run to a file; returns a message for the person. */
  capture(file: string): string;
  useContext(context: string): Promise<void>;
  /** Those that may be listed; where that is not allowed, the context's. */
  namespaces(): Promise<string[]>;
  /** Of a namespace, or of all (null): its Services, and what is in front of them. */
  services(namespace: string | null): Promise<ServiceRow[]>;
  /** By the objects only, from lists that are each read once. */
  judge(row: ServiceRow): Promise<Quick>;
}
