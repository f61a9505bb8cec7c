/** The state of a run while it runs: one reducer over its events, for everything that draws it. */
import { type Check, type Stage, stages } from '../../checks/check.ts';
import type { FactName } from '../facts/facts.ts';
import type { CheckReport } from '../verdict/judge.ts';

/** Milliseconds between two runs that are watched. */
export const watchEveryMs = 5000;

/** What happens while a diagnosis runs. */
export type ProgressEvent =
  /** Something that takes time was begun for a stage, or came a step further; `at`: milliseconds since 1970. */
  | { type: 'waiting'; stage: Stage; text: string; at: number }
  /** A check has all its facts, and was judged. The verdict may still overrule it. */
  | { type: 'checked'; report: CheckReport };

/** The stage that waits for a slow collector. */
const waits: Partial<Record<FactName, Stage>> = {
  listeners: 'pods',
  dnsAnswers: 'dns',
  nodeRules: 'kube-proxy',
  nodeRulesLater: 'kube-proxy',
  proxyHealth: 'kube-proxy',
  conntrack: 'kube-proxy',
};
export const stageOf = (fact: FactName): Stage => waits[fact] ?? 'path';

export interface StageProgress {
  stage: string;
  /** Ids of its checks, and what those said that are judged. */
  checks: readonly string[];
  reports: CheckReport[];
  /** What the stage waits for; empty where it is not known. */
  waiting: string;
  /** Since when, in milliseconds since 1970. */
  since: number;
  /** Milliseconds from the start until its last check was judged. */
  ms: number;
}
export type Progress = readonly StageProgress[];

/** Stages of what few clusters have: shown from the moment at which one of their checks was not skipped. */
const optional: readonly string[] = ['mesh'];

/** Without the checks of a stage that concerns nothing that this cluster has. */
export const concerning = <T extends { stage: string; status: CheckReport['status'] }>(reports: readonly T[]): T[] =>
  reports.filter((r) => !optional.includes(r.stage) || reports.some((other) => other.stage === r.stage && other.status !== 'skip'));

const blank = (stage: string, checks: readonly string[]): StageProgress => ({ stage, checks, reports: [], waiting: '', since: 0, ms: 0 });

export const started = (pipeline: readonly Check[]): Progress =>
  [...Map.groupBy(pipeline, (c) => c.id.split('/')[0] ?? '')]
    .filter(([stage]) => !optional.includes(stage))
    .map(([stage, own]) =>
      blank(
        stage,
        own.map((c) => c.id),
      ),
    );

/** The progress with the stage of a report that is not shown yet, in its place. */
function withStage(progress: Progress, { stage, status, id }: CheckReport): Progress {
  if (status === 'skip' || progress.some((s) => s.stage === stage)) return progress;
  const isBefore = (s: StageProgress) => stages.indexOf(s.stage as Stage) < stages.indexOf(stage as Stage);
  return [...progress.filter(isBefore), blank(stage, [id]), ...progress.filter((s) => !isBefore(s))];
}

export const progressed = (progress: Progress, event: ProgressEvent): Progress =>
  (event.type === 'checked' ? withStage(progress, event.report) : progress).map((s) => {
    if (event.type === 'waiting') return s.stage === event.stage && s.waiting !== event.text ? { ...s, waiting: event.text, since: event.at } : s;
    if (s.stage !== event.report.stage) return s;
    return { ...s, reports: [...s.reports, event.report], ms: Math.max(s.ms, event.report.durationMs) };
  });
