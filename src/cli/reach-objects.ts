/** The objects that policies are judged by: from manifests, from a captured run, or from the cluster. */
import * as v from 'valibot';
import { CannotRun } from '../catalog/cannot-run.ts';
import { type Cluster, connect, type ConnectOptions, resources } from '../cluster/index.ts';
import type { Recording } from '../facts/capture.ts';
import { byChoice, type Fact, type Unseen } from '../facts/fact.ts';
import { service as serviceSchema } from '../facts/objects.ts';
import { listPluginPolicies } from '../gather/policies.ts';
import { kindOf } from '../policy/kinds.ts';
import { problemsOf } from '../policy/manifest.ts';
import { type World, worldOf } from '../policy/world.ts';
import { replayed } from './captures.ts';
import { readManifests } from './manifests.ts';
import { isService, type PartyRef } from './reach-parties.ts';

export interface Known {
  world: World;
  /** The objects as they were given: Services and workloads are looked up in them. */
  objects: readonly unknown[];
  /** What could not be read, in words. */
  missing: string[];
}

/** Of Kubernetes' own; Calico has a kind of this name, too. */
const isNetworkPolicy = (o: { kind?: string; apiVersion?: string }) => o.kind === 'NetworkPolicy' && !kindOf(o);

/** Throws CannotRun with file, line and field for what the API server would refuse. */
export function fromManifests(path: string): Known {
  const manifests = readManifests(path);
  for (const { object, at } of manifests) {
    const problem = isNetworkPolicy(object) ? problemsOf(object)[0] : undefined;
    if (problem)
      throw new CannotRun(
        `${at(problem.path)}: NetworkPolicy "${object.metadata?.name ?? ''}", ${problem.path.join('.') || 'the object'}: ${problem.message}.`,
      );
    // One by one, so that what is malformed can be named with its place.
    try {
      if (isService(object)) v.parse(serviceSchema, object);
      const found = worldOf([object]).unread[0];
      if (found) throw new CannotRun(`${at(found.path)}: ${found.object}, ${found.path.join('.') || 'the object'}: ${found.why}.`);
    } catch (error) {
      if (!(error instanceof v.ValiError)) throw error;
      const issue = (error.issues as v.BaseIssue<unknown>[])[0];
      const steps = (issue?.path ?? []).map((s) => s.key as string | number);
      throw new CannotRun(`${at(steps)}: ${object.kind} "${object.metadata?.name ?? ''}", ${steps.join('.') || 'the object'}: ${issue?.message}.`);
    }
  }
  const objects = manifests.map((m) => m.object);
  return { world: worldOf(objects), objects, missing: [] };
}

type Plural = keyof typeof resources;
const ofKind = (kind: string, objects: readonly unknown[]) => objects.map((o) => ({ kind, ...(o as object) }));
const unread = (f: Unseen) => `${f.what} (${f.why})`;

/** The objects of a captured run, and the two sides that it was about. */
export function fromCapture(file: string): Known & { recording: Recording } {
  const recording = replayed(file);
  const { facts } = recording;
  const missing: string[] = [];
  const of = (kind: string, fact: Fact<unknown>): unknown[] => {
    if (!fact.seen) {
      if (!byChoice(fact)) missing.push(unread(fact));
      return [];
    }
    return ofKind(kind, Array.isArray(fact.value) ? fact.value : fact.value === null ? [] : [fact.value]);
  };
  const each = (kind: string, fact: Fact<Record<string, Fact<unknown>>>): unknown[] =>
    fact.seen ? Object.values(fact.value).flatMap((f) => of(kind, f)) : of(kind, fact);
  const client = facts.client.seen && facts.client.value?.pod ? [facts.client.value.pod] : [];
  const plugin = facts.pluginPolicies.seen ? Object.values(facts.pluginPolicies.value).flatMap((f) => (f.seen ? f.value : (missing.push(unread(f)), []))) : [];
  const pods = [...of('Pod', facts.pods), ...of('Pod', facts.dnsPods), ...ofKind('Pod', client)] as { metadata: { namespace: string; name: string } }[];
  const distinct = [...new Map(pods.map((p) => [`${p.metadata.namespace}/${p.metadata.name}`, p])).values()];
  const objects = [
    ...distinct,
    ...each('Namespace', facts.namespaces),
    ...each('NetworkPolicy', facts.policies),
    ...plugin,
    ...of('Node', facts.nodes),
    ...of('Service', facts.service),
    ...of('Deployment', facts.deployments),
    ...of('StatefulSet', facts.statefulSets),
    ...of('DaemonSet', facts.daemonSets),
  ];
  return { world: worldOf(objects), objects, missing, recording };
}

/** Reads from the cluster what the two sides (or the namespaces of a matrix) call for. */
export async function fromCluster(
  options: ConnectOptions,
  env: NodeJS.ProcessEnv,
  wanted: (home: string) => { who: PartyRef[]; namespaces: string[] | undefined },
): Promise<Known & { namespace: string }> {
  const cluster = await connect(options, env);
  try {
    const { who, namespaces } = wanted(cluster.namespace);
    return { ...(await read(cluster, who, namespaces)), namespace: cluster.namespace };
  } finally {
    cluster.close();
  }
}

/** All namespaces, or, where only single ones may be read, those that matter. */
async function namespacesOf(cluster: Cluster, places: readonly string[] | undefined, missing: string[]): Promise<unknown[]> {
  if (places === undefined) {
    const all = await cluster.list(resources.namespaces, {});
    if (all.ok) return ofKind('Namespace', all.value);
    missing.push(`${all.failure.what} (${all.failure.why})`);
    return [];
  }
  const found = await Promise.all(places.map((name) => cluster.get(resources.namespaces, name)));
  for (const f of found) if (!f.ok) missing.push(`${f.failure.what} (${f.failure.why})`);
  return ofKind(
    'Namespace',
    found.flatMap((f) => (f.ok && f.value !== null ? [f.value] : [])),
  );
}

async function read(cluster: Cluster, asked: readonly PartyRef[], namespaces: string[] | undefined): Promise<Known> {
  const missing: string[] = [];
  const list = async (plural: Plural, namespace?: string, fieldSelector?: string): Promise<unknown[]> => {
    const answer = await cluster.list(resources[plural], { namespace, ...(fieldSelector && { fieldSelector }) });
    if (answer.ok) return ofKind(resources[plural].kind, answer.value);
    // Nothing at all can be said where nobody answers, or who asks is not known.
    if (answer.failure.reason === 'unreachable' || answer.failure.reason === 'unauthenticated' || answer.failure.reason === 'timed-out')
      throw new CannotRun(`The API server of context "${cluster.context}" cannot be asked (${answer.failure.why}); check the cluster and the kubeconfig.`);
    missing.push(`${answer.failure.what} (${answer.failure.why})`);
    return [];
  };
  // An address can belong to a pod of any namespace, or be a Service's virtual IP, which has pods behind it.
  const found = await Promise.all(
    asked.map(async (w): Promise<PartyRef[]> => {
      if (w.kind !== 'address') return [w];
      const held = [...(await list('pods', undefined, `status.podIP=${w.name}`)), ...(await list('services', undefined, `spec.clusterIP=${w.name}`))] as {
        metadata: { namespace: string };
      }[];
      return [{ ...w, namespace: held[0]?.metadata.namespace ?? '' }];
    }),
  );
  const who = found.flat();
  const places = namespaces ?? (who.length > 0 ? [...new Set(who.flatMap((w) => (w.namespace ? [w.namespace] : [])))] : undefined);
  const inPlaces = async (plural: Plural) => (await Promise.all((places ?? [undefined]).map((n) => list(plural, n)))).flat();
  const workloads = [...new Set(who.flatMap((w) => (w.kind === 'workload' && w.resource ? [w.resource] : [])))] as Plural[];
  const objects = await Promise.all([
    inPlaces('pods'),
    inPlaces('networkpolicies'),
    namespacesOf(cluster, places, missing),
    // A node is a party, or an address may be one's.
    ...(who.some((w) => w.kind === 'node' || w.kind === 'address') ? [list('nodes')] : []),
    ...(who.some((w) => w.kind === 'service' || w.kind === 'address') ? [inPlaces('services')] : []),
    ...workloads.map(inPlaces),
  ]);
  const plugin = await listPluginPolicies(cluster, places, undefined);
  const others = plugin.seen
    ? Object.values(plugin.value).flatMap((f) => (f.seen ? f.value : (missing.push(unread(f)), [])))
    : (missing.push(unread(plugin)), []);
  const all = [...objects.flat(), ...others];
  return { world: worldOf(all), objects: all, missing };
}
