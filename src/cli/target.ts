import { CannotRun } from '../catalog/cannot-run.ts';
import { httpPath } from '../probes/script.ts';
import type { ClientRef, Target } from '../facts/facts.ts';

export interface Named {
  name: string;
  namespace?: string;
  port?: string;
  /** What followed `svc.` in a DNS name. */
  domain?: string;
}

const label = /^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$/;

/**
 * Reads the Service as a person has it at hand: `name`, `namespace/name`, `name.ns.svc.cluster.local`, either with `:port`,
 * or a URL. Throws CannotRun for what is none of these.
 */
export function parseService(text: string): Named {
  const bad = (why: string) => new CannotRun(`"${text}" is not a Service (${why}); give NAME, NAMESPACE/NAME, NAME.NAMESPACE.svc or a URL.`);
  let rest = text.trim();
  let port: string | undefined;
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(rest)) {
    let url: URL;
    try {
      url = new URL(rest);
    } catch {
      throw bad('the URL cannot be read');
    }
    rest = url.hostname;
    port = url.port || ({ 'http:': '80', 'https:': '443' } as Record<string, string>)[url.protocol];
    // A URL's default port is a guess of the scheme's; a Service need not have it.
    if (!url.port && url.protocol !== 'http:' && url.protocol !== 'https:') port = undefined;
  } else {
    const found = /^(.*):([A-Za-z0-9-]+)$/.exec(rest);
    if (found) [, rest = '', port] = found;
  }
  let namespace: string | undefined;
  let ending: string | undefined;
  const slash = rest.split('/');
  if (slash.length === 2 && /^(svc|service|services)$/.test(slash[0] ?? '')) rest = slash[1] ?? '';
  else if (slash.length === 2) [namespace, rest = ''] = slash;
  else if (slash.length > 2) throw bad('too many slashes');
  if (rest.includes('.')) {
    const [name = '', ns, ...domain] = rest.replace(/\.$/, '').split('.');
    if (domain.length > 0 && domain[0] !== 'svc') throw bad('the third part of its DNS name is not "svc"');
    if (namespace !== undefined && ns !== namespace) throw bad('it names two namespaces');
    namespace = ns;
    rest = name;
    if (domain.length > 1) ending = domain.slice(1).join('.');
  }
  if (!label.test(rest)) throw bad(rest === '' ? 'the name is empty' : 'the name has characters that no name has');
  if (namespace !== undefined && !label.test(namespace)) throw bad('the namespace is not one');
  return { name: rest, ...(namespace !== undefined && { namespace }), ...(port !== undefined && { port }), ...(ending !== undefined && { domain: ending }) };
}

/** Names of workloads, as kubectl takes them, and their resources. */
export const workloads: Record<string, string> = {
  deploy: 'deployments',
  deployment: 'deployments',
  deployments: 'deployments',
  sts: 'statefulsets',
  statefulset: 'statefulsets',
  statefulsets: 'statefulsets',
  ds: 'daemonsets',
  daemonset: 'daemonsets',
  daemonsets: 'daemonsets',
  rs: 'replicasets',
  replicaset: 'replicasets',
  replicasets: 'replicasets',
};

/** Reads `--from`. Without one: a plain pod in the Service's namespace. Throws CannotRun for what it does not know. */
export function parseFrom(text: string | undefined, serviceNamespace: string): ClientRef {
  if (text === undefined) return { kind: 'namespace', namespace: serviceNamespace, name: '' };
  if (text === 'external') return { kind: 'external', namespace: '', name: '' };
  const bad = () => new CannotRun(`--from "${text}" is not known; give pod/NAME, deploy/NAME, NAMESPACE/pod/NAME, namespace/NAME, node/NAME or external.`);
  const parts = text.split('/');
  if (parts.some((p) => p === '')) throw bad();
  const namespace = parts.length === 3 ? (parts[0] ?? '') : serviceNamespace;
  const [kind = '', name] = parts.slice(-2);
  if (name === undefined || parts.length < 2 || parts.length > 3) throw bad();
  if (['pod', 'pods', 'po'].includes(kind)) return { kind: 'pod', namespace, name };
  if (workloads[kind]) return { kind: 'workload', namespace, name, resource: workloads[kind] };
  if (parts.length === 2 && ['namespace', 'ns', 'namespaces'].includes(kind)) return { kind: 'namespace', namespace: name, name: '' };
  if (parts.length === 2 && ['node', 'nodes', 'no'].includes(kind)) return { kind: 'node', namespace: '', name };
  throw bad();
}

/** Reads `--nodes`. Throws CannotRun where it is neither a word that is known nor a count. */
export function parseNodes(text: string): Target['nodes'] {
  if (text === 'all' || text === 'client') return text;
  if (!/^[1-9]\d*$/.test(text)) throw new CannotRun(`--nodes "${text}" is not known; write all, client, or how many.`);
  return Number(text);
}

/** Reads `--http`. Throws CannotRun where it is no path. */
export function parsePath(text: string): string {
  if (!httpPath.test(text)) throw new CannotRun(`--http "${text}" is no path; write it like /healthz, without spaces and quotes.`);
  return text;
}
