import { type Skew, skewOf, skewText, tested } from '../catalog/releases.ts';
import { connect, type ConnectOptions } from '../cluster/index.ts';
import { clean } from '../report/clean.ts';
import { parseOutputs, plainFormats, type Screen, writePlain } from './output.ts';

/** Prints the version of k8s-doctor, and of the API server unless only the client's is asked for. Throws CannotRun where it does not answer. */
export async function version(options: ConnectOptions & { version: string; client: boolean; output: string[] }, screen: Screen): Promise<number> {
  const outputs = parseOutputs(options.output, plainFormats);
  const server = options.client ? undefined : await serverOf(options, screen.env);
  const answer: VersionJson = {
    apiVersion: 'k8s-doctor/v1',
    kind: 'Version',
    client: { version: options.version, node: process.version, testedWith: { oldest: `v1.${tested.oldest}`, newest: `v1.${tested.newest}` } },
    ...(server && { server }),
  };
  const lines = [
    `k8s-doctor  ${options.version}`,
    ...(server && 'release' in server ? [`Kubernetes  ${server.release} (context ${server.context}), ${skewText[server.skew]}`] : []),
    ...(server && 'error' in server ? [`Kubernetes  not known: ${server.error}`] : []),
  ];
  await writePlain(outputs, `${lines.join('\n')}\n`, answer, screen);
  return server && 'error' in server ? 3 : 0;
}

type Server = { context: string; error: string } | { context: string; release: string; skew: Skew };

/** What `version -o json` prints; the shape is a promise: docs/contract.md. */
export interface VersionJson {
  apiVersion: 'k8s-doctor/v1';
  kind: 'Version';
  client: { version: string; node: string; testedWith: { oldest: string; newest: string } };
  server?: Server;
}

async function serverOf(options: ConnectOptions, env: NodeJS.ProcessEnv): Promise<Server> {
  const cluster = await connect(options, env);
  try {
    const release = await cluster.release();
    if (!release.ok) return { context: cluster.context, error: clean(release.failure.why) };
    const known = clean(release.value);
    return { context: cluster.context, release: known, skew: skewOf(known) };
  } finally {
    cluster.close();
  }
}
