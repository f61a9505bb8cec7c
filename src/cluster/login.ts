/** From a kubeconfig's chosen context to what a request carries: client-node's configuration, with what plug-ins and providers give out. */
import { readFileSync } from 'node:fs';
// The package's index loads some 750 models; this module is what is used of it.
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { getProxyForUrl } from 'proxy-from-env';
import { CannotRun } from '../catalog/cannot-run.ts';
import { runPlugin } from './exec-plugin.ts';
import type { Chosen } from './kubeconfig.ts';
import { oidcToken, runsOutAt } from './oidc.ts';

export interface Login {
  chosen: Chosen;
  /** client-node's own form, of the last renewal: it keeps its connections, with the certificates that they were opened with. */
  readonly config: KubeConfig;
  /** Headers that speak for somebody else (`as`, `as-uid`, `as-groups`, `as-user-extra`). */
  impersonation: Readonly<Record<string, string | string[]>>;
  /** The proxy before the API server, and what names it: a field of the kubeconfig, or the environment. */
  proxy: { url: string; from: 'proxy-url' | 'environment' } | undefined;
  /** When the credentials run out, in milliseconds since 1970; Infinity where that is not known. */
  runsOutAt(): number;
  /** Gets new credentials where a plug-in or a provider gives them out. It asks nobody: the screen is taken by then. */
  renew(): Promise<void>;
}

/**
 * Prepares the credentials. `beforeAsking` is called before a plug-in may ask the person on the terminal; with null none may.
 * Throws CannotRun where a plug-in or a provider gives none out.
 */
export async function logIn(chosen: Chosen, env: NodeJS.ProcessEnv, beforeAsking: (() => void) | null): Promise<Login> {
  let config = new KubeConfig();
  const proxy = proxyOf(chosen);
  const { cluster, user } = chosen;
  let until = Infinity;

  async function renew(ask: (() => void) | null): Promise<void> {
    let given: { token?: string | undefined; certificate?: string | undefined; key?: string | undefined } = {};
    const provider = user['auth-provider'];
    if (user.exec) {
      const credential = await runPlugin(user.exec, chosen, env, ask);
      // By a clock that goes wrong they may have run out already: then the API server's answer decides.
      until = credential.runsOutAt > Date.now() ? credential.runsOutAt : Infinity;
      given = credential;
    } else if (provider?.name === 'oidc') {
      given = { token: await oidcToken(user, (provider.config ??= {})) };
      until = runsOutAt(given.token ?? '') ?? Infinity;
    } else if (user.tokenFile) given = { token: tokenIn(user.tokenFile, user) };
    const base64 = (pem: string | undefined) => pem && Buffer.from(pem).toString('base64');
    // A field of data counts more than one that names a file, and a token's file more than a token (client-go, clientcmd/api types).
    config = new KubeConfig();
    config.loadFromOptions({
      currentContext: chosen.context,
      contexts: [{ name: chosen.context, cluster: cluster.name, user: user.name }],
      clusters: [
        {
          name: cluster.name,
          server: cluster.server.replace(/\/+$/, ''),
          caData: cluster['certificate-authority-data'],
          caFile: cluster['certificate-authority-data'] ? undefined : cluster['certificate-authority'],
          // client-node refuses plain HTTP, which `kubectl proxy` serves, unless nothing is to be verified.
          skipTLSVerify: cluster['insecure-skip-tls-verify'] === true || cluster.server.startsWith('http:'),
          tlsServerName: cluster['tls-server-name'],
          proxyUrl: proxy?.url,
        },
      ],
      users: [
        {
          name: user.name,
          certData: base64(given.certificate) ?? user['client-certificate-data'],
          certFile: given.certificate || user['client-certificate-data'] ? undefined : user['client-certificate'],
          keyData: base64(given.key) ?? user['client-key-data'],
          keyFile: given.key || user['client-key-data'] ? undefined : user['client-key'],
          token: given.token ?? user.token,
          username: user.username,
          password: user.password,
          ...(provider && provider.name !== 'oidc' && { authProvider: provider }),
        },
      ],
    });
  }

  await renew(beforeAsking);
  return {
    chosen,
    get config() {
      return config;
    },
    impersonation: impersonationOf(user),
    proxy,
    runsOutAt: () => until,
    renew: () => renew(null),
  };
}

function tokenIn(file: string, user: Chosen['user']): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code;
    throw new CannotRun(`"tokenFile" of user "${user.name}" in the kubeconfig ${user.file} names ${file}, which cannot be read (${why}); correct it.`);
  }
}

/** kubectl takes the proxy of the environment where the kubeconfig names none, and none for this machine itself. */
function proxyOf({ cluster }: Chosen): Login['proxy'] {
  if (cluster['proxy-url']) return { url: cluster['proxy-url'], from: 'proxy-url' };
  const { hostname } = new URL(cluster.server);
  const isHere = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  const url = isHere ? '' : getProxyForUrl(cluster.server);
  return url ? { url, from: 'environment' } : undefined;
}

/** Kubernetes documentation, "User impersonation". */
function impersonationOf(user: Chosen['user']): Record<string, string | string[]> {
  const extra = Object.entries(user['as-user-extra'] ?? {}).map(([key, values]): [string, string[]] => [
    `Impersonate-Extra-${encodeURIComponent(key)}`,
    values,
  ]);
  return {
    ...(user.as && { 'Impersonate-User': user.as }),
    ...(user['as-uid'] && { 'Impersonate-Uid': user['as-uid'] }),
    ...(user['as-groups']?.length && { 'Impersonate-Group': user['as-groups'] }),
    ...Object.fromEntries(extra),
  };
}
