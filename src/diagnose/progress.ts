/** The state of a run while it runs: one reducer over its events, for everything that draws it. */
import type { Check, Stage } from '../../checks/check.ts';
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

export const started = (pipeline: readonly Check[]): Progress =>
  [...Map.groupBy(pipeline, (c) => c.id.split('/')[0] ?? '')].map(([stage, own]) => ({
    stage,
    checks: own.map((c) => c.id),
    reports: [],
    waiting: '',
    since: 0,
    ms: 0,
  }));

export const progressed = (progress: Progress, event: ProgressEvent): Progress =>
  progress.map((s) => {
    if (event.type === 'waiting') return s.stage === event.stage && s.waiting !== event.text ? { ...s, waiting: event.text, since: event.at } : s;
    if (s.stage !== event.report.stage) return s;
    return { ...s, reports: [...s.reports, event.report], ms: Math.max(s.ms, event.report.durationMs) };
  });
