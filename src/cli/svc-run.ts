/** What text mode and the terminal UI share of a run of `svc`: its options, the connection to the cluster, how it ends early. */
import { CannotRun } from '../catalog/cannot-run.ts';
import type { Cluster, ConnectOptions } from '../cluster/index.ts';
import type { FactTypes, Target } from '../facts/facts.ts';
import type { FailOn } from './output.ts';
import type { PodDefaults } from '../probes/pod-defaults.ts';
import { openCluster } from './open-cluster.ts';
import { parseFrom, parseNodes, parsePath, parseService } from './target.ts';

export interface SvcOptions {
  name: string | undefined;
  namespace: string | undefined;
  context: string | undefined;
  cluster: string | undefined;
  user: string | undefined;
  kubeconfig: string | undefined;
  as: string | undefined;
  asGroup: string[] | undefined;
  /** Milliseconds for one request. */
  requestTimeoutMs: number;
  /** Milliseconds for the whole run. */
  timeoutMs: number;
  from: string | undefined;
  port: string | undefined;
  probe: Target['probe'];
  /** Path of a GET. */
  http: string | undefined;
  image: string | undefined;
  nodeImage: string | undefined;
  /** What every pod that is created gets. */
  pods?: PodDefaults | undefined;
  /** As typed: `all`, `client`, or how many. */
  nodes: string;
  matrix: boolean;
  advice: boolean;
  output: string[];
  capture: string | undefined;
  /** The capture names nobody. */
  anonymize: boolean;
  replay: string | undefined;
  /** An earlier capture to compare with. */
  since: string | undefined;
  quiet: boolean;
  /** Stack traces, and a line of progress for each check. */
  verbose: boolean;
  /** Stay in the terminal UI after the verdict. */
  interactive: boolean;
  watch: boolean;
  /** Look again until the Service is good enough, or the time is over. */
  wait: boolean;
  failOn: FailOn;
  ui: 'auto' | 'always' | 'never';
  version: string;
  /** What is in front of the Service, where it was read to find the Service. */
  front?: FactTypes['front'];
  extension?: FactTypes['extension'];
}

/** What of the options says whom to ask, and what. */
type Asking = Omit<ConnectOptions, 'asGroups' | 'beforeAsking'> &
  Pick<SvcOptions, 'asGroup' | 'pods' | 'name' | 'from' | 'port' | 'probe' | 'nodes' | 'matrix' | 'advice' | 'http'>;

/** The connection to the cluster and the target of the run. Sends nothing yet, but a credential plug-in may ask on the terminal. Throws CannotRun for options that make no sense. */
export async function prepare(options: Asking, env: NodeJS.ProcessEnv, beforeAsking?: (() => void) | null): Promise<{ cluster: Cluster; target: Target }> {
  if (options.name === undefined) throw new CannotRun('Which Service? Give its name: k8s-doctor svc NAME.');
  const named = parseService(options.name);
  if (named.namespace !== undefined && options.namespace !== undefined && named.namespace !== options.namespace) {
    throw new CannotRun(`"${options.name}" is in namespace ${named.namespace}, but -n says ${options.namespace}; leave one of them out.`);
  }
  const cluster = await openCluster({ ...options, asGroups: options.asGroup, namespace: named.namespace ?? options.namespace, beforeAsking }, env);
  const port = options.port ?? named.port;
  const target: Target = {
    namespace: cluster.namespace,
    name: named.name,
    ...(port !== undefined && { port }),
    ...(named.domain !== undefined && { domain: named.domain }),
    from: parseFrom(options.from, cluster.namespace),
    probe: options.probe,
    nodes: parseNodes(options.nodes),
    matrix: options.matrix,
    ...(options.advice && { advice: true as const }),
    ...(options.http !== undefined && { http: parsePath(options.http) }),
  };
  if (target.probe === 'ephemeral' && target.from.kind !== 'pod' && target.from.kind !== 'workload')
    throw new CannotRun('--probe ephemeral adds a container to a pod; say which with --from pod/NAME or --from deploy/NAME.');
  return { cluster, target };
}

/** The message for something that a run created and could not remove. */
export const leftText = (why: string): string => `A debug pod could not be removed (${why}); it ends by itself, or run "k8s-doctor cleanup".\n`;

/** Ended by a signal; everything that the run created is removed by then, or a message names it. */
export class Interrupted extends Error {
  readonly signal: NodeJS.Signals;
  /** No debug pod is left. */
  readonly isClean: boolean;
  constructor(signal: NodeJS.Signals, isClean: boolean, note = '') {
    super(note ? `Interrupted.${note}` : isClean ? 'Interrupted; nothing is left behind in the cluster.' : 'Interrupted.');
    this.signal = signal;
    this.isClean = isClean;
  }
}
