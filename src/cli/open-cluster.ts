import { type Cluster, connect, type ConnectOptions } from '../cluster/index.ts';
import { type PodDefaults, withPodDefaults } from '../probes/pod-defaults.ts';

/** The connection to a cluster in which all that a run creates is as the configuration has it. */
export async function openCluster(options: ConnectOptions & { pods?: PodDefaults | undefined }, env: NodeJS.ProcessEnv): Promise<Cluster> {
  const cluster = await connect(options, env);
  return options.pods ? withPodDefaults(cluster, options.pods) : cluster;
}
