/** One run against a live cluster: everything that it creates is removed in every case, and it ends at its time limit. */
import { setTimeout as pause } from 'node:timers/promises';
import { pipelineFor } from '../../checks/pipeline.ts';
import { CannotRun } from '../catalog/cannot-run.ts';
import { type Cluster, failed, noRule } from '../cluster/index.ts';
import type { ProgressEvent } from '../diagnose/progress.ts';
import { record } from '../diagnose/run.ts';
import { changedSince, newsMs, isNewToDns } from '../diagnose/steady.ts';
import type { Recording } from '../facts/capture.ts';
import type { Facts, FactTypes, Target } from '../facts/facts.ts';
import { owner } from './owner.ts';
import { reasoned, targetOf } from '../verdict/judge.ts';
import { openJanitor } from '../probes/debug-pod.ts';

export interface RunOptions {
  image: string | undefined;
  nodeImage: string | undefined;
  /** Milliseconds for the whole run; a question to the person does not count. */
  timeoutMs: number;
  version: string;
  /** What is in front of the Service, where it was read to find the Service. */
  front?: FactTypes['front'] | undefined;
  /** What the API server calls, likewise. */
  extension?: FactTypes['extension'] | undefined;
}

/** Milliseconds that the removal of what a run created has at least. */
const removalMs = 1000;
/**
 * Milliseconds of the limit for what the clock of a run does not see: the start of the program, as long as it took until here, and the
 * report, which takes about as long. So a run ends within a second of its limit, on a busy machine, too.
 */
const startMs = Math.min(3000, Math.max(400, 2 * performance.now()));

export interface Watcher {
  onEvent(event: ProgressEvent): void;
  /** Asks the person before something that stays in the cluster. Absent where there is nobody to ask. */
  consent?: ((question: string) => Promise<boolean>) | undefined;
  /** Called for each thing that the run created and could not remove, also where the run fails. */
  onLeft(why: string): void;
  /** Ends the run before its time. */
  signal: AbortSignal;
}

/** A rollout takes more than one look to end. */
const mostLooks = 4;

const verdictOn = ({ facts }: Recording) => reasoned(pipelineFor(targetOf(facts)), facts).verdict;

/**
 * Diagnoses the target against the cluster, and removes what it created. Returns the sealed facts. Throws errors other
 * than a fact that could not be read.
 */
export async function runLive(cluster: Cluster, target: Target, options: RunOptions, watcher: Watcher): Promise<Recording> {
  const started = performance.now();
  const timeoutMs = Math.max(options.timeoutMs / 2, options.timeoutMs - startMs);
  const janitor = openJanitor();
  const over = new AbortController();
  let deadline = setTimeout(() => over.abort(), timeoutMs);
  const { consent } = watcher;
  try {
    const context = {
      cluster,
      target,
      janitor,
      signal: AbortSignal.any([watcher.signal, over.signal]),
      image: options.image,
      nodeImage: options.nodeImage,
      front: options.front,
      extension: options.extension,
      owner: owner(),
      ...(consent && {
        consent: async (question: string) => {
          clearTimeout(deadline);
          const answer = await consent(question);
          deadline = setTimeout(() => over.abort(), timeoutMs);
          return answer;
        },
      }),
    };
    let hasWaited = false;
    for (let looks = 1; ; looks++) {
      const recording = await record(pipelineFor(target), context, options.version, watcher.onEvent);
      const hasTime = looks < mostLooks && performance.now() - started < timeoutMs / 2;
      if (!hasTime) return recording;
      const verdict = verdictOn(recording);
      // Only what is wrong is diagnosed again.
      if (verdict.status === 'healthy') return recording;
      const say = (text: string) => watcher.onEvent({ type: 'waiting', stage: 'service', text, at: Date.now() });
      const changed = await changedSince(recording.facts, context);
      if (changed !== undefined) say(`${changed} changed meanwhile: looking again`);
      else if (!hasWaited && isNewToDns(recording) && verdict.causes.some((c) => c.code === 'dns-wrong-answer')) {
        hasWaited = true;
        say(`the Service was created a moment ago, and DNS may learn of it: looking again in ${newsMs / 1000} s`);
        await pause(newsMs, undefined, { signal: context.signal }).catch(() => {});
        if (context.signal.aborted) return recording;
      } else return recording;
    }
  } finally {
    clearTimeout(deadline);
    // Time for that remains, also where the limit of the run is over.
    const leftMs = Math.max(removalMs, timeoutMs - (performance.now() - started));
    const late = pause(leftMs, undefined, { ref: false }).then(() => [
      failed({ reason: 'timed-out', what: 'removal', why: 'the API server did not answer in time', rule: noRule }),
    ]);
    for (const removed of await Promise.race([janitor.removeAll(), late])) if (!removed.ok) watcher.onLeft(removed.failure.why);
  }
}

export const refusedCredentials = (context: string, why: string): CannotRun =>
  new CannotRun(`The API server does not accept the credentials of context "${context}" (${why}); log in again.`);
export const unreachable = (context: string, why: string): CannotRun =>
  new CannotRun(`The API server of context "${context}" cannot be reached (${why}); check the cluster, the VPN, or --context.`);

/** Failures that leave nothing to diagnose: the API server is away, it does not know who asks, or the named client does not exist. Throws CannotRun. */
export function refuse(facts: Facts, context: string): void {
  const { service, client } = facts;
  if (!service.seen && service.reason === 'unauthenticated') throw refusedCredentials(context, service.why);
  if (!service.seen && (service.reason === 'unreachable' || service.reason === 'timed-out')) throw unreachable(context, service.why);
  if (!service.seen && service.reason === 'malformed')
    throw new CannotRun(`What answers for context "${context}" is no Kubernetes API (${service.why}); check "server" and "proxy-url" in the kubeconfig.`);
  if (!client.seen && client.reason === 'not-found' && !(service.seen && service.value === null))
    throw new CannotRun(`${client.what}: ${client.why}.`.replace(/\?\.$/, '?'));
}
