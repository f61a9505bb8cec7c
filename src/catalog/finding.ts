import type { Code } from './codes.ts';

export type Severity = 'error' | 'warning' | 'info';
/** `confirmed`: a connection or a status written by Kubernetes shows it; `likely`: it follows from the objects; `possible`: a hint. */
export type Confidence = 'confirmed' | 'likely' | 'possible';

export interface ObjectRef {
  kind: string;
  namespace: string;
  name: string;
}

export interface Evidence {
  /** Where it was read: `pods`, `events`, `probe`, `rules on node2`. */
  source: string;
  text: string;
}

/** A change of one object; `kind` as kubectl takes it: `networkpolicy`. */
export type Change = ObjectRef &
  (
    | { how: 'patch'; type: 'merge' | 'json' | 'strategic'; body: object }
    | { how: 'create'; manifest: object }
    /** Removes a pod, which its controller replaces. */
    | { how: 'restart' }
    /** Gives a Deployment the pod template of one of its earlier ReplicaSets. */
    | { how: 'roll-back'; replicaSet: string }
  );

/** What would follow from a fix by the model of the cluster, all fixes before it included. */
export interface Predicted {
  status: 'healthy' | 'degraded' | 'faulty' | 'undecided';
  /** In one clause: `the Service is healthy then`, or what remains. */
  text: string;
}

export interface Fix {
  text: string;
  command?: string;
  /** What the command changes; absent where a person has to decide or to look first. */
  changes?: Change[];
  /** What no fact shows, and what has to be so for the fix to work, in one clause. */
  assumes?: string;
  /** Where its changes were tried on the model. */
  predicted?: Predicted;
  /** What else it changes: other Services, workloads and clients, pods that restart. */
  affects?: string[];
  /** Who would undo it, or needs the same change: a Helm release, a GitOps controller, an operator. */
  owners?: string[];
  /** What the API server said of it in a dry run, where it was asked. */
  tried?: { accepted: boolean; message: string };
}

/** What a check found wrong. The row of the issue table and the page are added from the catalog. */
export interface Draft<C extends Code = Code> {
  code: C;
  severity: Severity;
  confidence: Confidence;
  /** `all`: the named client cannot use the Service because of it; `part`: some requests or some clients fail. */
  scope: 'all' | 'part';
  object: ObjectRef;
  /** Further objects that the same fault breaks. */
  also?: ObjectRef[];
  /** One sentence that names the cause. */
  message: string;
  evidence: Evidence[];
  fix: Fix[];
  /** The pods concerned, where it concerns pods: a cause explains only the symptoms of its own pods. */
  pods?: string[];
  /** The nodes concerned, where it concerns nodes. */
  nodes?: string[];
  /** The failed connections, by their keys, where the finding only reports them: it is a cause if no other finding explains them. */
  failed?: readonly string[];
}
