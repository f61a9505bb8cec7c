import { readFileSync } from 'node:fs';
import { delimiter, dirname, resolve } from 'node:path';
// The package's index loads some 750 models; this module is what is used of it.
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import type { Cluster } from '@kubernetes/client-node/dist/config_types.js';
import { getProxyForUrl } from 'proxy-from-env';
import { parse } from 'yaml';
import { CannotRun } from '../catalog/cannot-run.ts';
import { nearest } from '../catalog/nearest-names.ts';

/** Options that choose and change credentials, with kubectl's names. */
export interface KubeOptions {
  kubeconfig?: string | undefined;
  context?: string | undefined;
  cluster?: string | undefined;
  user?: string | undefined;
}

interface RawUser {
  name?: string;
  user?: { tokenFile?: string };
}

function loadFile(file: string): KubeConfig {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CannotRun(`The kubeconfig ${file} cannot be read (${(error as NodeJS.ErrnoException).code}); check KUBECONFIG or give --kubeconfig.`);
  }
  const config = new KubeConfig();
  try {
    config.loadFromString(text);
    config.makePathsAbsolute(dirname(resolve(file)));
  } catch (error) {
    throw new CannotRun(`The kubeconfig ${file} is not valid (${(error as Error).message.split('\n')[0]}); repair it or give --kubeconfig.`);
  }
  if (text.includes('tokenFile')) {
    // client-node 2.0 leaves `tokenFile` out; its own provider for in-cluster tokens reads such a file.
    const raw = (parse(text) as { users?: RawUser[] }).users ?? [];
    config.users = config.users.map((user) => {
      const tokenFile = raw.find((r) => r.name === user.name)?.user?.tokenFile;
      return tokenFile ? { ...user, authProvider: { name: 'tokenFile', config: { tokenFile: resolve(dirname(file), tokenFile) } } } : user;
    });
  }
  return config;
}

const firstOfEachName = <T extends { name: string }>(items: T[]): T[] => [...new Map(items.toReversed().map((i) => [i.name, i])).values()].toReversed();

/**
 * Merges kubeconfig files as kubectl does: the first file to name a cluster, user, context or current-context wins
 * (Kubernetes documentation, "Organizing Cluster Access Using kubeconfig Files"). Missing files of a list are passed over.
 */
function merge(files: string[]): KubeConfig {
  const present = files.length === 1 ? files : files.filter((f) => exists(f));
  if (present.length === 0) throw new CannotRun(`None of the kubeconfig files ${files.join(', ')} exists; check KUBECONFIG or give --kubeconfig.`);
  const loaded = present.map(loadFile);
  const merged = new KubeConfig();
  merged.loadFromOptions({
    clusters: firstOfEachName(loaded.flatMap((k) => k.clusters)),
    users: firstOfEachName(loaded.flatMap((k) => k.users)),
    contexts: firstOfEachName(loaded.flatMap((k) => k.contexts)),
    currentContext: loaded.map((k) => k.currentContext).find(Boolean) ?? '',
  });
  return merged;
}

function exists(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

const tokenInPod = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/**
 * Finds the credentials: `--kubeconfig`, then KUBECONFIG (a list), then ~/.kube/config, then the pod's service account.
 * Throws CannotRun, with the next step, where there are none or where what was asked for is not in them.
 */
export function loadKubeConfig(options: KubeOptions, env: NodeJS.ProcessEnv): KubeConfig {
  let config: KubeConfig;
  const home = env['HOME'] ?? env['USERPROFILE'];
  const standard = home ? resolve(home, '.kube/config') : undefined;
  if (options.kubeconfig) config = merge([options.kubeconfig]);
  else if (env['KUBECONFIG']) config = merge(env['KUBECONFIG'].split(delimiter).filter(Boolean));
  else if (standard && exists(standard)) config = merge([standard]);
  else if (env['KUBERNETES_SERVICE_HOST'] && exists(tokenInPod)) {
    config = new KubeConfig();
    config.loadFromCluster();
  } else {
    throw new CannotRun(
      'No kubeconfig was found (KUBECONFIG is not set, ~/.kube/config does not exist); set KUBECONFIG or give --kubeconfig, or try "k8s-doctor demo".',
    );
  }

  if (options.context !== undefined) config.setCurrentContext(options.context);
  const contexts = config.contexts.map((c) => c.name);
  const current = config.getCurrentContext();
  if (!current && contexts.length > 0) throw new CannotRun(`The kubeconfig names no current context; give --context (one of: ${contexts.join(', ')}).`);
  const context = current ? config.getContextObject(current) : null;
  if (!context) {
    const near = current ? nearest(current, contexts) : undefined;
    throw new CannotRun(
      `The context "${current ?? ''}" is not in the kubeconfig${near ? `; did you mean "${near}"?` : contexts.length ? `; it has: ${contexts.join(', ')}.` : ', which has none.'}`,
    );
  }
  if (options.cluster !== undefined || options.user !== undefined) {
    const changed = { ...context, cluster: options.cluster ?? context.cluster, user: options.user ?? context.user };
    config.contexts = config.contexts.map((c) => (c.name === current ? changed : c));
  }
  const chosen = config.getContextObject(current);
  if (!config.getCurrentCluster())
    throw new CannotRun(
      `The context "${current}" names the cluster "${chosen?.cluster}", which is not in the kubeconfig (it has: ${config.clusters.map((c) => c.name).join(', ') || 'none'}).`,
    );
  if (chosen?.user && !config.getCurrentUser())
    throw new CannotRun(
      `The context "${current}" names the user "${chosen.user}", which is not in the kubeconfig (it has: ${config.users.map((u) => u.name).join(', ') || 'none'}).`,
    );
  const server = config.getCurrentCluster()?.server ?? '';
  if (!URL.canParse(server)) throw new CannotRun(`The server "${server}" of cluster "${chosen?.cluster}" is not a URL; correct it in the kubeconfig.`);
  config.clusters = config.clusters.map((c) => plainHttp(c.proxyUrl ? c : withProxy(c)));
  config.users = config.users.map((u) => (u.exec ? { ...u, exec: withExecInfo(u.exec, config.getCurrentCluster()) } : u));
  return config;
}

/** kubectl takes the proxy of the environment where the kubeconfig names none, and none for this machine itself. */
function withProxy(cluster: Cluster): Cluster {
  if (!URL.canParse(cluster.server)) return cluster;
  const { hostname } = new URL(cluster.server);
  const local = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  const proxyUrl = local ? '' : getProxyForUrl(cluster.server);
  return proxyUrl ? { ...cluster, proxyUrl } : cluster;
}

/** `kubectl proxy` serves plain HTTP, as kubectl itself accepts; client-node refuses it unless nothing is to be verified. */
const plainHttp = (cluster: Cluster): Cluster => (cluster.server.startsWith('http://') ? { ...cluster, skipTLSVerify: true } : cluster);

interface ExecPlugin {
  apiVersion?: string;
  command?: string;
  env?: { name: string; value: string }[];
  provideClusterInfo?: boolean;
}

/** Plug-ins learn from KUBERNETES_EXEC_INFO which version to answer in (client.authentication.k8s.io); client-node does not set it. */
function withExecInfo(exec: ExecPlugin, cluster: Cluster | null): ExecPlugin {
  const info = {
    apiVersion: exec.apiVersion ?? 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: {
      interactive: false,
      ...(exec.provideClusterInfo &&
        cluster && {
          cluster: {
            server: cluster.server,
            'certificate-authority-data': cluster.caData,
            'tls-server-name': cluster.tlsServerName,
            'insecure-skip-tls-verify': cluster.skipTLSVerify,
          },
        }),
    },
  };
  return { ...exec, env: [...(exec.env ?? []), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }] };
}
