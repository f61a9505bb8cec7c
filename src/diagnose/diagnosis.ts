import type { Advice } from '../advice/advice.ts';
import type { CheckReport } from '../verdict/judge.ts';
import type { Finding, Status } from '../verdict/verdict.ts';
import type { Changed } from '../verdict/what-changed.ts';
import type { Rollout } from './rollout.ts';

export interface ProbeReport {
  kind: string;
  from: string;
  target: string;
  outcome: string;
  /** Milliseconds. */
  latencyMs: number | null;
  detail: string;
}

/** Connections from each node to each endpoint; of many, a sample. */
export interface Matrix {
  nodesTotal: number;
  endpointsTotal: number;
  endpoints: { target: string; pod: string | null; node: string | null }[];
  /** `outcomes` in the order of `endpoints`; null where no connection could be tried. */
  rows: { node: string; problem: string; outcomes: ({ outcome: string; latencyMs: number | null } | null)[] }[];
}

export interface Hop {
  hop: 'client' | 'dns' | 'virtual IP' | 'proxy rules' | 'policy' | 'endpoint' | 'container';
  state: 'ok' | 'failed' | 'warning' | 'unknown' | 'none';
  detail: string;
}

export interface Missing {
  what: string;
  why: string;
  /** The RBAC PolicyRule that would allow it, and its namespace; null where no permission would help. */
  grant: { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[]; namespace?: string } | null;
}

/** The whole result, as `-o json` prints it. The shape is a promise: docs/contract.md. */
export interface Diagnosis {
  apiVersion: 'k8s-doctor/v1';
  kind: 'Diagnosis';
  version: string;
  service: {
    namespace: string;
    name: string;
    type: string | null;
    clusterIPs: string[];
    ports: { name: string; port: number; protocol: string; targetPort: number | string }[];
  };
  /** What is in front of the Service, where the question began there. */
  front?: { kind: 'ingress' | 'route' | 'url' | 'webhook' | 'apiservice'; namespace: string; name: string; url: string };
  client: { kind: string; namespace: string; name: string; node: string | null } | null;
  /** ISO 8601. */
  startedAt: string;
  durationMs: number;
  verdict: {
    status: Status;
    summary: string;
    causes: Finding[];
    /** What changed shortly before and plausibly explains the first cause. */
    changed?: Changed;
  };
  checks: CheckReport[];
  probes: ProbeReport[];
  path: Hop[];
  /** What `--matrix` asked for. */
  matrix?: Matrix;
  missing: Missing[];
  /** Where a Deployment behind the Service is changing from one revision to another. */
  rollouts?: Rollout[];
  /** What could be better, where it was asked for. */
  advice?: Advice[];
}
