/** From what is in front of a Service, or makes the API server call it, to the target of a run: the Service behind it, and from where it is reached. */
import { CannotRun } from '../catalog/cannot-run.ts';
import type { Cluster } from '../cluster/index.ts';
import { valueOf } from '../facts/fact.ts';
import type { FactTypes, Target } from '../facts/facts.ts';
import { isReady } from '../facts/selectors.ts';
import { choose, serviceBehind } from '../front/choose.ts';
import { calledService, type ExtensionKind, isExtensionKind } from '../front/extension.ts';
import { readExtension } from '../gather/extension.ts';
import { type FrontRef, readFront } from '../gather/front.ts';
import { parseFrom } from './target.ts';

/** What of a target is asked for; `from` as typed. */
export interface FrontAsked extends Pick<Target, 'probe' | 'nodes'> {
  advice?: Target['advice'] | undefined;
  from: string | undefined;
  /** Milliseconds. */
  timeoutMs: number;
}

export interface FrontTarget {
  target: Target;
  /** What was read to find the Service. */
  known: { front: FactTypes['front'] } | { extension: FactTypes['extension'] };
}

/** Reads what is in front, and chooses the Service behind it. Throws CannotRun where it cannot be read. */
export const frontTarget = (cluster: Cluster, ref: FrontRef, asked: FrontAsked): Promise<FrontTarget> =>
  isExtensionKind(ref.kind) ? calledByApiServer(cluster, ref, ref.kind, asked) : behindFront(cluster, ref, asked);

const base = (cluster: Cluster, ref: FrontRef, { from, probe, nodes, advice }: FrontAsked): Target => {
  const namespace = ref.namespace || cluster.namespace;
  return { namespace, name: '', from: parseFrom(from, namespace), probe, nodes, matrix: false, ...(advice && { advice }), front: ref };
};

/** The API server's own way is asked of it; connections are made from a pod in the Service's namespace. */
async function calledByApiServer(cluster: Cluster, ref: FrontRef, kind: ExtensionKind, asked: FrontAsked): Promise<FrontTarget> {
  const extension = await readExtension(cluster, kind, ref.name, AbortSignal.timeout(asked.timeoutMs));
  const unread = [extension.webhooks, extension.apiService].find((l) => !l.seen && l.reason !== 'forbidden');
  if (unread && !unread.seen)
    throw new CannotRun(`${ref.name} cannot be read from context "${cluster.context}" (${unread.why}); check the cluster, the VPN, or --context.`);
  const called = calledService(extension);
  const service = called ? extension.services[`${called.namespace}/${called.name}`] : undefined;
  const known = { extension };
  const first = base(cluster, ref, asked);
  if (!called || !service?.seen || !service.value) return { target: first, known };
  const hasPort = service.value.spec.ports.some((p) => p.port === called.port);
  const { namespace, name } = called;
  return { target: { ...first, namespace, name, from: parseFrom(asked.from, namespace), ...(hasPort && { port: String(called.port) }) }, known };
}

async function behindFront(cluster: Cluster, ref: FrontRef, asked: FrontAsked): Promise<FrontTarget> {
  const front = await readFront(cluster, ref, AbortSignal.timeout(asked.timeoutMs));
  const unread = [front.ingresses, front.routes].find((l) => !l.seen && l.reason !== 'forbidden');
  if (unread && !unread.seen)
    throw new CannotRun(
      `What is in front of Services of context "${cluster.context}" cannot be read (${unread.why}); check the cluster, the VPN, or --context.`,
    );
  const first = base(cluster, ref, asked);
  const proxy = valueOf(front.proxy)?.pods.find(isReady);
  // The Service is reached from the pods that take the requests: their policies and their node count.
  const from = asked.from === undefined && proxy ? { kind: 'pod' as const, namespace: proxy.metadata.namespace, name: proxy.metadata.name } : first.from;
  const behind = serviceBehind(choose(front, first));
  const service = (valueOf(front.services) ?? []).find((s) => s.metadata.namespace === behind?.namespace && s.metadata.name === behind.name);
  const known = { front };
  if (!behind || !service) return { target: { ...first, from }, known };
  const hasPort = behind.port !== null && service.spec.ports.some((p) => String(p.port) === String(behind.port) || p.name === behind.port);
  return { target: { ...first, namespace: behind.namespace, name: behind.name, from, ...(hasPort && { port: String(behind.port) }) }, known };
}
