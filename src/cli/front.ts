/** `ingress`, `route`, `url`, `webhook` and `apiservice`: the question begins in front of a Service, and goes on to the Service behind it. */
import { CannotRun } from '../catalog/cannot-run.ts';
import { isExtensionKind } from '../front/extension.ts';
import type { FrontRef } from '../gather/front.ts';
import { formats } from '../report/render.ts';
import { checkFiles, replayed, save } from './captures.ts';
import { frontTarget } from './front-target.ts';
import { openCluster } from './open-cluster.ts';
import { exitFor, parseOutputs, type Screen, writeOutputs } from './output.ts';
import { runShown } from './shown-run.ts';
import { diagnosisOf, looked } from './svc.ts';
import type { SvcOptions } from './svc-run.ts';
import { parseNodes } from './target.ts';

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
  if (name !== undefined && isExtensionKind(kind)) {
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
  checkFiles(options, outputs);
  screen.paint.erase();
  const { recording, diagnosis } = await looked(options, async (how) => {
    const recording = how.replay !== undefined ? replayed(how.replay) : await live({ ...options, ...how }, screen.env);
    return { recording, diagnosis: diagnosisOf(recording) };
  });
  await writeOutputs(diagnosis, recording.requests, outputs, screen);
  if (options.capture !== undefined) save(recording, options.capture, options.anonymize);
  return exitFor(diagnosis, options.failOn);
}

async function live(options: FrontOptions, env: NodeJS.ProcessEnv) {
  const cluster = await openCluster({ ...options, asGroups: options.asGroup }, env);
  try {
    const asked = { ...options, nodes: parseNodes(options.nodes), advice: options.advice || undefined };
    const started = performance.now();
    const { target, known } = await frontTarget(cluster, refOf(options, cluster.namespace), asked);
    const timeoutMs = Math.max(1, options.timeoutMs - (performance.now() - started));
    return await runShown(cluster, target, { ...options, ...known, timeoutMs }, env);
  } finally {
    cluster.close();
  }
}
