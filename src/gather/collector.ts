import * as v from 'valibot';
import type { Cluster, Failure, Result } from '../cluster/index.ts';
import { type Fact, seen, type Unseen, unseen } from '../facts/fact.ts';
import type { FactName, Facts, FactTypes, Target } from '../facts/facts.ts';
import { redact } from '../facts/redact.ts';
import type { Janitor } from '../probes/debug-pod.ts';

/** What a collector does to the cluster: `read` changes nothing; `exec` runs in a user's pod; `pod` creates one; `node` runs on a node. */
export type Impact = 'read' | 'exec' | 'pod' | 'node';

/** An RBAC rule that a collector uses, and where: in the Service's namespace, the client's, kube-system, or the whole cluster. */
export interface Access {
  apiGroup: string;
  resource: string;
  verbs: string[];
  scope: 'service' | 'client' | 'kube-system' | 'cluster';
  /** Not used in every run, so that nobody gets it unasked: for an option of that name, or (`node-pods`) as good as root. */
  only?: 'node-pods' | 'matrix' | 'http' | 'front' | 'advice';
  /** The ways to connect (`--probe`) that use it; absent: all of them. */
  probes?: readonly Target['probe'][];
}

export interface Context {
  cluster: Cluster;
  target: Target;
  janitor: Janitor;
  /** Ends everything: the deadline, or Ctrl-C. */
  signal: AbortSignal;
  image: string | undefined;
  /** For pods in the network of a node, which list its rules. */
  nodeImage: string | undefined;
  owner: string;
  /** What is in front of the Service, where it was read to find the Service. */
  front?: FactTypes['front'] | undefined;
  /** What the API server calls, likewise. */
  extension?: FactTypes['extension'] | undefined;
  /** Asks the person before something that stays in the cluster; absent where there is nobody to ask. */
  consent?: (question: string) => Promise<boolean>;
  /** Shows a person what the run waits for. */
  progress(text: string): void;
}

export type Known<A extends FactName> = { readonly [K in A]: Facts[K] };

/** Gathers one fact. `when` answers true, or why the fact is not needed in this run. */
export interface Collector<K extends FactName = FactName> {
  fact: K;
  after: readonly FactName[];
  access: readonly Access[];
  impact: Impact;
  when(known: Facts, target: Target): true | string;
  collect(context: Context, known: Facts): Promise<Fact<FactTypes[K]>>;
}

export function collector<K extends FactName, const A extends FactName = never>(definition: {
  fact: K;
  after?: readonly A[];
  access: readonly Access[];
  impact?: Impact;
  when?(known: Known<A>, target: Target): true | string;
  collect(context: Context, known: Known<A>): Promise<Fact<FactTypes[K]>>;
}): Collector {
  return { after: [], impact: 'read', when: () => true, ...definition } as unknown as Collector;
}

export const read = (resource: string, verbs: string[], scope: Access['scope'], apiGroup = ''): Access => ({ apiGroup, resource, verbs, scope });

export const fromFailure = (f: Failure): Unseen =>
  unseen(f.reason === 'refused' ? 'not-possible' : f.reason, f.what, redact(f.why), f.reason === 'forbidden' ? f.rule : undefined);

/** Reads an answer of the API server by a schema: what the schema does not name is dropped, what does not fit is `malformed`. */
export function parsed<T extends v.GenericSchema>(result: Result<unknown>, schema: T, what: string): Fact<v.InferOutput<T>> {
  if (!result.ok) return fromFailure(result.failure);
  const read = v.safeParse(schema, result.value, { abortEarly: true });
  if (read.success) return seen(read.output);
  const issue = read.issues[0];
  return unseen('malformed', what, `${v.getDotPath(issue) ?? 'the answer'}: ${issue.message}`);
}

/** Reads a list by the schema of its items. One item that does not fit makes the whole of it `malformed`. */
export function parsedList<T extends v.GenericSchema>(result: Result<unknown[]>, schema: T, what: string): Fact<v.InferOutput<T>[]> {
  return parsed(result, v.array(schema), what);
}

export { valueOf } from '../facts/fact.ts';
