/** `ingress`, `route`, `url`, `webhook` and `apiservice`: the question begins in front of a Service, and goes on to the Service behind it. */
import { CannotRun } from '../catalog/cannot-run.ts';
import type { Cluster } from '../cluster/index.ts';
import { valueOf } from '../facts/fact.ts';
import type { Target } from '../facts/facts.ts';
import { isReady } from '../facts/selectors.ts';
import { choose, serviceBehind } from '../front/choose.ts';
import { calledService } from '../front/extension.ts';
import { readExtension } from '../gather/extension.ts';
import { type FrontRef, readFront } from '../gather/front.ts';
import { formats } from '../report/render.ts';
import { checkFolder, replayed, save } from './captures.ts';
import { openCluster } from './open-cluster.ts';
import { exitFor, parseOutputs, type Screen, writeOutputs } from './output.ts';
import { runShown } from './shown-run.ts';
import { diagnosisOf, looked } from './svc.ts';
import type { SvcOptions } from './svc-run.ts';
import { parseFrom, parseNodes } from './target.ts';

export interface FrontOptions extends SvcOptions {
  kind: FrontRef['kind'];
  host: string | undefined;
  path: string | undefined;
}

/** `https://shop.example.com/cart`, or without the scheme. Throws CannotRun for what is no URL. */
function parseUrl(text: string): Required<Pick<FrontRef, 'host' | 'path'>> & Pick<FrontRef, 'scheme'> {
  const whole = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  let url: URL;
  try {
    url = new URL(whole);
  } catch {
    throw new CannotRun(`"${text}" is no URL; write it like https://shop.example.com/cart.`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new CannotRun(`"${text}" is not over HTTP; write it like https://shop.example.com/cart.`);
  return { host: url.hostname, path: `${url.pathname}${url.search}`, ...(whole === text && { scheme: url.protocol === 'https:' ? 'https' : 'http' }) };
}

function refOf({ kind, name, host, path }: FrontOptions, contextNamespace: string): FrontRef {
  if (name !== undefined && (kind === 'webhook' || kind === 'apiservice')) {
    if (name.includes('/')) throw new CannotRun(`"${name}" is no name; a ${kind} belongs to no namespace.`);
    return { kind, namespace: '', name };
  }
  if (name === undefined)
    throw new CannotRun(kind === 'url' ? 'Which URL? k8s-doctor url https://shop.example.com/cart.' : `Which one? k8s-doctor ${kind} NAME.`);
  if (kind === 'url') return { kind, namespace: '', name: '', ...parseUrl(name) };
  const [own = '', ...rest] = name.split('/').toReversed();
  if (rest.length > 1) throw new CannotRun(`"${name}" is no name; write NAME or NAMESPACE/NAME.`);
  if (path !== undefined && !path.startsWith('/')) throw new CannotRun(`--path "${path}" is no path; write it like /cart.`);
  return { kind, namespace: rest[0] ?? contextNamespace, name: own, ...(host !== undefined && { host }), ...(path !== undefined && { path }) };
}

/** Diagnoses what is in front of a Service, and the Service behind it. Answers the exit status. */
export async function front(options: FrontOptions, screen: Screen): Promise<number> {
  const outputs = parseOutputs(options.output, formats);
  for (const file of [options.capture, ...outputs.map((o) => o.file)]) if (file !== undefined) checkFolder(file);
  screen.paint.erase();
  const { recording, diagnosis } = await looked(options, async (how) => {
    const recording = how.replay !== undefined ? replayed(how.replay) : await live({ ...options, ...how }, screen.env);
    return { recording, diagnosis: diagnosisOf(recording) };
  });
  await writeOutputs(diagnosis, recording.requests, outputs, screen);
  if (options.capture !== undefined) save(recording, options.capture);
  return exitFor(diagnosis, options.failOn);
}

/** What the API server calls, from a pod in the Service's namespace: what the API server itself meets is asked of it. */
async function calledByApiServer(cluster: Cluster, ref: FrontRef & { kind: 'webhook' | 'apiservice' }, options: FrontOptions, env: NodeJS.ProcessEnv) {
  const extension = await readExtension(cluster, ref.kind, ref.name, AbortSignal.timeout(options.timeoutMs));
  const unread = [extension.webhooks, extension.apiService].find((l) => !l.seen && l.reason !== 'forbidden');
  if (unread && !unread.seen)
    throw new CannotRun(`${ref.name} cannot be read from context "${cluster.context}" (${unread.why}); check the cluster, the VPN, or --context.`);
  const called = calledService(extension);
  const service = called ? extension.services[`${called.namespace}/${called.name}`] : undefined;
  const isThere = called && service?.seen && service.value !== null;
  const hasPort = isThere && service.value?.spec.ports.some((p) => p.port === called.port);
  const namespace = called?.namespace ?? cluster.namespace;
  const target: Target = {
    namespace,
    name: isThere ? called.name : '',
    ...(hasPort && { port: String(called.port) }),
    from: parseFrom(options.from, namespace),
    probe: options.probe,
    nodes: parseNodes(options.nodes),
    matrix: false,
    front: ref,
  };
  return runShown(cluster, target, { ...options, extension }, env);
}

async function live(options: FrontOptions, env: NodeJS.ProcessEnv) {
  const cluster = await openCluster({ ...options, asGroups: options.asGroup }, env);
  try {
    const ref = refOf(options, cluster.namespace);
    if (ref.kind === 'webhook' || ref.kind === 'apiservice') return await calledByApiServer(cluster, { ...ref, kind: ref.kind }, options, env);
    const known = await readFront(cluster, ref, AbortSignal.timeout(options.timeoutMs));
    const unread = [known.ingresses, known.routes].find((l) => !l.seen && l.reason !== 'forbidden');
    if (unread && !unread.seen)
      throw new CannotRun(
        `What is in front of Services of context "${cluster.context}" cannot be read (${unread.why}); check the cluster, the VPN, or --context.`,
      );
    const first: Target = {
      namespace: ref.namespace || cluster.namespace,
      name: '',
      from: parseFrom(options.from, ref.namespace || cluster.namespace),
      probe: options.probe,
      nodes: parseNodes(options.nodes),
      matrix: false,
      ...(options.advice && { advice: true as const }),
      front: ref,
    };
    const chosen = choose(known, first);
    const behind = serviceBehind(chosen);
    const proxy = valueOf(known.proxy)?.pods.find(isReady);
    // The Service is reached from the pods that take the requests: their policies and their node count.
    const from = options.from === undefined && proxy ? { kind: 'pod' as const, namespace: proxy.metadata.namespace, name: proxy.metadata.name } : first.from;
    const port = behind?.port == null ? undefined : String(behind.port);
    const isThere = behind && (valueOf(known.services) ?? []).some((s) => s.metadata.namespace === behind.namespace && s.metadata.name === behind.name);
    const hasPort =
      isThere &&
      (valueOf(known.services) ?? []).some(
        (s) =>
          s.metadata.namespace === behind.namespace &&
          s.metadata.name === behind.name &&
          s.spec.ports.some((p) => port === undefined || String(p.port) === port || p.name === port),
      );
    const target: Target =
      behind && isThere
        ? { ...first, namespace: behind.namespace, name: behind.name, from, ...(hasPort && port !== undefined && { port }) }
        : { ...first, from };
    return await runShown(cluster, target, { ...options, front: known }, env);
  } finally {
    cluster.close();
  }
}
