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

/** A change of one object, as `kubectl patch` takes it. */
export interface Patch {
  kind: string;
  namespace: string;
  name: string;
  type: 'merge' | 'json' | 'strategic';
  body: object;
}

export interface Fix {
  text: string;
  command?: string;
  /** What the command changes, where that is one object. */
  patch?: Patch;
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
